"""What grows on a uniform state: its type, the bands of wavenumbers that grow, the fastest wave, and a verdict.

Growth rates are the eigenvalues of J − q² D (J. D. Murray, Mathematical Biology II (3rd ed.), eq. 2.21). Where one
crosses zero, q² is an eigenvalue of the pencil (J, D); where a pair crosses, of the pencil of their pairs. So the ends
of bands are exact, and no band can hide between two samples.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import scipy.linalg
from jaxtyping import Float
from scipy.optimize import minimize_scalar

from .local import on_pairs

Verdict = Literal["stable", "Turing-unstable", "Hopf-unstable", "unstable", "marginal"]
MARGINAL = 1e-9  # growth rates below this share of the greatest entry of J count as 0
_SAMPLES = 400  # wavenumbers among which the fastest one is looked for


@dataclasses.dataclass(frozen=True)
class Growth:
    """The fastest wave: its wavenumber, its growth rate, and the period of its oscillation (`None`: it does not)."""

    wavenumber: float
    rate: float
    period: float | None

    @property
    def wavelength(self) -> float | None:
        """2π/q; `None` for q = 0."""
        return 2 * np.pi / self.wavenumber if self.wavenumber > 0 else None


@dataclasses.dataclass(frozen=True, eq=False)
class UniformState:
    """A uniform state and its linear stability. Times and lengths are the system's own.

    `values` by field; `eigenvalues` of the reaction Jacobian, the largest real part first; `type`: stable or unstable
    node or focus, saddle, or degenerate; `bands`: intervals (q₁, q₂) in which waves grow, q₂ infinite where a field
    that does not diffuse grows by itself; `fastest`: the wave that grows fastest, `None` where none grows; `period` of
    the uniform oscillation, `None` where the leading eigenvalue is real.
    """

    values: Mapping[str, float]
    jacobian: np.ndarray
    diffusion: np.ndarray
    eigenvalues: np.ndarray
    type: str
    verdict: Verdict
    period: float | None
    bands: tuple[tuple[float, float], ...]
    fastest: Growth | None

    @property
    def stable(self) -> bool:
        """Whether small perturbations of every wavelength decay."""
        return self.verdict == "stable"

    def to_dict(self) -> dict[str, Any]:
        """As `result.json` has it."""
        wave = self.fastest
        return {
            "state": dict(self.values),
            "type": self.type,
            "verdict": self.verdict,
            "eigenvalues": [[each.real, each.imag] for each in self.eigenvalues.tolist()],
            "period": self.period,
            "bands": [list(band) for band in self.bands],
            "fastest": wave and {
                "wavenumber": wave.wavenumber, "wavelength": wave.wavelength, "growth": wave.rate,
                "period": wave.period,
            },
        }  # fmt: skip


def judge(values: Mapping[str, float], J: Float[np.ndarray, "C C"], D: Float[np.ndarray, " C"]) -> UniformState:
    """A uniform state with its stability, from its reaction Jacobian and its diffusion coefficients."""
    rates = sorted_rates(J[None])[0]
    small = MARGINAL * size_of(J)
    bands, wave = growing(J, D)
    leading = rates[0]
    oscillates = abs(leading.imag) > small
    period = float(2 * np.pi / abs(leading.imag)) if oscillates else None
    verdict: Verdict
    if leading.real > small:
        verdict = "Hopf-unstable" if oscillates else "unstable"
    elif bands:
        verdict = "Turing-unstable"
    else:
        verdict = "marginal" if leading.real > -small else "stable"
    return UniformState(values, J, D, rates, _type(rates, small), verdict, period, bands, wave)


def size_of(J: np.ndarray) -> float:
    """The scale of a Jacobian's rates: its greatest entry."""
    return float(np.abs(J).max())


def _type(rates: np.ndarray, small: float) -> str:
    """In the words of the phase plane."""
    if (np.abs(np.real(rates)) <= small).any():
        return "degenerate"
    if (np.real(rates) > 0).any() and (np.real(rates) < 0).any():
        return "saddle"
    kind = "focus" if abs(rates[0].imag) > small else "node"
    return f"{'unstable' if rates[0].real > 0 else 'stable'} {kind}"


def sorted_rates(matrices: np.ndarray) -> np.ndarray:
    """Eigenvalues of matrices (N, C, C), the largest real part first."""
    rates = np.linalg.eigvals(matrices).astype(complex)
    return np.take_along_axis(rates, np.argsort(-np.real(rates), axis=1, kind="stable"), axis=1)


def rates_at(J: np.ndarray, D: np.ndarray, q: np.ndarray) -> np.ndarray:
    """σ(q) of wavenumbers (Q,), (Q, C), the largest real part first."""
    return sorted_rates(J - np.asarray(q, float)[:, None, None] ** 2 * np.diag(D))


def pencil_roots(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """The finite q² with det(A − q² B) = 0, complex where they are."""
    if not A.size or not np.any(B):
        return np.zeros(0, complex)
    with np.errstate(all="ignore"):
        alpha, beta = scipy.linalg.eig(A, B, right=False, homogeneous_eigvals=True)
    finite = np.abs(beta) > 1e-13 * np.abs(B).max()
    return np.asarray(alpha[finite] / beta[finite], complex)


def crossings_of_zero(J: np.ndarray, D: np.ndarray) -> np.ndarray:
    """All q² (complex) at which a growth rate, or the sum of two, is 0."""
    B = np.diag(D)
    return np.concatenate([pencil_roots(J, B), pencil_roots(on_pairs(J), on_pairs(B))])


def growing(J: np.ndarray, D: np.ndarray) -> tuple[tuple[tuple[float, float], ...], Growth | None]:
    """The bands of wavenumbers that grow, and the one that grows fastest."""
    bands = bands_of(J, D)
    fastest = _fastest(J, D, bands) if bands else None
    return tuple(bands), fastest if fastest is not None and fastest.rate > MARGINAL * size_of(J) else None


def bands_of(J: np.ndarray, D: np.ndarray) -> list[tuple[float, float]]:
    """The bands of wavenumbers that grow."""
    roots = crossings_of_zero(J, D)
    real = np.real(roots[(np.abs(np.imag(roots)) <= 1e-7 * np.abs(roots)) & (np.real(roots) > 0)])
    edges = np.concatenate([[0.0], np.sort(np.sqrt(real))])
    middles = np.append((edges[:-1] + edges[1:]) / 2, 2 * edges[-1] + 1.0)
    small = MARGINAL * size_of(J)
    leading = np.real(rates_at(J, D, middles)[:, 0])
    bands: list[tuple[float, float]] = []
    for i in np.flatnonzero(leading > small):
        low, high = float(edges[i]), float(edges[i + 1]) if i + 1 < len(edges) else float("inf")
        joined = bands and bands[-1][1] == low
        bands[-1:] = [(bands[-1][0], high)] if joined else [*bands[-1:], (low, high)]
    return bands


def _fastest(J: np.ndarray, D: np.ndarray, bands: list[tuple[float, float]]) -> Growth:
    """The greatest growth rate within the bands: sampled, then refined."""
    best_q, best = 0.0, -np.inf
    for low, high in bands:
        q = np.linspace(low, high if np.isfinite(high) else 4 * low + 10 * reach(J, D), _SAMPLES)
        leading = np.real(rates_at(J, D, q)[:, 0])
        i = int(np.argmax(leading))
        around = float(q[max(i - 1, 0)]), float(q[min(i + 1, len(q) - 1)])
        refined = minimize_scalar(
            lambda x: -rates_at(J, D, np.array([x]))[0, 0].real, bounds=around, method="bounded",
            options={"xatol": 1e-10 * (around[1] or 1.0)},
        )  # fmt: skip
        for at, rate in ((float(q[i]), float(leading[i])), (float(refined.x), -float(refined.fun))):
            if rate > best + 1e-13 * size_of(J):
                best_q, best = at, rate
    wave = rates_at(J, D, np.array([best_q]))[0, 0]
    oscillates = abs(wave.imag) > MARGINAL * size_of(J)
    return Growth(best_q, float(wave.real), float(2 * np.pi / abs(wave.imag)) if oscillates else None)


def reach(J: np.ndarray, D: np.ndarray) -> float:
    """A wavenumber at which diffusion has won over the reaction: √(size of J over the mean of the D that are not 0)."""
    some = D[D > 0]
    return float(np.sqrt(size_of(J) / np.exp(np.log(some).mean()))) if some.size and size_of(J) > 0 else 1.0
