"""Linear stability of uniform states: what grows, and at which wavelength."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float

from .._jax import enable_x64
from ..systems import ReactionDiffusion


def reaction_jacobian(system: ReactionDiffusion, state: Sequence[float] | np.ndarray) -> Float[np.ndarray, "C C"]:
    """∂Rᵢ/∂cⱼ at a uniform state, one number a field; units of 1/time."""
    with enable_x64():
        rates = jax.jacfwd(lambda c: jnp.stack([jnp.asarray(r, c.dtype) for r in system.kinetics(*c)]))
        return np.asarray(rates(jnp.asarray(state, jnp.float64)))


def growth_rates(
    system: ReactionDiffusion, state: Sequence[float] | np.ndarray, laplacian: Float[np.ndarray, " N"]
) -> Complex[np.ndarray, "N C"]:
    """Growth rates σ of small waves on a uniform state: eigenvalues of J + D·ℓ, the largest real part first.

    Args:
        system: Kinetics and diffusion.
        state: The uniform state, one value a field.
        laplacian: Eigenvalues ℓ ≤ 0 of ∇², (N,): −q² in the continuum, or values of `Grid.symbol`.

    Source: J. D. Murray, Mathematical Biology II (3rd ed.), eq. 2.21. Says nothing about subcritical
    patterns, which are most of Gray–Scott's.
    """
    jacobian = reaction_jacobian(system, state)
    D = np.diag([float(d) for d in system.diffusivities()])
    matrices = jacobian + np.asarray(laplacian)[:, None, None] * D
    rates = np.linalg.eigvals(matrices).astype(complex)  # NumPy before 2.4 gives floats where all of them are real
    return np.take_along_axis(rates, np.argsort(-np.real(rates), axis=1), axis=1)
