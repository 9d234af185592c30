"""`recover` of pictures that another Laplacian than that of five points has made."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

import unstill as us
from unstill._errors import BadInput
from unstill._result import Estimate
from unstill.recovery.fine_detail import _across, _along
from unstill.recovery.which_laplacian import best_laplacian
from unstill.simulation.multifrontal import SingularMatrix
from unstill.systems.grid import SCHEMES

TRUTH = {"Du": 0.16, "Dv": 0.08, "F": 0.035, "k": 0.065}


@functools.cache
def spots(scheme: str) -> us.Trajectory:
    grid = us.Grid((40, 40), scheme=scheme)
    return us.simulate(us.GrayScott(**TRUTH), grid=grid, init="discs", time=16_000.0, seed=2, dtype="float64")


def farthest(found: us.Recovery) -> float:
    """The largest relative error of the parameters; none is free."""
    return max(abs(found.parameters[name].value / value - 1) for name, value in TRUTH.items())


@pytest.mark.parametrize("scheme", ["nine-point", "spectral"])
def test_the_right_laplacian_gives_the_parameters(scheme):
    found = us.recover("gray-scott", spots(scheme).state[0, 1], laplacian=scheme)
    assert found.status == "converged"
    assert farthest(found) < 5e-3
    assert found.to_dict()["laplacian"] == scheme
    for name, value in TRUTH.items():
        assert abs(found.parameters[name].value - value) < 3 * found.parameters[name].std


def test_five_points_do_not_explain_what_others_made():
    found = us.recover("gray-scott", spots("spectral").state[0, 1], grid=us.Grid((40, 40)))
    assert found.status == "not-converged"
    assert all(each.std is None for each in found.parameters.values())


def test_nine_points_are_named_as_the_likeliest_cause():
    found = us.recover("gray-scott", spots("nine-point").state[0, 1], grid=us.Grid((40, 40)))
    assert found.status == "not-converged"
    assert "With `laplacian=unknown`" in found.message


def test_an_unknown_laplacian_is_found():
    noise = 0.01 * np.random.default_rng(0).standard_normal((40, 40)) * spots("nine-point").state[0, 1].std()
    found = us.recover("gray-scott", spots("nine-point").state[0, 1] + noise, laplacian="unknown")
    assert found.status == "converged"
    assert "nine-point" in found.message
    for name, value in TRUTH.items():
        assert abs(found.parameters[name].value - value) < 3 * found.parameters[name].std


def noisy_window(scheme: str, noise: float) -> np.ndarray:
    cut = spots(scheme).state[0, 1, 3:37, 3:37]
    return cut + noise * cut.std() * np.random.default_rng(0).standard_normal(cut.shape)


def test_an_unknown_laplacian_of_a_window_is_one_of_those_that_know_windows():
    found = us.recover("gray-scott", noisy_window("nine-point", 0.02), laplacian="unknown", window=True)
    assert found.status == "converged", found.message
    for name, value in TRUTH.items():
        assert abs(found.parameters[name].value - value) < 3 * found.parameters[name].std


@pytest.mark.parametrize("noise", [0.01, 0.03])
def test_what_the_finest_detail_speaks_for_widens_the_intervals(noise):
    """Nine points taken for five: Dv was 6 to 9 standard deviations off."""
    found = us.recover("gray-scott", noisy_window("nine-point", noise), window=True)
    assert found.status == "converged", found.message
    assert "another Laplacian (`laplacian=unknown`)" in found.message
    for name, value in TRUTH.items():
        assert abs(found.parameters[name].value - value) < 2.5 * found.parameters[name].std
    right = us.recover("gray-scott", noisy_window("five-point", noise), window=True)
    assert right.status == "converged"
    assert "finest detail" not in right.message


def test_the_terms_of_fourth_order_are_the_differences_of_the_laplacians():
    rows, columns = np.meshgrid(*[2 * np.pi * np.arange(24) / 24] * 2, indexing="ij")
    c = np.cos(2 * rows) * np.sin(columns) + np.cos(rows - columns)
    grids = [us.Grid((24, 24), 0.7, scheme=scheme) for scheme in SCHEMES]
    five, nine, exact = (np.asarray(grid.laplacian(jnp.asarray(c))) for grid in grids)
    grid = us.Grid((24, 24), 0.7)
    np.testing.assert_allclose(_across(grid, c), nine - five, atol=1e-12)
    np.testing.assert_allclose(_along(grid, c), five - exact, atol=0.05 * np.abs(five - exact).max())


def test_with_all_fields_seen_the_drift_tells_the_laplacian():
    run = spots("spectral")
    found = us.recover("gray-scott", dict(zip("uv", run.state[0], strict=True)), laplacian="unknown")
    assert found.grid.scheme == "spectral"
    assert farthest(found) < 5e-3
    wrong = us.recover("gray-scott", dict(zip("uv", run.state[0], strict=True)), laplacian="five-point")
    assert farthest(wrong) > 5 * farthest(found)


def recovery(scheme: str, left: float, *, status: str = "converged", F: float = 0.03, **changed) -> us.Recovery:
    """A recovery that leaves this much of the contrast."""
    system = us.GrayScott(**TRUTH)
    return us.Recovery(
        system=system, grid=us.Grid((8, 8), scheme=scheme), observed=("v",), method="hidden", status=us.Status(status),
        message="As it is.", parameters={"F": Estimate.normal(F, 0.001), "k": Estimate(None)},
        combinations={"F/Du": Estimate.normal(1.0, 0.1)}, noise={}, drift_per_time=left, seconds=0.0, pictures={},
        fields=np.zeros((1, 2, 8, 8)), misfit=np.full((1, 8, 8), left), **changed,
    )  # fmt: skip


def test_schemes_that_explain_alike_are_not_chosen_between():
    left = {"five-point": (1.5e-3, 0.032), "nine-point": (1e-3, 0.03), "spectral": (1e-2, 0.05)}
    found = best_laplacian(lambda scheme: recovery(scheme, left[scheme][0], F=left[scheme][1]))
    assert found.grid.scheme == "nine-point"
    assert found.message.startswith("nine-point Laplacian, or as well five-point: intervals hold each.")
    assert found.parameters["F"].value == 0.03
    low, high = found.parameters["F"].interval95
    assert low < 0.032 < high < 0.05
    assert found.parameters["k"].value is None
    assert found.combinations["F/Du"].value == 1.0
    assert found.status == "unidentifiable"
    assert "Not each of them determines every parameter; of nine-point: As it is." in found.message


def test_an_iteration_that_stalls_ends_without_confidence(monkeypatch):
    """Conjugate gradients for a spectral Laplacian may not end: a status then, and no exception."""

    def stalled(*_):
        raise SingularMatrix("stalls")

    monkeypatch.setattr("unstill.recovery.hidden_penalty.normal_solver", stalled)
    seen = spots("nine-point").state[0, 1]
    seen = seen + 0.02 * seen.std() * np.random.default_rng(0).standard_normal(seen.shape)
    found = us.recover("gray-scott", seen, laplacian="nine-point")
    assert found.status == "not-converged"
    assert "No refinement: stalls" in found.message


def test_a_scheme_that_leaves_half_is_found():
    left = dict(zip(SCHEMES, (1e-2, 1e-3, 3e-3), strict=True))
    found = best_laplacian(lambda scheme: recovery(scheme, left[scheme]))
    assert found.message == "nine-point Laplacian found. As it is."
    assert found.parameters["F"].std == 0.001


def test_where_none_explains_the_nearest_is_shown_and_refused():
    found = best_laplacian(lambda scheme: recovery(scheme, 0.1, status="no-fit"))
    assert found.status == "no-fit"
    assert "No Laplacian of five-point, nine-point, spectral explains the pictures" in found.message


def test_an_accepted_fit_comes_before_one_that_leaves_less():
    found = best_laplacian(
        lambda scheme: recovery(scheme, 0.1 if scheme == "spectral" else 0.2, status="converged"
                                if scheme == "five-point" else "no-fit")
    )  # fmt: skip
    assert found.grid.scheme == "five-point"


def test_a_better_fit_that_has_not_come_to_its_end_is_the_answer():
    found = best_laplacian(
        lambda scheme: recovery(scheme, 1e-3 if scheme == "nine-point" else 1e-2, status="not-converged"
                                if scheme == "nine-point" else "converged")
    )  # fmt: skip
    assert found.grid.scheme == "nine-point"
    assert found.status == "not-converged"
    assert found.message.startswith("The nine-point Laplacian explains the pictures better than any that is fitted.")


def test_a_scheme_that_cannot_be_had_is_left_out():
    def each(scheme: str) -> us.Recovery:
        if scheme == "spectral":
            raise BadInput("laplacian", "must see the whole domain", scheme)
        return recovery(scheme, 1e-2 if scheme == "five-point" else 1e-3)

    assert best_laplacian(each).message == "nine-point Laplacian found. As it is."


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"laplacian": "seven-point"}, "`laplacian` must be five-point, nine-point, spectral or unknown"),
        ({"laplacian": "spectral", "window": True}, "`laplacian` must see the whole domain"),
        ({"laplacian": "nine-point", "frames_dt": 1.0}, "`laplacian` must be five-point of a film"),
        ({"system": "all", "laplacian": "unknown"}, "`laplacian` must be left out where every system is tried"),
    ],
)
def test_wrong_calls(options, words):
    system = options.pop("system", "gray-scott")
    pictures = np.random.default_rng(0).uniform(0.1, 0.4, (8, 16, 16))
    with pytest.raises(BadInput) as error:
        us.recover(system, pictures, grid=us.Grid((16, 16)), **options)
    assert str(error.value).startswith(words)
