"""Minibatch training of one network or of many at once: epochs of compiled steps, early stopping, the best kept.

Parameters carry a member axis K on every leaf. The sum over members of their losses is minimised, so no member sees
another, and one program trains them all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from .._errors import BadInput
from .._progress import AbstractCheckpoint, Progress
from .._result import plain

Losses = Callable[[Any, Array], Float[Array, " K"]]

_LONGEST = 1e3  # a gradient
_STATE = "state"  # what a checkpoint holds of a training


@dataclasses.dataclass(frozen=True)
class Epochs:
    """At most `epochs` epochs of `steps` Adam steps at `rate`, which falls to 1 % of itself along a half cosine.

    Training ends early when no member's held-out loss has fallen by the share `gain` for `patience` epochs. `stepwise`:
    each step is a call of its own, for convolutions, whose gradients XLA computes 10 times slower within a loop on a
    CPU.
    """

    epochs: int = 100
    steps: int = 50
    rate: float = 1e-2
    patience: int = 20
    gain: float = 0.01
    optimiser: Any = None  # an optax.GradientTransformation in place of Adam
    stepwise: bool = False


@dataclasses.dataclass(frozen=True)
class Trained:
    """The best parameters of each member, its held-out loss there, and all losses epoch by epoch."""

    params: Any
    held_out: Float[np.ndarray, " K"]
    training: Float[np.ndarray, "E K"]
    validation: Float[np.ndarray, "E K"]
    interrupted: bool
    stopped: bool  # before the last epoch, since nothing was gained any more

    @property
    def settled(self) -> bool:
        """Whether it had nothing to gain any more.

        It stopped by itself, or the last quarter of its epochs took the least held-out loss down by less than 5 % of
        what all epochs did. A training of fewer than four epochs cannot tell.
        """
        if self.stopped or len(self.validation) < 4:
            return self.stopped
        least = np.minimum.accumulate(self.validation, 0)
        late = least[(3 * len(least)) // 4 - 1] - least[-1]
        return bool(np.all(late <= 0.05 * (least[0] - least[-1])))


@dataclasses.dataclass(frozen=True)
class Reached:
    """Where a training stands after an epoch: all that the next one needs.

    `best` and its losses `least` (K,), member by member; `mark` (K,) the losses that a gain is counted from, and
    `waited` the epochs since the last one.
    """

    params: Any
    adam: Any
    best: Any
    least: Any
    mark: Float[np.ndarray, " K"]
    waited: int
    training: Float[np.ndarray, "E K"]
    validation: Float[np.ndarray, "E K"]

    def as_arrays(self) -> dict[str, np.ndarray]:
        """What a resume file holds: leaves by number, and losses."""
        leaves = {f"state_{i}": np.asarray(leaf) for i, leaf in enumerate(jax.tree.leaves(self._tree()))}
        rest = {"mark": self.mark, "waited": np.asarray(self.waited)}
        return leaves | rest | {"training": self.training, "validation": self.validation}

    def restored(self, arrays: Mapping[str, np.ndarray]) -> Reached:
        """The progress that `as_arrays` kept of a training that began like this one; raises `BadInput`."""
        leaves, structure = jax.tree.flatten(self._tree())
        wanted = {f"state_{i}": np.shape(leaf) for i, leaf in enumerate(leaves)} | {"mark": self.mark.shape}
        found = {name: a.shape for name, a in arrays.items() if name.startswith("state_") or name == "mark"}
        if found != wanted or not {"waited", "training", "validation"} <= set(arrays):
            raise BadInput("resume", "must find the state of the same command", "other arrays in state.npz")
        kept = [jnp.asarray(arrays[f"state_{i}"], jnp.asarray(leaf).dtype) for i, leaf in enumerate(leaves)]
        params, adam, best, least = jax.tree.unflatten(structure, kept)
        losses = (np.asarray(arrays[name], float) for name in ("training", "validation"))
        return Reached(params, adam, best, least, np.asarray(arrays["mark"]), int(arrays["waited"]), *losses)

    def _tree(self) -> tuple[Any, ...]:
        return self.params, self.adam, self.best, self.least


def train_epochs(
    losses: Losses,
    held_out: Callable[[Any], Float[Array, " K"]],
    params: Any,
    plan: Epochs,
    *,
    key: Array,
    record: Callable[[dict[str, Any]], None] = lambda entry: None,
    keep: Callable[[dict[str, np.ndarray]], None] = lambda arrays: None,
    resume: Mapping[str, np.ndarray] | None = None,
) -> Trained:
    """Minimise `losses(params, key)` (K,), a fresh batch a key; keep each member where `held_out(params)` was least.

    `record` gets one entry an epoch, means over members, and `keep` the arrays from which `resume` goes on, to the same
    numbers as without a break. Ctrl-C ends the training with what was reached.
    """
    epoch, start = _compiled(losses, held_out, plan), _begin(held_out, params, plan)
    at, interrupted, stopped = start if resume is None else start.restored(resume), False, False
    for i in range(len(at.training), plan.epochs):
        if stopped := at.waited >= plan.patience:
            break
        try:
            params, adam, best, least, each, now = epoch(*at._tree(), jax.random.fold_in(key, i))
            gained = bool(np.any(np.asarray(least) < (1 - plan.gain) * at.mark))
            waited, mark = (0, np.minimum(at.mark, np.asarray(least))) if gained else (at.waited + 1, at.mark)
            training, validation = np.append(at.training, each[None], 0), np.append(at.validation, now[None], 0)
            at = Reached(params, adam, best, least, mark, waited, training, validation)
            record({"epoch": i, "loss": float(each.mean()), "held_out": float(np.mean(least))})
            keep(at.as_arrays())
        except KeyboardInterrupt:
            interrupted = True
            break
    return Trained(at.best, np.asarray(at.least), at.training, at.validation, interrupted, stopped)


def logged(kept: AbstractCheckpoint, epochs: int, progress: Progress) -> dict[str, Any]:
    """The arguments `record`, `keep` and `resume` of a training that a checkpoint keeps, its log cut to its state."""
    resume = kept.kept(_STATE)
    done = 0 if resume is None else len(resume.get("training", ()))
    kept.write_log([row for row in kept.log() if row.get("epoch", 0) < done])

    def record(entry: dict[str, Any]) -> None:
        kept.append_log(plain(entry))
        progress(entry["epoch"] + 1, epochs, entry)

    return {"record": record, "keep": lambda arrays: kept.keep(_STATE, **arrays), "resume": resume}


def draw(key: Array, count: int, total: int) -> Int[Array, " N"]:
    """`count` indices below `total`. In 32 bits whatever JAX's setting: other bits are other draws."""
    return jax.random.randint(key, (count,), 0, total, jnp.int32)


def signs(key: Array, shape: tuple[int, ...]) -> Int[Array, ...]:
    """±1 with equal chance, in 32 bits as `draw`."""
    return 2 * jax.random.bernoulli(key, jnp.float32(0.5), shape).astype(jnp.int32) - 1


def _adam(plan: Epochs):
    import optax

    if plan.optimiser is not None:
        return plan.optimiser

    rates = optax.cosine_decay_schedule(plan.rate, plan.epochs * plan.steps, 0.01)
    return optax.adam(rates)


def _clipped(gradient: Any) -> Any:
    """Each member's gradient, no longer than `_LONGEST`: no member sees another."""
    leaves = jax.tree.leaves(gradient)
    norms = jnp.sqrt(sum(jnp.sum(g.reshape(len(g), -1) ** 2, 1) for g in leaves))
    share = jnp.minimum(1.0, _LONGEST / jnp.maximum(norms, _LONGEST))
    return jax.tree.map(lambda g: g * share.reshape(-1, *[1] * (g.ndim - 1)), gradient)


def _begin(held_out: Callable, params: Any, plan: Epochs) -> Reached:
    least = jax.jit(held_out)(params)
    none = np.zeros((0, len(least)))
    return Reached(params, _adam(plan).init(params), params, least, np.asarray(least), 0, none, none)


def _compiled(losses: Losses, held_out: Callable, plan: Epochs) -> Callable:
    """One epoch: (params, adam, best, least, key) → the same after it, the mean training losses, the held-out ones."""
    import optax

    adam = _adam(plan)

    def step(carry, key):
        params, state = carry

        def total(params):
            each = losses(params, key)
            return jnp.sum(each), each

        gradient, each = jax.grad(total, has_aux=True)(params)
        updates, state = adam.update(_clipped(gradient), state, params)
        return (optax.apply_updates(params, updates), state), each

    def concluded(params, state, best, least, each):
        now = held_out(params)

        def choose(old, new):
            return jnp.where((now < least).reshape(-1, *[1] * (new.ndim - 1)), new, old)

        return params, state, jax.tree.map(choose, best, params), jnp.minimum(least, now), jnp.mean(each, 0), now

    @jax.jit
    def epoch(params, state, best, least, key):
        (params, state), each = jax.lax.scan(step, (params, state), jax.random.split(key, plan.steps))
        return concluded(params, state, best, least, each)

    one, conclude = jax.jit(step), jax.jit(concluded)

    def epoch_of_calls(params, state, best, least, key):
        carry, each = (params, state), []
        for k in jax.random.split(key, plan.steps):
            carry, loss = one(carry, k)
            each.append(loss)
        return conclude(*carry, best, least, jnp.stack(each))

    return epoch_of_calls if plan.stepwise else epoch
