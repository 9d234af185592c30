"""The losses that Unstill knows by name, and how a user's own is found."""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._errors import BadInput, nearest
from .._files import from_file, member
from .losses_base import AbstractLoss, FeatureLoss, check_shapes
from .losses_spectra import FoundingSpectrum, PowerSpectrum, RadialSpectrum, StructureFactor, WindowedSpectrum
from .losses_stationarity import Stationarity
from .losses_texture import Gram, Moments, Patches, Pixel

LOSSES: dict[str, type[FeatureLoss]] = {
    "power-spectrum": PowerSpectrum,
    "founding-spectrum": FoundingSpectrum,
    "windowed-spectrum": WindowedSpectrum,
    "radial-spectrum": RadialSpectrum,
    "structure-factor": StructureFactor,
    "pixel": Pixel,
    "moments": Moments,
    "patches": Patches,
    "gram": Gram,
    "stationarity": Stationarity,
}


class ScalarLoss(AbstractLoss):
    """L = function(predicted, target): any callable of two batches (M, C, H, W) with one number as its value.

    The function decides how samples meet, so `paired` only says whether their numbers must agree. It must be traceable
    by JAX; an Equinox module, such as a perceptual network with its weights, is one. Without a residual only
    first-order methods can use it. Nothing is known about its invariances: `depends_on_start` is False.
    """

    about: ClassVar[str] = "a function of the user's: (predicted, target) to one number"
    depends_on_start: ClassVar[bool] = False
    has_residual: ClassVar[bool] = False
    function: Callable[[Any, Any], Any]

    def __call__(
        self, predicted: Float[Array, "M C H W"], target: Float[Array, "N C H W"], *, paired: bool = True
    ) -> Float[Array, ""]:
        """The function's value. Raises `BadInput` where it is not one number."""
        check_shapes(predicted, target, paired=paired)
        value = jnp.asarray(self.function(predicted, target))
        if value.shape != () or not jnp.issubdtype(value.dtype, jnp.floating):
            raise BadInput("loss", "must return one real number", f"{value.dtype} of shape {value.shape}")
        return value


def find_loss(name: str) -> AbstractLoss:
    """The loss behind a name.

    Args:
        name: One of `LOSSES`, or `module:function`, or `file.py:function`.

    Raises `BadInput`.
    """
    if ":" in name:
        return user_loss(name)
    if name not in LOSSES:
        rule = "must be a known loss, module:function or file.py:function"
        raise BadInput("loss", rule, repr(name), nearest(name, LOSSES))
    return LOSSES[name]()


def user_loss(name: str) -> ScalarLoss:
    """A user's function as a loss, from `module:function` or `file.py:function`.

    Raises `BadInput` for what cannot be imported or is not callable; `check_loss` tries it out.
    """
    place, _, attribute = name.rpartition(":")
    if not place or not attribute:
        raise BadInput("loss", "must be module:function or file.py:function", repr(name))
    if place.endswith(".py"):
        return ScalarLoss(from_file("loss", name, callable, "a function"))
    return ScalarLoss(member("loss", _from_path(place), attribute, callable, "a function", place))


def check_loss(loss: AbstractLoss, example: Float[Array, "M C H W"]) -> None:
    """Raise `BadInput` unless the loss has a finite value and gradient around this batch, under `jax.jit`."""
    moved = 0.9 * jnp.roll(example, 1, -1)
    for predicted in (example, moved):  # at a perfect fit, and off it
        try:
            value, gradient = jax.jit(jax.value_and_grad(loss))(predicted, example)
        except BadInput:
            raise
        except Exception as error:
            first = next(iter(str(error).splitlines()), "")
            remedy = "It must take two arrays (M, C, H, W), be written in jax.numpy and return one number."
            raise BadInput("loss", f"fails: {type(error).__name__}: {first}", None, remedy) from error
        if not jnp.isfinite(value):
            raise BadInput("loss", "must be finite", f"{value}")
        if not jnp.isfinite(gradient).all():
            where = "where predicted and target are equal" if predicted is example else "on an example"
            raise BadInput("loss", "must have a finite gradient", f"nan or infinity {where}")


def _from_path(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise BadInput("loss", f"cannot be imported: {type(error).__name__}: {error}", name) from error
