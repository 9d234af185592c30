"""Time steppers: functions of (dynamics, dt) that return one step state → state. No stepper knows a system's name.

euler    cₙ₊₁ = cₙ + dt f(cₙ): the reference semantics, order 1
rk4      the classical Runge–Kutta method, order 4; for any dynamics
etdrk4   exponential time differencing, order 4 (Cox & Matthews, J. Comput. Phys. 176, 430 (2002), eqs. 26–29;
         coefficients by contour integrals, Kassam & Trefethen, SIAM J. Sci. Comput. 26, 1214 (2005), eq. 2.5).
         Diffusion is exact in the basis that diagonalises the five-point Laplacian (FFT, or DCT-II for no-flux),
         so all steppers tend to the same semi-discrete solution as dt → 0.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from .._errors import BadInput, nearest
from ..systems import Dynamics
from ..systems.grid import OnGrid

Step = Callable[[jax.Array], jax.Array]


def euler(dynamics: Dynamics, dt: float | jax.Array) -> Step:
    return lambda state: state + dt * dynamics.drift(state)


def rk4(dynamics: Dynamics, dt: float | jax.Array) -> Step:
    def step(state):
        a = dynamics.drift(state)
        b = dynamics.drift(state + dt / 2 * a)
        c = dynamics.drift(state + dt / 2 * b)
        d = dynamics.drift(state + dt * c)
        return state + dt / 6 * (a + 2 * b + 2 * c + d)

    return step


def _transforms(dynamics: OnGrid):
    """(forward, inverse) of the basis that diagonalises the Laplacian, on the last two axes."""
    if dynamics.grid.boundary == "periodic":
        return jnp.fft.fft2, lambda c: jnp.fft.ifft2(c).real
    axes = (-2, -1)
    return (
        lambda c: jax.scipy.fft.dctn(c, axes=axes, norm="ortho"),
        lambda c: jax.scipy.fft.idctn(c, axes=axes, norm="ortho"),
    )


def _phi(z: jax.Array) -> tuple[jax.Array, ...]:
    """φ₁(z/2)/2 and the three weights of ETDRK4, as means over a circle around z: stable near z = 0."""
    roots = np.exp(2j * np.pi * (np.arange(32) + 0.5) / 32)
    r = z[..., None] + jnp.reshape(roots, (1,) * z.ndim + (-1,))

    def mean(values):
        return jnp.real(jnp.mean(values, -1))

    half = mean((jnp.exp(r / 2) - 1) / r)
    first = mean((-4 - r + jnp.exp(r) * (4 - 3 * r + r**2)) / r**3)
    middle = mean((2 + r + jnp.exp(r) * (r - 2)) / r**3)
    last = mean((-4 - 3 * r - r**2 + jnp.exp(r) * (4 - r)) / r**3)
    return half, first, middle, last


def etdrk4(dynamics: OnGrid, dt: float | jax.Array) -> Step:
    if not isinstance(dynamics, OnGrid):
        raise BadInput("stepper", "needs a reaction–diffusion system on a grid", "etdrk4", "Pass stepper='rk4'.")
    there, back = _transforms(dynamics)
    symbol = jnp.asarray(dynamics.grid.symbol)
    z = jnp.stack([dt * D * symbol for D in dynamics.system.diffusivities()])
    whole, half = jnp.exp(z), jnp.exp(z / 2)
    f_half, f_first, f_middle, f_last = (dt * f for f in _phi(z))

    def reaction(c_hat):
        c = back(c_hat)
        rates = dynamics.system.kinetics(*c)
        return there(jnp.stack([jnp.broadcast_to(rate, c.shape[1:]) for rate in rates]))

    def step(state):
        c = there(state)
        n0 = reaction(c)
        a = half * c + f_half * n0
        n1 = reaction(a)
        b = half * c + f_half * n1
        n2 = reaction(b)
        d = half * a + f_half * (2 * n2 - n0)
        n3 = reaction(d)
        return back(whole * c + f_first * n0 + 2 * f_middle * (n1 + n2) + f_last * n3).astype(state.dtype)

    return step


STEPPERS: dict[str, Callable[..., Step]] = {"euler": euler, "rk4": rk4, "etdrk4": etdrk4}


def find_stepper(name: str) -> Callable[..., Step]:
    """The stepper behind a name; raises `BadInput`."""
    if name not in STEPPERS:
        raise BadInput("stepper", "must be a known stepper", repr(name), nearest(name, STEPPERS))
    return STEPPERS[name]
