"""The first Lyapunov coefficient: whether the oscillation that is born at a Hopf bifurcation is stable."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._jax import enable_x64
from .local import Local


class FirstLyapunov:
    """l₁ at points of a Hopf curve, from derivatives of the kinetics up to the third.

        l₁ = Re[⟨p, C(q, q, q̄)⟩ − 2⟨p, B(q, J⁻¹B(q, q̄))⟩ + ⟨p, B(q̄, (2iω − J)⁻¹B(q, q))⟩] / (2ω)

    with J q = iω q, Jᵀp = −iω p, ⟨p, q⟩ = 1, |q| = 1; B and C are the second and third derivatives of R along two and
    three directions. Y. A. Kuznetsov, Elements of Applied Bifurcation Theory (3rd ed.), eq. 5.62. Negative: a stable
    oscillation is born (supercritical); positive: an unstable one (subcritical). Its sign alone has a meaning, since
    its size depends on the units of the fields. Undefined where ω = 0.
    """

    def __init__(self, local: Local):
        self.local = local
        self._along = jax.jit(self._coefficient)

    def __call__(self, y: Float[np.ndarray, " N"]) -> float | None:
        """l₁ at y, a point where R = 0 and a pair of eigenvalues is imaginary; `None` where no pair is."""
        J, _ = self.local.parts(y)
        pair = imaginary_pair(J)
        if pair is None or pair <= 0:
            return None
        omega = float(np.sqrt(pair))
        values, right = np.linalg.eig(J)
        q = right[:, int(np.argmin(np.abs(values - 1j * omega)))]
        values, left = np.linalg.eig(J.T)
        p = left[:, int(np.argmin(np.abs(values + 1j * omega)))]
        p = p / np.conj(np.vdot(p, q))
        with enable_x64():
            found = self._along(
                *(jnp.asarray(each) for each in (y, np.real(q), np.imag(q), np.real(p), np.imag(p))), omega
            )
        return float(found)

    def _coefficient(self, y: Array, a: Array, b: Array, p: Array, s: Array, omega: Array) -> Array:
        """With q = a + ib and p + is; multilinear forms of complex directions from those of real ones."""
        q, p = a + 1j * b, p + 1j * s
        J = self.local.jacobian(y)

        def rates(c):
            return self.local.rates(jnp.concatenate([c, y[self.local.count :]]))

        c = y[: self.local.count]
        first = jax.jacfwd(rates)
        second, third = jax.jacfwd(first)(c), jax.jacfwd(jax.jacfwd(first))(c)

        def B(u, v):
            return jnp.einsum("ijk,j,k->i", second, u, v)

        bar = jnp.conj(q)
        one = jnp.eye(len(a))
        cubic = jnp.einsum("ijkl,j,k,l->i", third, q, q, bar)
        mean = B(q, jnp.linalg.solve(J.astype(q.dtype), B(q, bar)))
        twice = B(bar, jnp.linalg.solve(2j * omega * one - J, B(q, q)))
        return jnp.real(jnp.vdot(p, cubic - 2 * mean + twice)) / (2 * omega)


def imaginary_pair(J: Float[np.ndarray, "C C"]) -> float | None:
    """λᵢλⱼ of the two eigenvalues with the least |λᵢ + λⱼ|: ω² of an imaginary pair, negative for λ, −λ.

    `None` for one field. Eigenvalues of a pair that is not exactly imaginary still give |λ|².
    """
    values = np.linalg.eigvals(J).astype(complex)
    i, j = np.triu_indices(len(values), 1)
    if not len(i):
        return None
    k = int(np.argmin(np.abs(values[i] + values[j])))
    return float(np.real(values[i[k]] * values[j[k]]))
