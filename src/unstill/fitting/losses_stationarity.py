"""The loss that asks of a rollout only that it keeps the statistics of the ensemble it started from."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..balance.functionals import TestSpace
from ..simulation import Grid
from .losses_base import FeatureLoss
from .losses_spectra import multiplicity


class Stationarity(FeatureLoss):
    """r = S^(−½) ⟨φ(predicted) − φ(target)⟩, with S the covariance of that mean, over samples m.

    For pairs (target, target moved by the dynamics for any time), E[φ(Φ_T(c)) − φ(c)] = 0 on a stationary ensemble and
    for every φ: the weak form of stationarity (science of `recover`, here for a flow map instead of a drift). φ are the
    monomials to degree 4 of the fields, averaged over cells, and quadratic forms in radial bands. Each difference is
    measured by its own scatter over samples, so the loss counts standard errors; S is held constant in derivatives, and
    shrunk by a tenth towards its diagonal. Dynamics that do nothing have no scatter either: no false minimum at rest.
    Fails for a few samples (S needs some dozens), for snapshots at rest, and wherever the snapshots are no fair sample.
    """

    about: ClassVar[str] = "change of the ensemble's statistics, in standard errors"
    depends_on_start: ClassVar[bool] = False
    degree: int = eqx.field(default=4, static=True)
    bands: int = eqx.field(default=8, static=True)
    shrinkage: float = eqx.field(default=0.1, static=True)

    def features(self, states: Float[Array, "M C H W"]) -> Float[Array, "M N"]:
        """φ of standardised fields z = (c − mean)/std, with mean and std of the batch itself."""
        return self._functionals(states, states)

    def _functionals(self, states, reference):
        mean = reference.mean((0, 2, 3), keepdims=True)
        z = (states - mean) / reference.std((0, 2, 3), keepdims=True)
        C, (H, W) = states.shape[1], states.shape[2:]
        space = TestSpace(Grid((H, W)), (0.0,) * C, (1.0,) * C, self.degree, self.bands)
        means = [_product(z, e).mean((-2, -1)) for e in space.functional_exponents]
        z_hat = jnp.fft.rfft2(z) / (H * W)
        masks = jnp.asarray(space.masks[..., : W // 2 + 1] * multiplicity(H, W), z.dtype)
        forms = [
            jnp.einsum("mhw,bhw->mb", jnp.real(z_hat[:, a] * jnp.conj(z_hat[:, b])), masks)
            for a in range(C) for b in range(a, C)
        ]  # fmt: skip
        return jnp.concatenate([jnp.stack(means, 1), *forms], 1)

    def residual(
        self, predicted: Float[Array, "M C H W"], target: Float[Array, "N C H W"], *, paired: bool = True
    ) -> Float[Array, " R"]:
        """The mean change in standard errors, over √(number of functionals)."""
        if not paired:
            return super().residual(predicted, target, paired=False)
        change = self._functionals(predicted, target) - self._functionals(target, target)
        mean, M = change.mean(0), len(change)
        scatter = change - mean[None]
        S = scatter.T @ scatter / M**2
        diagonal = jnp.diag(S)
        S = (1 - self.shrinkage) * S + jnp.diag(self.shrinkage * diagonal + 1e-30 + 1e-12 * diagonal.max())
        scale = jnp.sqrt(jnp.diag(S))
        L = jnp.linalg.cholesky(S / (scale[:, None] * scale[None]))
        L, scale = jax.lax.stop_gradient((L, scale))
        white = jax.scipy.linalg.solve_triangular(L, mean / scale, lower=True)
        return white / np.sqrt(len(mean))


def _product(z, exponents):
    out = jnp.ones_like(z[:, 0])
    for a, n in enumerate(exponents):
        if n:
            out = out * z[:, a] ** n
    return out
