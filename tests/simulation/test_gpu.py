"""The GPU engine: its kernels' own source run on the CPU (`gpu_on_cpu.py`) against the native engine, and on a card
where there is one. What the emulation cannot see, a missing barrier, shows on a card as a difference between runs."""

import dataclasses
import functools

import gpu_on_cpu
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from registry import REACTION_DIFFUSION, rough_state
from unstill import BadInput
from unstill.simulation import Grid, gpu, native, rollout, simulate
from unstill.simulation.gpu import layout as planning
from unstill.simulation.kernel_source import KernelSpec
from unstill.systems import GrayScott

ON_CARD = gpu.missing() is None
needs_compiler = pytest.mark.skipif(ON_CARD or not gpu_on_cpu.COMPILER, reason="no C++ compiler, or a real card")
needs_card = pytest.mark.skipif(not ON_CARD, reason=str(gpu.missing()))
# Of the largest value, after up to 51 steps: a few units in the last place a step, which gradients of 1 enlarge.
ROUND_OFF = {"float32": 1e-5, "float64": 1e-12}
FULL = gpu_on_cpu.HOPPER
ONE = dataclasses.replace(FULL, processors=1)  # as if all others were busy
CROWDED = dataclasses.replace(FULL, processors=0)  # not all tiles fit at once


@pytest.fixture
def card(monkeypatch):
    """The kernels where they can run: on the card, or here."""
    if not ON_CARD:
        gpu_on_cpu.install(monkeypatch)


def same(a, b, dtype):
    np.testing.assert_allclose(a, b, rtol=0, atol=ROUND_OFF[dtype] * max(1e-30, float(np.abs(b).max())))


def compare(system, grid, dtype, machine, *, samples=2, frames=2, every=7, clip=False, cellwise=()):
    """All three kernels against the native ones."""
    spec = KernelSpec(type(system), grid.boundary, dtype, cellwise, clip)
    dt, rng = float(system.dt), np.random.default_rng(3)
    job, native_job = gpu.Job(spec, grid, dt, machine), native.Job(spec, grid, dt)
    x = np.stack([rough_state(system, grid, seed) for seed in range(samples)]).astype(dtype)
    if clip:
        x = 1.3 * x - 0.1
    values = {name: float(value) for name, value in system.values().items()}
    p = np.array([[values[n] for n in values if n not in cellwise]] * samples, dtype)
    q = np.stack([values[n] * rng.uniform(0.9, 1.1, (samples, *grid.shape)) for n in cellwise], 1) if cellwise else None
    q = np.empty((samples, 0, *grid.shape), dtype) if q is None else q.astype(dtype)

    out, kept = native.rollout(native_job, x, p, q, frames=frames, every=every, checkpoints=True)
    ours, ours_kept = jax.jit(functools.partial(gpu.rollout, job, frames=frames, every=every, keep=True))(x, p, q)
    same(ours, out, dtype)
    bars = rng.standard_normal(out.shape).astype(dtype)
    truth = native.adjoint(native_job, kept, p, q, bars, every=every)
    for a, b in zip(
        jax.jit(functools.partial(gpu.adjoint, job, every=every))(bars, ours_kept, p, q), truth, strict=True
    ):
        if b.size:
            same(a, b, dtype)
    moves = [rng.standard_normal((samples, 2, *operand.shape[1:])).astype(dtype) for operand in (x, p, q)]
    moves[1] *= 0.1
    moves[2] *= 0.01
    truth = native.tangent(native_job, x, p, q, *moves, frames=frames, every=every)
    tangent = jax.jit(functools.partial(gpu.tangent, job, frames=frames, every=every))
    same(tangent(*moves, x, p, q)[0], truth, dtype)
    return job


@needs_compiler
@pytest.mark.parametrize(
    ("shape", "boundary", "machine", "kind"),
    [
        ((32, 32), "no-flux", FULL, "resident"),
        ((48, 64), "periodic", ONE, "resident"),
        ((21, 37), "no-flux", FULL, "standing"),
        ((70, 41), "periodic", FULL, "standing"),  # several tiles down and across
        ((21, 37), "periodic", CROWDED, "tiled"),
        ((140, 9), "no-flux", dataclasses.replace(gpu_on_cpu.AMPERE, processors=0), "tiled"),  # several tiles down
        ((140, 9), "periodic", dataclasses.replace(gpu_on_cpu.AMPERE, processors=0), "tiled"),
        ((9, 150), "no-flux", CROWDED, "tiled"),  # several across
        ((9, 150), "periodic", CROWDED, "tiled"),
    ],
)
def test_the_kernels_compute_what_the_native_ones_do(card, shape, boundary, machine, kind):
    job = compare(GrayScott(), Grid(shape, 1.0, boundary), "float64", machine, every=25 if kind == "standing" else 7)
    for part in ("forward", "tangent", "adjoint"):
        assert job.plan(part, 2).shape.resident == (kind == "resident")
    forward = job.plan("forward", 2).shape
    assert forward.standing == (kind == "standing")
    assert (forward.cluster > 1) == (machine is FULL and kind == "resident")


@needs_compiler
def test_float32_and_clamping(card):
    compare(GrayScott(), Grid((32, 32)), "float32", ONE)
    compare(GrayScott(), Grid((32, 32)), "float64", ONE, clip=True)
    compare(GrayScott(), Grid((20, 37)), "float64", FULL, clip=True)


@needs_compiler
def test_parameters_that_vary_over_cells(card):
    compare(GrayScott(), Grid((32, 32), 1.0, "no-flux"), "float64", ONE, cellwise=("F",))
    compare(GrayScott(), Grid((20, 37)), "float64", FULL, cellwise=("F", "k"))


@needs_compiler
@pytest.mark.parametrize("name", sorted(REACTION_DIFFUSION))
def test_every_system(card, name):
    compare(REACTION_DIFFUSION[name](), Grid((32, 32), 0.9), "float64", ONE, samples=1, frames=1, every=9)


@needs_compiler
def test_sparse_checkpoints_give_the_same_gradient(card):
    """Where a card is small, checkpoints are sparse and the adjoint lays the others."""
    small = gpu_on_cpu.Machine(processors=1, shared=FULL.shared // 8, clusters=True, memory=1)
    job = compare(GrayScott(), Grid((32, 32)), "float64", small, frames=3, every=17)
    depth = job.plan("adjoint", 2).depth
    assert job.checkpoint_stride(51, 2) > depth


@needs_compiler
def test_jax_transformations_of_the_engine(card):
    """grad, jvp, vmap and jit through the public rollout, without 64-bit JAX's help."""
    grid, state = Grid((32, 32)), jnp.asarray(rough_state(GrayScott(), Grid((32, 32))), jnp.float32)
    states = jnp.stack([state, 0.9 * state])

    def loss(system, c, engine):
        return jnp.sum(jax.vmap(lambda x: rollout(system, x, steps=11, grid=grid, engine=engine))(c) ** 2)

    system = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), GrayScott())
    for transformed in (jax.grad, lambda f, argnums: jax.jit(jax.jacfwd(f, argnums), static_argnums=2)):
        ours, truth = (transformed(loss, argnums=0)(system, states, engine) for engine in ("gpu", "xla"))
        for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(truth), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4)
    with pytest.raises(NotImplementedError, match="second derivatives"):
        jax.hessian(lambda s: loss(s, states, "gpu"))(system)


@needs_compiler
def test_simulate_on_the_gpu_engine(card):
    ours, truth = (
        simulate("gray-scott", steps=120, samples=3, seed=2, grid=Grid((32, 32)), save_every=40, engine=engine)
        for engine in ("gpu", "native")
    )
    np.testing.assert_allclose(ours.state, truth.state, atol=1e-12)
    np.testing.assert_allclose(ours.frames, truth.frames, atol=1e-12)
    assert ours.status == truth.status


@pytest.mark.parametrize("part", ["forward", "tangent", "adjoint"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(128, 128), (96, 64), (256, 256), (100, 70), (1024, 1024), (3, 3)])
def test_plans_fit_the_machine(part, dtype, shape):
    spec = KernelSpec(GrayScott, "periodic", dtype)
    for machine in (FULL, gpu_on_cpu.AMPERE):
        depths = set()
        for samples in (1, 8, 132, 1056):
            chosen = planning.plan(spec, Grid(shape), part, samples, machine)
            assert chosen.shared <= machine.shared // chosen.shape.together
            assert min(chosen.owned) > 0
            assert chosen.shape.cluster == 1 or machine.clusters
            if chosen.shape.standing:
                assert samples * chosen.blocks <= machine.processors * chosen.shape.together
                assert chosen.reaches_neighbours_alone
            if chosen.shape.resident:
                assert chosen.shape.size == shape
            depths.add(chosen.depth)
        assert len(depths) == 1 or part != "adjoint"  # checkpoints must suit any number of samples


def test_without_a_card_the_refusal_says_what_is_missing():
    if ON_CARD:
        pytest.skip("there is a card")
    with pytest.raises(BadInput, match="cannot be used here"):
        rollout(GrayScott(), np.ones((2, 8, 8)), steps=2, engine="gpu")
    assert gpu.missing()


# --- on a card --------------------------------------------------------------------------------------------------------


@needs_card
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("boundary", "shape", "samples"),
    [("periodic", (128, 128), 1), ("no-flux", (128, 128), 140), ("periodic", (256, 256), 2), ("no-flux", (130, 90), 3)],
)
def test_on_a_card(dtype, boundary, shape, samples):
    compare(GrayScott(), Grid(shape, 1.0, boundary), dtype, gpu.machine(), samples=samples)


@needs_card
def test_runs_on_a_card_are_equal_to_the_bit():
    """A race would show as a difference."""
    grid = Grid((128, 128))
    states = jnp.stack([jnp.asarray(rough_state(GrayScott(), grid, seed), jnp.float32) for seed in range(20)])

    def loss(system, c):
        return jnp.sum(jax.vmap(lambda x: rollout(system, x, steps=500, grid=grid))(c) ** 2)

    system = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), GrayScott())
    runs = [jax.tree.leaves(jax.value_and_grad(loss, (0, 1))(system, states)) for _ in range(4)]
    for run in runs[1:]:
        for a, b in zip(run, runs[0], strict=True):
            np.testing.assert_array_equal(a, b)
