"""Flows v = K ∗ s without training: antisymmetric convolutions of the score.

With an antisymmetric matrix A of the whole state space v = A ∇log p gives ∇·(p v) = ∇·(A ∇p) = Σ A_ij ∂ᵢ∂ⱼp = 0: the
distribution stands still whatever A is (founding system B, arXiv:2509.17990; P. Ao, J. Phys. A 37, L25 (2004)). Among
convolutions on a torus these are K_ij(x) = −K_ji(−x). Isotropic ones, K_ij(x) = κ_ij(|x|), have κ antisymmetric, hence
need two fields or more.
"""

from __future__ import annotations

from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import BadInput
from .flow import AbstractFieldFlow
from .local_network import convolved

_COURANT = 0.25  # of the time in which the stiffest mode of v turns by one radian
_PROBES = 8  # in each half


class ConvolutionFlow(AbstractFieldFlow):
    """dc/dt = scale · (K ∗ s(z, τ)) of pictures c: a `Dynamics` of the density noised by τ, on grids of any size."""

    name: ClassVar = "convolution"

    kernel: Float[Array | np.ndarray, "C C K K"]

    @property
    def dt(self) -> float:
        """A stable step: |∂s/∂z| ≤ 1/τ², and the kernel's largest gain is below the sum of its moduli."""
        gain = float(np.abs(np.asarray(self.kernel)).sum((1, 2, 3)).max())
        return _COURANT * self.tau**2 / gain

    @property
    def radius(self) -> int:
        """Cells to each side that the kernel reaches."""
        return self.kernel.shape[-1] // 2

    def drift_with(self, z: Float[Array, "B C H W"], s: Float[Array, "B C H W"]) -> Float[Array, "B C H W"]:
        """K ∗ s."""
        return convolved(s, self.kernel)

    def drift_and_divergences(
        self, z: Float[Array, "B C H W"], key: Array
    ) -> tuple[Float[Array, "B C H W"], Float[Array, "2 B"]]:
        """dz/dt, and Hutchinson's estimate of its divergence in two independent halves."""
        v, along = jax.linearize(self.standardised_drift, z)
        xi = jax.random.rademacher(key, (2 * _PROBES, *z.shape), z.dtype)
        traces = jnp.sum(xi * jax.lax.map(along, xi), axis=(2, 3, 4))
        return v, traces.reshape(2, _PROBES, len(z)).mean(1)

    def at_pace(self, pace: float) -> ConvolutionFlow:
        """The same with dz/dt times `pace`."""
        return ConvolutionFlow(self.score, self.tau, np.asarray(self.kernel) * pace)


def antisymmetric_kernel(
    channels: int, radius: int, *, isotropic: bool, rng: np.random.Generator
) -> Float[np.ndarray, "C C K K"]:
    """Normal numbers, made antisymmetric, K_ij(x) = −K_ji(−x), within a disc of `radius` cells; Σ K² = channels.

    Raises `BadInput` where there is none.
    """
    if isotropic and channels < 2:
        rule = "must be left out for one field: an isotropic antisymmetric kernel of it is 0"
        raise BadInput("isotropic", rule, isotropic, "Pass isotropic=False (--uneven).")
    if channels * (2 * radius + 1) ** 2 < 2:
        raise BadInput("radius", "must be 1 or more for one field: an antisymmetric number is 0", radius)
    side = np.arange(-radius, radius + 1)
    squared = side[:, None] ** 2 + side**2
    kernel = rng.standard_normal((channels, channels, 2 * radius + 1, 2 * radius + 1))
    if isotropic:  # one number a distance
        distances, which = np.unique(squared, return_inverse=True)
        kernel = rng.standard_normal((channels, channels, len(distances)))[..., which.reshape(squared.shape)]
    kernel = np.where(squared <= (radius + 0.5) ** 2, kernel, 0.0)
    kernel = kernel - np.swapaxes(kernel, 0, 1)[..., ::-1, ::-1]
    return kernel * np.sqrt(channels / (kernel**2).sum())
