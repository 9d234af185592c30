"""Generalised least squares for weak-form equations E[r + A δ] = 0, with weights that no sample chooses for itself."""

import dataclasses

import numpy as np
from jaxtyping import Float

_RIDGES = (1e-6, 1e-4, 1e-3, 1e-2, 1e-1)
_FOLDS = 8
_FEW = 8
_ROUNDS = 30
_CAUTIOUS = 3
# The rows of one moving Gray–Scott picture err together: taken as independent, errors were 2 to 3 std (rms over draws).
_ROWS_ALIKE = 6.0


@dataclasses.dataclass(frozen=True)
class Regression:
    """The solution δ of E[r + A δ] = 0, its covariance, and the mean residual a row.

    `misfit` is the root mean square over rows of |mean residual| over the size of the row's terms: 0 for equations that
    hold, about 1 for equations that have nothing to do with the samples.
    """

    solution: Float[np.ndarray, " P"]
    covariance: Float[np.ndarray, "P P"]
    misfit: float


def _spectral(residuals: np.ndarray):
    """Eigendecomposition of the rows' correlation, from which the ridge inverses of the covariance come cheaply."""
    centred = residuals - residuals.mean(0)
    scale = np.sqrt((centred**2).mean(0))
    values, vectors = np.linalg.eigh((centred / scale).T @ (centred / scale) / len(centred))
    return np.maximum(values, 0), vectors, scale


def _fold_means(A: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Mean of A over the samples outside each fold."""
    sums = np.array([A[fold == k].sum(0) for k in range(fold.max() + 1)])
    counts = np.bincount(fold)
    return (sums.sum(0) - sums) / (len(A) - counts)[:, None, None]


def _cross_fitted(A, r, scale, fold, information):
    """δ and its covariance under the best ridge; see `regress`."""
    means, members = _fold_means(A, fold), [fold == k for k in range(fold.max() + 1)]
    flat = A.reshape(len(A), -1)
    delta = np.zeros(A.shape[2])
    for turn in range(_ROUNDS):
        g = r + A @ delta
        weights = [_spectral(g[~own]) for own in members]
        candidates = []
        # Far from the solution the covariance is that of the wrong equations, and sharp weights hold δ where it is.
        for ridge in _RIDGES if turn >= _CAUTIOUS else _RIDGES[-1:]:
            normal, scores = np.array(information), np.empty((len(A), A.shape[2]))
            for own, mean, (values, vectors, size) in zip(members, means, weights, strict=True):
                instruments = ((vectors.T @ (mean / size[:, None])) / (values + ridge)[:, None]).T @ vectors.T / size
                normal += instruments @ flat[own].sum(0).reshape(mean.shape)
                scores[own] = g[own] @ instruments.T
            inverse = np.linalg.pinv(normal)
            covariance = inverse @ (scores.T @ scores + information) @ inverse.T
            change = -inverse @ (scores.sum(0) + information @ delta)
            candidates.append((np.sum(np.diag(covariance) / scale**2), change, covariance))
        _, change, covariance = min(candidates, key=lambda candidate: candidate[0])
        delta = delta + change
        if turn >= _CAUTIOUS and np.all(
            np.abs(change) <= 0.02 * np.sqrt(np.diag(covariance)) + 1e-9 * np.minimum(scale, 1e300)
        ):
            break
    return delta, covariance * len(A) / max(len(A) - A.shape[2], 1)


def _few_samples(A, r, size, information):
    """Equal relative weights; the covariance from the scatter over samples, or of the rows of one sample."""
    a, b = A.mean(0) / size[:, None], r.mean(0) / size
    inverse = np.linalg.pinv(a.T @ a + information / len(A))
    delta = -inverse @ (a.T @ b)
    g = (r + A @ delta) / size
    if len(A) > 1:
        scores = g @ a
        spread = (scores - scores.mean(0)).T @ (scores - scores.mean(0)) / (len(A) * (len(A) - 1))
    else:
        spread = a.T @ (a * g[0, :, None] ** 2) * _ROWS_ALIKE * g.shape[1] / max(g.shape[1] - a.shape[1], 1)
    return delta, inverse @ spread @ inverse.T


def regress(
    A: Float[np.ndarray, "S N P"],
    r: Float[np.ndarray, "S N"],
    sizes: Float[np.ndarray, "S N"],
    scale: Float[np.ndarray, " P"],
    *,
    information: Float[np.ndarray, "P P"] | None = None,
    seed: int = 0,
) -> Regression:
    """Solve E[r + A δ] = 0 in N > P rows from S samples.

    Optimal weights are the inverse covariance of the rows, which S samples hardly determine when N is near S; weights
    fitted to the same samples bias δ and make its covariance too small. So the samples are cut into 8 folds, and the
    instruments (P combinations of the N rows: mean(A)ᵀ C⁻¹) of each fold come from the others. δ solves
    Σ_s L_fold(s) (r_s + A_s δ) = 0 and its covariance is the scatter of these P-vectors: honest for independent
    samples, too small where samples repeat one another. C is the correlation with a ridge; the ridge with the
    smallest predicted variance in units of `scale` is taken.

    `sizes` are the sizes of the terms that cancel in a row: rows where they vanish are dropped. `information` is that
    of earlier knowledge of δ (mean 0). With fewer than 8 samples no covariance is known: rows get equal relative
    weight, and the covariance from their scatter is a rough guess.
    """
    size = np.sqrt((sizes**2).mean(0))
    used = (size > 1e-9 * size.max()) & ((A != 0).any((0, 2)))
    A, r, size = A[:, used], r[:, used], size[used]
    information = np.zeros((A.shape[2],) * 2) if information is None else information
    if len(A) < _FEW:
        delta, covariance = _few_samples(A, r, size, information)
    else:
        # Round-off in rows that hold exactly would otherwise count as infinitely precise evidence.
        floor = 1e-13 * size * np.random.default_rng(seed).standard_normal(r.shape)
        fold = np.random.default_rng(seed).permutation(np.arange(len(A)) % _FOLDS)
        delta, covariance = _cross_fitted(A, r + floor, scale, fold, information)
    residual = (r + A @ delta).mean(0) / size
    return Regression(delta, np.asarray(covariance), float(np.sqrt(np.mean(residual**2))))
