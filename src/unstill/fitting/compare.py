"""How far the pictures of one set are apart, each from each: what a loss sees, before anything is fitted to it."""

import numpy as np
from jaxtyping import Float

from .._errors import BadInput
from .._jax import enable_x64
from .losses_base import AbstractLoss, FeatureLoss


def compare(states: Float[np.ndarray, "M C H W"], loss: AbstractLoss) -> Float[np.ndarray, "M M"]:
    """D_ij = L(c_i, c_j), the loss of picture i against picture j, in float64.

    On a set of one kind, its entries off the diagonal are what the true parameters still cost when one picture is held
    against another from an unlike initial state. Features are computed once a picture: M pictures cost
    M evaluations, and M² of a user's loss. Raises `BadInput` for fewer than two pictures, a loss of whole ensembles,
    or a value that is not finite.
    """
    if len(states) < 2:
        raise BadInput("states", "must be at least two pictures", len(states))
    check_pairwise(loss)
    with enable_x64():
        if isinstance(loss, FeatureLoss):
            losses = _between_features(_features(states, loss))
        else:
            losses = _one_by_one(states, loss)
    if not np.isfinite(losses).all():
        i, j = np.argwhere(~np.isfinite(losses))[0]
        raise BadInput("loss", "must be finite for every two pictures", f"{losses[i, j]} for {i} and {j}")
    return losses


def check_pairwise(loss: AbstractLoss) -> None:
    """Raise `BadInput` for a loss of whole ensembles: one whose residual is not the difference of features."""
    if isinstance(loss, FeatureLoss) and type(loss).residual is not FeatureLoss.residual:
        raise BadInput("loss", "must compare single pictures", type(loss).__name__, "This one needs whole ensembles.")


def _features(states: np.ndarray, loss: FeatureLoss) -> Float[np.ndarray, "M N"]:
    import jax
    import jax.numpy as jnp

    features = jax.jit(loss.features)  # one picture a call bounds the memory
    return np.concatenate([np.asarray(features(jnp.asarray(c[None], jnp.float64))) for c in states])


def _between_features(f: np.ndarray) -> np.ndarray:
    # Differences first: |f|² + |g|² − 2 f·g would lose small distances to cancellation.
    return np.array([np.mean((f - one) ** 2, 1) for one in f])


def _one_by_one(states: np.ndarray, loss: AbstractLoss) -> np.ndarray:
    import jax
    import jax.numpy as jnp

    value = jax.jit(loss)
    pictures = [jnp.asarray(c[None], jnp.float64) for c in states]
    return np.array([[float(value(a, b)) for b in pictures] for a in pictures])


def summary(losses: Float[np.ndarray, "M M"]) -> dict[str, float]:
    """Mean, median, 5th and 95th percentile, least and greatest value off the diagonal."""
    off = losses[~np.eye(len(losses), dtype=bool)]
    low, median, high = np.percentile(off, [5, 50, 95])
    return {
        "mean": float(off.mean()), "median": float(median),
        "percentile5": float(low), "percentile95": float(high),
        "min": float(off.min()), "max": float(off.max()),
    }  # fmt: skip
