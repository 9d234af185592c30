"""Minibatch training of one network or of many at once: epochs of compiled steps, early stopping, the best kept.

Parameters carry a member axis K on every leaf. The sum over members of their losses is minimised, so no member sees
another, and one program trains them all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Losses = Callable[[Any, Array], Float[Array, " K"]]


@dataclasses.dataclass(frozen=True)
class Epochs:
    """At most `epochs` epochs of `steps` Adam steps at `rate`, which falls to 1 % of itself along a half cosine.

    Training ends early when no member's held-out loss has fallen by 1 % for `patience` epochs.
    """

    epochs: int = 100
    steps: int = 50
    rate: float = 1e-2
    patience: int = 20


@dataclasses.dataclass(frozen=True)
class Trained:
    """The best parameters of each member, its held-out loss there, and all losses epoch by epoch."""

    params: Any
    held_out: Float[np.ndarray, " K"]
    training: Float[np.ndarray, "E K"]
    validation: Float[np.ndarray, "E K"]
    interrupted: bool


def train_epochs(
    losses: Losses,
    held_out: Callable[[Any], Float[Array, " K"]],
    params: Any,
    plan: Epochs,
    *,
    key: Array,
    record: Callable[[dict[str, Any]], None] = lambda entry: None,
) -> Trained:
    """Minimise `losses(params, key)` (K,), a fresh batch a key; keep each member where `held_out(params)` was least.

    `record` gets one entry an epoch: means over members. Ctrl-C ends the training with what was reached.
    """
    import optax

    rates = optax.cosine_decay_schedule(plan.rate, plan.epochs * plan.steps, 0.01)
    adam = optax.chain(optax.clip_by_global_norm(1e3), optax.adam(rates))

    @jax.jit
    def epoch(params, state, key):
        def step(carry, key):
            params, state = carry

            def total(params):
                each = losses(params, key)
                return jnp.sum(each), each

            gradient, each = jax.grad(total, has_aux=True)(params)
            updates, state = adam.update(gradient, state, params)
            return (optax.apply_updates(params, updates), state), each

        (params, state), each = jax.lax.scan(step, (params, state), jax.random.split(key, plan.steps))
        return params, state, jnp.mean(each, 0), held_out(params)

    @jax.jit
    def better(best, params, least, now):
        def choose(old, new):
            return jnp.where((now < least).reshape(-1, *[1] * (new.ndim - 1)), new, old)

        return jax.tree.map(choose, best, params), jnp.minimum(least, now)

    state, best, least = adam.init(params), params, jax.jit(held_out)(params)
    mark, waited, training, validation, interrupted = np.asarray(least), 0, [], [], False
    for i in range(plan.epochs):
        try:
            params, state, each, now = epoch(params, state, jax.random.fold_in(key, i))
            best, least = better(best, params, least, now)
            training.append(np.asarray(each))
            validation.append(np.asarray(now))
            record({"epoch": i, "loss": float(each.mean()), "held_out": float(np.mean(least))})
        except KeyboardInterrupt:
            interrupted = True
            break
        gained = bool(np.any(np.asarray(least) < 0.99 * mark))
        waited, mark = (0, np.minimum(mark, np.asarray(least))) if gained else (waited + 1, mark)
        if waited >= plan.patience:
            break
    empty = np.zeros((0, len(mark)))
    return Trained(
        best, np.asarray(least), np.stack(training) if training else empty,
        np.stack(validation) if validation else empty, interrupted,
    )  # fmt: skip
