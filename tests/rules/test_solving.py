"""Generalised least squares of homogeneous equations: made problems with a known null vector, χ² of chance, dependence
that is seen, the choice among nested families."""

import dataclasses

import numpy as np
import pytest

import unstill as us
from unstill.rules.functionals import Functionals
from unstill.rules.levels import Level, chosen
from unstill.rules.neighbourhood import Neighbourhood
from unstill.rules.solving import Problem, Solution
from unstill.rules.terms import Polynomials
from unstill.rules.weak_form import WeakForm

K, J = 40, 5
NULL = np.array([1.0, -2.0, 0.5, 0.0, 3.0])


def made(rng, M: int = 20, T: int = 16, *, scatter: float = 1.0, wrong: float = 0.0, copies: int = 1) -> WeakForm:
    """Rows of one field whose mean has the null vector `NULL`, but for `wrong`; each picture stands `copies` times."""
    basis = np.linalg.qr(np.concatenate([NULL[:, None], rng.standard_normal((J, J - 1))], 1))[0]
    mean = rng.standard_normal((K, J - 1)) @ basis[:, 1:].T + wrong * rng.standard_normal((K, 1)) * basis[:, 0]
    noise = rng.standard_normal((M // copies, T, K, J)) * np.exp(rng.standard_normal((K, 1)))
    rows = np.repeat(mean + scatter * noise, copies, 0)
    grid = us.Grid((16, 16))
    where = Neighbourhood(("u",))
    terms = Polynomials(where, (0.0, 0.0), (1.0, 1.0), 1)
    functionals = Functionals(
        grid, np.zeros(1), np.ones(1), np.zeros((K, 1, 4)), np.zeros(K), (0.0,) * 4, int(np.sqrt(T)), 1
    )
    return WeakForm(functionals, terms, rows[:, :, :, None].astype(np.float32), np.eye(J))


def solved(form: WeakForm, columns=None) -> tuple[Problem, Solution]:
    allowed = np.ones((1, J), bool)
    if columns is not None:
        allowed[:] = False
        allowed[0, columns] = True
    problem = Problem(form, allowed)
    return problem, min((problem.solve(start) for start in problem.starts(3)), key=lambda found: found.chi2)


def test_the_null_vector_is_found():
    _, found = solved(made(np.random.default_rng(0)))
    assert abs(found.theta @ NULL) / np.linalg.norm(NULL) > 0.999
    assert found.settled
    assert found.theta @ found.theta == pytest.approx(1, rel=1e-6)  # unit speed, with E B Bᵀ = 1


def test_chi2_of_chance_is_its_degrees_of_freedom():
    """Over 40 draws the mean of χ² is K − J + 1 within 4 standard errors: few samples and the fit are both counted."""
    values = [solved(made(np.random.default_rng(seed)))[1] for seed in range(40)]
    dof = values[0].dof
    assert dof == K - J + 1
    mean = np.mean([one.chi2 for one in values])
    assert abs(mean - dof) < 4 * np.sqrt(2 * dof / 40) + 0.1 * dof  # 10 %: the dispersion is told from the same samples


def test_the_error_of_the_null_vector_is_that_of_the_normal_matrix():
    """Deviations over 60 draws of the same mean rows against the stated ones."""
    found, stated = [], []
    for seed in range(60):
        rng = np.random.default_rng(0)
        form = made(rng)
        fresh = np.random.default_rng(100 + seed)
        noise = fresh.standard_normal(form.rows[:, :, :, 0].shape).astype(np.float32)
        mean = form.rows.mean((0, 1), keepdims=True) * 0 + _clean(form)
        form = dataclasses.replace(form, rows=(mean + noise[:, :, :, None]).astype(np.float32))
        problem, solution = solved(form)
        level = Level("made", form, problem, solution)
        found.append(solution.theta * np.sign(solution.theta @ NULL))
        stated.append(level.deviations())
    ratio = np.std(found, 0) / np.mean(stated, 0)
    assert (ratio > 0.6).all()
    assert (ratio < 1.6).all()


def _clean(form: WeakForm) -> np.ndarray:
    """The mean rows with the null vector projected out exactly."""
    mean = form.rows.mean((0, 1))[:, 0].astype(float)
    unit = NULL / np.linalg.norm(NULL)
    return (mean - np.outer(mean @ unit, unit))[None, None, :, None]


def test_what_is_not_there_is_refused():
    _, found = solved(made(np.random.default_rng(1), wrong=1.0))
    assert found.chi2 > found.dof + 20 * np.sqrt(2 * found.dof)


def test_repeated_pictures_do_not_count_twice():
    """Each picture four times: χ² does not rise with them, since places keep their patterns."""
    once = [solved(made(np.random.default_rng(seed), 20))[1] for seed in range(10)]
    often = [solved(made(np.random.default_rng(seed), 80, copies=4))[1] for seed in range(10)]
    assert np.mean([one.dispersion for one in once]) == pytest.approx(1, abs=0.15)
    assert np.mean([one.dispersion for one in often]) == pytest.approx(4, rel=0.2)
    assert np.mean([one.ratio for one in often]) < 1.5 * np.mean([one.ratio for one in once])


def test_a_nuisance_takes_its_share():
    """Rows that are off by a known shape: with that shape beside them the null vector comes back."""
    rng = np.random.default_rng(2)
    form = made(rng, scatter=0.3)
    shape = rng.standard_normal(K)
    unit = NULL / np.linalg.norm(NULL)
    rows = form.rows + (0.8 * shape[:, None] * unit)[None, None, :, None].astype(np.float32)
    form = dataclasses.replace(form, rows=rows.astype(np.float32))
    problem, blind = solved(form)
    found = problem.solve(blind.theta, np.broadcast_to(shape, rows.shape[:3]))
    assert found.chi2 < 0.2 * blind.chi2
    assert abs(found.theta @ unit) > 0.995
    assert found.dof == blind.dof - 1


def test_admissible_fields_are_counted():
    """Two null vectors: two fields; one: one. The relative error is small where there is one."""
    problem, found = solved(form := made(np.random.default_rng(3)))
    count, error = Level("one", form, problem, found).admissible()
    assert count == 1
    assert 0 < error < 0.1
    rows = form.rows.copy()
    rows[..., 3] = np.random.default_rng(4).standard_normal(rows.shape[:-1])  # a term that is chance only
    problem, found = solved(form := dataclasses.replace(form, rows=rows))
    assert Level("two", form, problem, found).admissible()[0] == 2


def level(chi2: float, dof: int, numbers: int, free: int = 1) -> Level:
    """A level of these numbers, with a problem that says how free it is."""
    problem, solution = solved(form := made(np.random.default_rng(5)))
    solution = dataclasses.replace(solution, chi2=chi2, dof=dof)
    made_up = Level(f"{numbers} numbers", form, problem, solution)
    object.__setattr__(made_up, "admissible", lambda: (free, 0.01))
    return made_up


@pytest.mark.parametrize(
    ("smaller", "larger", "taken"),
    [
        ((100, 90, 10, 1), (60, 50, 50, 1), 10),  # better by chance only
        ((130, 90, 10, 1), (20, 50, 50, 1), 50),  # better by more than chance
        ((130, 90, 10, 1), (20, 50, 50, 3), 10),  # the same, but not determined
        ((900, 90, 10, 1), (60, 50, 50, 3), 50),  # the smaller does not pass
    ],
)
def test_the_smallest_family_that_suffices_is_taken(smaller, larger, taken):
    levels = [level(*smaller), level(*larger)]
    assert chosen(levels).name == f"{taken} numbers"


def test_starts_do_not_matter():
    problem = Problem(made(np.random.default_rng(6)), np.ones((1, J), bool))
    ends = [problem.solve(start) for start in problem.starts(J)]
    reached = [end for end in ends if end.chi2 < 2 * end.dof]
    assert len(reached) >= 3
    assert all(abs(end.theta @ reached[0].theta) > 1 - 1e-4 for end in reached)
