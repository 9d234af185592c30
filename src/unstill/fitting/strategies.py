"""Strategies: where a rollout starts, how long it is, and how its derivative comes back.

Each looks at a system in two parts. `prepare` runs on the host without derivatives (warm-up, hidden fields at rest,
polishing); `begin` and the rollout of `steps` after it are differentiated. So truncation, implicit
differentiation and alternation are statements about where the line between the two parts is drawn.
"""

import abc
import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import BadInput, nearest
from ..simulation import rollout
from ..simulation.implicit import steady_state
from ..simulation.steady import polish
from ..systems import ReactionDiffusion
from .followers import follow, join, relax
from .plan import SYNTHETIC
from .problem import Batch, Problem


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What `prepare` hands on: arrays, the steps that are differentiated, and the cost so far.

    `first` (B, C, H, W) and `total` describe the whole motion, for films: `total` steps from `first` end where the
    differentiated rollout ends, bit for bit. `cost` counts sample steps without derivatives.
    """

    arrays: dict[str, np.ndarray]
    steps: int
    first: np.ndarray | None
    total: int
    cost: int


@dataclasses.dataclass(frozen=True)
class AbstractStrategy(abc.ABC):
    """`prepare`, then `begin` and a rollout; `finish` turns the last states into predictions of the seen fields.

    `loss` and `optimiser` are what the strategy takes where none is named; `at_target`: each sample starts at its own
    target, and they are compared one by one; `mode`, the direction of differentiation; `alternates`: what was prepared
    is kept while a step is tried; `state_names`, states that the optimiser moves too.
    """

    about: ClassVar[str]
    loss: ClassVar[str] = "power-spectrum"
    optimiser: ClassVar[str] = "adam"
    at_target: ClassVar[bool] = False
    mode: ClassVar[str] = "reverse"
    alternates: ClassVar[bool] = False
    state_names: ClassVar[tuple[str, ...]] = ()

    def free_states(self, problem: Problem, system: ReactionDiffusion, batch: Batch) -> dict[str, np.ndarray]:
        """The states of `state_names` at the start of a fit; they reach `begin` among the arrays."""
        del problem, system, batch
        return {}

    @abc.abstractmethod
    def prepare(self, problem: Problem, system: ReactionDiffusion, batch: Batch) -> Prepared:
        """The part without derivatives."""

    def begin(self, problem: Problem, system: ReactionDiffusion, arrays: dict[str, Any]) -> Float[Array, "B C H W"]:
        """The states that the differentiated rollout starts from."""
        del problem, system
        return jnp.asarray(arrays["state"])

    def finish(
        self, problem: Problem, system: ReactionDiffusion, arrays: dict[str, Any], states: Float[Array, "B C H W"],
        *, steps: int, at_rest: bool,
    ) -> Float[Array, "B K H W"]:  # fmt: skip
        """The predicted pictures; `at_rest` asks for those of a pattern at rest."""
        del system, arrays, steps, at_rest
        return states[:, np.array(problem.observed)]

    def penalty(
        self, problem: Problem, arrays: dict[str, Any], states: Float[Array, "B C H W"]
    ) -> Float[Array, ""] | float:
        """What is added to the loss."""
        del problem, arrays, states
        return 0.0

    def roll(
        self, problem: Problem, system: ReactionDiffusion, arrays: dict[str, Any], steps: int
    ) -> Float[Array, "B C H W"]:
        """The states at the end of the rollout."""
        start = self.begin(problem, system, arrays)

        def one(c):
            return rollout(system, c, steps=steps, dt=problem.dt, grid=problem.grid)

        return jax.vmap(one)(start)


@dataclasses.dataclass(frozen=True)
class FullBPTT(AbstractStrategy):
    """From a fresh initial state to steadiness, differentiated from end to end with checkpoints."""

    about: ClassVar = "full back-propagation through time from fresh initial states"

    def prepare(self, problem, system, batch):
        start = problem.start(batch)
        _, steps = problem.settle(system, start)
        length = problem.rounded(steps)
        return Prepared({"state": start}, length, start, length, steps * len(start))


@dataclasses.dataclass(frozen=True)
class ForwardMode(FullBPTT):
    """The same by tangents: (1 + P) motions, no memory of the way; for few parameters."""

    about: ClassVar = "forward mode from fresh initial states: tangents instead of checkpoints"
    mode: ClassVar = "forward"


@dataclasses.dataclass(frozen=True)
class TruncatedBPTT(AbstractStrategy):
    """A warm-up to near-steadiness without derivative, then `window` steps with: founding system A's own.

    The derivative forgets what the parameters did before the window: it is biased where memory is longer.
    """

    about: ClassVar = "truncated back-propagation: warm-up without gradient, then a window with"
    window: int = 1000

    def prepare(self, problem, system, batch):
        start = problem.start(batch)
        warm, steps = problem.settle(system, start)
        return Prepared({"state": warm}, self.window, start, steps + self.window, steps * len(start))


@dataclasses.dataclass(frozen=True)
class Implicit(AbstractStrategy):
    """A fresh initial state run to rest and polished; the derivative by the implicit function theorem."""

    about: ClassVar = "implicit differentiation at the polished steady state"
    tolerance: float = 1e-8
    polishing: int = 4

    def prepare(self, problem, system, batch):
        start = problem.start(batch)
        warm, steps = problem.settle(system, start)
        sound = np.isfinite(warm).all()
        options: Any = {"tolerance": self.tolerance, "max_iterations": self.polishing}
        state = np.stack([polish(system, problem.grid, c, **options)[0] for c in warm]) if sound else warm
        return Prepared({"state": state}, 0, None, 0, steps * len(start))

    def begin(self, problem, system, arrays):
        return jnp.stack([steady_state(system, problem.grid, c) for c in arrays["state"]])


@dataclasses.dataclass(frozen=True)
class ObservedStart(AbstractStrategy):
    """The rollout starts at the picture, with hidden fields at rest beside it, and should not lead away from it.

    After T units of time a linear relaxation at rate λ_k = Dk² + q (q: rms slope of the field's own kinetics) has gone
    the share 1 − exp(−λ_k T) of the way to rest. Dividing the change by that share, mode by mode, extrapolates it to
    rest: for pictures at rest that is the prediction. As T → ∞ it is the rollout itself; as T → 0 it is the fixed
    point form c = (q − D∇²)⁻¹[R + q c]. Without it short windows have the false minimum "all rates → 0", and long ones
    fail from afar, where the picture is no longer near a state of rest and runs away.
    Fails for noisy pictures beyond a few per cent (bias), and where the hidden field is not determined by the picture.
    """

    about: ClassVar = "short rollouts from the pictures, hidden fields at rest beside them"
    loss: ClassVar = "pixel"
    optimiser: ClassVar = "levenberg-marquardt"
    at_target: ClassVar = True
    window: int = 8

    def length(self, iteration: int) -> int:
        """Steps of the window at an iteration."""
        del iteration
        return self.window

    def prepare(self, problem, system, batch):
        pictures, steps = batch.targets, self.length(batch.iteration)
        if len(problem.observed) == len(problem.system_class.fields):
            state = pictures[:, np.argsort(problem.observed)]
            return Prepared({"pictures": pictures}, steps, state, steps, 0)
        hidden, tail, run = relax(system, problem.grid, problem.observed, pictures, dt=problem.dt)
        arrays = {"pictures": pictures, "hidden": hidden, "tail": np.zeros(tail)}
        return Prepared(arrays, steps, None, steps, run * len(pictures))

    def begin(self, problem, system, arrays):
        pictures = jnp.asarray(arrays["pictures"])
        if "hidden" not in arrays:
            return pictures[:, np.argsort(problem.observed)]
        tail = len(arrays["tail"])  # a static number that travels as a shape

        def one(picture, hidden):
            return follow(
                system, problem.grid, problem.observed, picture, hidden, steps=tail, dt=problem.dt
            )  # fmt: skip

        return join(problem.observed, pictures, jax.vmap(one)(pictures, jnp.asarray(arrays["hidden"])))

    def finish(self, problem, system, arrays, states, *, steps, at_rest):
        seen = states[:, np.array(problem.observed)]
        if not at_rest:
            return seen
        pictures = jnp.asarray(arrays["pictures"])
        changes = [
            _extrapolate(problem, system, states, index, seen[:, j] - pictures[:, j], steps)
            for j, index in enumerate(problem.observed)
        ]
        return pictures + jnp.stack(changes, 1)


def _extrapolate(problem: Problem, system, states, index: int, change, steps: int):
    """The change of one field, divided by the share of the way to rest that a linear relaxation goes in the window."""

    def slope_of(fields):
        def own(c):
            return system.kinetics(*fields[:index], c, *fields[index + 1 :])[index] + 0 * c

        return jax.jvp(own, (fields[index],), (jnp.ones_like(fields[index]),))[1]

    slope = jax.vmap(slope_of)(states)
    rate = jnp.sqrt(jnp.mean(slope**2, (-2, -1)))[:, None, None]
    D = jnp.mean(jnp.asarray(system.diffusivities()[index]))
    share = -jnp.expm1(-(rate - D * jnp.asarray(problem.grid.symbol)[None]) * (steps * problem.dt))
    if problem.grid.boundary == "periodic":
        return jnp.fft.ifft2(jnp.fft.fft2(change) / share).real
    return jax.scipy.fft.idctn(jax.scipy.fft.dctn(change, axes=(-2, -1)) / share, axes=(-2, -1))


@dataclasses.dataclass(frozen=True)
class Curriculum(ObservedStart):
    """The observed start with a window that doubles every `period` iterations, from 1 to `window` steps."""

    about: ClassVar = "the observed start with a window that grows from 1 step"
    window: int = 256
    period: int = 4

    def length(self, iteration: int) -> int:
        return int(min(self.window, 2 ** min(iteration // self.period, 30)))


@dataclasses.dataclass(frozen=True)
class ExpectationMaximisation(ObservedStart):
    """Alternating: hidden fields at the parameters of the moment (no derivative), then a step of the parameters.

    Converges linearly, and slowly where the hidden field follows the parameters closely.
    """

    about: ClassVar = "EM style: hidden fields given parameters, then parameters given fields"
    alternates: ClassVar = True

    def begin(self, problem, system, arrays):
        pictures = jnp.asarray(arrays["pictures"])
        if "hidden" not in arrays:
            return pictures[:, np.argsort(problem.observed)]
        return join(problem.observed, pictures, jnp.asarray(arrays["hidden"]))


@dataclasses.dataclass(frozen=True)
class MultipleShooting(ObservedStart):
    """Each picture is a chain of `segments` free states; rollouts of `window` steps should lead from one to the next.

    L = loss(last prediction, picture) + ⟨(seen part of the states − picture)²⟩ + w ⟨(Φ(state_i) − state_{i+1})²⟩, all
    states and parameters free: H. G. Bock, Lect. Notes Math. 995 (1983) with the continuity as a penalty, weight w.
    Needs no equation for the hidden field alone; has as many unknowns as cells, so it takes many iterations.
    """

    about: ClassVar = "multiple shooting: free states between short rollouts, continuity as a penalty"
    optimiser: ClassVar = "adam"
    state_names: ClassVar = ("nodes",)
    window: int = 16
    segments: int = 3
    weight: float = 10.0

    def free_states(self, problem, system, batch):
        prepared = super().prepare(problem, system, batch)
        if "hidden" in prepared.arrays:
            state = np.asarray(join(problem.observed, batch.targets, prepared.arrays["hidden"]))
        else:
            state = batch.targets[:, np.argsort(problem.observed)]
        return {"nodes": np.repeat(state[:, None], self.segments, 1)}

    def prepare(self, problem, system, batch):
        return Prepared({"pictures": batch.targets}, self.window, None, self.window, 0)

    def begin(self, problem, system, arrays):
        nodes = arrays["nodes"]
        return nodes.reshape(-1, *nodes.shape[2:])

    def _chain(self, states):
        return states.reshape(-1, self.segments, *states.shape[1:])

    def finish(self, problem, system, arrays, states, *, steps, at_rest):
        last = self._chain(states)[:, -1]
        return super().finish(problem, system, arrays, last, steps=steps, at_rest=at_rest)

    def penalty(self, problem, arrays, states):
        nodes, reached = arrays["nodes"], self._chain(states)
        seen = nodes[:, :, np.array(problem.observed)]
        misfit = jnp.mean((seen - jnp.asarray(arrays["pictures"])[:, None]) ** 2)
        return misfit + self.weight * jnp.mean((reached[:, :-1] - nodes[:, 1:]) ** 2)


STRATEGIES: dict[str, AbstractStrategy] = {
    "bptt": FullBPTT(),
    "tbptt": TruncatedBPTT(),
    "forward": ForwardMode(),
    "implicit": Implicit(),
    "observed-start": ObservedStart(),
    "curriculum": Curriculum(),
    "shooting": MultipleShooting(),
    "em": ExpectationMaximisation(),
}


def make_strategy(name: str, window: int | None = None) -> AbstractStrategy:
    """The strategy of a name, with a window where one is given; raises `BadInput`."""
    if name not in STRATEGIES:
        known = nearest(name, (*STRATEGIES, SYNTHETIC))
        raise BadInput("strategy", "must be a known strategy", repr(name), known)
    strategy: Any = STRATEGIES[name]
    if window is None:
        return strategy
    if not hasattr(strategy, "window"):
        raise BadInput("window", f"must be left out: {name} has none", window)
    if window < 1:
        raise BadInput("window", "must be at least 1", window)
    return dataclasses.replace(strategy, window=window)
