"""The one place that reads JAX internals, and the few spellings that differ between JAX 0.10 and 0.12."""

import contextlib

import jax
from jax.extend.core import Literal, Primitive
from jax.interpreters import ad, batching, mlir

try:
    from jax.core import ShapedArray
except ImportError:  # moved out of the public name space
    from jax._src.core import ShapedArray

__all__ = ["Literal", "Primitive", "ShapedArray", "ad", "batching", "enable_x64", "mlir"]


def enable_x64() -> contextlib.AbstractContextManager:
    """A context in which JAX computes in float64 whatever the user's global setting."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    from jax.experimental import enable_x64 as context  # pyright: ignore[reportAttributeAccessIssue]

    return context(True)
