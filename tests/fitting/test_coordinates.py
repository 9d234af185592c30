"""The maps between parameters and the numbers that optimisers move: inverses, slopes, bounds. Starts around a start."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from registry import REACTION_DIFFUSION
from unstill._errors import BadInput
from unstill.fitting import fit
from unstill.fitting.coordinates import CONSTRAINTS, Coordinates
from unstill.fitting.starts import check_start, clip, largest_diffusion, starts_around
from unstill.simulation import Grid
from unstill.systems import FitzHughNagumo, GrayScott

GRID = Grid((16, 16))
every_map = pytest.mark.parametrize("constraint", CONSTRAINTS)
every_system = pytest.mark.parametrize("name", REACTION_DIFFUSION)


def inner(coordinates, share: float) -> dict[str, np.ndarray]:
    """Values at a share of what each map reaches, numbers and, for the last parameter, a field."""
    out = {}
    for name in coordinates.free:
        info = coordinates.system_class.parameters()[name]
        low, high = info.low, info.high
        if coordinates.constraint == "founding":
            low, high = 0.0, 0.1
        out[name] = np.asarray(low + (high - low) * share)
    last = coordinates.free[-1]
    out[last] = out[last] * np.ones((2, 3))
    return out


@every_map
@every_system
@settings(max_examples=15)
@given(share=st.floats(0.01, 0.99))
def test_numbers_and_values_are_inverse(constraint, name, share):
    coordinates = Coordinates(REACTION_DIFFUSION[name], {}, constraint)
    values = inner(coordinates, share)
    back = coordinates.values(coordinates.numbers(values))
    for key, value in values.items():
        np.testing.assert_allclose(back[key], value, rtol=1e-9, atol=1e-12)
        assert back[key].shape == value.shape


@every_map
@every_system
@settings(max_examples=15)
@given(share=st.floats(0.05, 0.95))
def test_slopes_against_differences(constraint, name, share):
    coordinates = Coordinates(REACTION_DIFFUSION[name], {}, constraint)
    q = coordinates.numbers(inner(coordinates, share))
    h = 1e-5
    ends = [coordinates.values({key: np.asarray(x + s * h) for key, x in q.items()}) for s in (1, -1)]
    for key, slope in coordinates.slope(q).items():
        np.testing.assert_allclose(slope, (ends[0][key] - ends[1][key]) / (2 * h), rtol=1e-6, atol=1e-11)
        assert (slope > 0).all()


@every_system
@given(number=st.floats(-700, 700))
def test_bounded_maps_keep_any_number_in_the_range(name, number):
    coordinates = Coordinates(REACTION_DIFFUSION[name], {}, "range")
    with np.errstate(over="ignore"):
        values = coordinates.values({key: np.array(number) for key in coordinates.free})
    for key, value in values.items():
        info = coordinates.system_class.parameters()[key]
        assert info.low <= value <= info.high


@given(number=st.floats(-700, 700))
def test_the_founding_map_is_softplus_and_a_tenth_of_a_sigmoid(number):
    coordinates = Coordinates(GrayScott, {}, "founding")
    values = coordinates.values({key: np.array(number) for key in coordinates.free})
    assert values["Du"] == pytest.approx(np.log1p(np.exp(-abs(number))) + max(number, 0.0), rel=1e-12, abs=1e-300)
    assert values["F"] == pytest.approx(0.1 / (1 + np.exp(-number)), rel=1e-12, abs=1e-300)


@pytest.mark.parametrize(
    ("constraint", "name", "value"),
    [
        ("founding", "F", 0.1), ("founding", "F", 0.2), ("founding", "k", 0.0), ("founding", "Du", 0.0),
        ("founding", "Du", -0.1), ("range", "F", 0.3), ("range", "F", 0.31), ("log", "F", np.nan),
    ],
)  # fmt: skip
def test_values_out_of_reach_are_refused(constraint, name, value):
    coordinates = Coordinates(GrayScott, {}, constraint)
    with pytest.raises(BadInput, match=rf"`start` must be what `constraint={constraint}` .* can reach; got {name}="):
        coordinates.numbers({"Du": 0.1, "Dv": 0.1, "F": 0.05, "k": 0.05, name: value})


def test_a_field_with_one_value_out_of_reach_is_refused():
    F = np.full((3, 3), 0.05)
    F[1, 1] = 0.1
    with pytest.raises(BadInput, match=r"`start` must be .* can reach"):
        Coordinates(GrayScott, {}, "founding").numbers({"Du": 0.1, "Dv": 0.1, "F": F, "k": 0.05})


def test_signed_parameters_are_moved_linearly_and_states_as_they_are():
    coordinates = Coordinates(FitzHughNagumo, {}, states=("state",))
    signed = [name for name, info in FitzHughNagumo.parameters().items() if info.low < 0]
    assert signed
    values = FitzHughNagumo.defaults() | {"state": np.array([-1.0, 2.0])} | dict.fromkeys(signed, -0.05)
    q = coordinates.numbers(values)
    np.testing.assert_array_equal(q["state"], values["state"])
    for name in signed:
        assert coordinates.values(q)[name] == pytest.approx(-0.05)


def test_fixed_parameters_keep_their_values_and_are_not_moved():
    coordinates = Coordinates(GrayScott, {"F": 0.03, "k": 0.06})
    assert coordinates.free == ("Du", "Dv")
    q = coordinates.numbers({"Du": 0.1, "Dv": 0.2})
    assert set(q) == {"Du", "Dv"}
    system = coordinates.system(coordinates.values(q))
    found = {name: float(value) for name, value in system.values().items()}
    assert found == pytest.approx({"Du": 0.1, "Dv": 0.2, "F": 0.03, "k": 0.06})
    with pytest.raises(BadInput, match="`fix` must leave"):
        Coordinates(GrayScott, GrayScott.defaults())
    with pytest.raises(BadInput, match="`constraint` must be a known map"):
        Coordinates(GrayScott, {}, "lg")


# --- starts -----------------------------------------------------------------------------------------------------------


@every_map
def test_a_box_of_starts_stays_where_each_map_reaches(constraint):
    start = {"Du": 0.2, "Dv": 0.1, "F": 0.09, "k": 0.08}
    coordinates = Coordinates(GrayScott, {}, constraint)
    starts = starts_around(GrayScott, GRID, 1.0, start, 33, seed=5)
    assert starts[0] == start
    assert len({tuple(s.values()) for s in starts}) == 33
    for one in starts[1:]:
        inside = coordinates.inside(one)
        coordinates.numbers(inside)  # would raise
        for name, value in inside.items():
            assert 0.4 * start[name] <= value * (1 + 1e-9)
            assert value <= 2.5 * start[name] * (1 + 1e-9)
        assert max(one["Du"], one["Dv"]) <= largest_diffusion(GRID, 1.0)


def test_starts_repeat_with_their_seed():
    start = {"F": 0.04, "k": 0.06}
    one, two, other = (starts_around(GrayScott, GRID, 1.0, start, 8, seed=s) for s in (1, 1, 2))
    assert one == two
    assert one[1:] != other[1:]
    assert starts_around(GrayScott, GRID, 1.0, start, 1) == [start]


def test_clipping_and_checking_of_starts():
    assert clip(GrayScott, GRID, 1.0, {"Du": 0.9, "F": 7.0}) == {"Du": pytest.approx(0.225), "F": 0.3}
    assert clip(GrayScott, GRID, 0.5, {"Du": 0.4})["Du"] == 0.4
    check_start(GrayScott, GRID, 1.0, {"Du": 0.249})
    for values, words in (
        ({"Du": 0.25}, r"below dx²/\(4 dt\) = 0.25"),
        ({"Q": 1.0}, "must name parameters"),
        ({"F": 0.31}, "`F` must lie in"),
        ({"F": -0.1}, "`F` must lie in"),
    ):
        with pytest.raises(BadInput, match=words):
            check_start(GrayScott, GRID, 1.0, values)


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"starts": 0}, "starts"), ({"iterations": 0}, "iterations"), ({"batch": 0}, "batch"),
        ({"horizon": 0}, "horizon"), ({"window": 0}, "window"), ({"smoothness": -1.0}, "smoothness"),
        ({"smoothness": float("nan")}, "smoothness"), ({"until_change": -1.0}, "until_change"), ({"dt": 0.0}, "dt"),
        ({"warm_start": "yes"}, "warm_start"), ({"pair": "both"}, "pair"), ({"window": 50, "horizon": 49}, "window"),
    ],
)  # fmt: skip
def test_plans_refuse(options, argument):
    with pytest.raises(BadInput) as error:
        fit("gray-scott", {"v": np.full((1, 8, 8), 0.1)}, **options)
    assert error.value.argument == argument
