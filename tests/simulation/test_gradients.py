"""Every gradient against central differences and by the dot-product test, over systems × boundaries by registry."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from registry import GRIDS, REACTION_DIFFUSION, rough_state
from unstill.simulation import Grid, native, rollout
from unstill.systems import GrayScott

SYSTEMS = pytest.mark.parametrize("name", REACTION_DIFFUSION)
BOUNDARIES = pytest.mark.parametrize("boundary", GRIDS)
STEPS = 13  # not a multiple of the checkpoint length, 4


def weights(shape):
    return jnp.asarray(np.random.default_rng(7).standard_normal(shape))


def scalar_loss(grid, **options):
    def loss(system, state):
        out = rollout(system, state, steps=STEPS, grid=grid, **options)
        return jnp.sum(weights(out.shape) * out) + jnp.sum(out**2)

    return loss


def central_differences(loss, values: jax.Array, directions, h):
    return np.array([(loss(values + h * d) - loss(values - h * d)) / (2 * h) for d in directions])


@SYSTEMS
@BOUNDARIES
def test_native_gradients_against_central_differences(name, boundary):
    system, grid = REACTION_DIFFUSION[name](), GRIDS[boundary]
    state = jnp.asarray(rough_state(system, grid))
    loss = scalar_loss(grid, engine="native")
    g_system, g_state = jax.grad(loss, (0, 1))(system, state)
    # central differences of a float64 rollout: truncation h², round-off 1e-16/h; h = 1e-5 leaves about 1e-9
    for parameter in system.parameters():
        value = float(getattr(system, parameter))
        h = 1e-5 * max(abs(value), 0.1)
        ends = [loss(system.with_values(**{parameter: value + s * h}), state) for s in (1, -1)]
        numeric = float(ends[0] - ends[1]) / (2 * h)
        assert float(getattr(g_system, parameter)) == pytest.approx(numeric, rel=1e-6, abs=1e-6)
    direction = weights(state.shape)
    numeric = central_differences(lambda x: float(loss(system, x)), state, [direction], 1e-6)[0]
    assert float(jnp.vdot(g_state, direction)) == pytest.approx(numeric, rel=1e-6)


@SYSTEMS
@BOUNDARIES
@pytest.mark.parametrize("engine", ["native", "xla"])
def test_dot_product(name, boundary, engine):
    """⟨λ, J δ⟩ = ⟨Jᵀλ, δ⟩: the tangent and the adjoint are transposes, to round-off."""
    system, grid = REACTION_DIFFUSION[name](), GRIDS[boundary]
    state = jnp.asarray(rough_state(system, grid))

    def move(system, state):
        return rollout(system, state, steps=12, save_every=4, grid=grid, engine=engine)

    system = jax.tree.map(jnp.asarray, system)
    delta = jax.tree.map(lambda leaf: 0.1 * weights(leaf.shape), (system, state))
    out, moved = jax.jvp(move, (system, state), delta)
    bar = weights(out.shape)
    back = jax.vjp(move, system, state)[1](bar)
    right = sum(float(jnp.vdot(a, b)) for a, b in zip(jax.tree.leaves(back), jax.tree.leaves(delta), strict=True))
    assert float(jnp.vdot(bar, moved)) == pytest.approx(right, rel=1e-10)


@pytest.mark.parametrize("options", [{}, {"clip": True}, {"save_every": 13}], ids=str)
@BOUNDARIES
def test_engines_give_the_same_gradient(boundary, options):
    grid = GRIDS[boundary]
    state = jnp.asarray(rough_state(GrayScott(), grid)) * 1.3 - 0.1
    a, b = (jax.grad(scalar_loss(grid, engine=e, **options), (0, 1))(GrayScott(), state) for e in ("native", "xla"))
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-12), a, b)


@BOUNDARIES
def test_cellwise_parameter_fields(boundary, rng):
    grid = GRIDS[boundary]
    state = jnp.asarray(rough_state(GrayScott(), grid))
    fields = jnp.asarray(rng.uniform(0.02, 0.06, grid.shape))

    def loss(F, engine="native"):
        return scalar_loss(grid, engine=engine)(GrayScott().with_values(F=F), state)

    gradient, direction = jax.grad(loss)(fields), weights(grid.shape)
    numeric = central_differences(lambda F: float(loss(F)), fields, [direction], 1e-6)[0]
    assert float(jnp.vdot(gradient, direction)) == pytest.approx(numeric, rel=1e-6)
    np.testing.assert_allclose(gradient, jax.grad(lambda F: loss(F, "xla"))(fields), rtol=1e-10)


def test_every_first_order_transformation_agrees():
    grid, system = GRIDS["periodic"], GrayScott()
    state = jnp.asarray(rough_state(system, grid))
    loss = scalar_loss(grid, engine="native")

    def of(F, x=state):
        return loss(system.with_values(F=F), x)

    F = jnp.asarray(0.035)
    expected = float(jax.grad(scalar_loss(grid, engine="xla"))(system, state).F)
    several = jnp.array([0.03, 0.035, 0.04])
    states = jnp.stack([state, state[:, ::-1], state])

    def chained(F):  # a rollout inside scan, inside grad
        step = lambda x, _: (rollout(system.with_values(F=F), x, steps=5, grid=grid, engine="native"), None)  # noqa: E731
        return jnp.sum(jax.lax.scan(step, state, None, length=3)[0] ** 2)

    def unchained(F):
        return jnp.sum(rollout(system.with_values(F=F), state, steps=15, grid=grid, engine="xla") ** 2)

    results = {
        "grad": jax.grad(of)(F),
        "jit": jax.jit(jax.grad(of))(F),
        "jacfwd": jax.jacfwd(of)(F),
        "jacrev": jax.jacrev(of)(F),
        "vmap of grad": jax.vmap(jax.grad(of))(several)[1],
        "grad of vmap": jax.grad(lambda F: jnp.sum(jax.vmap(of, (None, 0))(F, states)))(F) - jax.grad(of)(F, states[1]),
        "checkpoint": jax.grad(jax.checkpoint(of))(F),
        "jit of vmap of jacfwd": jax.jit(jax.vmap(jax.jacfwd(of)))(several)[1],
    }
    for name, value in results.items():
        target = 2 * expected if name == "grad of vmap" else expected
        assert float(value) == pytest.approx(target, rel=1e-9), name
    assert float(jax.grad(chained)(F)) == pytest.approx(float(jax.grad(unchained)(F)), rel=1e-9)


def test_jacfwd_of_all_parameters_moves_the_state_once(monkeypatch):
    grid, system = GRIDS["periodic"], GrayScott()
    state, calls = jnp.asarray(rough_state(system, grid)), []
    original = native.tangent
    monkeypatch.setattr(native, "tangent", lambda *a, **k: calls.append(a[4].shape[:2]) or original(*a, **k))
    theta = jnp.array([0.16, 0.08, 0.035, 0.065])

    def final(theta):
        names = system.parameters()
        return rollout(
            system.with_values(**dict(zip(names, theta, strict=True))), state, steps=9, grid=grid, engine="native"
        )

    assert jax.jacfwd(final)(theta).shape == (*state.shape, 4)
    assert calls == [(1, 4)]  # one sample, four directions


@pytest.mark.parametrize(
    "second", [jax.hessian, lambda f: jax.jacrev(jax.jacrev(f)), lambda f: jax.jacfwd(jax.jacfwd(f))]
)
def test_second_derivatives_say_what_to_do(second):
    grid, state = GRIDS["periodic"], jnp.asarray(rough_state(GrayScott(), GRIDS["periodic"]))

    def of(F, engine):
        return scalar_loss(grid, engine=engine)(GrayScott().with_values(F=F), state)

    with pytest.raises(NotImplementedError, match='engine="xla"'):
        second(lambda F: of(F, "native"))(0.035)
    assert np.isfinite(float(jax.hessian(lambda F: of(F, "xla"))(0.035)))


def test_gradient_of_an_empty_motion_and_of_one_step():
    state = jnp.asarray(rough_state(GrayScott(), GRIDS["periodic"]))
    assert jnp.array_equal(jax.grad(lambda x: rollout(GrayScott(), x, steps=0).sum())(state), jnp.ones_like(state))
    one = [
        jax.grad(lambda x, e=e: (rollout(GrayScott(), x, steps=1, engine=e) ** 2).sum())(state)
        for e in ("native", "xla")
    ]
    np.testing.assert_allclose(*one, rtol=1e-12)


@pytest.mark.parametrize("steps", [1, 2, 7, 100, 4000, 10_000, 40_000])
def test_memory_of_a_gradient_grows_with_the_cube_root_of_the_steps(steps):
    """Counted: checkpoints, inner checkpoints and one block are all that is kept."""
    stride = native.checkpoint_stride(steps)
    length = native.block_length(stride)
    assert -(-steps // stride) + -(-stride // length) + length <= 3 * steps ** (1 / 3) + 3


def test_large_gradients_fit_in_little_memory():
    """4,000 steps at 64² hold 3·4000^⅓ states of 64 kB, 3 MB, and not 4,000 states, 260 MB."""
    import tracemalloc

    grid = Grid((64, 64))
    state = jnp.asarray(rough_state(GrayScott(), grid))
    gradient = jax.grad(lambda x: rollout(GrayScott(), x, steps=4000, grid=grid, engine="native").sum())
    gradient(state[:, :, :])
    tracemalloc.start()
    gradient(state)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6
