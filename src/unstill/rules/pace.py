"""Pace and arrow of time of a rule: what pictures alone do not tell, and hints do."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from .._errors import BadInput, nearest
from ..observations import Ordered
from .equation import natural_coefficients
from .rule import Rule
from .terms import Polynomials

_FOLLOWS = 0.5  # cosine of the steps between ordered frames with the rule's rates
_STABLE = 0.5  # of the largest time step at which explicit Euler damps the shortest diffusive wave


@dataclasses.dataclass(frozen=True)
class Pace:
    """What a rule's coefficients are multiplied by, and what fixes that, in words."""

    factor: float
    scale: str
    sign: str


def pace(rule: Rule, pictures: Float[np.ndarray, "M C H W"], fix: Mapping[str, float], ordered: Ordered | None) -> Pace:
    """By frames in order of time, or known coefficients; else one standard deviation a unit of time, in the mean, and
    the arrow by diffusion. Raises `BadInput`."""
    if ordered is not None and ordered.x.shape[1:] != pictures.shape[1:]:
        raise BadInput("ordered", f"must be pictures (T, {', '.join(map(str, pictures.shape[1:]))})", ordered.x.shape)
    spread = pictures.std((0, 2, 3))
    if ordered is not None:
        T, size = len(ordered.x), np.broadcast_to(spread[:, None, None], ordered.x.shape[1:]).ravel()
        flat = Ordered(ordered.x.reshape(T, -1), ordered.interval)
        rates = rule.on_host(ordered.x).reshape(1, T, -1)
        _refuse_jumps(flat, rates[0], size)
        factor = float(flat.combine(rates, size)[0])
        known = ordered.interval is not None
        if not fix or known:
            told = "fixed by the ordered frames"
            return Pace(factor, told, told) if known else Pace(np.sign(factor) * _unit(rule), "free", told)
    if fix:
        return Pace(_known(rule, fix), told := "fixed by " + ", ".join(f"{n} = {v:g}" for n, v in fix.items()), told)
    D = rule.diffusivities(pictures[:: max(1, len(pictures) // 16)])
    arrow = "fixed by diffusion > 0" if D.any() else "free"
    return Pace(_unit(rule) * (np.sign(D.sum()) or 1.0), "free", arrow)


def _refuse_jumps(frames: Ordered, rates: Float[np.ndarray, "T D"], size: Float[np.ndarray, " D"]) -> None:
    """Raise `BadInput` where the steps from frame to frame do not follow the rule: their sign would be chance."""
    mean, step = ((rates[1:] + rates[:-1]) / 2 / size).ravel(), (np.diff(frames.x, axis=0) / size).ravel()
    cosine = float(abs(mean @ step) / max(np.sqrt((mean @ mean) * (step @ step)), 1e-300))
    if cosine < _FOLLOWS:
        rule = f"must be frames near in time: their steps must follow the rule with a |cosine| of {_FOLLOWS:g} at least"
        raise BadInput("ordered", rule, f"{cosine:.2f}", "Take frames closer together.")


def _unit(rule: Rule) -> float:
    """From E Σ_a |f_a/scale_a|² = 1 to as many as there are fields, as `Flow` has it."""
    return float(np.sqrt(len(rule.fields)))


def _known(rule: Rule, fix: Mapping[str, float]) -> float:
    """The multiple that comes nearest to the known coefficients."""
    if not isinstance(rule.terms, Polynomials):
        names = rule.terms.names
        scale = np.array([*rule.terms.scale, *np.ones(len(names))])
        table = np.asarray(rule.coefficients)
        linear = len(names) - len(getattr(rule.terms, "kept", ()))
        table = table[:, :linear] / scale[len(rule.fields) : len(rule.fields) + linear]
        names = names[:linear]
    else:
        table, names = natural_coefficients(rule.terms, np.asarray(rule.coefficients)), rule.terms.names
    found, told = [], []
    for key, value in fix.items():
        field, colon, term = (part.strip() for part in key.partition(":"))
        if not colon:
            raise BadInput("fix", "must be FIELD:TERM=VALUE", repr(key), f'For example "{rule.fields[0]}:{names[0]}".')
        if field not in rule.fields:
            raise BadInput("fix", "must name a field before the colon", repr(key), nearest(field, rule.fields))
        if term not in names:
            raise BadInput("fix", "must name a term of the rule", repr(term), nearest(term, names))
        found.append(table[rule.fields.index(field), names.index(term)])
        told.append(value)
    a, b = np.array(found), np.array(told)
    if not (a @ a > 0 and np.isfinite(b).all() and (a @ b) != 0):
        raise BadInput("fix", "must name a term that the rule has, and a value that is not 0", dict(fix))
    return float(a @ b / (a @ a))


def stable_step(rule: Rule, pictures: Float[np.ndarray, "M C H W"]) -> float:
    """A time step for explicit Euler in the rule's own units of time: half of dx²/(4 max D), and no more than moves a
    field by a tenth of its standard deviation in the mean."""
    some = pictures[:: max(1, len(pictures) // 16)]
    D = float(np.abs(rule.diffusivities(some)).max())
    speed = float(np.sqrt(np.mean((rule.on_host(some) / pictures.std((0, 2, 3))[:, None, None]) ** 2)))
    dx = rule.terms.neighbourhood.dx
    return min(0.1 / max(speed, 1e-300), _STABLE * dx**2 / (4 * D) if D > 0 else np.inf)
