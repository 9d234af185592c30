"""Weak-form matrices: means of test field × drift over cells, with the bias of measurement noise taken out.

Bias of noise. Pictures y = c + η with white Gaussian η of standard deviation s_a in field a. For a polynomial P,
E[P(y + i s ξ)] over η and an independent standard normal ξ is P(c): the imaginary noise undoes the real one (the heat
equation run backwards, exp(−s²∂²/2)). So each cell's own value is shifted to y + i s ξ at Gauss–Hermite nodes ξ and the
results are averaged. That includes the cell's own share in ∇²c and in filtered fields; its neighbours carry
independent noise and are left alone, save that a filtered field and ∇²c at one cell share neighbours: their product
has the bias s²(G∇²) at the diagonal. Four nodes a field are exact while test field × kinetics has degree ≤ 7 in each
field; for kinetics that are no polynomials (a²/h) the correction is the analytic continuation: right to high order in
s over the distance to the singularity.
"""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from .._jax import enable_x64
from ..simulation import Grid
from ..systems import ReactionDiffusion
from .functionals import TestSpace

_NODES = 4


@dataclasses.dataclass(frozen=True)
class Model:
    """A system class on a grid with some parameters free: drift c ↦ f(c; θ) as columns f and ∂f/∂θ_j."""

    system_class: type[ReactionDiffusion]
    grid: Grid
    free: tuple[str, ...]
    fix: tuple[tuple[str, float], ...] = ()

    def drift(self, theta, c, laplacian):
        """f at each cell, shape of c, from the state and its Laplacian; θ in the order of `free`."""
        values = {**dict(self.fix), **{name: theta[i] for i, name in enumerate(self.free)}}
        system = self.system_class().with_values(**values)
        rates = system.kinetics(*c)
        spread = [D * L for D, L in zip(system.diffusivities(), laplacian, strict=True)]
        return jnp.stack([R + S for R, S in zip(rates, spread, strict=True)])

    def columns(self, theta, c, laplacian):
        """f and its derivative by each free parameter: shape (1 + P, C, …)."""
        basis = jnp.eye(len(self.free))
        f = functools.partial(self.drift, c=c, laplacian=laplacian)
        return jnp.stack([f(theta), *(jax.jvp(f, (theta,), (e,))[1] for e in basis)])


def _mirror(grid: Grid, c):
    """A periodic picture that restricts to c: itself, or (no-flux) its even extension."""
    if grid.boundary == "periodic":
        return c
    c = jnp.concatenate([c, c[..., ::-1]], -1)
    return jnp.concatenate([c, c[..., ::-1, :]], -2)


def _half_masks(space: TestSpace) -> np.ndarray:
    """The band filters on the half spectrum of the mirrored picture."""
    if space.grid.boundary == "periodic":
        return space.masks[..., : space.grid.shape[1] // 2 + 1]
    rows = np.concatenate([space.masks, 0 * space.masks[:, :1], space.masks[:, :0:-1]], 1)
    return np.concatenate([rows, 0 * rows[..., :1]], 2)


def _mirrored_width(grid: Grid) -> int:
    return grid.shape[1] * (1 if grid.boundary == "periodic" else 2)


def _half_spectrum(grid: Grid, c):
    """Coefficients such that ⟨a · G b⟩ over cells is the sum of a_hat · G · conj(b_hat) over the full spectrum."""
    extended = _mirror(grid, c)
    return jnp.fft.rfft2(extended) / (extended.shape[-2] * extended.shape[-1])


def _band_filter(space: TestSpace, z):
    """G_k z_a for every field a and band k: shape (C, bands, H, W)."""
    grid, masks = space.grid, _half_masks(space)
    extended = _mirror(grid, z)
    z_hat = jnp.fft.rfft2(extended)
    filtered = jnp.fft.irfft2(z_hat[:, None] * masks[None], s=extended.shape[-2:])
    return filtered[..., : grid.shape[0], : grid.shape[1]]


def _diagonals(grid: Grid, symbols: Float[np.ndarray, "K H W"]) -> Float[np.ndarray, "K H W"]:
    """The diagonals of operators given by their eigenvalues: a cell's share in its own filtered value."""
    if grid.boundary == "periodic":
        return np.broadcast_to(symbols.mean((1, 2))[:, None, None], symbols.shape)
    squares = []
    for n in grid.shape:
        modes = np.cos(np.pi * np.arange(n)[:, None] * (np.arange(n) + 0.5) / n) ** 2 * 2 / n
        modes[0] /= 2
        squares.append(modes)
    return np.einsum("kpq,px,qy->kxy", symbols, *squares, optimize=True)


def _shifts(noise: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Imaginary shifts (nodes, C) and their weights; one of each conjugate pair, since only real parts are used."""
    axes = []
    for s in noise:
        x, w = np.polynomial.hermite_e.hermegauss(_NODES) if s > 0 else (np.zeros(1), np.ones(1))
        axes.append([(1j * s * xi, wi / w.sum()) for xi, wi in zip(x, w, strict=True)])
    nodes = list(itertools.product(*axes))
    shifts = np.array([[x for x, _ in node] for node in nodes])
    weights = np.array([np.prod([w for _, w in node]) for node in nodes])
    half = len(nodes) // 2
    if half:  # nodes are symmetric: node j and node −1−j are conjugates
        shifts, weights = shifts[:half], 2 * weights[:half]
    return shifts, weights


def _tiles(c, tiles: int):
    """(…, H, W) → (…, tiles², cells): equal tiles; rows and columns left over at the far edges are dropped."""
    h, w = c.shape[-2] // tiles, c.shape[-1] // tiles
    c = c[..., : h * tiles, : w * tiles].reshape(*c.shape[:-2], tiles, h, tiles, w)
    return jnp.moveaxis(c, -3, -2).reshape(*c.shape[:-4], tiles * tiles, h * w)


def _pair(fields, columns, tiles: int):
    """Means over each tile of field_i × column_(j,a): shape (tiles², fields, C, columns)."""
    a, b = _tiles(fields, tiles), _tiles(columns, tiles)
    return jnp.real(jnp.einsum("itx,jatx->tiaj", a, b)) / a.shape[-1]


def _unit_space(model: Model, degree: int, bands: int) -> TestSpace:
    """The test space without its scales, which are run-time arguments: new pictures must not compile anything."""
    fields = len(model.system_class.fields)
    return TestSpace(model.grid, (0.0,) * fields, (1.0,) * fields, degree, bands)


def _common_bias(model, space, tiles, own, mu, variances, theta):
    """E[(G η_b)(∇²η_a)] = δ_ab s² (G∇²) at the diagonal; the shifts remove G(diagonal) ∇²(diagonal) of it."""
    (own_laplacian, own_bands), C = own, len(mu)
    shared = _diagonals(model.grid, space.masks * model.grid.symbol) - own_bands * own_laplacian
    unit = jnp.ones((C, 1))
    spread = (model.columns(theta, mu[..., 0], unit) - model.columns(theta, mu[..., 0], 0 * unit))[..., 0]  # ∂f/∂(∇²c)
    each = jnp.einsum("kt,b,jb->tkbj", _tiles(shared, tiles).mean(-1), variances, spread)
    return jnp.concatenate([each[:, :, b, None, :] * jnp.eye(C)[b][None, None, :, None] for b in range(C)], 1)


@functools.partial(jax.jit, static_argnames=("model", "shape", "tiles", "noisy"))
def _moments(model, shape, tiles, noisy, mean, scale, states, theta, shifts, weights, variances):
    space = _unit_space(model, *shape)
    mu, sd = mean[:, None, None], scale[:, None, None]
    grid = model.grid
    own_laplacian = _diagonals(grid, grid.symbol[None])[0]
    own_bands = _diagonals(grid, space.masks)
    common = _common_bias(model, space, tiles, (own_laplacian, own_bands), mu, variances / scale, theta)

    def one(c):
        laplacian = grid.laplacian(c)
        bands = _band_filter(space, (c - mu) / sd)
        flat = bands.reshape(-1, *c.shape[1:])

        def at_node(shift):
            moved = c + shift[:, None, None]
            z = (moved - mu) / sd
            monomials = jnp.stack([_monomial(z, e) for e in space.field_exponents])
            return monomials, model.columns(theta, moved, laplacian + shift[:, None, None] * own_laplacian[None])

        if not noisy:
            monomials, columns = at_node(jnp.zeros(len(mean)))
            return _pair(jnp.concatenate([monomials, flat]), columns, tiles)

        def add(total, node):
            shift, weight = node
            monomials, columns = at_node(shift)
            columns = weight * columns
            means, plain, leaning = total
            lean = jnp.real((shift / scale)[:, None, None, None, None] * columns[None])
            return (means + _pair(monomials, columns, tiles), plain + jnp.real(columns), leaning + lean), None

        C, P = len(mean), len(model.free)
        n = len(space.field_exponents)
        start = (jnp.zeros((tiles**2, n, C, 1 + P)), jnp.zeros((1 + P, *c.shape)), jnp.zeros((C, 1 + P, *c.shape)))
        (means, plain, leaning), _ = jax.lax.scan(add, start, (shifts, weights))
        filtered = _pair(flat, plain, tiles)
        own = jnp.concatenate([_pair(own_bands, leaning[b], tiles) for b in range(C)], 1)
        return jnp.concatenate([means, filtered + (own - common)], 1)

    result = jax.lax.map(one, states)
    return result.reshape(-1, *result.shape[2:])


def _monomial(z, exponents):
    product = jnp.ones_like(z[0])
    for za, n in zip(z, exponents, strict=True):
        if n:
            product = product * za**n
    return product


def field_moments(
    model: Model,
    space: TestSpace,
    states: Float[np.ndarray, "M C H W"],
    theta: Float[np.ndarray, " P"],
    *,
    noise: tuple[float, ...],
    tiles: int = 1,
) -> Float[np.ndarray, "S fields C 1+P"]:
    """⟨z_i f_a⟩ (last index 0) and ⟨z_i ∂f_a/∂θ_j⟩ (last index 1 + j), one sample S a tile of each picture.

    `noise` is the standard deviation of white noise in each field; the means are those of the noise-free pictures, in
    expectation. `tiles` cuts each picture into tiles × tiles. Test fields are in the order of `TestSpace`.
    """
    shifts, weights = _shifts(noise)
    with enable_x64():
        out = _moments(
            model, (space.degree, space.bands), tiles, any(noise),
            *map(jnp.asarray, (space.mean, space.scale, states, theta, shifts, weights, np.square(noise))),
        )  # fmt: skip
        return np.asarray(out)


@functools.partial(jax.jit, static_argnames=("model", "shape"))
def _second_order(model, shape, mean, scale, hessians, states, minus, theta):
    space = _unit_space(model, *shape)
    mu, sd = mean[:, None, None], scale[:, None, None]
    masks = _half_masks(space)
    twice = np.full(masks.shape[-1], 2.0)  # a half spectrum holds one mode of each mirror pair
    twice[0] = 1
    if _mirrored_width(model.grid) % 2 == 0:
        twice[-1] = 1
    weights = jnp.asarray((masks * twice).reshape(len(masks), -1).T)

    def one(pair):
        c, other = pair
        f = model.drift(theta, c, model.grid.laplacian(c))
        if minus is not None:
            f = f - model.drift(theta, other, model.grid.laplacian(other))
        monomials = jnp.stack([_monomial((c - mu) / sd, e) for e in space.field_exponents])
        means = _pair(monomials, f[:, None] * f[None], 1)[0]
        f_hat = _half_spectrum(model.grid, f / sd)
        products = jnp.stack([jnp.real(f_hat[a] * jnp.conj(f_hat[b])) for a, b in space.pairs])
        forms = products.reshape(len(products), -1) @ weights
        return jnp.concatenate([jnp.einsum("niab,iab->n", hessians, means) / 2, forms.ravel()])

    return jax.lax.map(one, (states, states if minus is None else minus))


def step_moments(
    model: Model,
    space: TestSpace,
    states: Float[np.ndarray, "M C H W"],
    theta: Float[np.ndarray, " P"],
    *,
    minus: Float[np.ndarray, "M C H W"] | None = None,
) -> Float[np.ndarray, "M functionals"]:
    """½ f·∇²φ·f a picture and functional: what a finite time step adds to ∇φ·f.

    Pictures from an explicit Euler scheme of step h keep φ(c + h f) − φ(c) = h ∇φ·f + h² ½ f·∇²φ·f + O(h³) at 0 in the
    mean (no third term for quadratic φ). With `minus`, f is the difference of the drifts of `states` and `minus`.
    """
    with enable_x64():
        constants = map(jnp.asarray, (space.mean, space.scale, space.hessians))
        other = None if minus is None else jnp.asarray(minus)
        shape = (space.degree, space.bands)
        return np.asarray(_second_order(model, shape, *constants, jnp.asarray(states), other, jnp.asarray(theta)))


@functools.partial(jax.jit, static_argnames=("model",))
def _drift_squares(model, states, minus, theta):
    def one(pair):
        c, other = pair
        f = model.drift(theta, c, model.grid.laplacian(c))
        rates = model.drift(theta, c, jnp.zeros_like(c))
        squares = f if minus is None else f - model.drift(theta, other, model.grid.laplacian(other))
        return (squares**2).mean((1, 2)), (rates**2 + (f - rates) ** 2).mean((1, 2))

    squares, terms = jax.lax.map(one, (states, states if minus is None else minus))
    return squares.mean(0), terms.mean(0)


def drift_squares(
    model: Model,
    states: Float[np.ndarray, "M C H W"],
    theta: Float[np.ndarray, " P"],
    *,
    minus: Float[np.ndarray, "M C H W"] | None = None,
) -> tuple[Float[np.ndarray, " C"], Float[np.ndarray, " C"]]:
    """⟨f_a²⟩ over cells and pictures, and the same of its two terms, ⟨R_a²⟩ + ⟨(D∇²c_a)²⟩.

    With `minus` the first is that of the difference of the drifts of `states` and `minus`.
    """
    with enable_x64():
        other = None if minus is None else jnp.asarray(minus)
        squares, terms = _drift_squares(model, jnp.asarray(states), other, jnp.asarray(theta))
        return np.asarray(squares), np.asarray(terms)
