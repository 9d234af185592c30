"""Chaotic systems of the literature, from the package `dysts` (W. Gilpin, arXiv:2110.05266): which of them are
autonomous and polynomial, their coefficients in our names of terms, and shuffled points of their attractors."""

import dataclasses
import inspect
import zlib

import numpy as np

from unstill.discovery.library import polynomials

ORBITS, PER_ORBIT = 500, 20
LARGEST = 3  # degree


@dataclasses.dataclass(frozen=True)
class Attractor:
    """A system, its least sufficient degree, and its coefficients (D, terms of `poly{degree}`)."""

    name: str
    model: object
    degree: int
    names: tuple[str, ...]
    coefficients: np.ndarray

    def rates(self, x: np.ndarray) -> np.ndarray:
        """dx/dt at points (M, D)."""
        rhs = getattr(self.model._rhs, "py_func", self.model._rhs)
        out = rhs(*x.T, 0.0, **self.model.params)
        return np.stack([np.broadcast_to(np.asarray(each, float), len(x)) for each in out], 1)

    @property
    def held_out(self) -> bool:
        """A third of the systems is not looked at while methods are being worked on."""
        return zlib.crc32(self.name.encode()) % 3 == 0


def attractors(dimensions: tuple[int, ...] = (3, 4)) -> list[Attractor]:
    """Every system of the package that a polynomial of at most third degree describes exactly."""
    import dysts.flows
    from dysts.base import DynSys

    classes = [
        c for c in vars(dysts.flows).values() if inspect.isclass(c) and issubclass(c, DynSys) and c is not DynSys
    ]
    found = []
    for cls in sorted(classes, key=lambda c: c.__name__):
        model = cls()
        one = Attractor(cls.__name__, model, 0, (), np.zeros(0))
        if len(np.ravel(model.ic)) in dimensions and np.ndim(model.ic) == 1 and not model.nonautonomous:
            found += _as_polynomial(one)
    return found


def _as_polynomial(one: Attractor) -> list[Attractor]:
    rng = np.random.default_rng(0)
    x = rng.uniform(-2, 2, (400, len(one.model.ic)))
    variables = ("x", "y", "z", "w")[: x.shape[1]]
    try:
        with np.errstate(all="ignore"):
            rates = one.rates(x)
    except Exception:  # a system that does not take arrays
        return []
    if not np.isfinite(rates).all():
        return []
    for degree in range(1, LARGEST + 1):
        library = polynomials(variables, degree)
        columns = library.evaluate(x)
        fit, *_ = np.linalg.lstsq(columns, rates, rcond=None)
        if np.abs(columns @ fit - rates).max() < 1e-8 * max(1.0, np.abs(rates).max()):
            fit[np.abs(fit) < 1e-9 * np.abs(fit).max()] = 0
            return [dataclasses.replace(one, degree=degree, names=library.names, coefficients=fit.T)]
    return []


def points(one: Attractor, *, equal_phases: bool = False, seed: int = 0) -> np.ndarray | None:
    """Shuffled points (10,000, D) of 500 orbits, by Runge–Kutta steps of fourth order; None where an orbit runs away.

    The orbits begin beside the package's own point; their clocks run at paces of 1 to 3, so that phases are mixed,
    for 60 to 180 periods, of which the last 40 % are sampled. With `equal_phases` all clocks run alike.
    """
    rng = np.random.default_rng(seed)
    model = one.model
    start = np.asarray(model.ic, float)
    x = start * (1 + 0.05 * rng.standard_normal((ORBITS, len(start)))) + 1e-3 * rng.standard_normal(
        (ORBITS, len(start))
    )
    pace = np.ones((ORBITS, 1)) if equal_phases else rng.uniform(1, 3, (ORBITS, 1))
    step = model.period / max(60, min(160, round(model.period / model.dt)))
    h, steps = pace * step, round(60 * model.period / step)
    kept, stride = [], max(1, round(0.4 * steps / PER_ORBIT))
    with np.errstate(all="ignore"):
        for n in range(1, steps + 1):
            a = one.rates(x)
            b = one.rates(x + h / 2 * a)
            c = one.rates(x + h / 2 * b)
            x = x + h / 6 * (a + 2 * b + 2 * c + one.rates(x + h * c))
            if n > 0.6 * steps and (steps - n) % stride == 0:
                kept.append(x)
    whole = np.concatenate(kept[-PER_ORBIT:])
    if not np.isfinite(whole).all() or np.abs(whole).max() > 1e6:
        return None
    return rng.permutation(whole)
