"""Parts of fits by themselves: bounds on the way, boxes of starts, what a landscape computes and leaves open."""

import dataclasses
import itertools

import numpy as np
import pytest

from registry import REACTION_DIFFUSION
from unstill._errors import BadInput
from unstill._progress import Memory
from unstill._types import Status
from unstill.analysis.bifurcations import curves
from unstill.fitting.coordinates import CONSTRAINTS, Coordinates
from unstill.fitting.fit import plan_of
from unstill.fitting.landscape import landscape, landscape_road
from unstill.fitting.landscape_result import Landscape
from unstill.fitting.sections import sections
from unstill.fitting.starts import FACTOR, STABLE, check_parameters, largest_diffusion, largest_values, starts_around
from unstill.observations.task import check
from unstill.simulation import Grid, simulate
from unstill.systems import GrayScott

TRUTH = dict(GrayScott.presets["maze"])
TRUTH_BUT_DU = {name: value for name, value in TRUTH.items() if name != "Du"}
GRID = Grid((32, 32))
every_map = pytest.mark.parametrize("constraint", CONSTRAINTS)
every_system = pytest.mark.parametrize("name", REACTION_DIFFUSION)


# --- bounds on the way ------------------------------------------------------------------------------------------------


@every_map
def test_projection_is_the_least_of_a_value_and_its_bound(constraint):
    """In values, whatever the map; fields cell by cell; variables without a bound stay bit for bit."""
    coordinates = Coordinates(GrayScott, {}, constraint, most={"Du": 0.2, "k": 0.06})
    k = np.linspace(0.04, 0.08, 6).reshape(2, 3)
    values = {"Du": 0.23, "Dv": 0.3, "F": 0.05, "k": k}
    q = coordinates.numbers(values)
    moved = coordinates.project(q)
    found = coordinates.values(moved)
    assert found["Du"] == pytest.approx(0.2)
    np.testing.assert_allclose(found["k"], np.minimum(k, 0.06))
    for name in ("Dv", "F"):
        np.testing.assert_array_equal(moved[name], q[name])
    again = coordinates.project(moved)
    assert all((again[name] == moved[name]).all() for name in q)
    assert set(coordinates.project({"F": q["F"]})) == {"F"}


@every_system
def test_diffusion_may_go_to_the_stability_limit_and_stays_in_its_range(name):
    cls = REACTION_DIFFUSION[name]
    for dx, dt in ((1.0, cls.dt), (0.5, cls.dt), (1.0, 1e-6)):
        most = largest_values(cls, Grid((8, 8), dx), dt)
        assert set(most) == set(cls.diffusion.values())
        for key, value in most.items():
            high = cls.parameters()[key].high
            assert value == pytest.approx(min(0.95 * dx**2 / (4 * dt), high), rel=1e-5)
            assert value < high
            # an explicit step of pure diffusion damps every wave: |1 − 8 D dt/dx²| < 1
            assert abs(1 - 8 * value * dt / dx**2) < 1 or value > dx**2 / (4 * dt)
            for constraint in ("log", "range"):
                Coordinates(cls, {}, constraint, most=most).number(key, value)  # must be reachable


@every_map
def test_what_sticks_out_of_a_bounded_map_is_moved_inside(constraint):
    coordinates = Coordinates(GrayScott, {}, constraint)
    far = {"Du": 0.2, "F": 7.0, "k": -1.0}
    inside = coordinates.inside(far)
    assert inside["Du"] == (0.2 if constraint != "range" else pytest.approx(0.2))
    if constraint == "log":
        assert inside == far
    else:
        high = 0.1 if constraint == "founding" else 0.3
        assert inside["F"] == pytest.approx(0.999 * high)
        assert inside["k"] == pytest.approx(0.001 * high)
        coordinates.number("F", inside["F"])


def test_a_logarithm_ends_where_a_value_is_nothing():
    """Numbers far below stand for 1e-8 of the default, and those far above for e⁵⁰: finite values and slopes."""
    coordinates = Coordinates(GrayScott, {})
    ends = {name: np.array([-1e4, 1e4]) for name in coordinates.free}
    for name, value in coordinates.values(ends).items():
        np.testing.assert_allclose(value, [1e-8 * GrayScott.defaults()[name], np.exp(50)])
        np.testing.assert_allclose(coordinates.slope(ends)[name], value)
    assert coordinates.number("F", 0.0) == pytest.approx(np.log(1e-8 * GrayScott.defaults()["F"]))


@pytest.mark.parametrize("count", [2, 3, 9, 20])
def test_a_box_of_starts_is_filled_evenly_in_logarithms(count):
    """Sobol points: of 2ⁿ starts beside the first every half of the box holds as many, for each parameter."""
    start = {"Du": 0.06, "F": 0.04, "k": 0.06}
    found = starts_around(GrayScott, GRID, 1.0, start, count, seed=3)
    assert len(found) == count
    assert found[0] == start
    shares = np.array([[np.log(s[n] / start[n]) / np.log(FACTOR) for n in start] for s in found[1:]])
    assert np.abs(shares).max() <= 1
    whole = 2 ** int(np.log2(count - 1))
    if whole > 1:
        np.testing.assert_array_equal(np.sum(shares[:whole] < 0, 0), whole // 2)


def test_parameters_are_checked_by_name_and_range():
    check_parameters(GrayScott, "set", TRUTH)
    with pytest.raises(BadInput, match=r"`set` must name parameters of gray-scott; got 'f'. Known: Du, Dv, F, k"):
        check_parameters(GrayScott, "set", {"f": 0.1})
    with pytest.raises(BadInput, match="`k` must lie in"):
        check_parameters(GrayScott, "set", {"k": 0.5})
    assert largest_diffusion(Grid((4, 4), 0.5), 0.1) == pytest.approx(STABLE * 0.625)


# --- landscapes -------------------------------------------------------------------------------------------------------


def test_sections_run_like_loops_the_last_axis_fastest():
    along = {"F": np.array([0.03, 0.04]), "k": np.array([0.06, 0.061, 0.062])}
    expected = [{**TRUTH, "F": F, "k": k} for F, k in itertools.product(*map(np.ndarray.tolist, along.values()))]
    assert sections(TRUTH, along) == expected
    assert [s["F"] for s in sections(TRUTH, {"F": along["F"]})] == [0.03, 0.04]


def test_the_best_point_is_the_least_that_is_known():
    axes = {"F": np.array([0.03, 0.04]), "k": np.array([0.06, 0.061])}
    made = Landscape(
        GrayScott, axes, sections(TRUTH, axes), np.array([[np.nan, 2.0], [1.0, np.nan]]),
        np.array([["unstable", "ok"], ["ok", ""]]), "pixel", "observed-start",
    )  # fmt: skip
    assert made.best == {**TRUTH, "F": 0.04, "k": 0.06}
    assert dataclasses.replace(made, losses=-made.losses).best == {**TRUTH, "F": 0.03, "k": 0.061}


@pytest.fixture(scope="module")
def pictures():
    state = simulate(GrayScott.make("maze"), grid=GRID, init="discs", steps=15_000).state
    return {"u": state[:, 0], "v": state[:, 1]}


def known_points(losses: np.ndarray, ends: np.ndarray) -> Memory:
    """The checkpoint of an unfinished call."""
    kept = Memory()
    kept.keep("landscape", losses=losses, status=ends.astype("<U10"))
    return kept


def test_a_landscape_is_least_at_the_truth_and_leaves_open_what_it_must(pictures):
    """Along F and Du: three stable rows, one beyond the stability limit, one point of an earlier call."""
    axes = {"F": np.array([0.026, 0.029, 0.032]), "Du": np.array([0.14, 0.16, 0.18, 0.26])}
    losses, ends, looks = np.full((3, 4), np.nan), np.full((3, 4), "", dtype="<U10"), []
    losses[0, 0], ends[0, 0] = 123.0, "ok"
    found = landscape(
        "gray-scott", pictures, along=axes, truth=TRUTH, strategy="observed-start", resume=known_points(losses, ends),
        progress=lambda done, total, entry: looks.append(done),
    )  # fmt: skip
    assert found.status is Status.CONVERGED
    assert found.best == TRUTH
    assert found.losses[0, 0] == 123  # was not computed again
    assert looks == list(range(2, 13))
    assert (found.ends[:, 3] == "unstable").all()
    assert np.isnan(found.losses[:, 3]).all()
    assert (found.ends[:, :3] == "ok").all()
    assert found.losses[1, 1] < 0.05 * found.losses[1, [0, 2]].min()
    assert found.curves is None  # F and Du are not the plane of the closed forms
    assert (found.strategy, found.loss_name) == ("observed-start", "pixel")
    one = landscape(
        "gray-scott", pictures, along={"Du": axes["Du"]}, set={**TRUTH_BUT_DU, "F": 0.029}, strategy="observed-start"
    )
    np.testing.assert_array_equal(one.losses, found.losses[1])  # the same points by themselves, bit for bit


def test_curves_come_in_the_order_of_the_axes(pictures):
    """With every point known nothing is computed."""
    F, k = np.array([0.01, 0.05]), np.array([0.03, 0.06, 0.065])
    made = {}
    for axes in ({"F": F, "k": k}, {"k": k, "F": F}):
        shape = tuple(map(len, axes.values()))
        kept = known_points(np.zeros(shape), np.full(shape, "ok"))
        found = landscape("gray-scott", pictures, along=axes, truth=TRUTH, strategy="observed-start", resume=kept)
        made[next(iter(axes))] = found.curves
    expected = curves(2.0, k_range=(0.03, 0.065), F_range=(0.01, 0.05))
    assert set(made["F"]) == set(expected)
    for name, (along_k, along_F) in expected.items():
        np.testing.assert_array_equal(made["k"][name], (along_k, along_F))
        np.testing.assert_array_equal(made["F"][name], (along_F, along_k))


@pytest.mark.parametrize(
    ("axes", "sets", "options", "words"),
    [
        ({}, [TRUTH], {}, "`along` must name one or two"),
        ({"F": np.ones(1), "k": np.ones(1), "Du": np.ones(1)}, [TRUTH], {}, "`along` must name one or two"),
        ({"F": np.ones(2)}, [TRUTH], {}, "`along`"),
        ({"F": np.ones(1)}, [{**TRUTH, "q": 1.0}], {}, "`set` must name parameters"),
        ({"F": np.ones(1)}, [{"F": 0.03}], {}, "`set` must give every parameter; got no Du, Dv, k"),
        ({"F": np.ones(1)}, [{**TRUTH, "F": 0.9}], {}, "`F` must lie in"),
        ({"F": np.ones(1)}, [TRUTH], {"strategy": "shooting"}, "without free states"),
    ],
)
def test_landscapes_refuse_before_they_compute(pictures, axes, sets, options, words):
    task = check("gray-scott", pictures)
    with pytest.raises(BadInput, match=words):
        landscape_road(task, sets, axes, plan_of(start=TRUTH, **{"strategy": "observed-start", **options}))
