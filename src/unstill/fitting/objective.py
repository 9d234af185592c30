"""The loss as a function of the optimiser's variables, with what it looked at on the way."""

import dataclasses
import zlib
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._errors import NumericalFailure
from .._jax import enable_x64
from ..observations.steadiness import LOST, contrast, contrast_floor
from ..training import Variables
from .coordinates import Coordinates
from .losses import AbstractLoss
from .problem import Batch, Problem
from .strategies import AbstractStrategy, Prepared

_OUTSIDE = 1e-6  # beyond what a system stays within, as round-off


@dataclasses.dataclass(frozen=True)
class Look:
    """One evaluation: the loss, the last states (B, C, H, W), and whether they are sound."""

    loss: float
    states: np.ndarray
    sound: bool
    prepared: Prepared


class Evaluator:
    """The compiled functions of one problem, strategy and loss: made once, used by every iteration.

    They take the system itself, not the optimiser's numbers: so a replay with logged parameters repeats every bit.
    """

    def __init__(
        self,
        problem: Problem,
        strategy: AbstractStrategy,
        loss: AbstractLoss,
        coordinates: Coordinates,
        smoothness: float = 0.0,
        pair: str | None = None,
    ):
        self.problem, self.strategy, self.loss, self.coordinates = problem, strategy, loss, coordinates
        self.smoothness = smoothness
        self.paired = strategy.at_target if pair is None else pair == "each"
        self.at_rest = strategy.at_target and loss.depends_on_start
        self.value = eqx.filter_jit(self._value)
        self.gradient = eqx.filter_jit(jax.value_and_grad(self._value, has_aux=True))
        self.forward_gradient = eqx.filter_jit(self._forward_gradient)
        self.jacobian = eqx.filter_jit(self._jacobian)

    def _predict(self, values, arrays, steps: int):
        system = self.system(values)
        arrays = arrays | {name: values[name] for name in self.coordinates.states}
        states = self.strategy.roll(self.problem, system, arrays, steps)
        seen = self.strategy.finish(
            self.problem, system, arrays, states, steps=steps, at_rest=self.at_rest
        )  # fmt: skip
        return seen, states, self.strategy.penalty(self.problem, arrays, states)

    def system(self, values):
        """The system at values of the free parameters."""
        base = self.coordinates.system_class(**self.coordinates.system_class.defaults())
        return base.with_values(**self.coordinates.fix, **{name: values[name] for name in self.coordinates.free})

    def _roughness(self, values):
        """Σ ⟨|∇θ|²⟩/⟨θ⟩² over parameters given cell by cell, times the weight."""
        total = jnp.zeros(())
        for value in values.values():
            if jnp.ndim(value) == 2:
                steps = [value - jnp.roll(value, 1, axis) for axis in (0, 1)]
                total = total + sum(jnp.mean(s**2) for s in steps) / jnp.mean(value) ** 2
        return self.smoothness * total

    def _value(self, values, arrays, targets, steps: int):
        seen, states, penalty = self._predict(values, arrays, steps)
        loss = self.loss(seen, targets, paired=self.paired)
        slope = jax.grad(lambda c: self.loss(c, targets, paired=self.paired))(seen)
        return loss + penalty + self._roughness(values), (states, jnp.sqrt(jnp.sum(slope**2)))

    def _forward_gradient(self, values, arrays, targets, steps: int):
        def loss(values):
            loss, aux = self._value(values, arrays, targets, steps)
            return loss, (loss, aux)

        slopes, (value, aux) = jax.jacfwd(loss, has_aux=True)(values)
        return (value, aux), slopes

    def _jacobian(self, values, arrays, targets, steps: int):
        def residual(values):
            seen, states, _ = self._predict(values, arrays, steps)
            r = self.loss.residual(seen, targets, paired=self.paired)  # pyright: ignore[reportAttributeAccessIssue]
            slope = jax.grad(lambda c: self.loss(c, targets, paired=self.paired))(jax.lax.stop_gradient(seen))
            return r, (r, states, jnp.sqrt(jnp.sum(slope**2)))

        slopes, (r, states, slope) = jax.jacfwd(residual, has_aux=True)(values)
        return r, slopes, states, slope


class FitObjective:
    """What one iteration minimises: an `Objective` of `unstill.training`.

    Counts its cost in sample steps: `steps` without and `steps_differentiated` with derivatives.
    """

    def __init__(self, evaluator: Evaluator, batch: Batch):
        self.evaluator, self.batch = evaluator, batch
        self.steps = self.steps_differentiated = 0
        self.first: dict[str, Any] = {}
        self._prepared: tuple[bytes, Prepared] | None = None

    def project(self, x: Variables) -> Variables:
        """Diffusion stays below the stability limit."""
        return self.evaluator.coordinates.project(x)

    def value(self, x: Variables) -> tuple[float, bool]:
        try:
            look = self.look(x)
        except NumericalFailure:  # no hidden field there: a trial step too far, not the end of the fit
            return np.inf, False
        return look.loss, look.sound

    def look(self, x: Variables) -> Look:
        """The loss without derivatives, and the states behind it."""
        return self.look_at(self.evaluator.coordinates.values(x))

    def look_at(self, values: dict[str, np.ndarray]) -> Look:
        """The same at parameter values."""
        prepared = self._prepared_at(values)
        with enable_x64():
            loss, (states, _) = self.evaluator.value(values, prepared.arrays, self.batch.targets, prepared.steps)
        states = np.asarray(states)
        self.steps += prepared.steps * len(states)
        return Look(float(loss), states, bool(np.isfinite(float(loss))) and self._is_sound(states), prepared)

    def gradient(self, x: Variables) -> tuple[float, Variables]:
        values, prepared = self._prepare(x)
        with enable_x64():
            forward = self.evaluator.strategy.mode == "forward"
            function = self.evaluator.forward_gradient if forward else self.evaluator.gradient
            (loss, (states, slope)), slopes = function(values, prepared.arrays, self.batch.targets, prepared.steps)
        slopes = {name: np.asarray(value) for name, value in slopes.items()}
        self._tell(float(loss), np.asarray(states), slopes, prepared, float(slope))
        chain = self.evaluator.coordinates.slope(x)
        return float(loss), {name: np.asarray(slopes[name] * chain[name]) for name in x}

    def residual(self, x: Variables) -> tuple[np.ndarray, np.ndarray]:
        values, prepared = self._prepare(x)
        with enable_x64():
            r, slopes, states, slope = self.evaluator.jacobian(
                values, prepared.arrays, self.batch.targets, prepared.steps
            )
        r = np.asarray(r)
        slopes = {name: np.asarray(value).reshape(len(r), -1) for name, value in slopes.items()}
        gradient = {name: np.asarray(2 * (r @ J)).reshape(np.shape(values[name])) for name, J in slopes.items()}
        self._tell(float(r @ r), np.asarray(states), gradient, prepared, float(slope))
        chain = self.evaluator.coordinates.slope(x)
        return r, np.concatenate([slopes[name] * np.ravel(chain[name])[None] for name in x], 1)

    def _prepare(self, x: Variables) -> tuple[dict[str, np.ndarray], Prepared]:
        """Values and what the strategy prepared; kept, since trial and derivative often look at one place."""
        values = self.evaluator.coordinates.values(x)
        return values, self._prepared_at(values)

    def _prepared_at(self, values: dict[str, np.ndarray]) -> Prepared:
        key = b"" if self.evaluator.strategy.alternates else b"".join(v.tobytes() for v in values.values())
        if self._prepared is None or self._prepared[0] != key:
            system = self.evaluator.coordinates.system(values)
            batch = dataclasses.replace(self.batch, start=values["state"]) if "state" in values else self.batch
            prepared = self.evaluator.strategy.prepare(self.evaluator.problem, system, batch)
            self._prepared = (key, prepared)
            self.steps += prepared.cost
        return self._prepared[1]

    def _is_sound(self, states: np.ndarray) -> bool:
        if not np.isfinite(states).all():
            return False
        seen, box = states[:, list(self.evaluator.problem.observed)], self.evaluator.problem.box
        return box is None or bool(seen.min() >= box[0] - _OUTSIDE and seen.max() <= box[1] + _OUTSIDE)

    def _tell(self, loss, states, slopes, prepared: Prepared, slope: float) -> None:
        """Keep what the iteration's own look (its first derivative) showed, for the log."""
        self.steps_differentiated += prepared.steps * len(states)
        if self.first:
            return
        seen = states[:, list(self.evaluator.problem.observed)]
        self.first = {
            "gradients": {name: _summary(value) for name, value in slopes.items()},
            "finite": bool(np.isfinite(states).all()),
            "prediction_std": float(seen.std()),
            "prediction_range": [float(seen.min()), float(seen.max())],
            "prediction_slope": slope,
            "dead": is_lost(self.evaluator.problem, states),
            "rollout_steps": prepared.total,
            "checksum": checksum(states),
        }


def is_lost(problem: Problem, states: np.ndarray) -> bool:
    """Whether the seen fields of finite states have less than a hundredth of the targets' contrast: nothing pulls a
    prediction back from there. Never for targets that are uniform themselves."""
    if is_uniform_set(problem) or not np.isfinite(states).all():
        return False
    known = float(contrast(problem.targets).mean())
    return float(contrast(states[:, list(problem.observed)]).max()) < LOST * known


def is_uniform_set(problem: Problem) -> bool:
    """Whether the targets carry no pattern."""
    return bool(contrast(problem.targets).mean() <= contrast_floor(problem.targets))


def checksum(states: np.ndarray) -> int:
    """CRC-32 of the bytes of float64 states: equal for states that are equal to the last bit."""
    return zlib.crc32(np.ascontiguousarray(states, dtype=np.float64).tobytes())


def _summary(value: np.ndarray) -> float:
    """One number for the log: the derivative, or the norm of a field of them."""
    return float(value) if np.ndim(value) == 0 else float(np.linalg.norm(value))
