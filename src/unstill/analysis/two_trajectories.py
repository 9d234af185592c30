"""The naive Lyapunov estimate from two nearby trajectories, and the integrable motion that it calls chaotic.

Kept for comparison with published numbers, and as a warning: any shear parts neighbours linearly, and a line through
ln t has a positive slope. `lyapunov_spectrum` is the measure to trust.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import BadInput
from .._jax import enable_x64
from ..simulation import rollout, stable_dt
from ..systems import Dynamics


class ShearRotation(eqx.Module):
    """dx/dt = (ω + s|x|²) J x with J = [[0, −1], [1, 0]]: rotation, faster further out. All exponents are 0.

    It preserves every density that depends on |x| only, a Gaussian for one, so it is a null model of equilibrium flows.
    """

    rate: float = 1.0
    shear: float = 1.0

    def drift(self, state: Float[Array, "*B 2"]) -> Float[Array, "*B 2"]:
        x, y = state[..., 0], state[..., 1]
        speed = self.rate + self.shear * (x**2 + y**2)
        return jnp.stack([-speed * y, speed * x], -1)


def two_trajectory_exponent(
    dynamics: Dynamics,
    state: Float[np.ndarray, " D"] | Float[np.ndarray, "M D"],
    *,
    time: float,
    dt: float | None = None,
    separation: float = 1e-6,
    stepper: str = "rk4",
    seed: int = 0,
) -> Float[np.ndarray, " M"]:
    """The least-squares slope of ln|x(t) − x'(t)| over all steps, per unit time, orbit by orbit.

    x' starts at distance `separation` in a random direction. After A. Wolf, J. B. Swift, H. L. Swinney & J. A. Vastano,
    Physica D 16, 285 (1985), without their replacement of the partner. Fails twice: it is positive for integrable
    shear (`ShearRotation`), and it saturates once the distance is that of the attractor. Raises `BadInput`.
    """
    states = np.atleast_2d(np.asarray(state, np.float64))
    dt = stable_dt(dynamics) if dt is None else float(dt)
    for name, value in (("dt", dt), ("separation", separation), ("time", time - dt)):
        if not (np.isfinite(value) and value > 0):
            raise BadInput(name, "must be more than one step" if name == "time" else "must be positive", value)
    steps = round(time / dt)
    apart = np.random.default_rng(seed).standard_normal(states.shape)
    apart *= separation / np.linalg.norm(apart, axis=1, keepdims=True)
    with enable_x64():
        distances = np.asarray(_distances(dynamics, jnp.asarray(states), jnp.asarray(apart), steps, dt, stepper))
    if not np.all(np.isfinite(distances) & (distances > 0)):
        raise BadInput(
            "separation", "must neither vanish nor blow up along the orbits", separation, "Pass a smaller dt."
        )
    ts = dt * np.arange(1, steps + 1)
    return np.polyfit(ts, np.log(distances.T), 1)[0]


@eqx.filter_jit
def _distances(dynamics, states, apart, steps: int, dt: float, stepper: str):
    def one(x, away):
        def orbit(c):
            return rollout(dynamics, c, steps=steps, dt=dt, save_every=1, stepper=stepper)

        return jnp.linalg.norm(orbit(x + away) - orbit(x), axis=-1)

    return jax.vmap(one)(states, apart)
