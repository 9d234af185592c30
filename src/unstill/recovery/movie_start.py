"""A film of one field: the numbers, roughly, by hidden fields that follow the seen one."""

import functools
from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from .._jax import enable_x64
from ..systems.grid import OnGrid
from ..training import damped
from .hidden_problem import Problem, Scaling
from .movie_shooting import Film

STARTS = 256
ENDS = 5  # of the starts that are carried on
ITERATIONS = 25
SETTLING = 0.25  # of the film, in which the hidden fields forget where they began
DAMPING = damped.Damping(1e-3, raised=1e-3, most=1e6)


class Follower:
    """Hidden fields that obey their own equations while the seen one is the film, interpolated (Catmull–Rom splines).

    Where those equations contract, the hidden fields forget their start and come to be the true ones: an observer (L.
    M. Pecora, T. L. Carroll, Phys. Rev. Lett. 64, 821 (1990), doi:10.1103/PhysRevLett.64.821). What the seen field's
    own equation then gets wrong between two frames, relative to how much the film changes, is the residual. Fails
    where the hidden equations do not contract, and where a film moves far between two frames.
    """

    def __init__(self, problem: Problem, scaling: Scaling, film: Film):
        self.problem, self.scaling, self.film = problem, scaling, film
        base = problem.system_class(**problem.system_class.defaults())
        rest, patch = (np.array([float(np.asarray(c)) for c in state]) for state in (base.rest(), base.patch()))
        seen, hidden = problem.observed, problem.hidden
        rises = patch[seen] - rest[seen]
        slope = (patch - rest)[hidden] / rises if rises else np.zeros(len(hidden))
        # Where the film begins, the hidden fields are taken to lie on the line from rest to what sets patterns going.
        self.begin = np.stack([rest[hidden] - slope * rest[seen], slope])
        self.skipped = max(1, int(SETTLING * len(film.frames)))
        self._follow = functools.partial(_follow, problem.system_class, problem.grid, problem.dynamic, film.every,
                                         problem.observed, self.skipped, film.dt)  # fmt: skip

    def _operands(self, q):
        values = self.scaling.values(q)
        parameters, slopes = self.problem.parameters(values)
        seen, by_camera = self.problem.camera.concentration(self.problem.camera_values(values), self.film.frames)
        fix = {name: jnp.asarray(float(v)) for name, v in self.problem.fix.items()}
        theta = jnp.asarray([*parameters.values()])
        return fix, theta, jnp.asarray(seen), jnp.asarray(self.begin), slopes, by_camera, self.scaling.slope(values)

    def cost(self, q: np.ndarray) -> float:
        """Half the mean square of the residual; infinite where the hidden fields are."""
        with enable_x64():
            fix, theta, seen, begin, *_ = self._operands(q)
            cost = 0.5 * float(jnp.mean(self._follow(fix, theta, seen, begin)[0] ** 2))
        return cost if np.isfinite(cost) else np.inf

    def slopes(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The residual, flat, and its derivatives by q, (N, P)."""
        with enable_x64():
            fix, theta, seen, begin, by_parameter, by_camera, by_q = self._operands(q)
            directions = np.zeros((len(q), *self.film.frames.shape))
            directions[len(self.problem.names) :] = by_camera
            residual, along = _slopes(self._follow, fix, theta, seen, begin, jnp.asarray(by_parameter),
                                      jnp.asarray(directions))  # fmt: skip
            return np.asarray(residual).ravel(), np.asarray(along).reshape(len(q), -1).T * by_q

    def states(self, q: np.ndarray) -> np.ndarray:
        """All fields at every frame, (T, C, H, W)."""
        with enable_x64():
            fix, theta, seen, begin, *_ = self._operands(q)
            hidden = np.asarray(self._follow(fix, theta, seen, begin)[1])
        return np.insert(hidden, self.problem.observed, np.asarray(seen), axis=1)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3, 4, 5, 6))
def _follow(system_class, grid, names, every, observed, skipped, dt, fix, theta, seen, begin):
    """The residual (T − 1 − skipped, H, W) and the hidden fields (T, C − 1, H, W)."""
    base = system_class(**system_class.defaults())
    moving = OnGrid(base.with_values(**fix, **dict(zip(names, theta, strict=True))), grid)
    ends = jnp.concatenate([2 * seen[:1] - seen[1:2], seen, 2 * seen[-1:] - seen[-2:-1]])
    hidden = np.array([i for i in range(len(system_class.fields)) if i != observed])

    def between(p, t):
        a, b, c, d = p
        return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))

    def frame(h, j):
        points = [ends[j + i] for i in range(4)]

        def step(carry, i):
            h, change = carry
            state = jnp.insert(h, observed, between(points, i / every), axis=0)
            rates = moving.drift(state)
            return (h + dt * rates[hidden], change + dt * rates[observed]), None

        (after, change), _ = jax.lax.scan(step, (h, jnp.zeros_like(seen[0])), jnp.arange(every))
        return after, (h, change - (points[2] - points[1]))

    first = begin[0][:, None, None] + begin[1][:, None, None] * seen[:1]
    last, (before, wrong) = jax.lax.scan(frame, first, jnp.arange(len(seen) - 1))
    size = jnp.sqrt(jnp.mean(jnp.diff(seen, axis=0)[skipped:] ** 2))
    return wrong[skipped:] / size, jnp.concatenate([before, last[None]])


@functools.partial(jax.jit, static_argnums=0)
def _slopes(follow, fix, theta, seen, begin, by_parameter, directions):
    def residual(theta, seen):
        return follow(fix, theta, seen, begin)[0]

    return residual(theta, seen), jax.vmap(lambda t, s: jax.jvp(residual, (theta, seen), (t, s))[1])(
        by_parameter, directions
    )


def search(
    problem: Problem, scaling: Scaling, film: Film, start: np.ndarray | None, report: Callable[[Mapping], None]
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """q, the states (T, C, H, W) and the rms residual of the best follower, or None where none is finite."""
    follower = Follower(problem, scaling, film)
    starts = [scaling.middle, *scaling.starts(STARTS)]
    if start is not None:
        starts.insert(0, scaling.numbers(start))
    costs = np.array([follower.cost(q) for q in starts])
    order = [i for i in np.argsort(costs)[:ENDS] if np.isfinite(costs[i])]
    best: tuple[np.ndarray, float] | None = None
    for i in order:
        q, cost = _descend(follower, starts[i], float(costs[i]))
        values = dict(zip(problem.sought, scaling.values(q).tolist(), strict=True))
        report({"stage": "search", "relative": float(np.sqrt(2 * cost)), "values": values})
        if best is None or cost < best[1]:
            best = q, cost
    return None if best is None else (best[0], follower.states(best[0]), float(np.sqrt(2 * best[1])))


def _descend(follower: Follower, q: np.ndarray, cost: float) -> tuple[np.ndarray, float]:
    """Levenberg–Marquardt from q."""
    held: list[tuple] = []  # of the point that steps of several dampings are tried from

    def attempt(at, damping):
        if not held or held[0] is not at:
            held[:] = [at, follower.slopes(at[0])]
        residual, J = held[1]
        H = J.T @ J
        dq = -np.linalg.solve(H + damping * np.diag(np.diag(H) + 1e-300), J.T @ residual)
        dq *= min(1.0, 1.0 / max(np.abs(dq).max(), 1e-300))
        new = follower.scaling.clip(at[0] + dq)
        value = follower.cost(new)
        return (new, value) if value < at[1] else None

    end, _ = damped.descend((q, cost), attempt, lambda a, b: a[1] - b[1] < 1e-5 * b[1], DAMPING, ITERATIONS)
    return end
