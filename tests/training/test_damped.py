"""The damped loop on problems whose answers are known."""

import numpy as np

from unstill.training.damped import Damping, descend


def test_damping_rises_until_a_trial_is_taken_and_tells_where():
    asked = []

    def attempt(value):
        asked.append(value)
        return "taken" if value >= 1 else None

    assert Damping(1e-3).step(1e-3, attempt) == ("taken", 1.0)
    np.testing.assert_allclose(asked, [1e-3, 1e-2, 0.1, 1])
    assert Damping(1e-9, raised=1e-6).step(1e-9, lambda v: v if v > 1e-9 else None) == (1e-6, 1e-6)
    assert Damping(1.0, most=1e3).step(1.0, lambda v: None) == (None, 1e3)
    assert Damping(1.0, harder=4, tries=3).step(1.0, lambda v: None) == (None, 64.0)
    assert Damping(1.0, easier=5, least=0.3).eased(1.0) == 0.3


def test_rosenbrocks_valley_ends_at_its_minimum():
    """r = (10 (y − x²), 1 − x), from (−1.2, 1): J. E. Dennis & R. B. Schnabel's start; the minimum is (1, 1)."""

    def residual(p):
        return np.array([10 * (p[1] - p[0] ** 2), 1 - p[0]])

    def attempt(p, damping):
        J, r = np.array([[-20 * p[0], 10.0], [-1.0, 0.0]]), residual(p)
        H = J.T @ J
        trial = p - np.linalg.solve(H + damping * np.diag(np.diag(H)), J.T @ r)
        return trial if (residual(trial) ** 2).sum() < (r**2).sum() else None

    end, count = descend(
        np.array([-1.2, 1.0]), attempt, lambda a, b: np.abs(a - b).max() < 1e-12, Damping(1e-3), iterations=100
    )
    np.testing.assert_allclose(end, 1, atol=1e-9)
    assert count < 40


def test_it_ends_where_nothing_is_better_and_after_its_iterations():
    assert descend(5, lambda n, value: None, lambda a, b: False, Damping(1.0), 9) == (5, 1)
    assert descend(5, lambda n, value: n - 1, lambda a, b: False, Damping(1.0), 9) == (-4, 9)
    assert descend(5, lambda n, value: n - 1, lambda a, b: b == 3, Damping(1.0), 9) == (3, 2)
