"""`compare`: how far the pictures of one set are apart, each from each, before anything is fitted to a loss."""

import time as clock
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._arguments import Count, Names, checked, listed
from .._errors import BadInput, nearest
from .._jax import enable_x64
from .._numbers import real_numbers
from .._progress import AbstractCheckpoint, Memory, Progress, silent
from ..observations.task import Pictures
from .comparison import Comparison, array_name
from .losses import check_loss, find_loss
from .losses_base import AbstractLoss, FeatureLoss


@checked
def compare(
    pictures: Pictures | Mapping[str, np.ndarray] | np.ndarray,
    *,
    loss: Names = ("power-spectrum",),
    observe: Names | None = None,
    samples: Count | None = None,
    progress: Progress = silent,
    resume: AbstractCheckpoint | None = None,
) -> Comparison:
    """Measure each picture of a set against each other one, by one or more losses, in float64.

    On a set of one kind, the losses off the diagonal are what the true parameters still cost when one picture is held
    against another from an unlike initial state. Features are computed once a picture: M pictures cost M evaluations,
    and M² of a user's loss.

    Args:
        pictures: At least two: arrays (M, H, W) by field name, what `load` returns, or one array (M, H, W) of the
            field that `observe` names, by default v, or (M, C, H, W) of the fields that it names.
        loss: Losses by name, or module:function, or file.py:function.
        observe: Fields that are compared, such as v or u,v (default: all that the pictures hold).
        samples: Take the first N pictures (default: all).
        progress: Called after each loss.
        resume: Keeps the losses that are done.

    Returns a `Comparison`. Raises `BadInput`, also for a loss of whole ensembles or with a value that is not finite.
    """
    started, kept = clock.perf_counter(), Memory() if resume is None else resume
    fields = _chosen(pictures, listed(observe), samples)
    states = np.stack(list(fields.values()), 1)
    losses = _tried(listed(loss), states)
    done = dict(kept.kept("losses") or {})
    for number, (name, function) in enumerate(losses.items(), 1):
        if array_name(name) not in done:
            done[array_name(name)] = distances(states, function)
            kept.keep("losses", **done)
        progress(number, len(losses), {"loss": name})
    return Comparison({name: done[array_name(name)] for name in losses}, fields, clock.perf_counter() - started)


def _chosen(pictures: Any, observe: tuple[str, ...], samples: int | None) -> dict[str, np.ndarray]:
    """The pictures (M, H, W) that are compared, by field; raises `BadInput`."""
    fields = dict(pictures.fields if isinstance(pictures, Pictures) else _by_name(pictures, observe))
    for name in observe:
        if name not in fields:
            raise BadInput("observe", "must name fields of the pictures", repr(name), nearest(name, fields))
    chosen = {name: real_numbers(name, fields[name]).astype(float) for name in observe or fields}
    shapes = {array.shape for array in chosen.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 3:
        raise BadInput("pictures", "must have one shape (M, H, W) for every field", shapes or "no field")
    ((count, *_),) = shapes
    for name, array in chosen.items():
        if not np.isfinite(array).all():
            raise BadInput(
                "pictures", "must be finite", f"{name} with {int((~np.isfinite(array)).sum())} values that are not"
            )
    if count < 2:
        raise BadInput("pictures", "must hold at least two pictures", count)
    if samples is not None and not 2 <= samples <= count:
        raise BadInput("samples", f"must be from 2 to the {count} pictures", samples)
    return {name: array[:samples] for name, array in chosen.items()}


def _by_name(pictures: Any, observe: tuple[str, ...]) -> Mapping[str, Any]:
    """An array as pictures by field name; what has names stays as it is."""
    if isinstance(pictures, Mapping):
        return pictures
    array, names = real_numbers("pictures", pictures), observe or ("v",)
    if array.ndim == 3 and len(names) == 1:
        return {names[0]: array}
    if array.ndim != 4 or len(names) != array.shape[1]:
        rule = "must be an array (M, H, W), (M, C, H, W) of C fields that `observe` names, or arrays by name"
        raise BadInput("pictures", rule, array.shape)
    return {name: array[:, i] for i, name in enumerate(names)}


def _tried(names: tuple[str, ...], states: np.ndarray) -> dict[str, AbstractLoss]:
    """The losses by name, tried out on two pictures; raises `BadInput`."""
    if not names:
        raise BadInput("loss", "must name at least one loss")
    if len(set(map(array_name, names))) < len(names):
        raise BadInput("loss", "must name each loss once", ",".join(names))
    losses = {name: find_loss(name) for name in names}
    for loss in losses.values():
        _check_pairwise(loss)
        with enable_x64():
            check_loss(loss, jnp.asarray(states[:2], jnp.float64))
    return losses


def distances(states: Float[np.ndarray, "M C H W"], loss: AbstractLoss) -> Float[np.ndarray, "M M"]:
    """D_ij = L(c_i, c_j), the loss of picture i against picture j; raises `BadInput`."""
    _check_pairwise(loss)
    with enable_x64():
        if isinstance(loss, FeatureLoss):
            losses = _between_features(_features(states, loss))
        else:
            losses = _one_by_one(states, loss)
    if not np.isfinite(losses).all():
        i, j = np.argwhere(~np.isfinite(losses))[0]
        raise BadInput("loss", "must be finite for every two pictures", f"{losses[i, j]} for {i} and {j}")
    return losses


def _check_pairwise(loss: AbstractLoss) -> None:
    """Raise `BadInput` for a loss of whole ensembles: one whose residual is not the difference of features."""
    if isinstance(loss, FeatureLoss) and type(loss).residual is not FeatureLoss.residual:
        raise BadInput("loss", "must compare single pictures", type(loss).__name__, "This one needs whole ensembles.")


def _features(states: np.ndarray, loss: FeatureLoss) -> Float[np.ndarray, "M N"]:
    features = jax.jit(loss.features)  # one picture a call bounds the memory
    return np.concatenate([np.asarray(features(jnp.asarray(c[None], jnp.float64))) for c in states])


def _between_features(f: np.ndarray) -> np.ndarray:
    # Differences first: |f|² + |g|² − 2 f·g would lose small distances to cancellation.
    return np.array([np.mean((f - one) ** 2, 1) for one in f])


def _one_by_one(states: np.ndarray, loss: AbstractLoss) -> np.ndarray:
    value = jax.jit(loss)
    pictures = [jnp.asarray(c[None], jnp.float64) for c in states]
    return np.array([[float(value(a, b)) for b in pictures] for a in pictures])
