"""What a loss is: a number for two batches of states, at best a sum of squares of differences of features."""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._errors import BadInput

# Standard deviation of the white noise that no loss looks below, in the units of the fields: keeps logarithms and
# quotients finite on uniform pictures. Patterns have a contrast of .1 to 1, pictures rarely less noise than this.
NOISE = 1e-3


class AbstractLoss(eqx.Module):
    """L(predicted, target): how far two batches of states are apart, differentiable in both.

    States are the observed fields, (M, C, H, W) in the fields' own units. `about` is one line of help;
    `depends_on_start` says whether moving the pattern as a whole changes the loss, so that predicted and target must
    have grown from one initial state; `has_residual` whether the loss is a `FeatureLoss`.
    """

    about: ClassVar[str]
    depends_on_start: ClassVar[bool]
    has_residual: ClassVar[bool]

    @abc.abstractmethod
    def __call__(
        self, predicted: Float[Array, "M C H W"], target: Float[Array, "N C H W"], *, paired: bool = True
    ) -> Float[Array, ""]:
        """The loss. `paired`: sample m of one batch belongs to sample m of the other."""


class FeatureLoss(AbstractLoss):
    """L = mean over samples m and features n of (f_n(predicted_m) − f_n(target_m))²; the subclass writes f.

    Not paired, the features are averaged over each batch first: L = mean over n of (⟨f_n⟩_predicted − ⟨f_n⟩_target)²,
    and the batches may differ in size. Two finite batches of one kind then still differ by their sampling errors.
    """

    has_residual: ClassVar[bool] = True

    @abc.abstractmethod
    def features(self, states: Float[Array, "M C H W"]) -> Float[Array, "M N"]:
        """f: N numbers a sample, in the dtype of the states."""

    def residual(
        self, predicted: Float[Array, "M C H W"], target: Float[Array, "N C H W"], *, paired: bool = True
    ) -> Float[Array, " R"]:
        """The differences r with Σr² = L, for Levenberg–Marquardt: R = M·N paired, else N. Raises `BadInput`."""
        check_shapes(predicted, target, paired=paired)
        f, g = self.features(predicted), self.features(target)
        if not paired:
            f, g = f.mean(0), g.mean(0)
        return (f - g).ravel() / jnp.sqrt(jnp.asarray(f.size, f.dtype))

    def __call__(
        self, predicted: Float[Array, "M C H W"], target: Float[Array, "N C H W"], *, paired: bool = True
    ) -> Float[Array, ""]:
        """Σr² of `residual`. Raises `BadInput`."""
        return jnp.sum(self.residual(predicted, target, paired=paired) ** 2)


def check_shapes(predicted: Any, target: Any, *, paired: bool) -> None:
    """Raise `BadInput` unless the batches can be compared."""
    if predicted.shape[1:] != target.shape[1:]:
        raise BadInput(
            "predicted", f"must have the fields and cells of the target, {target.shape[1:]}", predicted.shape
        )
    if paired and len(predicted) != len(target):
        rule = f"must have as many samples as the target, {len(target)}"
        raise BadInput("predicted", rule, len(predicted), "Pass paired=False to compare means over the batches.")
