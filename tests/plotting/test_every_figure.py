"""Every figure by registry: it is written in every format, fills its page, and says what its axes are."""

import importlib
import inspect
import pkgutil
import types

import numpy as np
import pytest
from made_atlases import FIGURES_OF_ATLASES
from PIL import Image

import unstill.plotting
from lattice_stripes import FOLD, Stripes, stripes
from unstill._errors import BadInput
from unstill._types import Status
from unstill.analysis import Spectrum, Stability, continue_branch
from unstill.analysis.branches import Bifurcation, Branch
from unstill.analysis.dispersion import judge
from unstill.analysis.planes import BifurcationCurve
from unstill.flows.exponents import Lyapunov
from unstill.icons import draw_icons
from unstill.observations.inspection import examine
from unstill.observations.points import Points
from unstill.observations.snapshots import Snapshots
from unstill.plotting.comparisons import plot_comparison
from unstill.plotting.discoveries import plot_points
from unstill.plotting.field_flows import _draw_training
from unstill.plotting.figures import DPI, new_figure, rendered, save_figure
from unstill.plotting.fits import plot_fit
from unstill.plotting.flows import _draw_losses, plot_flows, plot_score
from unstill.plotting.icons import plot_icons
from unstill.plotting.inspections import plot_inspection
from unstill.plotting.landscapes import plot_landscape
from unstill.plotting.lyapunov import plot_spectra
from unstill.plotting.pattern_branches import plot_pattern_branch
from unstill.plotting.recoveries import plot_recovery
from unstill.plotting.stability import plot_stability
from unstill.plotting.states import plot_states
from unstill.plotting.uniqueness import plot_uniqueness
from unstill.plotting.viability import plot_viability
from unstill.recovery import Estimate, Recovery
from unstill.simulation import Grid
from unstill.systems import GrayScott

RNG = np.random.default_rng(1)
FIELDS = {"u": RNG.random((3, 12, 16)), "v": RNG.random((3, 12, 16))}
DIAGONAL = np.linspace(0.02, 0.06, 9)
DISTANCES = np.abs(np.subtract.outer(np.arange(3.0), np.arange(3.0)))
POINTS = {d: Points(RNG.standard_normal((400, d)) @ np.tril(np.ones((d, d)))) for d in (1, 2, 3)}


def recovery(**changes) -> Recovery:
    estimates = {name: Estimate.normal(value, 1e-4) for name, value in GrayScott.defaults().items()}
    facts = {
        "system": GrayScott(), "grid": Grid((12, 16)), "observed": ("v",), "method": "by hand", "combinations": {},
        "message": "All is well.", "status": Status.CONVERGED, "noise": {"v": 0.0}, "drift_per_time": 1e-9,
        "seconds": 1.0, "parameters": estimates, "pictures": {"v": FIELDS["v"]},
        "fields": np.stack(list(FIELDS.values()), 1),
    }  # fmt: skip
    return Recovery(**(facts | changes))


def landscape(*shape, **changes):
    losses = np.abs(RNG.standard_normal(shape)) + 0.1
    losses.ravel()[1] = np.nan
    status = np.where(np.isfinite(losses), "ok", "blow-up")
    axes = {name: np.linspace(0.02, 0.06, size) for name, size in zip("Fk", shape, strict=False)}
    facts = {
        "system": GrayScott, "loss_name": "pixel", "axes": axes,
        "losses": losses, "ends": status, "truth": {"F": 0.035, "k": 0.045}, "path": RNG.uniform(0.03, 0.05, (5, 2)),
        "path_names": ("F", "k"), "curves": {}, "strategy": "bptt", "sets": [GrayScott.defaults()],
    }  # fmt: skip
    return types.SimpleNamespace(**(facts | changes))


def log_rows(count=6):
    return [
        {"iteration": i, "loss": 2.0**-i, "parameters": {"F": 0.03 + 1e-3 * i}, "gradients": {"F": 0.5}, "status": None}
        for i in range(count)
    ]


class Turning:
    """A stand-in for a learnt flow: the plane turns, and what is above it rests."""

    def __call__(self, x):
        return np.concatenate([-x[:, 1:2], x[:, :1], 0 * x[:, 2:]], 1)

    def drift(self, x):
        import jax.numpy as jnp

        return jnp.concatenate([-x[..., 1:2], x[..., :1], 0 * x[..., 2:]], -1)


def preservation():
    mmd = np.abs(RNG.standard_normal((5, 2)))
    return types.SimpleNamespace(ts=np.arange(5.0), mmd=mmd, mean=mmd.mean(1), floor=0.1)


def spectrum(count=3) -> Spectrum:
    exponents, std = np.array([0.9, 0.0, -14.5][:count]), np.array([0.01, 0.002, 0.01][:count])
    interval, arc = np.stack([exponents - 2 * std, exponents + 2 * std], -1), exponents / 10
    orbits, segments = np.tile(exponents, (4, 1)), exponents + 0.1 * RNG.standard_normal((20, count))
    return Spectrum(exponents, std, interval, exponents.sum(), -13.6, 10.0, arc, 2.06, 0.0, orbits, segments,
                    np.arange(1.0, 21))  # fmt: skip


def branch_of(r: float, **more):
    grid = Grid((3, 8))
    return continue_branch(
        Stripes(r=r), stripes(max(r, FOLD + 1e-9), grid), over={"r": (-0.3, 0.15)}, grid=grid, **more
    )


def stability_of(*jacobians, over=(), branches=(), found=(), curves=()) -> Stability:
    states = [
        judge({"u": 0.4 + i, "v": -0.123456}, np.array(J), np.array([1.0, 40.0])) for i, J in enumerate(jacobians)
    ]
    ranges = dict.fromkeys(over, (0.01, 0.07))
    return Stability(GrayScott(), states, False, {}, ranges, list(branches), list(found), list(curves), 1.0)


def bifurcation(kind, *names, **changes) -> Bifurcation:
    facts = {"wavenumber": None, "period": None, "onset": True, "first_lyapunov": None} | changes
    return Bifurcation(kind, dict.fromkeys(names, 0.03), {"u": 0.5, "v": 0.2}, **facts)


TURING, SADDLE = [[1.0, -2.0], [3.0, -4.0]], [[1.0, 2.0], [3.0, -4.0]]
BRANCH = Branch(DIAGONAL, np.stack([1 - DIAGONAL, DIAGONAL], 1), DIAGONAL < 0.04)
CURVE = BifurcationCurve("wave", np.stack([DIAGONAL] * 2, 1), BRANCH.states, np.ones(9), DIAGONAL > 0.04)


def exponents_of(spectra, slopes, null) -> Lyapunov:
    return Lyapunov("lorenz", spectra, slopes, null, orbits=10, time=20.0, transient=5.0, dt=0.01, seconds=1.0)


def flows_of(dimension=2, **changes):
    facts = {
        "flows": [Turning()], "residuals": np.array([0.1]), "losses": RNG.random((5, 2)), "points": POINTS[dimension],
        "status": Status.CONVERGED, "message": "1 flow of the family plain at τ = 0.1", "best": 0,
        "kept": preservation(),
    }  # fmt: skip
    return types.SimpleNamespace(**(facts | changes))


def score_of(dimension, epochs=5):
    return types.SimpleNamespace(
        points=POINTS[dimension], losses=RNG.random((epochs, 2)) + 0.1, drawn=POINTS[dimension].x[:50], mmd=1e-3,
        floor=1e-4, status=Status.CONVERGED, message="5 epochs, held-out loss 0.5",
    )  # fmt: skip


FAMILIES = types.SimpleNamespace(
    families=("plain", "truth"), counts=(3, 1), places=RNG.standard_normal((4, 2)), strains=np.array([0.6, 0.2]),
    table=np.array([[np.nan, 0.4], [0.4, 1.0]]),
)  # fmt: skip
UNIQUENESS = types.SimpleNamespace(
    found=FAMILIES, kept={"plain": preservation(), "truth": preservation()}, points=POINTS[2],
    message="The points do not determine a flow. " * 8,
)  # fmt: skip
CELLS = [
    {"row": row, "regime": regime, "distance": d, "success": 0.5, "ends": {"success": 1, "budget": 1}}
    for row in ("bptt", "observed") for regime in ("spots", "maze") for d in (0.2, 0.6)
]  # fmt: skip

FIGURES = {
    "plot_states": {
        "three samples": lambda: plot_states(FIELDS),
        "one, both fields": lambda: plot_states({n: a[:1] for n, a in FIELDS.items()}),
        "tall": lambda: plot_states({"v": FIELDS["v"].swapaxes(1, 2)}),
    },
    "plot_inspection": {
        "one": lambda: plot_inspection(examine(Snapshots({"v": FIELDS["v"][:1]}))),
        "all at once": lambda: plot_inspection(
            examine(Snapshots({n: np.tile(np.clip(a, 0.2, 0.8), (4, 1, 1)) for n, a in FIELDS.items()}))
        ),
        "wide": lambda: plot_inspection(examine(Snapshots({"v": RNG.random((2, 8, 40))}))),
        "uniform": lambda: plot_inspection(examine(Snapshots({"v": np.ones((2, 8, 8))}))),
    },
    "plot_recovery": {
        "v": lambda: plot_recovery(recovery()),
        "later": lambda: plot_recovery(recovery(), np.stack([FIELDS["u"][1], FIELDS["v"][1]]), 1000.0),
        "nothing found": lambda: plot_recovery(
            recovery(
                parameters=dict.fromkeys(GrayScott.parameters(), Estimate(None)),
                combinations={"F/Du": Estimate.normal(0.2, 0.01)},
                status=Status.UNIDENTIFIABLE,
                fields=np.zeros((0, 2, 12, 16)),
                drift_per_time=None,
            )
        ),
    },
    "plot_comparison": {
        "two losses": lambda: plot_comparison(dict.fromkeys("ab", DISTANCES), FIELDS),
        "one": lambda: plot_comparison({"pixel": np.ones((3, 3))}, {"v": FIELDS["v"]}),
    },
    "plot_fit": {
        "bare": lambda: plot_fit(log_rows()),
        "all": lambda: plot_fit(
            log_rows(), {"F": 0.035}, {"target": FIELDS["v"][0], "prediction": FIELDS["v"][1]}, title="A fit"
        ),
        "one line": lambda: plot_fit(log_rows(1)),
    },
    "plot_landscape": {
        "curve": lambda: plot_landscape(landscape(9)),
        "map": lambda: plot_landscape(landscape(7, 6)),
        "map with curves": lambda: plot_landscape(landscape(7, 6, curves={"Turing": (DIAGONAL, DIAGONAL)})),
        "nothing finite": lambda: plot_landscape(
            landscape(4, 3, losses=np.full((4, 3), np.nan), ends=np.full((4, 3), "dead"))
        ),
    },
    "plot_spectra": {
        "one": lambda: plot_spectra(exponents_of([spectrum()], [0.1], (spectrum(2), 0.02))),
        "many": lambda: plot_spectra(exponents_of([spectrum() for _ in range(9)], [0.1] * 9, (spectrum(2), 0.02))),
        "one lost": lambda: plot_spectra(exponents_of([spectrum(), None], [None, 0.2], (None, None))),
        "all lost": lambda: plot_spectra(exponents_of([None], [None], (spectrum(2), 0.02))),
    },
    "plot_pattern_branch": {
        "with a fold": lambda: plot_pattern_branch(branch_of(0.1)),
        "one side": lambda: plot_pattern_branch(branch_of(0.1, points=1)),
        "nothing at rest": lambda: plot_pattern_branch(branch_of(FOLD - 1e-4)),
    },
    "plot_stability": {
        "one state": lambda: plot_stability(stability_of(TURING)),
        "five states": lambda: plot_stability(stability_of(SADDLE, TURING, SADDLE, SADDLE, SADDLE)),
        "branches": lambda: plot_stability(stability_of(
            TURING, over=["k"], branches=[BRANCH], found=[
                bifurcation("Hopf", "k", period=20.0, first_lyapunov=-1.0),
                *[bifurcation("Turing", "k", wavenumber=1.0, onset=False)] * 20,
            ],
        )),
        "plane, no state of its own": lambda: plot_stability(stability_of(
            over=["k", "F"], curves=[CURVE], found=[bifurcation("Bautin", "k", "F", period=20.0)],
        )),
    },
    **FIGURES_OF_ATLASES,
    "plot_uniqueness": {"two": lambda: plot_uniqueness(UNIQUENESS)},
    "plot_viability": {
        "two distances": lambda: plot_viability(CELLS, ["bptt", "observed"], ["spots", "maze"]),
        "with a gap": lambda: plot_viability(CELLS[:3], ["bptt", "observed"], ["spots", "maze"]),
    },
    "plot_points": {f"{d} variables": lambda d=d: plot_points(POINTS[d]) for d in POINTS},
    "plot_icons": {
        "colour": lambda: plot_icons(draw_icons("bug", count=2, size=64, samples=9)),
        "grey on white, one": lambda: plot_icons(
            draw_icons("yin-yang", count=2, size=64, samples=1, colour="grey", ground="white")
        ),
    },
    "plot_score": {
        **{f"{d} variables": lambda d=d: plot_score(score_of(d)) for d in POINTS},
        "one epoch": lambda: plot_score(score_of(2, epochs=1)),
    },
    "plot_flows": {
        "trained": lambda: plot_flows(flows_of()),
        "in space": lambda: plot_flows(flows_of(3)),
        "not trained": lambda: plot_flows(flows_of(losses=np.zeros((0, 2)))),
    },
}  # fmt: skip
ELSEWHERE = {
    "plot_found",
    "plot_discovery",
    "plot_picture_discovery",
    "plot_motions",
    "plot_rule",
    "plot_field_score",
    "plot_field_flow",
    "plot_agreement",
    "plot_calibration",
    "plot_tracking",
}  # by the tests of their verbs
CASES = pytest.mark.parametrize(
    "draw",
    [pytest.param(draw, id=f"{name}: {case}") for name, cases in FIGURES.items() for case, draw in cases.items()],
)


def panels(figure):
    """All axes that show data: no colour bars, none switched off."""
    return [axes for axes in figure.axes if axes.axison and not hasattr(axes, "_colorbar")]


def words(figure):
    """Titles, axis labels, texts and legends that are drawn."""
    found = list(figure.texts)
    for part in figure.subfigs:
        found += words(part)
    for axes in panels(figure):
        found += [axes.title, axes._left_title, axes._right_title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
    return [text for text in found if text.get_text() and text.get_visible()]


@pytest.mark.parametrize("draw", [_draw_losses, _draw_training])
@pytest.mark.parametrize("epochs", [1, 2])
def test_the_loss_of_one_epoch_is_seen(draw, epochs):
    axes = new_figure(3, 3).add_subplot()
    draw(axes, np.full((epochs, 2), 0.5))
    assert all((line.get_marker() == "o") == (epochs == 1) for line in axes.lines)
    assert all(tick == round(tick) for tick in axes.get_xticks())


def test_every_figure_is_in_the_registry():
    found = set()
    for info in pkgutil.iter_modules(unstill.plotting.__path__):
        module = importlib.import_module(f"unstill.plotting.{info.name}")
        found |= {
            name for name, value in vars(module).items()
            if name.startswith("plot_") and inspect.isfunction(value) and value.__module__ == module.__name__
        }  # fmt: skip
    assert found == set(FIGURES) | ELSEWHERE


@CASES
def test_panels_say_what_they_show(draw):
    figure = draw()
    assert panels(figure)
    for axes in panels(figure):
        told = [axes.get_title(loc) for loc in ("left", "center", "right")] + [axes.get_xlabel(), axes.get_ylabel()]
        assert any(told)


@CASES
def test_pictures_are_written_and_words_stay_on_the_page(draw, tmp_path):
    figure = draw()
    save_figure(figure, tmp_path / "x.png")
    assert [p.name for p in tmp_path.iterdir()] == ["x.png"]
    with Image.open(tmp_path / "x.png") as picture:
        width, height = figure.get_size_inches() * DPI
        assert picture.size == (pytest.approx(width, abs=1), pytest.approx(height, abs=1))
        pixels = np.asarray(picture.convert("RGB"))
    assert (pixels[:2] == 255).all()  # nothing is cut at the edges
    assert (pixels != 255).any()
    rendered(figure)  # places of labels are those of the last drawing, which had other dots an inch
    page = figure.bbox
    for text in words(figure):
        box = text.get_window_extent()
        assert box.x0 >= page.x0 - 2, text
        assert box.x1 <= page.x1 + 2, text
        assert box.y0 >= page.y0 - 2, text
        assert box.y1 <= page.y1 + 2, text


@CASES
def test_headings_titles_and_names_of_axes_keep_apart(draw):
    figure = draw()
    rendered(figure)
    told = [text for text in words(figure) if not any(text in axes.texts for axes in panels(figure))]
    boxes = [text.get_window_extent() for text in told]
    for i, box in enumerate(boxes):
        for j in range(i):
            assert not box.overlaps(boxes[j]), (told[i].get_text(), told[j].get_text())


@CASES
def test_colour_bars_have_names(draw):
    bars = [axes for axes in draw().axes if hasattr(axes, "_colorbar")]
    assert all(axes.get_title(loc="left") or axes.get_ylabel() for axes in bars)


@pytest.mark.parametrize("count", [2, 3, 5, 16])
def test_panels_of_states_are_equal(count):
    figure = plot_states({"v": RNG.random((count, 12, 16))}, titles=["a longer title " * m for m in range(count)])
    shapes = {tuple(np.round(axes.get_position().bounds[2:], 9)) for axes in panels(figure)}
    assert len(shapes) == 1
    assert len(panels(figure)) == count


@pytest.mark.parametrize("suffix", [".pdf", ".svg"])
def test_other_formats(suffix, tmp_path):
    save_figure(plot_fit(log_rows()), tmp_path / f"x{suffix}")
    start = (tmp_path / f"x{suffix}").read_bytes()[:400]
    assert start.startswith(b"%PDF") or b"<svg" in start or b"<?xml" in start


@pytest.mark.parametrize(
    ("draw", "argument"),
    [
        (lambda: plot_fit([]), "rows"),
        (lambda: plot_viability([], [], []), "rows"),
        (lambda: plot_comparison({"a": np.ones((2, 2))}, FIELDS), "losses"),
        (lambda: plot_states({"v": np.ones((4, 4))}), "states"),
        (lambda: plot_states(7), "states"),
        (lambda: plot_states(FIELDS, fields=["w"]), "field"),
        (lambda: plot_states(FIELDS, titles=["one"]), "titles"),
        (lambda: plot_landscape(landscape(4, 3, losses=np.ones((3, 4)))), "losses"),
        (lambda: plot_fit(log_rows(), pictures={"target": np.ones((2, 3, 4))}), "pictures"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(draw, argument):
    with pytest.raises(BadInput) as error:
        draw()
    assert error.value.argument == argument


def test_figures_repeat_to_the_last_byte(tmp_path):
    """The same data give the same picture: random choices of dots have their seed."""
    for name in ("a.png", "b.png"):
        save_figure(plot_points(POINTS[3]), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
