"""Every figure by registry: it is written in every format, fills its page, and says what its axes are."""

import importlib
import inspect
import pkgutil
import types

import numpy as np
import pytest
from PIL import Image

import unstill.plotting
from unstill._errors import BadInput
from unstill._types import Status
from unstill.observations.points import Points
from unstill.plotting.comparisons import plot_comparison
from unstill.plotting.discoveries import plot_points
from unstill.plotting.figures import DPI, rendered, save_figure
from unstill.plotting.fits import plot_fit
from unstill.plotting.flows import plot_flows, plot_score
from unstill.plotting.landscapes import plot_landscape
from unstill.plotting.lyapunov import plot_spectra
from unstill.plotting.recoveries import plot_recovery
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
        "losses": losses, "status": status, "truth": {"F": 0.035, "k": 0.045}, "path": RNG.uniform(0.03, 0.05, (5, 2)),
        "path_names": ("F", "k"), "curves": {},
    }  # fmt: skip
    return types.SimpleNamespace(**(facts | changes))


def log_rows(count=6):
    return [
        {"iteration": i, "loss": 2.0**-i, "parameters": {"F": 0.03 + 1e-3 * i}, "gradients": {"F": 0.5}, "status": None}
        for i in range(count)
    ]


class Turning:
    """A stand-in for a learnt flow: the plane turns."""

    mean, scale = np.zeros(2), np.ones(2)

    def __call__(self, x):
        return np.stack([-x[:, 1], x[:, 0]], 1)


def preservation():
    mmd = np.abs(RNG.standard_normal((5, 2)))
    return types.SimpleNamespace(ts=np.arange(5.0), mmd=mmd, mean=mmd.mean(1), floor=0.1)


def spectrum():
    return types.SimpleNamespace(per_arc_length=np.array([0.1, 0.0]), history=RNG.random((20, 2)), ts=np.arange(20.0))


def flows_of(**changes):
    facts = {"flows": [Turning()], "residuals": np.array([0.1]), "losses": RNG.random((5, 2))}
    return types.SimpleNamespace(**(facts | changes))


UNIQUENESS = types.SimpleNamespace(
    families=("plain", "known"), counts=(3, 1), places=RNG.standard_normal((4, 2)), strains=np.array([0.6, 0.2]),
    table=np.array([[np.nan, 0.4], [0.4, 1.0]]),
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
            landscape(4, 3, losses=np.full((4, 3), np.nan), status=np.full((4, 3), "dead"))
        ),
    },
    "plot_spectra": {
        "many": lambda: plot_spectra([spectrum() for _ in range(7)], [0.1] * 7, (spectrum(), 0.02)),
        "one lost": lambda: plot_spectra([spectrum(), None], [None, 0.2], (None, None)),
        "all lost": lambda: plot_spectra([None], [None], (spectrum(), 0.02)),
    },
    "plot_uniqueness": {"two": lambda: plot_uniqueness(UNIQUENESS, {"plain": preservation(), "known": preservation()})},
    "plot_viability": {
        "two distances": lambda: plot_viability(CELLS, ["bptt", "observed"], ["spots", "maze"]),
        "with a gap": lambda: plot_viability(CELLS[:3], ["bptt", "observed"], ["spots", "maze"]),
    },
    "plot_points": {f"{d} variables": lambda d=d: plot_points(POINTS[d]) for d in POINTS},
    "plot_score": {
        f"{d} variables": lambda d=d: plot_score(
            POINTS[d], types.SimpleNamespace(losses=RNG.random((5, 2)) + 0.1), POINTS[d].x[:50]
        )
        for d in POINTS
    },
    "plot_flows": {
        "trained": lambda: plot_flows(POINTS[2], flows_of(), preservation()),
        "not trained": lambda: plot_flows(POINTS[2], flows_of(losses=np.zeros((0, 2))), preservation()),
    },
}  # fmt: skip
ELSEWHERE = {"plot_found", "plot_discovery", "plot_picture_discovery", "plot_motions"}  # by the tests of their verbs
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
