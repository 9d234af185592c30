"""What `stability` returns: uniform states with what grows on them, and the bifurcations of the ranges asked for."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from .._result import Result, plain
from .._types import Status
from ..systems import ReactionDiffusion, system_name
from .branches import Bifurcation, Branch
from .dispersion import UniformState, rates_at, reach
from .planes import BifurcationCurve

_WAVENUMBERS = 401


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Stability(Result):
    """Uniform states of a system at its own values, and their bifurcations within ranges of one parameter or two.

    `continuum`: states that are not isolated (a conserved amount) were met, and left out; `box` says where states were
    looked for; `branches` are those along one parameter; `curves` those in the plane of two. `bifurcations` are the
    points along one parameter, by its value, or the points of codimension two in the plane.
    """

    verb: ClassVar = "stability"
    formats: ClassVar = True

    system: ReactionDiffusion
    states: Sequence[UniformState]
    continuum: bool
    box: Mapping[str, tuple[float, float]]
    over: Mapping[str, tuple[float, float]]
    branches: Sequence[Branch]
    bifurcations: Sequence[Bifurcation]
    curves: Sequence[BifurcationCurve]
    seconds: float

    @property
    def status(self) -> Status:  # pyright: ignore[reportIncompatibleVariableOverride]
        """`not-converged` where no uniform state was found."""
        return Status.CONVERGED if self.states else Status.NOT_CONVERGED

    @property
    def message(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        name = self.system.name
        if not self.states:
            edges = ", ".join(f"{field} from {low:g} to {high:g}" for field, (low, high) in self.box.items())
            what = "only a continuum of uniform states" if self.continuum else "no uniform state"
            return f"{name}: {what} found in the box {edges}"
        many = Counter(each.verdict for each in self.states)
        told = ", ".join(f"{count} {word}" for word, count in many.items())
        return f"{name}: {_count(len(self.states), 'uniform state')} ({told}){self._along()}"

    def _along(self) -> str:
        if not self.over:
            return ""
        if len(self.over) == 1:
            return f", {_count(len(self.bifurcations), 'bifurcation')} along {next(iter(self.over))}"
        where = ", ".join(self.over)
        return f", {_count(len(self.curves), 'curve')} of bifurcations in the plane {where}"

    def to_dict(self) -> dict[str, Any]:
        return plain({
            "system": system_name(self.system),
            "status": self.status,
            "message": self.message,
            "parameters": self.system.values(),
            "box": {name: list(ends) for name, ends in self.box.items()},
            "continuum": self.continuum,
            "states": [each.to_dict() for each in self.states],
            "over": {name: list(ends) for name, ends in self.over.items()},
            "bifurcations": [each.to_dict() for each in self.bifurcations],
            "curves": [each.to_dict() | {"array": f"curve_{i}"} for i, each in enumerate(self.curves)],
            "seconds": self.seconds,
        })  # fmt: skip

    def wavenumbers(self) -> np.ndarray:
        """Wavenumbers (Q,) that show every band, from 0."""
        return np.linspace(0, max([_shown(each) for each in self.states], default=1.0), _WAVENUMBERS)

    def arrays(self) -> dict[str, dict[str, np.ndarray]]:
        """σ(q) of the leading wave of each state, branches as columns (parameter, fields), curves as columns (two
        parameters, fields, wavenumber)."""
        q, fields = self.wavenumbers(), len(self.system.fields)
        rates = np.array([rates_at(each.jacobian, each.diffusion, q)[:, 0] for each in self.states], complex)
        rates = rates.reshape(len(self.states), len(q))
        states = np.array([list(each.values.values()) for each in self.states]).reshape(len(self.states), fields)
        found = {"states": states, "wavenumbers": q, "growth": np.real(rates), "frequency": np.abs(np.imag(rates))}
        for i, branch in enumerate(self.branches):
            found[f"branch_{i}"] = np.column_stack([branch.values, branch.states])
            found[f"stable_{i}"] = branch.stable
        for i, curve in enumerate(self.curves):
            found[f"curve_{i}"] = np.column_stack([curve.parameters, curve.states, curve.wavenumbers])
            found[f"onset_{i}"] = curve.onset
        return {"stability.npz": found}

    def table(self) -> list[list[str]]:
        rows = [[_values(each.values), each.type, each.verdict, told(each)] for each in self.states]
        for point in self.bifurcations:
            rows.append([_values(point.parameters), point.kind, "" if point.onset else "no onset", detail(point)])
        return rows

    def notes(self) -> list[str]:
        lines = []
        if self.continuum:
            lines.append("a continuum of uniform states (a conserved amount?) was met, and left out")
        if self.curves:
            many = Counter(each.kind for each in self.curves)
            lines.append("curves: " + ", ".join(f"{count} {kind}" for kind, count in many.items()))
        return lines


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _values(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {value:.6g}" for name, value in values.items())


def _shown(state: UniformState) -> float:
    """A wavenumber up to which a state's dispersion relation is worth a look."""
    ends = [q for band in state.bands for q in band if np.isfinite(q) and q > 0]
    return 1.4 * max(ends) if ends else reach(state.jacobian, state.diffusion)


def told(state: UniformState) -> str:
    """Period, bands and the fastest wave in words."""
    parts = []
    if state.verdict == "Hopf-unstable" and state.period is not None:
        parts.append(f"oscillates with period {state.period:.4g}")
    wave = state.fastest
    if wave is not None and wave.wavelength is not None:
        bands = " and ".join(f"{low:.4g} to {high:.4g}" for low, high in state.bands)
        parts.append(f"waves q = {bands} grow, fastest wavelength {wave.wavelength:.4g} at rate {wave.rate:.4g}")
        parts.append("stationary" if wave.period is None else f"oscillating with period {wave.period:.4g}")
    elif wave is not None:
        parts.append(f"grows uniformly at rate {wave.rate:.4g}")
    return ", ".join(parts)


def detail(point: Bifurcation) -> str:
    """The state, period or wavelength of a bifurcation in words."""
    parts = [f"at {_values(point.state)}"]
    if point.wavenumber is not None:
        parts.append(f"wavelength {2 * np.pi / point.wavenumber:.4g}")
    if point.period is not None:
        parts.append(f"period {point.period:.4g}")
    if point.first_lyapunov is not None and point.kind == "Hopf":
        parts.append("supercritical" if point.first_lyapunov < 0 else "subcritical")
    return ", ".join(parts)
