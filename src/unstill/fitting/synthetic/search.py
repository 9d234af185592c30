"""Generations of simulations, closer and closer to the statistics of the targets."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from scipy.stats import qmc

from .ensemble import Ensemble
from .regression import Answer, LocalModel

GENERATION, LAST = 64, 256  # simulations
NARROW = 3.0  # standard deviations of the answer: a box is not narrowed further
SLOWLY = 0.6  # of the box that was, at most
AROUND = 1.5  # half widths: simulations so near to the middle make the model
SETTLED = 0.8  # half widths
VAIN = 6  # generations that show no pattern, or too few for a parabola, or one far from every target
MISFIT = 1e-4  # chance of a larger χ² below which a parabola is no place to narrow


@dataclasses.dataclass
class Search:
    """Where the box of the next generation lies, and every simulation that showed a pattern so far: all that a resumed
    search needs. `narrow`: the box is as small as it gets, and the next generation is the last if it agrees."""

    middle: Float[np.ndarray, " D"]
    half: Float[np.ndarray, " D"]
    widest: Float[np.ndarray, " D"]
    q: Float[np.ndarray, "N D"]
    s: Float[np.ndarray, "N S"]
    generation: int = 0
    lost: int = 0
    narrow: bool = False
    done: bool = False
    misfits: int = 0
    drawn: int = 0
    steps: int = 0
    last: Answer | None = None

    @classmethod
    def around(cls, middle: Float[np.ndarray, " D"], half: Float[np.ndarray, " D"], statistics: int) -> Search:
        """One that has not begun."""
        return cls(middle, half, half, np.zeros((0, len(middle))), np.zeros((0, statistics)))

    def arrays(self) -> dict[str, np.ndarray]:
        """As a checkpoint keeps it."""
        own = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        answer = own.pop("last")
        told = {} if answer is None else {f"last_{name}": value for name, value in vars(answer).items()}
        return {name: np.asarray(value) for name, value in {**own, **told}.items()}

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Search:
        """Back from a checkpoint."""
        told: dict[str, Any] = {name: value if value.ndim else value.item() for name, value in arrays.items()}
        answer = {name.removeprefix("last_"): told.pop(name) for name in list(told) if name.startswith("last_")}
        return cls(**told, last=Answer(**answer) if answer else None)

    @property
    def is_lost(self) -> bool:
        """Whether patterns enough for a parabola have been sought in vain for several generations."""
        return self.lost >= VAIN

    @property
    def ended(self) -> bool:
        """Whether another generation would tell nothing."""
        return self.done or self.is_lost or self.misfits >= VAIN

    def model(self) -> LocalModel | None:
        """The model of the simulations around the middle; none where too few show a pattern."""
        near = (np.abs((self.q - self.middle) / self.half) <= AROUND).all(1)
        if near.sum() < LocalModel.least(len(self.middle)):
            return None
        return LocalModel(self.middle, self.half, self.q[near], self.s[near])

    def advance(self, ensemble: Ensemble) -> int:
        """One generation: simulate, regress, move the box. Returns how many simulations showed a pattern."""
        low, high = ensemble.low, ensemble.high
        cube = qmc.Sobol(len(self.middle), seed=np.random.default_rng([ensemble.seed, self.generation, 2]))
        unit = 2 * cube.random(LAST if self.narrow else GENERATION) - 1
        q = np.clip(self.middle + self.half * unit, low, high)
        s = ensemble.look(q, self.generation)
        alive = np.isfinite(s).all(1)
        self.q, self.s = np.concatenate([self.q, q[alive]]), np.concatenate([self.s, s[alive]])
        self.generation, self.drawn, self.steps = self.generation + 1, len(q), int(ensemble.ages(q).sum())
        model, observed = self.model(), ensemble.statistics.of_targets
        self.lost = 0 if model is not None else self.lost + 1
        if model is None:
            self._step_back(observed.mean(0))
            self.last = None
            return int(alive.sum())
        answer = model.answer(observed.mean(0), len(observed), low, high)
        self._follow(answer)
        self.last = answer
        return int(alive.sum())

    def _step_back(self, observed: Float[np.ndarray, " S"]) -> None:
        """To the simulation that is most like the targets, and a smaller box around it."""
        self.narrow = False
        if len(self.q):
            scale = self.s.std(0) + 1e-12
            self.middle = self.q[np.argmin(np.mean(((self.s - observed) / scale) ** 2, 1))]
        self.half = SLOWLY * self.half

    def _follow(self, answer: Answer) -> None:
        """To the answer; with a smaller box once answers stay inside, down to what the data tell apart. With a wider
        one, of ages the widest, where nothing fits: it may have been narrowed around a wrong place."""
        self.middle = answer.q
        self.misfits = self.misfits + 1 if answer.p < MISFIT else 0
        if self.misfits:
            self.half = np.minimum(self.half / SLOWLY, self.widest)
            self.half[-1] = self.widest[-1]
        if self.misfits or answer.inside.max() > SETTLED:
            self.narrow = False
            return
        self.done = self.narrow
        half = np.minimum(np.maximum(SLOWLY * self.half, NARROW * answer.std), self.half)
        self.narrow = bool((half > 0.9 * self.half).all())
        self.half = half
