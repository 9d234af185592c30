"""The hidden fields as functions of the seen one: which equations determine them, their solution, its derivatives."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from .._jax import enable_x64
from ..simulation.corrected import Corrected, Part, sparse_grid
from ..simulation.jacobian import drift_of, kinetic_slopes
from ..simulation.multifrontal import Factorisation, SingularMatrix, elimination
from ..systems import ReactionDiffusion
from ..systems.grid import OnGrid
from .hidden_problem import Problem

NEWTON = 20  # iterations for the hidden field where its equation is not linear
PROBES = 24  # random points at which a second derivative must vanish to count as identically zero


@dataclasses.dataclass(frozen=True)
class Route:
    """How the hidden fields are found: `solve @ drift = 0` is solved for them, `test @ drift` is left to be fitted.

    `solve` has shape (C−1, C), `test` shape (C,). `linear` says that the solved equations are linear in the hidden
    fields; `field` is the index of the field whose balance the test expresses (it sets the residual's units).
    """

    solve: tuple[tuple[float, ...], ...]
    test: tuple[float, ...]
    field: int
    linear: bool


@functools.lru_cache(maxsize=32)
def choose_route(system_class: type[ReactionDiffusion], observed: int) -> Route:
    """The best-posed equations for the hidden field, found by probing the kinetics' second derivatives.

    For one hidden field h, in this order: h's own equation where linear in h (Gray–Scott with v seen: symmetric
    positive definite); a fixed combination of both equations that is linear in h (Gray–Scott with u seen: their sum,
    from which u v² drops out); else the seen field's equation, which holds h without derivatives and so determines
    it point by point, at the price of a Laplacian of the picture (FitzHugh–Nagumo with v seen).
    For several hidden fields: their own equations, by Newton's method.
    """
    C = len(system_class.fields)
    hidden = [i for i in range(C) if i != observed]
    if C != 2:
        return Route(tuple(map(tuple, np.eye(C)[hidden])), tuple(np.eye(C)[observed]), observed, False)
    own, seen, h = np.eye(2)[hidden[0]], np.eye(2)[observed], hidden[0]
    curvature = _curvatures(system_class, h)
    scale = max(np.abs(curvature).max(), 1e-300)
    if np.abs(curvature[:, h]).max() < 1e-9 * scale or scale < 1e-9:
        return Route((tuple(own),), tuple(seen), observed, True)
    _, sizes, rows = np.linalg.svd(curvature)
    if sizes[-1] < 1e-9 * sizes[0] and abs(rows[-1][h]) > 1e-6:
        return Route((tuple(np.round(rows[-1] / rows[-1][h], 12)),), tuple(seen), observed, True)
    return Route((tuple(seen),), tuple(own), h, bool(sizes[-1] < 1e-9 * sizes[0]))


def _curvatures(system_class: type[ReactionDiffusion], h: int) -> np.ndarray:
    """∂²R_i/∂h² at random fields and parameters, shape (PROBES, C)."""
    rng = np.random.default_rng(0)
    names, defaults = zip(*system_class.defaults().items(), strict=True)
    base = system_class(**system_class.defaults())

    def rates(value, fields, values):
        system = base.with_values(**dict(zip(names, values, strict=True)))
        return jnp.stack([jnp.asarray(r) + 0 * value for r in system.kinetics(*fields.at[h].set(value))])

    second = jax.jit(jax.jacfwd(jax.jacfwd(rates)))
    with enable_x64():
        out = []
        for _ in range(PROBES):
            fields = jnp.asarray(rng.uniform(0.3, 2.0, len(system_class.fields)))
            values = jnp.asarray(
                np.array(defaults) * rng.uniform(0.5, 1.5, len(names)) + rng.uniform(0, 0.1, len(names))
            )
            out.append(np.asarray(second(fields[h], fields, values)))
    return np.array(out)


class Unsolvable(ArithmeticError):
    """The hidden field's equations have no finite solution at these parameters."""


def solve_hidden(
    problem: Problem, route: Route, values: np.ndarray, picture: np.ndarray, start: np.ndarray | None = None
):
    """The hidden fields (C−1, H, W) at `values`, and the factorised matrix of their equations.

    Newton's method from `start` (the uniform state when None); one step where the route is linear.
    Raises `Unsolvable`.
    """
    system, hidden = problem.system(values), problem.hidden
    solve = np.array(route.solve)
    if start is None:
        start = np.broadcast_to(
            np.array([abs(float(system.rest()[i])) + 0.1 for i in hidden])[:, None, None], (len(hidden), *picture.shape)
        )
    h, plan = np.array(start), elimination(sparse_grid(problem.grid), len(hidden), 1)
    matrix = None
    for _ in range(1 if route.linear else NEWTON):
        state = problem.state(picture, h)
        matrix, rates = _hidden_matrix(problem, route, system, state), drift_of(system, problem.grid, state)
        try:
            factor = _factorise(plan, *matrix)
        except SingularMatrix as error:
            raise Unsolvable(str(error)) from error
        change = -factor.solve(np.einsum("ec,chw->ehw", solve, rates).ravel()).reshape(h.shape)
        h = h + change
        if not np.isfinite(h).all() or np.abs(h).max() > 1e9:
            raise Unsolvable("the hidden field is not finite")
        if np.linalg.norm(change) <= 1e-12 * np.linalg.norm(h):
            break
    else:
        if not route.linear:
            raise Unsolvable("Newton's method for the hidden field did not converge")
    if not route.linear:
        try:
            factor = _factorise(plan, *_hidden_matrix(problem, route, system, problem.state(picture, h)))
        except SingularMatrix as error:
            raise Unsolvable(str(error)) from error
    return h, factor


class _Negative:
    """A⁻¹ from the Cholesky factor of −A."""

    def __init__(self, plan, matrix):
        self._factor = Factorisation(plan, -matrix, symmetric=True)

    def solve(self, rhs):
        return -self._factor.solve(rhs)


class _Pointwise:
    """A⁻¹ where the hidden field enters without derivatives."""

    def __init__(self, diagonal):
        if not np.all(diagonal):
            raise SingularMatrix("the hidden field does not enter the equation at some cells")
        self._diagonal = diagonal

    def solve(self, rhs):
        return (rhs.T / self._diagonal).T


def _factorise(plan, matrix, operator):
    """By Cholesky where there is one hidden field (then D∇² + diag is symmetric) and it is negative definite."""
    if plan.fields == 1:
        diagonal = matrix.diagonal()
        if np.abs(matrix.data).sum() == np.abs(diagonal).sum():
            return _Pointwise(diagonal)
        try:
            factor = _Negative(plan, matrix)
            return factor if operator is matrix else Corrected(operator, factor, definite=True)
        except SingularMatrix:
            pass
    factor = Factorisation(plan, matrix)
    return factor if operator is matrix else Corrected(operator, factor, definite=False)


def _hidden_matrix(problem, route, system, state):
    """∂(solve @ drift)/∂(hidden fields): its sparse part, and the whole."""
    hidden, solve = problem.hidden, np.array(route.solve)
    slopes = np.einsum("ec,ckhw->ekhw", solve, kinetic_slopes(system, state)[1][:, hidden])
    spread = np.diag(solve[:, hidden] @ np.diag([float(system.diffusivities()[i]) for i in hidden]))
    part = Part.of(problem.grid, state[problem.observed])
    sparse = part.sparse(spread, slopes)
    return sparse, part.whole(sparse, spread)


def hidden_slopes(route: Route, factor, direct: np.ndarray):
    """∂h/∂q along the solution, shape (P, C−1, H, W), by the implicit function theorem; `direct` (P, C, H, W) is how
    the drift changes while the hidden fields stay."""
    rhs = np.einsum("ec,pchw->ehwp", np.array(route.solve), direct)
    solved = -factor.solve(rhs.reshape(-1, len(direct)))
    return np.moveaxis(solved.reshape(rhs.shape), -1, 0)


@functools.partial(jax.jit, static_argnames=("system_class", "grid", "names", "route"))
def _test_parts(system_class, grid, names, route, fix, values, state, directions, tangents):
    """(residual, its scales), and their derivatives along each direction of the parameters and the state."""
    base = system_class(**system_class.defaults()).with_values(**fix)

    def parts(values, state):
        system = base.with_values(**dict(zip(names, values, strict=True)))
        residual = jnp.tensordot(jnp.array(route.test), OnGrid(system, grid).drift(state), 1)
        own = state[route.field]

        def balance(c):
            return jnp.tensordot(
                jnp.array(route.test), jnp.stack([r + 0 * c for r in system.kinetics(*state.at[route.field].set(c))]), 1
            )

        slope = jax.jvp(balance, (own,), (jnp.ones_like(own),))[1]
        size = jnp.std(own)
        spread = route.test[route.field] * system.diffusivities()[route.field]
        return residual, jnp.stack([spread * size, jnp.sqrt(jnp.mean(slope**2)) * size])

    along = jax.vmap(lambda v, s: jax.jvp(parts, (values, state), (v, s))[1])
    return parts(values, state), along(directions, tangents)


def test_residual(problem: Problem, route: Route, values: np.ndarray, state: np.ndarray, tangents: np.ndarray):
    """The equation that is left, the two scales (D·std, rms slope·std) that make it a relative change of the
    tested field, and the derivatives of all three along each number; `tangents` (P, C, H, W) is how the state follows.
    """
    parameters, directions = problem.parameters(values)
    with enable_x64():
        fix = {k: jnp.asarray(float(v)) for k, v in problem.fix.items()}
        out = _test_parts(
            problem.system_class, problem.grid, tuple(parameters), route, fix,
            jnp.asarray(list(parameters.values())), jnp.asarray(state), jnp.asarray(directions), jnp.asarray(tangents),
        )  # fmt: skip
        return jax.tree.map(np.asarray, out)
