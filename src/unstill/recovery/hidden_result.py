"""What the roads of one seen field return, and the parts that they fill alike."""

import dataclasses
from typing import Any

import numpy as np

from .._types import Status
from ..observations.noise import Noise
from ..observations.steadiness import FADING, contrast_floor
from ..systems import ReactionDiffusion
from .hidden_combinations import Combination, undetermined
from .hidden_problem import Problem, Scaling
from .hidden_verdict import Goodness


@dataclasses.dataclass(frozen=True)
class HiddenResult:
    """Outcome of `recover_hidden`.

    `values` and `std` hold None for a parameter that the picture does not determine; `estimate` holds the number
    used all the same (one point of the undetermined family), so that `system` can be set in motion.
    `covariance` is of the numbers q named by `free`: log θ where `logarithmic`, else θ/`scale`.
    `fields` are the fitted fields (M, C, H, W); `noise` the absolute standard deviation of the white noise;
    `drift` the rms of ∂c/∂t per time, largest of the fields, that the fit could not remove: for noisy pictures a
    lower bound. `residual` is the unexplained change of the seen field relative to its contrast.
    """

    system_class: type[ReactionDiffusion]
    observed: str
    hidden: tuple[str, ...]
    free: tuple[str, ...]
    fix: dict[str, float]
    values: dict[str, float | None]
    std: dict[str, float | None]
    estimate: dict[str, float]
    covariance: np.ndarray
    logarithmic: np.ndarray
    scale: np.ndarray
    combinations: list[Combination]
    fields: np.ndarray
    noise: float
    drift: float
    residual: float
    status: Status
    message: str
    history: list[dict]
    misfit: np.ndarray  # (M, H', W') what the fit leaves, in units of the noise, or relative where there is none
    goodness: Goodness | None = None

    @property
    def system(self) -> ReactionDiffusion:
        """The system at the estimate."""
        base, infos = self.system_class(**self.system_class.defaults()), self.system_class.parameters()
        return base.with_values(**{name: value for name, value in self.estimate.items() if name in infos})


def is_flat(problem: Problem, pictures: np.ndarray, contrast: float) -> bool:
    """No pattern: uniform to round-off, or far fainter than what sets the system's patterns going (a dying field)."""
    base = problem.system_class(**problem.system_class.defaults())
    rest, patch = (float(state[problem.observed]) for state in (base.rest(), base.patch()))
    return bool(contrast <= max(contrast_floor(pictures), FADING * abs(patch - rest)))


def numbers_of(problem: Problem, scaling: Scaling, q, covariance, null):
    """Values and standard deviations of the numbers sought and of those tied to them, `None` where they are free,
    and the values that the fit used."""
    values = scaling.values(q)
    parameters, slopes = problem.parameters(values)
    tied = np.array([parameters[tie.name] for tie in problem.ties])
    by_q = (slopes[:, len(problem.names) :] * scaling.slope(values)[:, None]).T
    changes = np.vstack([np.eye(len(q)), by_q / tied[:, None]])  # of q and of log(tied), by q
    free = undetermined(null, covariance, changes)
    spread = np.sqrt(np.maximum(np.einsum("ap,pq,aq->a", changes, covariance, changes), 0))
    spread *= np.append(scaling.slope(values), tied)
    used, names = np.append(values, tied), [*problem.sought, *(tie.name for tie in problem.ties)]
    return (
        {n: None if f else float(v) for n, v, f in zip(names, used, free, strict=True)},
        {n: None if f else float(s) for n, s, f in zip(names, spread, free, strict=True)},
        {**{n: float(v) for n, v in zip(names, used, strict=True)}, **problem.fix},
    )


def out_of_range(problem: Problem, scaling: Scaling, q: np.ndarray) -> list[str]:
    """Numbers sought that stand at an end of their range, and tied parameters that a fit has carried beyond theirs."""
    at_end = [name for name, at in zip(problem.sought, scaling.at_bound(q), strict=True) if at]
    infos, values = problem.system_class.parameters(), problem.parameters(scaling.values(q))[0]
    tied = {tie.name: infos[tie.name] for tie in problem.ties}
    return at_end + [name for name, info in tied.items() if not info.low <= values[name] <= info.high]


def determined(free: list[str], count: int, known: list[Combination], what: str) -> tuple[Status, str]:
    """What pictures that are explained determine; `what` they are begins the message."""
    if not free:
        return Status.CONVERGED, f"{what} and determines all parameters."
    message = f"{what}; it leaves {', '.join(free)} free"
    message += f" and determines {', '.join(map(str, known))}." if known else "."
    return Status.UNIDENTIFIABLE, message + (" Fix one of them to find the others." if len(free) == count else "")


def told_of(problem: Problem, scaling: Scaling, noise: Noise) -> dict[str, Any]:
    """The parts of a result that no search changes."""
    return {
        "system_class": problem.system_class,
        "observed": problem.system_class.fields[problem.observed],
        "hidden": tuple(problem.system_class.fields[i] for i in problem.hidden),
        "free": problem.sought,
        "fix": dict(problem.fix),
        "logarithmic": scaling.logarithmic,
        "scale": scaling.scale,
        "noise": noise.std if noise.detected else 0.0,
    }


def empty(problem: Problem, scaling: Scaling, noise: Noise, status: Status, message: str) -> HiddenResult:
    names = problem.sought
    return HiddenResult(
        **told_of(problem, scaling, noise),
        values=dict.fromkeys([*names, *(tie.name for tie in problem.ties)]),
        std=dict.fromkeys([*names, *(tie.name for tie in problem.ties)]),
        estimate=dict(problem.fix),
        covariance=np.full((len(names), len(names)), np.inf),
        combinations=[],
        fields=np.zeros((0, len(problem.system_class.fields), *problem.grid.shape)),
        drift=0.0,
        residual=0.0,
        status=status,
        message=message,
        history=[],
        misfit=np.zeros((0, *problem.grid.shape)),
    )
