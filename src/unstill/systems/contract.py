"""What a class of the user's must keep to, asked once a class: rates of the right shape, finite, pure, point by point.

And the one place that lifts a `drift` over batches: it may be written for one state (D,) or for many (M, D), and takes
either afterwards. What works for one state is mapped over many of them, never called with them: where M = D a drift for
one state, such as `x, y, z = state`, would return a matrix of the right shape and wrong numbers.

A rate is *pure* where it depends on its arguments alone. It is traced once and compiled, so that a random number, a
counter or a file that is read inside would be frozen at its first value. Two traces that differ tell it; a hidden
state that changes later on does not show.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import BadInput
from .._jax import enable_x64

if TYPE_CHECKING:
    from .base import AbstractSystem, OrdinarySystem, ReactionDiffusion

Drift = Callable[[Any, Any], Any]
_OWN = __name__.partition(".")[0]  # classes of this package keep to it by their tests
_CLOSE = 1e-9  # two compiled programs of one formula, in float64


def lifted(drift: Drift) -> Drift:
    """A drift of states (*B, D) from one of a state (D,) or of states (M, D)."""

    @functools.wraps(drift)
    def many(self: OrdinarySystem, state: Any) -> Any:
        one = _of_one(type(self), drift, self)
        if jnp.ndim(state) == 1:
            return one(self, state)
        state = jnp.asarray(state)
        varying = {n: v for n, v in self.values().items() if jnp.ndim(v) == 1 and state.ndim == 2}
        if varying:  # one value a sample
            return jax.vmap(lambda x, values: one(self.with_values(**values), x))(state, varying)
        flat = state.reshape(-1, state.shape[-1])
        return jax.vmap(lambda x: one(self, x))(flat).reshape(state.shape)

    return many


def _of_one(cls: type[OrdinarySystem], drift: Drift, system: OrdinarySystem) -> Drift:
    """The drift for one state; the class is looked at the first time."""
    if (cls, drift) not in _FORMS:
        _FORMS[cls, drift] = _form(cls, drift, system)
        check_contract(cls)
    return drift if _FORMS[cls, drift] == "one" else lambda self, state: drift(self, state[None])[0]


_FORMS: dict[tuple[type, Drift], Literal["one", "many"]] = {}
_KEEPS: set[type] = set()  # classes that were checked


def _form(cls: type[OrdinarySystem], drift: Drift, system: OrdinarySystem) -> Literal["one", "many"]:
    """Whether a drift was written for one state or for many of them; raises `BadInput` where it is neither."""
    system, D, reason, remedy = _example(cls) or system, len(cls.fields), "", ""
    shapes: dict[Literal["one", "many"], tuple[int, ...]] = {"one": (D,), "many": (1, D)}
    for form, shape in shapes.items():
        try:
            found = jax.eval_shape(lambda x: drift(system, x), jax.ShapeDtypeStruct(shape, jnp.float32))
        except Exception as error:  # whatever the user's code raises
            reason, remedy = (reason, remedy) if reason else in_words(error)
            continue
        if getattr(found, "shape", None) == shape:
            return form
        reason = reason or f"{_shape(found)} for a state ({D},)"
    rule = f"must give a rate for each field from `drift`, of a state ({D},) or of states (M, {D})"
    raise BadInput("system", rule, f"{reason} in {cls.__name__}", remedy or "See docs/own-system.md.")


def in_words(error: Exception) -> tuple[str, str]:
    """What the user's code raised, in one line, and what to do about it."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    if isinstance(error, jax.errors.TracerBoolConversionError):
        return "an `if` on the state", "Write jnp.where(condition, a, b): it is traced once for all cells."
    if isinstance(error, (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError)):
        return "a function of NumPy or math on the state", "Write it in jax.numpy."
    return reason[:160], ""


def _shape(found: Any) -> str:
    return f"shape {found.shape}" if hasattr(found, "shape") else f"a {type(found).__name__}"


def _example(cls: type[AbstractSystem]) -> Any:
    """The class at its defaults; None where it has fields without any."""
    try:
        return cls()
    except TypeError:
        return None


def check_contract(cls: type[AbstractSystem]) -> None:
    """Raises `BadInput` unless the rates of a user's class at its defaults are pure, finite where motion starts, and in
    space those of each cell by itself. Asked once a class, at its first use."""
    if cls in _KEEPS or cls.__module__.partition(".")[0] == _OWN:
        return
    system = _example(cls)
    if system is None or not hasattr(system, "rest"):  # nothing to try it at
        return
    _KEEPS.add(cls)  # before the trial, whose rates come here again
    try:
        with jax.ensure_compile_time_eval(), enable_x64():
            (_check_kinetics if hasattr(system, "kinetics") else _check_drift)(system)
    except BaseException:
        _KEEPS.discard(cls)
        raise


def _check_drift(system: OrdinarySystem) -> None:
    rest = jnp.array([float(x) for x in system.rest()])
    _check_pure(system, "drift", system.drift, rest)
    _check_finite(system, "drift", np.asarray(jax.jit(system.drift)(rest))[:, None], np.asarray(rest)[:, None])


def _check_kinetics(system: ReactionDiffusion) -> None:
    """At rest and in the patch of initial states, all at once and one by one."""
    places = np.array([[float(c) for c in state] for state in (system.rest(), system.patch())]).T
    places = np.concatenate([places, places.mean(1, keepdims=True)], 1)  # three cells: no count of fields

    def rates(*c):
        return jnp.stack([jnp.broadcast_to(rate, jnp.shape(c[0])) for rate in system.kinetics(*c)])

    _check_pure(system, "kinetics", rates, *places)
    together = np.asarray(jax.jit(rates)(*places))
    _check_finite(system, "kinetics", together, places)
    single = np.asarray(jax.jit(jax.vmap(rates, out_axes=1))(*places))
    if not np.allclose(together, single, _CLOSE, _CLOSE * max(1.0, float(np.abs(single).max()))):
        rule = "must give the rates of each cell from the fields of that cell alone"
        raise BadInput("system", rule, f"others for a picture than cell by cell from {_name(system, 'kinetics')}")


def _check_pure(system: AbstractSystem, what: str, function: Callable, *args: Any) -> None:
    first, second = (jax.make_jaxpr(lambda *x: function(*x))(*args) for _ in range(2))
    same = str(first.jaxpr) == str(second.jaxpr) and len(first.consts) == len(second.consts)
    if not (same and all(np.array_equal(a, b, True) for a, b in zip(first.consts, second.consts, strict=True))):
        rule = f"must have a pure `{what}`: the same rates for the same state, without random numbers or counters"
        raise BadInput("system", rule, f"two that differ in {_name(system, what)}")


def _check_finite(system: AbstractSystem, what: str, rates: np.ndarray, places: np.ndarray) -> None:
    """`rates` and `places` (fields, points)."""
    if np.iscomplexobj(rates):
        rule = f"must have real rates from `{what}`"
        raise BadInput("system", rule, f"{rates.dtype} in {_name(system, what)}", "Take jnp.real or jnp.abs.")
    bad = np.flatnonzero(~np.isfinite(rates).all(0))
    if len(bad):
        where = ", ".join(f"{f} = {x:g}" for f, x in zip(system.fields, places[:, bad[0]], strict=True))
        field = system.fields[int(np.flatnonzero(~np.isfinite(rates[:, bad[0]]))[0])]
        rule = f"must have finite rates from `{what}` where motion starts"
        remedy = "Let `rest` be a state at which every rate can be computed."
        raise BadInput("system", rule, f"d{field}/dt not finite at {where} in {_name(system, what)}", remedy)


def _name(system: AbstractSystem, what: str) -> str:
    return f"{type(system).__name__}.{what}"
