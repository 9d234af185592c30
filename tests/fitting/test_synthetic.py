"""Synthetic likelihood: its parts against closed forms, and `fit` from fresh states on small pictures."""

import functools

import numpy as np
import pytest

from unstill._errors import BadInput
from unstill._progress import Memory
from unstill._types import Status
from unstill.atlas import Atlas
from unstill.atlas.similar import similar_parameters
from unstill.fitting import fit
from unstill.fitting.synthetic.ensemble import Ensemble
from unstill.fitting.synthetic.regression import Answer, LocalModel, terms
from unstill.fitting.synthetic.search import Search
from unstill.fitting.synthetic.statistics import Statistics
from unstill.observations.task import check
from unstill.simulation import Grid, simulate
from unstill.systems import GrayScott

GRID = Grid((32, 32))
TRUTH = {"Du": 0.16, "Dv": 0.08, "F": 0.035, "k": 0.062}
SHORT = {"horizon": 4000, "fix": {"Du": 0.16, "Dv": 0.08}}


@functools.cache
def spots() -> np.ndarray:
    """v of small patterns that grew from squares, (6, 32, 32)."""
    return simulate(GrayScott.make(None, **TRUTH), grid=GRID, samples=6, steps=2500, seed=5).state[:, 1]


def ensemble(v: np.ndarray, **options) -> Ensemble:
    known = {"dt": None, "init": "square", "horizon": 2000, "seed": 0, **options}
    return Ensemble.of(check("gray-scott", {"v": v}, grid=GRID), **known)


def test_a_parabola_through_scatter_finds_the_point_and_its_error(rng):
    """s = Aq + q₀² + noise of known covariance: the answer is that of generalised least squares, and its standard
    deviation that of its own scatter over draws."""
    A, noise = rng.standard_normal((5, 2)), 0.1
    truth, misses, stds, tails = np.array([0.2, -0.3]), [], [], []

    def mean(q):
        return q @ A.T + q[:, :1] ** 2

    for _ in range(200):
        q = rng.uniform(-1, 1, (120, 2))
        s = mean(q) + noise * rng.standard_normal((120, 5))
        seen = mean(truth[None])[0] + noise / np.sqrt(8) * rng.standard_normal(5)
        model = LocalModel(np.zeros(2), np.ones(2), q, s)
        found = model.answer(seen, 8, np.full(2, -5.0), np.full(2, 5.0))
        misses.append(found.q - truth)
        stds.append(found.std)
        tails.append(found.p)
    assert np.std(misses, axis=0) == pytest.approx(np.mean(stds, axis=0), rel=0.25)
    assert np.abs(np.mean(misses, 0)).max() < 0.02
    assert 0.005 < np.mean(np.array(tails) < 0.05) < 0.12
    assert found.dof == 3


def test_an_answer_stays_between_the_edges(rng):
    q = rng.uniform(-1, 1, (40, 1))
    model = LocalModel(np.zeros(1), np.ones(1), q, np.concatenate([q, 2 * q], 1) + 1e-3 * rng.standard_normal((40, 2)))
    found = model.answer(np.array([0.9, 1.8]), 4, np.array([-1.0]), np.array([0.5]))
    assert found.q[0] == pytest.approx(0.5)


def test_the_terms_of_a_parabola():
    assert terms(np.array([[2.0, 3.0]])).tolist() == [[1, 2, 3, 4, 6, 9]]
    assert LocalModel.least(2) == 2 * terms(np.zeros((1, 2))).shape[1]


def test_statistics_do_not_know_where_things_are_and_see_no_dead_picture(rng):
    seen = Statistics(GRID, spots()[:, None])
    moved = np.roll(spots()[:2, None], (5, 7), (-2, -1))
    apart = np.abs(seen.of(moved, rng) - seen.of_targets[:2]) / np.abs(seen.of_targets[:2]).mean(0)
    assert apart.max() < 0.05  # differences across the border are left out
    assert np.isnan(seen.of(np.full((1, 1, 32, 32), 0.3), rng)).all()
    assert np.isnan(seen.of(np.full((1, 1, 32, 32), np.nan), rng)).all()
    assert seen.noise == 0
    noisy = Statistics(GRID, spots()[:, None] + 0.02 * rng.standard_normal((6, 1, 32, 32)))
    assert noisy.noise == pytest.approx(0.02, rel=0.2)


def test_a_batch_of_ages_is_what_simulate_makes_of_each():
    one = ensemble(spots())
    q = np.stack([one.point(TRUTH, age) for age in (700, 150, 1300)])
    grown = one.grow(q, 3)
    assert one.ages(q).tolist() == [700, 150, 1300]
    seed = int(np.random.default_rng([0, 3, 0]).integers(2**31, size=3)[2])
    alone = simulate(GrayScott.make(None, **TRUTH), grid=GRID, steps=1300, seed=seed)
    assert np.abs(grown[2] - alone.state[0]).max() < 1e-4  # single precision


def test_what_dies_is_left_alone_and_shows_nothing():
    one = ensemble(spots())
    dead = one.point({**TRUTH, "k": 0.099}, 2000)
    assert np.isnan(one.look(dead[None], 0)).all()
    assert np.isfinite(one.look(one.point(TRUTH, 2000)[None], 0)).all()


def test_points_stay_in_ranges_and_below_the_stability_limit():
    one = ensemble(spots())
    high = {name: float(value) for name, value in one.values(one.high).items()}
    assert high["Du"] == pytest.approx(0.95 / 4) == high["Dv"]
    assert np.exp(one.high[-1]) == pytest.approx(2000)
    assert np.exp(one.low[-1]) == pytest.approx(125)
    assert (one.low < one.point(TRUTH, 500)).all()
    assert (one.point(TRUTH, 500) < one.high).all()
    assert one.slopes(one.point(TRUTH, 500))["F"] == pytest.approx(0.035)


def test_cells_of_an_atlas_are_alike_but_for_their_size():
    """Pictures at twice the grid's resolution are the same pattern with four times the diffusion."""
    atlas = Atlas.open("gray-scott")
    near = similar_parameters(atlas, {"v": spots()}, GRID)
    twice = similar_parameters(atlas, {"v": spots()}, Grid((32, 32), 2.0))
    assert len(near) == 8
    for one, two in zip(near, twice, strict=True):
        assert two == pytest.approx({**one, "Du": 4 * one["Du"], "Dv": 4 * one["Dv"]})
    assert 0.02 < near[0]["F"] < 0.06
    with pytest.raises(BadInput, match="show a pattern"):
        similar_parameters(atlas, {"v": np.ones((1, 32, 32))}, GRID)


def test_two_parameters_from_fresh_states():
    found = fit("gray-scott", {"v": spots()}, warm_start="atlas", iterations=8, **SHORT)
    assert (found.strategy, found.loss_name, found.optimiser) == (
        "synthetic-likelihood", "pattern-statistics", "regression",
    )  # fmt: skip
    assert found.status in (Status.CONVERGED, Status.NOT_CONVERGED)
    assert abs(float(found.values["F"]) / 0.035 - 1) < 0.05
    assert abs(float(found.values["k"]) / 0.062 - 1) < 0.02
    assert found.states.shape == (4, 2, 32, 32)
    assert found.parameters["Du"].std == 0
    if found.status is Status.CONVERGED:
        assert 0 < found.parameters["F"].std < 0.05 * 0.035


def test_interrupted_and_resumed_it_ends_on_the_same_bits(monkeypatch):
    few = {"start": {"F": 0.036, "k": 0.0615}, "strategy": "synthetic-likelihood", "iterations": 2, "horizon": 1000}
    few |= {"fix": SHORT["fix"]}
    whole = fit("gray-scott", {"v": spots()}, **few)
    advance, kept = Search.advance, Memory()

    def stopping(self, ensemble):
        if self.generation == 1:
            raise KeyboardInterrupt
        return advance(self, ensemble)

    monkeypatch.setattr(Search, "advance", stopping)
    half = fit("gray-scott", {"v": spots()}, **few, resume=kept)
    assert half.status is Status.INTERRUPTED
    assert (half.iterations, len(half.states)) == (1, 0)
    monkeypatch.undo()
    again = fit("gray-scott", {"v": spots()}, **few, resume=kept)
    assert {n: float(v) for n, v in again.values.items()} == {n: float(v) for n, v in whole.values.items()}
    assert [row["parameters"] for row in again.history] == [row["parameters"] for row in whole.history]
    assert np.array_equal(again.states, whole.states)
    with pytest.raises(BadInput, match="other pictures"):
        fit("gray-scott", {"v": spots()[:3]}, **few, resume=kept)


def test_it_does_not_find_what_is_not_there():
    dead = fit("gray-scott", {"v": spots()}, strategy="synthetic-likelihood", horizon=1000, fix=SHORT["fix"],
               start={"F": 0.09, "k": 0.09})  # fmt: skip
    assert dead.status is Status.DEAD
    assert dead.parameters["F"].std is None
    blank = fit("gray-scott", {"v": np.full((2, 32, 32), 0.2)}, strategy="synthetic-likelihood", start=TRUTH)
    assert blank.status is Status.UNIDENTIFIABLE
    assert "uniform" in blank.message


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"warm_start": "yes"}, "warm_start"), ({"warm_start": "atlas", "window": 4}, "window"),
        ({"warm_start": "atlas", "batch": 3}, "batch"), ({"warm_start": "atlas", "constraint": "range"}, "constraint"),
        ({"strategy": "synthetic-likelihood"}, "start"), ({"warm_start": "atlas", "horizon": 9}, "horizon"),
        ({"strategy": "synthetic-likelihood", "warm_start": "recover"}, "warm_start"),
        ({"warm_start": "atlas", "loss": "pixel"}, "loss"),
        ({"strategy": "synthetic-likelihood", "start": {**TRUTH, "Du": 0.3}}, "start"),
    ],
)  # fmt: skip
def test_what_it_refuses(options, word):
    with pytest.raises(BadInput) as error:
        fit("gray-scott", {"v": spots()}, **options)
    assert error.value.argument == word


def test_an_atlas_of_another_system_is_refused():
    picture = np.random.default_rng(0).standard_normal((1, 32, 32))
    with pytest.raises(BadInput, match="no atlas of brusselator"):
        fit("brusselator", {"v": picture}, warm_start="atlas")


def test_a_blank_picture_among_others_is_named():
    some = np.concatenate([spots()[:2], np.full((1, 32, 32), 0.1)])
    with pytest.raises(BadInput, match="sample 2"):
        fit("gray-scott", {"v": some}, strategy="synthetic-likelihood", start=TRUTH)


def test_a_box_around_a_wrong_place_is_widened_again():
    """Where nothing fits the box grows, of ages to its first width; where something does it narrows to what is told."""
    wide = np.array([0.2, 1.4])
    search = Search.around(np.zeros(2), wide, 3)
    search.half = 0.1 * wide
    far = Answer(np.zeros(2), np.full(2, 1e-3), np.zeros(2), 900.0, 1, 0.0)
    search._follow(far)
    assert search.half == pytest.approx([0.1 * 0.2 / 0.6, 1.4])
    assert (search.misfits, search.ended) == (1, False)
    search._follow(Answer(np.zeros(2), np.full(2, 1e-3), np.zeros(2), 1.0, 1, 0.3))
    assert search.misfits == 0
    assert (search.half < [0.03, 1]).all()
    for _ in range(6):
        search._follow(far)
    assert search.ended
    assert not search.done
