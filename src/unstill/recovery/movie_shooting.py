"""Trajectories shot through a film of one field: Gauss–Newton on their starts and the numbers, solved by CG."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.sparse.linalg import LinearOperator, cg

from .._jax import enable_x64
from ..observations.spectrum import inverse, transform
from ..simulation import rollout
from ..systems.grid import Grid, OnGrid
from ..training import damped
from .hidden_problem import Problem, Scaling

CG_LEAST = 1e-3  # of the residual of a Gauss–Newton step
ROUNDS, ROUND = 4, 30  # of CG for the covariance, and its steps in one
SETTLED = 0.05  # of a standard deviation, by which a round may widen it
DAMPING = damped.Damping(1e-4, least=1e-9, raised=1e-3)
_RINGS = 24


@dataclasses.dataclass(frozen=True)
class Film:
    """Frames (T, H, W) of one field in order, `every` Euler steps of `dt` apart, with white noise of this level."""

    frames: Float[np.ndarray, "T H W"]
    every: int
    dt: float
    noise: float


@dataclasses.dataclass(frozen=True)
class Point:
    """Where a descent stands: q, the starts of the shots in units of what is not known of them, and the cost."""

    q: np.ndarray
    z: np.ndarray
    cost: float


class Shooting:
    """½ Σ |y(c_o(t)) − y_t|²/s² + ½ |z|² over q and z, the fields c(t) moving by the system from c(0) = a + A z.

    The film is cut into B shots of L frames, which share θ and have starts of their own (multiple shooting: H. G. Bock,
    Springer Ser. Chem. Phys. 18, 102 (1981), doi:10.1007/978-3-642-68220-9_8). a is what is known of a shot's start,
    and A, diagonal in the grid's modes, how well: a Gaussian prior, as in variational data assimilation (A. C. Lorenc,
    Q. J. R. Meteorol. Soc. 112, 1177 (1986), doi:10.1002/qj.49711247414), which also makes CG converge.
    """

    def __init__(self, problem: Problem, scaling: Scaling, film: Film, states, unsure, length: int):
        self.problem, self.scaling, self.film = problem, scaling, film
        shots = -(-len(film.frames) // length)
        self.length = -(-len(film.frames) // shots)
        self.about = states[:: self.length]  # (B, C, H, W)
        self.amplitude = np.sqrt(unsure)  # (C, H, W), by modes
        padding = len(self.about) * self.length - len(film.frames)
        frames = np.pad(film.frames, ((0, padding), (0, 0), (0, 0)), mode="edge")
        self.y = frames.reshape(len(self.about), self.length, *film.frames.shape[1:])
        counts = np.arange(len(frames)) < len(film.frames)
        self.weight = counts.reshape(len(self.about), self.length, 1, 1) / film.noise
        base, names = problem.system_class(**problem.system_class.defaults()), problem.dynamic
        steps = (self.length - 1) * film.every
        rates = {name: float(value) for name, value in problem.fix.items()}

        def shoot(theta, c):
            system = base.with_values(**rates, **dict(zip(names, theta, strict=True)))
            onward = rollout(OnGrid(system, problem.grid), c, steps=steps, dt=film.dt, save_every=film.every)
            return jnp.concatenate([c[None], onward])

        self._shoot = jax.vmap(shoot, (None, 0))

    def starts(self, z: np.ndarray) -> np.ndarray:
        """(B, C, H, W)."""
        return self.about + self._spread(z)

    def _spread(self, z: np.ndarray) -> np.ndarray:
        """A z; A is its own transpose."""
        return inverse(self.problem.grid, self.amplitude * transform(self.problem.grid, z))

    def states(self, q: np.ndarray, z: np.ndarray) -> np.ndarray:
        """The fields at every frame, (B, L, C, H, W)."""
        theta = np.array([*self.problem.parameters(self.scaling.values(q))[0].values()])
        with enable_x64():
            return np.asarray(self._shoot(jnp.asarray(theta), jnp.asarray(self.starts(z))))

    def misfit(self, q, z, states=None) -> np.ndarray:
        """What the shots leave of the pictures, in units of the noise, (B, L, H, W); 0 beyond the film's end."""
        problem = self.problem
        states = self.states(q, z) if states is None else states
        shown = problem.camera.picture(problem.camera_values(self.scaling.values(q)), states[:, :, problem.observed])[0]
        return (shown - self.y) * self.weight

    def point(self, q: np.ndarray, z: np.ndarray) -> Point:
        with np.errstate(all="ignore"):
            cost = 0.5 * float((self.misfit(q, z) ** 2).sum() + (z**2).sum())
        return Point(q, z, cost)

    def linearised(self, q: np.ndarray, z: np.ndarray) -> "Linearised":
        return Linearised(self, q, z)


class Linearised:
    """The derivatives of a film's misfit at one point, as products with vectors."""

    def __init__(self, shooting: Shooting, q: np.ndarray, z: np.ndarray):
        self.shooting, self.z = shooting, z
        problem, scaling = shooting.problem, shooting.scaling
        values = scaling.values(q)
        parameters, slopes = problem.parameters(values)
        self.by_q = slopes.T * scaling.slope(values)  # (A, P) ∂θ/∂q
        with enable_x64():
            theta, starts = jnp.asarray([*parameters.values()]), jnp.asarray(shooting.starts(z))
            states, self._forward = jax.linearize(shooting._shoot, theta, starts)
            self._backward = jax.linear_transpose(self._forward, theta, starts)
        self.states = np.asarray(states)
        self.residual = shooting.misfit(q, z, self.states)
        seen = self.states[:, :, problem.observed]
        _, self.by_seen, by_camera = problem.camera.picture(problem.camera_values(values), seen)
        self.by_camera = np.zeros((len(q), *seen.shape))
        self.by_camera[len(problem.names) :] = by_camera
        self.by_camera *= scaling.slope(values)[:, None, None, None, None]

    def forward(self, dq: np.ndarray, dz: np.ndarray) -> np.ndarray:
        """∂(residual) along (dq, dz)."""
        shooting = self.shooting
        with enable_x64():
            moved = self._forward(jnp.asarray(self.by_q @ dq), jnp.asarray(shooting._spread(dz)))
        moved = np.asarray(moved)[:, :, shooting.problem.observed]
        return shooting.weight * (self.by_seen * moved + np.tensordot(dq, self.by_camera, 1))

    def backward(self, bar: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The transpose of `forward`."""
        shooting, bar = self.shooting, self.shooting.weight * bar
        cotangent = np.zeros_like(self.states)
        cotangent[:, :, shooting.problem.observed] = self.by_seen * bar
        with enable_x64():
            theta, starts = map(np.asarray, self._backward(jnp.asarray(cotangent)))
        by_camera = (self.by_camera * bar).sum((1, 2, 3, 4))
        return self.by_q.T @ theta + by_camera, shooting._spread(starts)

    def columns(self) -> np.ndarray:
        """∂(residual)/∂q, (P, B, L, H, W)."""
        still = np.zeros_like(self.z)
        return np.array([self.forward(e, still) for e in np.eye(len(self.by_q.T))])

    @np.errstate(all="ignore")  # of trajectories that blow up
    def step(self, damping: float, most: int, held: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """A damped Gauss–Newton step (dq, dz), by at most so many steps of CG, which sees q in directions that the film
        tells as well as it tells z; or of z alone where q is held."""
        P, shape = len(self.by_q.T), self.z.shape
        gq, gz = self.backward(self.residual)
        gz = gz + self.z
        columns = self.columns().reshape(P, -1)
        gram = columns @ columns.T
        if not (np.isfinite(gram).all() and np.isfinite(gq).all() and np.isfinite(gz).all()):
            return np.full(P, np.nan), np.full(shape, np.nan)  # trajectories blow up: no step is known
        sizes, directions = np.linalg.eigh(gram)
        told = self.backward(self.forward(np.zeros(P), gz))[1]
        rayleigh = float((gz * told).sum() / max((gz**2).sum(), 1e-300)) + 1.0
        T = directions * (0.0 if held else np.sqrt(rayleigh / np.maximum(sizes, 1e-12 * sizes.max())))

        def product(x):
            dq, dz = self.backward(self.forward(T @ x[:P], x[P:].reshape(shape)))
            scaled = np.concatenate([T.T @ dq, dz.ravel() + x[P:]])
            return scaled + damping * np.concatenate([rayleigh * x[:P], x[P:]])

        rhs = -np.concatenate([T.T @ gq, gz.ravel()])
        operator = LinearOperator((len(rhs), len(rhs)), matvec=product, dtype=float)
        x = cg(operator, rhs, rtol=CG_LEAST, maxiter=most)[0]
        dq = T @ x[:P]
        bounded = min(1.0, 0.5 / max(np.abs(dq).max(), 1e-300))
        return bounded * dq, bounded * x[P:].reshape(shape)

    def profile(
        self, across: Float[np.ndarray, "P K"], earlier: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """The covariance of q in the space that the columns of `across` span, the starts free; the Gauss–Newton step
        (dq, dz) of q that takes the starts along; and the starts X (P, N) that make up for q, from which the next
        point's may begin (`earlier`).

        The information, the Schur complement of the starts, is the least of |∂q r − ∂z r X|² + |X|² over X: too large
        by the second order of what CG has not reached, never too small. CG goes on in rounds, each in the directions of
        q that the round before told apart, from the best known to the worst: those, in which large numbers cancel, need
        columns of their own. What the last round has widened is added once more, for the rounds that are not made.
        """
        columns = np.tensordot(across, self.columns(), (0, 0)).reshape(across.shape[1], self.residual.size)
        X = np.zeros((len(columns), self.z.size)) if earlier is None else across.T @ earlier
        directions = np.eye(len(columns))
        size, found, before = np.maximum(np.linalg.norm(columns, axis=1), 1e-300), None, None
        for _ in range(ROUNDS):
            turned, begun = directions.T @ columns, directions.T @ X
            X = np.linalg.solve(directions.T, np.array([*map(self._explained, turned, begun)]))
            left = np.array([c - self._moved(x) for c, x in zip(columns, X, strict=True)])
            information = left @ left.T + X @ X.T
            before, found = found, np.linalg.inv(information)
            directions = np.linalg.eigh(information / np.outer(size, size))[1] / size[:, None]
            if before is not None and (np.diag(found) <= (1 + SETTLED) ** 2 * np.diag(before)).all():
                break
        assert found is not None
        assert before is not None
        step = -found @ (left @ self.residual.ravel() - X @ self.z.ravel())
        covariance = across @ (2 * found - before) @ across.T
        return covariance, across @ step, -(step @ X).reshape(self.z.shape), across @ X

    def _moved(self, x: np.ndarray) -> np.ndarray:
        """∂(residual) along flat starts, flat."""
        return self.forward(np.zeros(len(self.by_q.T)), x.reshape(self.z.shape)).ravel()

    def _explained(self, column: np.ndarray, begun: np.ndarray) -> np.ndarray:
        """Starts, flat, that explain a column of ∂(residual)/∂q better than `begun`."""

        def product(x):
            return self.backward(self._moved(x).reshape(self.residual.shape))[1].ravel() + x

        left = (column - self._moved(begun)).reshape(self.residual.shape)
        operator = LinearOperator((begun.size, begun.size), matvec=product, dtype=float)
        return begun + cg(operator, self.backward(left)[1].ravel() - begun, rtol=0.0, maxiter=ROUND)[0]


def ring_power(grid: Grid, fields: Float[np.ndarray, "T H W"]) -> Float[np.ndarray, "H W"]:
    """The mean power of a mode of fields about their mean, the same for modes of one wavelength."""
    power = (np.abs(transform(grid, fields - fields.mean((1, 2), keepdims=True))) ** 2).mean(0)
    share = np.sqrt(grid.symbol / grid.symbol.min())
    which = np.minimum((_RINGS * share).astype(int), _RINGS - 1)
    rings = np.array([power[which == r].mean() if (which == r).any() else 0.0 for r in range(_RINGS)])
    rings[0] = max(rings[:2].max(), power.max() / power.size)  # the mean is not known either
    return np.maximum(rings, 1e-12 * rings.max())[which]


@dataclasses.dataclass(frozen=True)
class Effort:
    """How far a descent goes: the most Gauss–Newton steps, the most steps of CG in one, and the share of the cost below
    which a step gains too little to go on; whether q is held."""

    steps: int
    cg_steps: int
    gain: float
    held: bool = False


def descend(shooting: Shooting, at: Point, effort: Effort, report: Callable) -> Point:
    """From a point downwards."""
    known: list[tuple[Point, Linearised]] = []  # of the point that steps of several dampings are tried from

    def attempt(at: Point, damping: float) -> Point | None:
        if not known or known[0][0] is not at:
            known[:] = [(at, shooting.linearised(at.q, at.z))]
        dq, dz = known[0][1].step(damping, effort.cg_steps, effort.held)
        if not (np.isfinite(dq).all() and np.isfinite(dz).all()):
            return None
        new = shooting.point(shooting.scaling.clip(at.q + dq), at.z + dz)
        return new if new.cost < at.cost else None

    def settled(before: Point, at: Point) -> bool:
        report(at)
        return before.cost - at.cost < effort.gain * at.cost

    if not np.isfinite(at.cost):
        return at
    return damped.descend(at, attempt, settled, DAMPING, effort.steps)[0]
