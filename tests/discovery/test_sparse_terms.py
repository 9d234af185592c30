"""Sparse representatives against all subsets of terms."""

import itertools

import numpy as np
import pytest

from unstill.discovery.sparse import SparseSearch, eliminate

TERMS = 7


def _search(seed: int) -> SparseSearch:
    """Best subsets of least squares: seven columns that nearly stand for one another, three of which make up the pinned
    eighth with noise."""
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(60, TERMS)) + 3 * rng.normal(size=(60, 3)) @ rng.normal(size=(3, TERMS))
    target = columns[:, 0] - columns[:, 3] + columns[:, 5] + 3 * rng.normal(size=60)
    A = np.concatenate([columns, target[:, None]], 1)
    return SparseSearch(TERMS, 90.0, np.linalg.qr(A, mode="r"), np.diag([0.0] * TERMS + [1.0]))


def _least(search: SparseSearch) -> float:
    subsets = (s for n in range(TERMS + 1) for s in itertools.combinations(range(TERMS), n))
    return min(search.total(np.array(s, int)) for s in subsets)


def test_exchange_never_loses_and_mostly_finds_the_least_of_all_subsets():
    every, found, thinned = np.arange(TERMS), 0, 0
    for seed in range(60):
        search = _search(seed)
        first = search.eliminated(every)
        last, least = search.total(search.exchanged(first, every)), _least(search)
        assert least - 1e-9 <= last <= search.total(first) + 1e-9
        found += last <= least + 1e-9
        thinned += search.total(first) <= least + 1e-9
    assert found >= 58
    assert thinned < found  # there is something to exchange in these problems


@pytest.mark.parametrize("kept", range(TERMS))
def test_a_kept_term_stays(kept):
    assert kept in _search(0).eliminated(np.arange(TERMS), kept=kept)


def test_answer_in_the_units_of_the_terms():
    """The pinned coefficient is 1, and rescaled terms have rescaled coefficients and deviations."""
    root, scale = _search(1).root, np.array([1, 10, 0.1, 2, 5, 1, 3, 0.5])
    normal, allowed = root.T @ root, np.ones(TERMS + 1, bool)
    vector, spread = eliminate(normal, np.eye(TERMS + 1), allowed, TERMS, 90.0)
    other, wider = eliminate(normal, np.diag(scale), allowed, TERMS, 90.0)
    assert vector[TERMS] == pytest.approx(1)
    ratio = scale[TERMS] / scale
    np.testing.assert_allclose(other, vector * ratio, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(wider, spread * np.outer(ratio, ratio), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("apart", [1e-2, 1e-7, 1e-9])
def test_terms_that_are_nearly_one_keep_their_coefficients(apart):
    """Pinned is 2 (b − a)/apart of two columns that differ by so little; a third column is of no use."""
    rng = np.random.default_rng(2)
    base, change, other = np.linalg.qr(rng.standard_normal((40, 3)))[0].T
    triangle = np.linalg.qr(np.stack([base, base + apart * change, other, 2 * change], 1), mode="r")
    best = SparseSearch(3, 1e-6, np.sqrt(1e6) * triangle, triangle).best_on(np.array([0, 1]))[0]
    np.testing.assert_allclose(best * apart, np.array([2.0, -2.0, 0, apart]), atol=1e-14 / apart)
