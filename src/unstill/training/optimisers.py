"""Optimisers as small classes with `init` and `step`, on unbounded variables: a dictionary name → array.

Each step may look at the objective more than once (trial runs); what it looked at is told in the step's record.
"""

import abc
import dataclasses
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from .._errors import NO_GRADIENT, BadInput, nearest
from .._types import Status
from .damped import Damping

Variables = dict[str, np.ndarray]


@runtime_checkable
class Objective(Protocol):
    """What is minimised. `sound` says whether the look met neither overflow, NaN nor a state outside its bounds."""

    def value(self, x: Variables) -> tuple[float, bool]: ...

    def gradient(self, x: Variables) -> tuple[float, Variables]: ...

    def residual(self, x: Variables) -> tuple[np.ndarray, np.ndarray]:
        """Residuals (R,) whose squares sum to the loss, and their derivatives (R, N) by the flattened variables."""
        ...


@dataclasses.dataclass(frozen=True)
class Step:
    """Where a step led: the new variables, the optimiser's state, the loss before the step, what to log, and a status
    where the run must end (`None`: go on)."""

    x: Variables
    state: Any
    loss: float
    record: dict[str, Any]
    status: Status | None = None
    message: str = ""


class AbstractOptimiser(abc.ABC):
    """`init` makes the state (a pytree of arrays), `step` moves the variables once."""

    about: ClassVar[str]
    needs_residual: ClassVar[bool] = False

    @abc.abstractmethod
    def init(self, x: Variables) -> Any: ...

    @abc.abstractmethod
    def step(self, objective: Objective, x: Variables, state: Any) -> Step: ...

    def portable(self, state: Any) -> Any:
        """The part of the state that a file can keep, with the structure that `init` gives."""
        return state


def flatten(x: Variables) -> np.ndarray:
    """All variables as one vector, in the dictionary's order."""
    return np.concatenate([np.ravel(value) for value in x.values()])


def unflatten(vector: np.ndarray, like: Variables) -> Variables:
    """The inverse of `flatten`."""
    ends = np.cumsum([np.size(value) for value in like.values()])[:-1]
    parts = np.split(np.asarray(vector, float), ends)
    return {name: part.reshape(np.shape(value)) for (name, value), part in zip(like.items(), parts, strict=True)}


_UNSOUND = 1e6  # the loss that CMA-ES is told of a run that blew up
_FAR = 1e6  # beyond every bound of a box
_STIFFEST = 1e8  # damping beyond which a step is nothing
_NOT_FINITE = "the loss is not finite: start elsewhere, shorten the window, or take a smaller dt"


def unsound(x: Variables, state: Any, loss: float, gradient: Variables) -> Step | None:
    """The end of a run whose loss or gradient is not finite, with the variables that it is not finite by; else None."""
    if not np.isfinite(loss):
        return Step(x, state, loss, {"rate": None}, Status.BLOW_UP, _NOT_FINITE)
    names = [name for name, slope in gradient.items() if not np.isfinite(slope).all()]
    if not names:
        return None
    message = f"the loss is {loss:.4g} and its gradient by {', '.join(names)} is not finite: {NO_GRADIENT}"
    return Step(x, state, loss, {"rate": None}, Status.NO_GRADIENT, message)


@dataclasses.dataclass(frozen=True)
class AdaptiveRate(AbstractOptimiser):
    """Founding system A's descent: x − r (∇L + w x), with r found by trial runs.

    The step of the base rate is tried by a forward run; on overflow, NaN or a state outside [0, 1] the rate shrinks by
    ×0.1, at most 4 times; then it grows from the base by ×1.2, at most 4 times; then the run stops with an error.
    Fails on plateaus (the step follows the gradient's size) and where the loss is ill conditioned.
    """

    about: ClassVar = "gradient descent with weight decay and trial rates (founding system A)"
    rate: float = 1e-4
    weight_decay: float = 5e-4
    tries: int = 4

    def init(self, x: Variables) -> dict[str, Any]:
        return {}

    def rates(self) -> list[float]:
        """The rates to try, in order."""
        shrink = [self.rate * 0.1**i for i in range(self.tries + 1)]
        return shrink + [self.rate * 1.2**i for i in range(1, self.tries + 1)]

    def step(self, objective: Objective, x: Variables, state: Any) -> Step:
        loss, gradient = objective.gradient(x)
        record: dict[str, Any] = {"rates_tried": []}
        if ended := unsound(x, state, loss, gradient):
            return dataclasses.replace(ended, record={**record, **ended.record})
        for rate in self.rates():
            record["rates_tried"].append(rate)
            moved = {n: np.asarray(x[n] - rate * (gradient[n] + self.weight_decay * x[n])) for n in x}
            if objective.value(moved)[1]:
                return Step(moved, state, loss, {**record, "rate": rate})
        message = f"no rate of {', '.join(f'{r:.3g}' for r in record['rates_tried'])} gave a sound forward run"
        return Step(x, state, loss, {**record, "rate": None}, Status.BLOW_UP, message)


@dataclasses.dataclass(frozen=True)
class Optax(AbstractOptimiser):
    """An optimiser of the Optax library by name, at a constant rate; gradients are clipped to a global norm."""

    about: ClassVar = "an Optax optimiser"
    method: str = "adam"
    rate: float = 2e-2
    clip: float = 10.0

    def _transform(self):
        import optax

        return optax.chain(optax.clip_by_global_norm(self.clip), getattr(optax, self.method)(self.rate))

    def init(self, x: Variables) -> Any:
        return self._transform().init(x)

    def step(self, objective: Objective, x: Variables, state: Any) -> Step:
        loss, gradient = objective.gradient(x)
        if ended := unsound(x, state, loss, gradient):
            return ended
        updates: Any
        updates, state = self._transform().update(gradient, state, x)
        return Step({n: np.asarray(x[n] + np.asarray(updates[n])) for n in x}, state, loss, {"rate": self.rate})


@dataclasses.dataclass(frozen=True)
class LevenbergMarquardt(AbstractOptimiser):
    """(JᵀJ + λ diag JᵀJ) δ = −Jᵀr for a loss |r|²: J. J. Moré, Lect. Notes Math. 630, 105 (1978), with a cap on |δ|.

    For few variables and losses that are sums of squares. Fails on plateaus, where J = 0, and follows the nearest
    valley whatever its depth.
    """

    about: ClassVar = "Levenberg–Marquardt: for few parameters and losses that are sums of squares"
    needs_residual: ClassVar = True
    damping: float = 1e-2
    longest: float = 0.7
    tries: int = 10
    tolerance: float = 1e-7

    def init(self, x: Variables) -> dict[str, Any]:
        return {"damping": np.float64(self.damping)}

    def step(self, objective: Objective, x: Variables, state: Any) -> Step:
        r, J = objective.residual(x)
        damping, loss = float(state["damping"]), float(r @ r)
        if ended := unsound(x, state, loss, unflatten(J.sum(0), x)):
            return ended
        H, g, tried, borne, change = J.T @ J, J.T @ r, [], False, np.zeros(J.shape[1])
        scale = np.diag(np.diag(H) + 1e-12 * max(np.diag(H).max(), 1e-300))
        start, (low, high) = flatten(x), self._box(objective, x)
        rule = Damping(self.damping, easier=5, harder=4, least=1e-9, raised=1e-6, most=np.inf, tries=self.tries)

        def attempt(damping: float) -> Step | None:
            nonlocal borne, change
            tried.append(damping)
            damped = H + damping * scale
            change = self._within(low - start, high - start, self._change(damped, g), damped, g)
            moved = unflatten(np.clip(start + change, low, high), x)  # start + (high − start) may round beyond high
            value, sound = objective.value(moved)
            borne |= sound
            record, small = {"rates_tried": tried, "rate": damping}, np.abs(change).max() <= self.tolerance
            if sound and value < loss:
                ended = Status.CONVERGED if small or loss - value <= 1e-12 * loss else None
                return Step(moved, {"damping": np.float64(rule.eased(damping))}, loss, record, ended)
            return failed(damping) if small else None

        def failed(damping: float) -> Step:
            record = {"rates_tried": tried, "rate": None}
            if not borne:
                return Step(x, state, loss, record, Status.BLOW_UP, "no step gave a sound forward run")
            ended = np.abs(change).max() <= self.tolerance or damping > _STIFFEST
            return Step(x, {"damping": np.float64(damping)}, loss, record, Status.CONVERGED if ended else None)

        found, damping = rule.step(damping, attempt)
        return found or failed(damping)

    def _change(self, damped: np.ndarray, g: np.ndarray) -> np.ndarray:
        change = -np.linalg.lstsq(damped, g, rcond=1e-15)[0]
        return change * min(1.0, self.longest / max(float(np.abs(change).max(initial=0.0)), 1e-300))

    def _box(self, objective: Objective, x: Variables) -> tuple[np.ndarray, np.ndarray]:
        """The objective's box, if it has one (`project`, which takes numbers to the nearest that are allowed), wide
        enough for where x is."""
        here, project = flatten(x), getattr(objective, "project", None)
        if project is None:
            return np.full_like(here, -np.inf), np.full_like(here, np.inf)
        low, high = (flatten(project(unflatten(here + far, x))) for far in (-_FAR, _FAR))
        return np.minimum(low, here), np.maximum(high, here)

    def _within(self, low, high, change, damped, g) -> np.ndarray:
        """The best step between two bounds: what meets a bound stops there, and the rest steps as far as is best beside
        it. Without this one parameter at a bound damps the steps of all."""
        from scipy.optimize import lsq_linear

        if ((low <= change) & (change <= high)).all():
            return change
        unit = np.sqrt(np.diag(damped))
        half = np.linalg.cholesky(damped / unit / unit[:, None])  # |halfᵀ y + half⁻¹ g|² is the damped model
        wanted = -np.linalg.solve(half, g / unit)
        tiny = np.finfo(float).tiny
        box = (np.minimum(low * unit, -tiny), np.maximum(high * unit, tiny))
        step = np.clip(lsq_linear(half.T, wanted, box, method="bvls").x / unit, low, high)
        return step * min(1.0, self.longest / max(float(np.abs(step).max(initial=0.0)), 1e-300))


@dataclasses.dataclass(frozen=True)
class EvolutionStrategy(AbstractOptimiser):
    """CMA-ES, one generation a step: no gradient. N. Hansen, arXiv:1604.00772, by the library `cmaes`.

    The record's loss is the mean's, at which the iteration began; `best` is the least of its samples. A resumed run
    restarts its covariance at the mean and step size that were reached.
    """

    about: ClassVar = "CMA-ES: no gradient, a population of runs a step"
    spread: float = 0.3
    population: int = 12
    seed: int = 0
    tolerance: float = 1e-4

    def init(self, x: Variables) -> dict[str, Any]:
        return {"spread": np.float64(self.spread), "generation": np.int64(0)}

    def _strategy(self, x: Variables, spread: float):
        from cmaes import CMA

        return CMA(mean=flatten(x), sigma=spread, population_size=self.population, seed=self.seed)

    def step(self, objective: Objective, x: Variables, state: Any) -> Step:
        strategy = state.get("strategy") or self._strategy(x, float(state["spread"]))
        at, sound = objective.value(x)  # first of all: the record, and a replay, are of the mean
        loss, told = at if sound else np.nan, []
        for _ in range(strategy.population_size):
            point = strategy.ask()
            value, sound = objective.value(unflatten(point, x))
            told.append((point, value if sound and np.isfinite(value) else _UNSOUND))
        best = min(value for _, value in told)
        strategy.tell(told)
        spread = float(strategy._sigma)
        state = {"spread": np.float64(spread), "generation": state["generation"] + 1, "strategy": strategy}
        status = Status.CONVERGED if spread < self.tolerance or strategy.should_stop() else None
        record = {"rate": spread, "best": best if best < _UNSOUND else np.nan}
        if status and best >= _UNSOUND:
            return Step(x, state, np.nan, record, Status.BLOW_UP, "no run of the population was sound")
        return Step(unflatten(strategy.mean, x), state, loss, record, status)

    def portable(self, state: Any) -> dict[str, Any]:
        return {name: state[name] for name in ("spread", "generation")}


@dataclasses.dataclass(frozen=True)
class Hybrid(AbstractOptimiser):
    """CMA-ES for `switch` generations, then Levenberg–Marquardt from its mean: a basin first, then its bottom."""

    about: ClassVar = "CMA-ES, then Levenberg–Marquardt"
    needs_residual: ClassVar = True
    search: EvolutionStrategy = EvolutionStrategy()
    polish: LevenbergMarquardt = LevenbergMarquardt()
    switch: int = 8

    def init(self, x: Variables) -> dict[str, Any]:
        return self.search.init(x) | self.polish.init(x)

    def step(self, objective: Objective, x: Variables, state: Any) -> Step:
        if int(state["generation"]) < self.switch:
            step = self.search.step(objective, x, state)
            return dataclasses.replace(step, state=state | step.state, status=None)
        step = self.polish.step(objective, x, state)
        return dataclasses.replace(step, state=state | step.state)

    def portable(self, state: Any) -> dict[str, Any]:
        return {name: state[name] for name in ("spread", "generation", "damping")}


OPTIMISERS: dict[str, AbstractOptimiser] = {
    "adaptive": AdaptiveRate(),
    "adam": Optax("adam"),
    "sgd": Optax("sgd", 1e-3),
    "rmsprop": Optax("rmsprop", 1e-2),
    "levenberg-marquardt": LevenbergMarquardt(),
    "cma-es": EvolutionStrategy(),
    "hybrid": Hybrid(),
}


def make_optimiser(name: str, rate: float | None = None, seed: int = 0) -> AbstractOptimiser:
    """The optimiser of a name, at a rate where one is given; raises `BadInput`."""
    if name not in OPTIMISERS:
        raise BadInput("optimiser", "must be a known optimiser", repr(name), nearest(name, OPTIMISERS))
    optimiser: Any = OPTIMISERS[name]
    if isinstance(optimiser, EvolutionStrategy):
        optimiser = dataclasses.replace(optimiser, seed=seed)
    if isinstance(optimiser, Hybrid):
        optimiser = dataclasses.replace(optimiser, search=dataclasses.replace(optimiser.search, seed=seed))
    if rate is None:
        return optimiser
    if not (np.isfinite(rate) and rate > 0):
        raise BadInput("rate", "must be positive", rate)
    knob = next((k for k in ("rate", "damping", "spread") if hasattr(optimiser, k)), None)
    if knob is None:
        raise BadInput("rate", f"must be left out: {name} has none", rate)
    return dataclasses.replace(optimiser, **{knob: float(rate)})
