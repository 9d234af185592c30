"""Flows v = K ∗ s without training: antisymmetric convolutions of the score.

With an antisymmetric matrix A of the whole state space v = A ∇log p gives ∇·(p v) = ∇·(A ∇p) = Σ A_ij ∂ᵢ∂ⱼp = 0: the
distribution stands still whatever A is (founding system B, arXiv:2509.17990; P. Ao, J. Phys. A 37, L25 (2004)). Among
convolutions on a torus these are K_ij(x) = −K_ji(−x). Isotropic ones, K_ij(x) = κ_ij(|x|), have κ antisymmetric, hence
need two fields or more.
"""

from __future__ import annotations

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import BadInput
from .._jax import enable_x64
from .field_score import FieldScore, check_pictures
from .local_network import convolved

_COURANT = 0.25  # of the time in which the stiffest mode of v turns by one radian


class ConvolutionFlow(eqx.Module):
    """dc/dt = scale · (K ∗ s(z, τ)) of pictures c: a `Dynamics` of the density noised by τ, on grids of any size."""

    name: ClassVar = "convolution"

    score: FieldScore
    kernel: Float[Array | np.ndarray, "C C K K"]
    tau: float = eqx.field(static=True)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields, in the order of axis C."""
        return self.score.fields

    @property
    def dt(self) -> float:
        """A stable step: |∂s/∂z| ≤ 1/τ², and the kernel's largest gain is below the sum of its moduli."""
        gain = float(np.abs(np.asarray(self.kernel)).sum((1, 2, 3)).max())
        return _COURANT * self.tau**2 / gain

    def standardised_drift(self, z: Float[Array, "B C H W"]) -> Float[Array, "B C H W"]:
        """dz/dt of standardised pictures."""
        return convolved(self.score.at(z, self.tau), self.kernel)

    def drift(self, state: Float[Array, "*B C H W"]) -> Float[Array, "*B C H W"]:
        """dc/dt at every cell."""
        c = jnp.asarray(state)
        many = c.reshape(-1, *c.shape[-3:])
        scale = jnp.asarray(self.score.scale, c.dtype)[None, :, None, None]
        return (scale * self.standardised_drift(self.score.standardised(many))).reshape(c.shape)

    def __call__(self, state: Any) -> Any:
        """dc/dt of states (M, C, H, W): NumPy, JAX or PyTorch in, the same out. Raises `BadInput`."""
        check_pictures(self.fields, state)
        if isinstance(state, jax.Array):
            return self.drift(state)
        host = state if isinstance(state, np.ndarray) else state.detach().cpu().numpy()
        with enable_x64():
            found = np.asarray(self.drift(jnp.asarray(host, jnp.float64))).astype(
                host.dtype if host.dtype.kind == "f" else np.float64
            )
        if isinstance(state, np.ndarray):
            return found
        import torch  # pyright: ignore[reportMissingImports]

        return torch.as_tensor(found, dtype=state.dtype, device=state.device)


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
