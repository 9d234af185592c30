"""The one place that reads JAX internals, and the few spellings that differ between JAX 0.10 and 0.12."""

import contextlib
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.extend.core import Literal, Primitive
from jax.interpreters import ad, batching, mlir

try:
    from jax.core import ShapedArray
except ImportError:  # moved out of the public name space
    from jax._src.core import ShapedArray

__all__ = ["Literal", "Primitive", "ShapedArray", "ad", "batching", "enable_x64", "host_call", "mlir", "platform_of"]


def enable_x64() -> contextlib.AbstractContextManager:
    """A context in which JAX computes in float64 whatever the user's global setting."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    from jax.experimental import enable_x64 as context  # pyright: ignore[reportAttributeAccessIssue]

    return context(True)


def platform_of(array) -> str:
    """Where an array lives, or where one still to be computed will: "cpu", "gpu", …"""
    if isinstance(array, jax.Array) and not isinstance(array, Tracer):
        return next(iter(array.devices())).platform
    device = jax.config.jax_default_device  # pyright: ignore[reportAttributeAccessIssue]
    if device is None:
        return jax.default_backend()
    return device if isinstance(device, str) else device.platform


def host_call(function: Callable, outputs: Sequence[jax.ShapeDtypeStruct], *operands) -> tuple:
    """`function`, NumPy arrays to a tuple of NumPy arrays, called from compiled code.

    JAX hands a callback's arrays through the settings of the runtime's own thread, where `enable_x64` does not hold:
    float64 would arrive as float32. So its bits travel as pairs of uint32, which nothing converts.
    """
    wide = [operand.dtype == np.float64 for operand in operands]
    packed = [jax.lax.bitcast_convert_type(a, jnp.uint32) if w else a for a, w in zip(operands, wide, strict=True)]
    shapes = [
        jax.ShapeDtypeStruct((*out.shape, 2), np.uint32) if out.dtype == np.float64 else out for out in outputs
    ]  # fmt: skip

    def host(*arrays):
        given = [_as_float64(a) if w else np.asarray(a) for a, w in zip(arrays, wide, strict=True)]
        return tuple(_as_pairs(out) if out.dtype == np.float64 else out for out in function(*given))

    results = jax.pure_callback(host, tuple(shapes), *packed, vmap_method="sequential")
    return tuple(
        jax.lax.bitcast_convert_type(result, jnp.float64) if out.dtype == np.float64 else result
        for result, out in zip(results, outputs, strict=True)
    )


def _as_float64(pairs) -> np.ndarray:
    pairs = np.ascontiguousarray(pairs)
    return pairs.view(np.float64).reshape(pairs.shape[:-1])


def _as_pairs(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values).reshape(*values.shape, 1).view(np.uint32)
