"""The mean and the scatter of statistics around a point of parameter space, by regression over simulations."""

import dataclasses
import functools

import numpy as np
from jaxtyping import Float
from scipy import linalg, optimize, stats

_REACH = 1.2  # half widths of the box: a parabola is not trusted further out
_SHRUNK = 0.02  # of the correlations: there are hardly more simulations than statistics


def terms(z: Float[np.ndarray, "N D"]) -> Float[np.ndarray, "N Q"]:
    """1, z_i and z_i z_j."""
    pairs = [z[:, i] * z[:, j] for i in range(z.shape[1]) for j in range(i, z.shape[1])]
    return np.stack([np.ones(len(z)), *z.T, *pairs], 1)


@dataclasses.dataclass(frozen=True)
class Answer:
    """Where the mean statistics are nearest to the observed ones: `q`, its standard deviations, and the distance.

    `inside`: how far from the middle of the box, in half widths. `chi2` has `dof` degrees of freedom; `p` is the chance
    of a larger one, by Hotelling's distribution, as the covariance is itself estimated.
    """

    q: Float[np.ndarray, " D"]
    std: Float[np.ndarray, " D"]
    inside: Float[np.ndarray, " D"]
    chi2: float
    dof: int
    p: float


@dataclasses.dataclass(frozen=True)
class LocalModel:
    """s(q) ≈ parabola + scatter of covariance C, from simulations with q in a box around `middle`."""

    middle: Float[np.ndarray, " D"]
    half: Float[np.ndarray, " D"]
    q: Float[np.ndarray, "N D"]
    s: Float[np.ndarray, "N S"]

    @staticmethod
    def least(dimensions: int) -> int:
        """Simulations that a model needs: twice as many as a parabola has coefficients."""
        return (dimensions + 1) * (dimensions + 2)

    @functools.cached_property
    def _parts(self) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients (Q, S) and the covariance of one simulation's scatter (S, S)."""
        X = terms((self.q - self.middle) / self.half)
        coefficients = np.linalg.lstsq(X, self.s, rcond=None)[0]
        left = self.s - X @ coefficients
        C = left.T @ left / (len(X) - X.shape[1])
        scale = np.sqrt(np.diag(C)) + 1e-12
        return coefficients, C * (1 - _SHRUNK) + _SHRUNK * np.diag(scale**2)

    def answer(
        self, observed: Float[np.ndarray, " S"], samples: int, low: Float[np.ndarray, " D"],
        high: Float[np.ndarray, " D"],
    ) -> Answer:  # fmt: skip
        """The point between `low` and `high`, and within the box's reach, at which the mean of `samples` pictures is
        most likely to be `observed`."""
        coefficients, C = self._parts
        free, count = len(C) - len(self.middle), len(self.q) - len(coefficients)
        # the mean over the targets scatters, and so does the parabola, which stands on a finite number of simulations
        factor = np.linalg.cholesky(C * (1 / samples + len(coefficients) / len(self.q)))

        def left(z: np.ndarray) -> np.ndarray:
            return linalg.solve_triangular(factor, terms(z[None])[0] @ coefficients - observed, lower=True)

        least, most = (np.clip((edge - self.middle) / self.half, -_REACH, _REACH) for edge in (low, high))
        most = np.maximum(most, least + 1e-9)
        found = optimize.least_squares(left, np.clip(0.0, least, most), bounds=(least, most), x_scale=1.0)
        J = np.asarray(found.jac)
        spread = np.linalg.inv(J.T @ J + 1e-9 * np.eye(len(found.x)))
        chi2, odds = float(2 * found.cost), (count - free + 1) / (count * free)
        p = float(stats.f.sf(chi2 * odds, free, count - free + 1)) if count >= free else 1.0
        q = self.middle + self.half * found.x
        return Answer(q, np.sqrt(np.diag(spread)) * self.half, np.abs(found.x), chi2, free, p)
