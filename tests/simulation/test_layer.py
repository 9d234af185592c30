"""`Simulator`: one meaning with `rollout` over batches, overrides and derivatives; and the example that trains it."""

import importlib
import importlib.util
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from registry import GRIDS, REACTION_DIFFUSION, rough_state
from unstill import BadInput
from unstill.simulation import rollout
from unstill.simulation.layer import Simulator, check_motion
from unstill.systems import GrayScott, Lorenz

GRID = GRIDS["periodic"]


def states(count=3):
    return jnp.stack([jnp.asarray(rough_state(GrayScott(), GRID, seed)) for seed in range(count)])


@pytest.mark.parametrize("name", REACTION_DIFFUSION)
@pytest.mark.parametrize("boundary", GRIDS)
def test_a_batch_moves_as_its_samples_do_by_rollout(name, boundary):
    system, grid = REACTION_DIFFUSION[name](), GRIDS[boundary]
    batch = jnp.stack([jnp.asarray(rough_state(system, grid, seed)) for seed in range(3)])
    simulator = Simulator(system, grid, steps=6, save_every=2)
    expected = jnp.stack([rollout(system, one, steps=6, grid=grid, save_every=2) for one in batch])
    np.testing.assert_array_equal(simulator(batch), expected)
    np.testing.assert_array_equal(simulator(batch[0]), expected[0])
    np.testing.assert_array_equal(Simulator(system, grid, steps=6)(batch), expected[:, -1])


SHAPES = [(), (3,), GRID.shape, (3, *GRID.shape)]


@pytest.mark.parametrize(("engine", "shape"), [*(("native", s) for s in SHAPES), ("xla", SHAPES[-1])], ids=str)
def test_parameters_override_in_every_shape(engine, shape, rng):
    F = rng.uniform(0.02, 0.06, shape)
    out = Simulator(GrayScott(), GRID, steps=5, engine=engine)(states(), F=F, k=0.06)
    for m, start in enumerate(states()):
        system = GrayScott(F=F[m] if len(shape) in (1, 3) else F, k=0.06)
        np.testing.assert_allclose(out[m], rollout(system, start, steps=5, grid=GRID, engine=engine), rtol=1e-13)


@pytest.mark.parametrize("engine", ["native", "xla"])
def test_gradients_of_a_network_through_the_layer_against_central_differences(engine):
    """The network sees the state and gives F of every cell; the system's own parameters are trained beside it."""

    class Model(eqx.Module):
        network: eqx.nn.Conv2d
        simulator: Simulator

        def __call__(self, batch):
            fields = 0.04 + 0.01 * jnp.tanh(jax.vmap(self.network)(batch))
            return self.simulator(batch, F=fields[:, 0])

    network = eqx.nn.Conv2d(2, 1, 3, padding="SAME", padding_mode="CIRCULAR", key=jax.random.key(0))
    model = Model(network, Simulator(GrayScott(), GRID, steps=7, engine=engine))

    @eqx.filter_jit
    def loss(model):
        return jnp.sum(model(states())[:, 1] ** 2)

    gradient = eqx.filter_grad(loss)(model)
    assert float(gradient.simulator.system.F) == 0  # overridden
    rng = np.random.default_rng(3)
    direction = jax.tree.map(lambda leaf: 0.1 * rng.standard_normal(leaf.shape), eqx.filter(model, eqx.is_array))
    ends = [float(loss(eqx.apply_updates(model, jax.tree.map(lambda d, s=s: s * d, direction)))) for s in (1e-5, -1e-5)]
    slope = sum(float(jnp.vdot(g, d)) for g, d in zip(*map(jax.tree.leaves, (gradient, direction)), strict=True))
    assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-6)  # truncation h², round-off 1e-16/h


def test_training_recovers_the_kill_rate():
    """Every leaf is trainable; here one is wrong, and the optimiser finds it."""
    target = Simulator(GrayScott(k=0.06), GRID, steps=20)(states())
    simulator = Simulator(GrayScott(k=0.05), GRID, steps=20)
    wanted = eqx.tree_at(lambda s: s.system.k, jax.tree.map(lambda _: False, simulator), True)
    moving, fixed = eqx.partition(simulator, wanted)
    optimiser = optax.adam(1e-3)
    memory = optimiser.init(moving)

    @eqx.filter_jit
    def step(moving, memory):
        gradient = eqx.filter_grad(lambda m: jnp.mean((eqx.combine(m, fixed)(states()) - target) ** 2))(moving)
        updates, memory = optimiser.update(gradient, memory)
        return eqx.apply_updates(moving, updates), memory

    for _ in range(150):
        moving, memory = step(moving, memory)
    assert float(moving.system.k) == pytest.approx(0.06, abs=1e-4)


def test_float32_states_stay_float32():
    out = Simulator(GrayScott(), GRID, steps=5)(states().astype(jnp.float32), F=np.full(GRID.shape, 0.035))
    assert out.dtype == jnp.float32
    np.testing.assert_allclose(out, Simulator(GrayScott(), GRID, steps=5)(states()), rtol=1e-5)  # float32 round-off


def test_second_derivatives_only_by_xla():
    def of(engine):
        return lambda F: jnp.sum(Simulator(GrayScott(), GRID, steps=3, engine=engine)(states()[0], F=F) ** 2)

    with pytest.raises(NotImplementedError, match='engine="xla"'):
        jax.hessian(of("native"))(0.035)
    assert np.isfinite(float(jax.hessian(of("xla"))(0.035)))


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"steps": 0}, "steps"),
        ({"steps": 5, "save_every": 2}, "save_every"),
        ({"steps": 5, "dt": -1.0}, "dt"),
        ({"steps": 5, "stepper": "leapfrog"}, "stepper"),
    ],
)
def test_bad_options_are_refused_when_the_layer_is_made(options, argument):
    with pytest.raises(BadInput, match=f"`{argument}`"):
        Simulator(GrayScott(), GRID, **options)


def test_only_reaction_diffusion_systems():
    with pytest.raises(BadInput, match="reaction–diffusion"):
        check_motion(Lorenz(), 5, None, None)


BAD_CALLS = {
    "state": [(jnp.zeros((2, 12, 11)), {}), (jnp.zeros((12, 10)), {}), (jnp.zeros((4, 3, 12, 10)), {})],
    "F": [(states()[0], {"F": jnp.zeros(3)}), (states(), {"F": jnp.zeros(2)}), (states(), {"F": jnp.zeros((3, 3))})],
    "Du": [(states(), {"Du": jnp.zeros(GRID.shape)})],
    "feed": [(states(), {"feed": 0.03})],
}


@pytest.mark.parametrize(("argument", "call"), [(a, c) for a, calls in BAD_CALLS.items() for c in calls])
def test_bad_calls_are_refused(argument, call):
    state, parameters = call
    with pytest.raises(BadInput, match=f"`{argument}`"):
        Simulator(GrayScott(), GRID, steps=5)(state, **parameters)


def test_without_pytorch_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "unstill.simulation.torch_layer", raising=False)
    with pytest.raises(BadInput, match=r"unstill\[torch\]"):
        importlib.import_module("unstill.simulation.torch_layer")


def test_the_example_trains_and_draws(tmp_path):
    """A few seconds of it: both losses fall at once, and far from their floor."""
    path = Path(__file__).parents[2] / "examples" / "steer_pattern.py"
    spec = importlib.util.spec_from_file_location("steer_pattern", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    for losses in example.main(size=24, iterations=12, steps=160, picture=tmp_path / "layer.png"):
        assert np.isfinite(losses).all()
        assert np.mean(losses[-3:]) < 0.95 * np.mean(losses[:3])
    assert (tmp_path / "layer.png").stat().st_size > 10_000
