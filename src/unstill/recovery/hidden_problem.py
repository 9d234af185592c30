"""The question of the hidden-field road: what is known, which numbers are sought, and how they are scaled."""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float
from scipy.stats import qmc

from ..observations.camera import ABSOLUTE, BLURS, GAMMAS, Camera
from ..observations.gaps import Filling, away_from, reached, specks, stencils
from ..simulation.corrected import Operator, Part
from ..simulation.jacobian import kinetic_slopes, parameter_slopes
from ..systems import ReactionDiffusion
from ..systems.grid import Grid
from .optics import Optics
from .ties import Tie

DECADES = 1.0  # starts are spread this far to each side of the system's defaults
UNSURE = 3  # cells beside a gap where what is not seen there, and hardly felt, leaves the hidden field ragged
MARGIN = 8  # cells that the elimination forgets a window's border in: several lengths √(D/rate) of the hidden field


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """What is known and what is sought: a system's class, a grid, the observed field, the pinned parameters and
    products, the camera; with `window`, pictures are cut from larger ones, and nothing is known at their borders;
    `seen` tells which pixels are, where not all of them are.

    The numbers that are sought, `sought`, are the free parameters `names` and what is unknown of the camera; their
    values are passed in this order.
    """

    system_class: type[ReactionDiffusion]
    grid: Grid
    observed: int
    names: tuple[str, ...]
    fix: Mapping[str, float]
    ties: tuple[Tie, ...] = ()
    camera: Camera = ABSOLUTE
    window: bool = False
    seen: Bool[np.ndarray, "H W"] | None = None

    @property
    def open(self) -> bool:
        """Whether there are cells where the equations are not held to."""
        return self.window or self.seen is not None

    @property
    def optics(self) -> Optics:
        """The camera on this grid."""
        return Optics(self.camera, self.grid)

    @property
    def sought(self) -> tuple[str, ...]:
        """The names of all numbers that are sought."""
        return self.names + self.camera.unknown

    @property
    def dynamic(self) -> tuple[str, ...]:
        """The names of the parameters that are not fixed, tied ones last."""
        return self.names + tuple(tie.name for tie in self.ties)

    @property
    def hidden(self) -> list[int]:
        return [i for i in range(len(self.system_class.fields)) if i != self.observed]

    @functools.cached_property
    def pixels(self) -> Float[np.ndarray, "H W"]:
        """1 where a pixel is seen, and, blurred, what it has of its neighbours is known."""
        out = np.ones(self.grid.shape) if self.seen is None else self.seen.astype(float)
        return out if self.optics.is_sharp else out * self.inside

    @functools.cached_property
    def inside(self) -> Float[np.ndarray, "H W"]:
        """1 where the equations hold as far as the picture knows, 0 at a window's border and where a stencil takes
        cells that are not seen, but for specks."""
        out = np.ones(self.grid.shape)
        if self.seen is not None:
            out *= stencils(self.grid, self.seen | specks(self.grid, self.seen))
        if self.window:
            out[[0, -1]] = out[:, [0, -1]] = 0.0
        return out

    @functools.cached_property
    def degrees(self) -> float:
        """The share of the seen pixels that is left to test a fit: cells without an equation free their fields."""
        taken = reached(self.grid, self.inside > 0)
        fields = len(self.system_class.fields)
        unknown = (fields - 1) * taken.sum() + (taken | (self.pixels > 0)).sum()
        return float((self.pixels.sum() + fields * self.inside.sum() - unknown) / self.pixels.sum())

    @functools.cached_property
    def trust(self) -> Float[np.ndarray, "H W"]:
        """Weights of an eliminated residual, of mean square 1: none where a window's border or a gap reaches."""
        out = np.ones(self.grid.shape)
        if self.seen is not None:
            out *= away_from(self.grid, self.seen, MARGIN)
        if self.window:
            rows, columns = (np.arange(n) for n in self.grid.shape)
            far = [np.minimum(at, at[::-1]) >= min(MARGIN, len(at) // 4) for at in (rows, columns)]
            out *= np.outer(*far)
        return out / np.sqrt(max(out.mean(), 1e-300))

    def part(self, rows: slice, columns: slice) -> "Problem":
        """The same question of a part of the pictures, which is a window."""
        shape = len(range(*rows.indices(self.grid.shape[0]))), len(range(*columns.indices(self.grid.shape[1])))
        seen = None if self.seen is None or self.seen[rows, columns].all() else self.seen[rows, columns]
        grid = Grid(shape, self.grid.dx, "no-flux")
        return dataclasses.replace(self, grid=grid, window=True, seen=seen)

    def parameters(self, values: np.ndarray) -> tuple[dict[str, float], Float[np.ndarray, "P A"]]:
        """The parameters that are not fixed, tied ones last, and their derivatives by the numbers sought."""
        free = dict(zip(self.names, map(float, values), strict=False))
        tied = {tie.name: tie.value(free) for tie in self.ties}
        slopes = np.zeros((len(values), len(free) + len(tied)))
        slopes[: len(free), : len(free)] = np.eye(len(free))
        for column, tie in enumerate(self.ties, len(free)):
            for other, power in tie.exponents:
                slopes[self.names.index(other), column] = power * tied[tie.name] / free[other]
        return {**free, **tied}, slopes

    def system(self, values: np.ndarray) -> ReactionDiffusion:
        """The system at `values` of the numbers sought, unchecked."""
        return self._base.with_values(**self.parameters(values)[0])

    @functools.cached_property
    def _base(self) -> ReactionDiffusion:
        return self.system_class(**self.system_class.defaults()).with_values(**dict(self.fix))

    def camera_values(self, values: np.ndarray) -> np.ndarray:
        """Those of the camera's unknowns."""
        return np.asarray(values)[len(self.names) :]

    def drift_slopes(self, values: np.ndarray, state: np.ndarray) -> Float[np.ndarray, "P C H W"]:
        """∂(drift)/∂(numbers sought) at fixed fields; 0 for the camera's."""
        parameters, slopes = self.parameters(values)
        by_parameter = parameter_slopes(self.system(values), self.grid, tuple(parameters), state)
        return np.tensordot(slopes, by_parameter, 1)

    def jacobian(self, system: ReactionDiffusion, state: np.ndarray) -> tuple[sp.csr_array, Operator]:
        """∂(drift)/∂(fields): its sparse part, and the whole."""
        diffusivities = [float(D) for D in system.diffusivities()]
        part = Part.of(self.grid, state[self.observed])
        sparse = part.sparse(diffusivities, kinetic_slopes(system, state)[1])
        return sparse, part.whole(sparse, diffusivities)

    def completed(self, states: Float[np.ndarray, "M C H W"]) -> Float[np.ndarray, "M C H W"]:
        """Fitted states whose hidden fields at a window's border, and beside it, and in gaps, where hardly an equation
        determines them, are carried on from where they are determined."""
        states = states.copy()
        if self.seen is not None and not self.inside.all():
            sure = functools.reduce(lambda cells, _: stencils(self.grid, cells), range(UNSURE), self.inside > 0)
            carried_on = Filling(self.grid, sure if sure.any() else self.inside > 0)
            states[:, self.hidden] = np.stack([carried_on(each) for each in states[:, self.hidden]])
        if self.window:
            inner = states[:, self.hidden, 2:-2, 2:-2]
            states[:, self.hidden] = np.pad(inner, ((0, 0), (0, 0), (2, 2), (2, 2)), mode="edge")
        return states

    def state(self, seen: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """The fields in the system's order, (C, H, W)."""
        return np.insert(hidden, self.observed, seen, axis=0)


@dataclasses.dataclass(frozen=True)
class Scaling:
    """The numbers sought as unbounded q: θ = exp(q) where `logarithmic`, else θ = q · scale; searches start from
    `middle` ± `spread` in q."""

    logarithmic: np.ndarray
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray
    middle: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, problem: Problem, pictures: Float[np.ndarray, "M H W"] | None = None) -> "Scaling":
        """Of a system's parameters by their ranges and defaults, of a camera's unknowns by the pictures."""
        infos, defaults = problem.system_class.parameters(), problem.system_class.defaults()
        low, high = (np.array([getattr(infos[n], side) for n in problem.names]) for side in ("low", "high"))
        start = np.abs([defaults[n] for n in problem.names])
        logarithmic = low >= 0
        scale = np.where(start > 0, start, 0.1 * np.maximum(abs(low), abs(high)))
        middle = np.where(logarithmic, np.log(scale), 0.0)
        spread = np.where(logarithmic, DECADES * np.log(10), 2.0)
        rows = [*zip(logarithmic, scale, low, high, middle, spread, strict=True)]
        if problem.camera.unknown:
            assert pictures is not None
            known = _camera_scaling(problem, pictures)
            rows += [known[name] for name in problem.camera.unknown]
        return cls(*(np.array(column) for column in zip(*rows, strict=True)))

    def values(self, q: np.ndarray) -> np.ndarray:
        return np.where(self.logarithmic, np.exp(np.minimum(q, 50)), q * self.scale)

    def numbers(self, values: np.ndarray) -> np.ndarray:
        tiny = 1e-6 * self.scale
        return np.where(self.logarithmic, np.log(np.maximum(values, tiny)), values / self.scale)

    def started(self, sought: tuple[str, ...], start: Mapping[str, float] | None) -> np.ndarray | None:
        """Values of the numbers sought where a caller's start names some of them, the others in the middle."""
        if start is None:
            return None
        middle = dict(zip(sought, self.values(self.middle), strict=True))
        return np.array([start.get(name, middle[name]) for name in sought])

    def slope(self, values: np.ndarray) -> np.ndarray:
        """dθ/dq."""
        return np.where(self.logarithmic, values, self.scale)

    def clip(self, q: np.ndarray) -> np.ndarray:
        """Inside the ranges that the system allows."""
        return np.clip(q, self.numbers(self.low), self.numbers(self.high))

    def at_bound(self, q: np.ndarray) -> np.ndarray:
        """Which numbers stand at an end of their range, or beyond it."""
        close = 1e-3 * np.maximum(np.abs(q), 1.0)
        return (q <= self.numbers(self.low) + close) | (q >= self.numbers(self.high) - close)

    def starts(self, count: int) -> np.ndarray:
        """Sobol points around the middle, shape (count, P)."""
        cube = 2 * qmc.Sobol(len(self.low), seed=0).random(count) - 1
        return self.clip(self.middle + cube * self.spread)


def _camera_scaling(problem: Problem, y: np.ndarray) -> dict[str, tuple]:
    """Rows (logarithmic, scale, low, high, middle, spread) of a camera's unknowns.

    What sets a system's patterns going, |patch − rest|, is the size that patterns are taken to have at the start.
    """
    base = problem.system_class(**problem.system_class.defaults())
    rest, patch = (float(np.asarray(state)[problem.observed]) for state in (base.rest(), base.patch()))
    size = max(abs(patch - rest), 1e-6)
    low, high, contrast = float(y.min()), float(y.max()), max(float(y.std()), 1e-300)
    gain = (high - low) / (1.5 * size)
    if rest == 0:  # the seen field is a rare one that falls to nearly nothing between its spots
        offset, around = low - 0.08 * (high - low), 0.1
    else:
        offset, around = float(y.mean()) - gain * rest, 0.3
    return {
        "gain": (True, gain, 1e-3 * gain, 1e3 * gain, np.log(gain), 0.2),
        "offset": (False, contrast, low - 10 * (high - low), high, offset / contrast, around * (high - low) / contrast),
        "gamma": (True, 1.0, *GAMMAS, 0.0, np.log(2.0)),
        "blur": (False, 0.1, *BLURS, 0.0, 0.2),
    }  # fmt: skip
