"""The native engine's bookkeeping: threads, batches, chunks, frames and checkpoints change nothing; errors get out."""

import itertools
import os
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from registry import GRIDS, REACTION_DIFFUSION, rough_state
from unstill.simulation import Grid, native, rollout
from unstill.simulation.kernel_source import KernelSpec
from unstill.simulation.motion import Motion, sample, sample_axes
from unstill.simulation.native import Job
from unstill.systems import GrayScott

BOUNDARY = pytest.mark.parametrize("boundary", GRIDS)
NUMBERS = [0.16, 0.08, 0.035, 0.065]


def job_of(boundary="periodic", shape=(8, 7), dtype="float64", cellwise=(), clip=False, dt=0.7) -> Job:
    return Job(KernelSpec(GrayScott, boundary, dtype, cellwise, clip), Grid(shape, 1.1, boundary), dt)


def operands_of(job: Job, batch: int):
    """States of different seeds, and parameters that differ from sample to sample."""
    states = np.stack([rough_state(GrayScott(), job.grid, seed) for seed in range(batch)]).astype(job.dtype)
    p = np.array(NUMBERS)[None] * (1 + 0.05 * np.arange(batch))[:, None]
    names = tuple(GrayScott.parameters())
    q = np.stack([np.full((batch, *job.grid.shape), NUMBERS[names.index(n)]) for n in job.spec.cellwise] or [], 1) if (
        job.spec.cellwise
    ) else np.empty((batch, 0, *job.grid.shape))  # fmt: skip
    keep = [i for i, name in enumerate(names) if name not in job.spec.cellwise]
    return states, np.ascontiguousarray(p[:, keep]).astype(job.dtype), q.astype(job.dtype)


def everything(job: Job, x, p, q, *, frames=3, every=5):
    """Frames, checkpoints, tangents and adjoints of one call."""
    rng = np.random.default_rng(5)
    out, kept = native.rollout(job, x, p, q, frames=frames, every=every, checkpoints=True)
    directions = [rng.standard_normal((len(a), 2, *a.shape[1:])).astype(job.dtype) for a in (x, p, q)]
    moved = native.tangent(job, x, p, q, *directions, frames=frames, every=every)
    bars = rng.standard_normal(out.shape).astype(job.dtype)
    return out, kept, moved, *native.adjoint(job, kept, p, q, bars, every=every)


# --- threads and batches ----------------------------------------------------------------------------------------------


@BOUNDARY
def test_threads_change_no_bit(boundary, monkeypatch):
    job = job_of(boundary)
    operands = operands_of(job, 5)
    results = []
    for count in ("1", "2", "4"):
        monkeypatch.setenv("UNSTILL_THREADS", count)
        assert native.threads() == int(count)
        results.append(everything(job, *operands))
    for several in results[1:]:
        for a, b in zip(results[0], several, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("word", ["", "0", "-3", "many", "1.5"])
def test_a_nonsense_number_of_threads_is_the_machines(word, monkeypatch):
    monkeypatch.delenv("UNSTILL_THREADS", raising=False)
    usual = native.threads()
    monkeypatch.setenv("UNSTILL_THREADS", word)
    assert native.threads() == usual >= 1


@BOUNDARY
@pytest.mark.parametrize("cellwise", [(), ("F",)])
def test_samples_are_alone_in_their_batch(boundary, cellwise):
    """Each sample by itself gives the bits that it gives in company, in tangents and adjoints, too."""
    job = job_of(boundary, cellwise=cellwise)
    x, p, q = operands_of(job, 3)
    rng = np.random.default_rng(5)
    out, kept = native.rollout(job, x, p, q, frames=2, every=6, checkpoints=True)
    bars = rng.standard_normal(out.shape)
    gradients = native.adjoint(job, kept, p, q, bars, every=6)
    for m in range(3):
        one = slice(m, m + 1)
        alone, kept_alone = native.rollout(job, x[one], p[one], q[one], frames=2, every=6, checkpoints=True)
        np.testing.assert_array_equal(alone[0], out[m])
        np.testing.assert_array_equal(kept_alone[0], kept[m])
        for a, b in zip(native.adjoint(job, kept_alone, p[one], q[one], bars[one], every=6), gradients, strict=True):
            np.testing.assert_array_equal(a[0], b[m])


@BOUNDARY
def test_a_uniform_field_of_a_parameter_is_that_parameter(boundary):
    """Cellwise kernels against plain ones: same states, and the derivative by the number is the field's sum."""
    plain, field = job_of(boundary), job_of(boundary, cellwise=("F",))
    x, p, _ = operands_of(plain, 1)
    q = np.full((1, 1, *plain.grid.shape), p[0, 2])
    one = everything(plain, x, p, np.empty((1, 0, *plain.grid.shape)), frames=1, every=9)
    two = native.rollout(field, x, np.delete(p, 2, 1), q, frames=1, every=9, checkpoints=True)
    np.testing.assert_allclose(one[0], two[0], rtol=1e-14)
    bars = np.random.default_rng(1).standard_normal(one[0].shape)
    g = native.adjoint(plain, one[1], p, np.empty((1, 0, *plain.grid.shape)), bars, every=9)
    h = native.adjoint(field, two[1], np.delete(p, 2, 1), q, bars, every=9)
    np.testing.assert_allclose(h[2].sum((-1, -2))[0, 0], g[1][0, 2], rtol=1e-11)
    np.testing.assert_allclose(h[1][0], np.delete(g[1][0], 2), rtol=1e-11)
    np.testing.assert_allclose(h[0], g[0], rtol=1e-12, atol=1e-14)


# --- chunks, frames, checkpoints --------------------------------------------------------------------------------------


@pytest.mark.parametrize("chunk", [2, 4, 10])
def test_the_length_of_a_kernel_call_changes_no_bit(chunk, monkeypatch):
    """Calls return to Python now and then: odd rests of steps included."""
    job = job_of()
    operands = operands_of(job, 2)
    whole = everything(job, *operands, frames=2, every=13)
    monkeypatch.setattr(Job, "chunk", lambda self: chunk)
    for a, b in zip(whole, everything(job, *operands, frames=2, every=13), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("steps", "periods"), [(1, ()), (12, (5,)), (12, (4, 3)), (7, (9,)), (30, (1,))])
def test_events_are_the_multiples_and_the_end(steps, periods):
    expected = sorted({t for t in range(1, steps + 1) if any(t % n == 0 for n in periods)} | {steps})
    assert native._events(steps, *periods) == expected


@pytest.mark.parametrize("steps", [*range(1, 30), 63, 64, 65, 1000, 1331, 40_000])
def test_checkpoints_cover_the_motion(steps):
    stride = native.checkpoint_stride(steps)
    length = native.block_length(stride)
    assert 1 <= length <= stride <= steps
    assert stride - 1 < steps ** (2 / 3) <= stride + 1e-6
    assert length - 1 < np.sqrt(stride) <= length + 1e-6


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 8, 9, 15, 16, 27, 28])
def test_checkpoints_are_the_states_at_their_steps(steps):
    job = job_of()
    x, p, q = operands_of(job, 1)
    _, kept = native.rollout(job, x, p, q, frames=1, every=steps, checkpoints=True)
    stride = native.checkpoint_stride(steps)
    np.testing.assert_array_equal(kept[:, 0], x)
    for i in range(1, kept.shape[1]):
        np.testing.assert_array_equal(native.rollout(job, x, p, q, frames=1, every=i * stride)[:, 0], kept[:, i])
    assert (kept.shape[1] - 1) * stride < steps <= kept.shape[1] * stride


@BOUNDARY
@pytest.mark.parametrize(("frames", "every"), [(1, 1), (1, 8), (2, 1), (3, 9), (5, 2), (27, 1), (1, 28), (4, 7)])
def test_the_adjoint_is_the_transpose_whatever_the_checkpoints(boundary, frames, every):
    """⟨bars, tangent⟩ = ⟨adjoint, directions⟩ for one step, a whole stride, one more, and frames in between."""
    job = job_of(boundary, (5, 4))
    x, p, q = operands_of(job, 2)
    rng = np.random.default_rng(frames * 100 + every)
    dx, dp = rng.standard_normal((2, 3, *x.shape[1:])), 0.1 * rng.standard_normal((2, 3, 4))
    dq = np.empty((2, 3, *q.shape[1:]))
    _, kept = native.rollout(job, x, p, q, frames=frames, every=every, checkpoints=True)
    moved = native.tangent(job, x, p, q, dx, dp, dq, frames=frames, every=every)
    bars = rng.standard_normal((2, frames, *x.shape[1:]))
    gx, gp, _ = native.adjoint(job, kept, p, q, bars, every=every)
    left = np.einsum("btchw,bktchw->bk", bars, moved)
    right = np.einsum("bchw,bkchw->bk", gx, dx) + np.einsum("bp,bkp->bk", gp, dp)
    np.testing.assert_allclose(left, right, rtol=1e-11)


@pytest.mark.parametrize("name", REACTION_DIFFUSION)
def test_tangents_against_the_complex_step(name):
    """Im f(x + i h d)/h, exact to round-off: the NumPy motion of the same kinetics with complex numbers."""
    cls = REACTION_DIFFUSION[name]
    system, grid, rng = cls(), Grid((5, 4)), np.random.default_rng(2)
    state, direction = rough_state(system, grid), rng.standard_normal((2, 5, 4))
    push = {parameter: rng.standard_normal() for parameter in cls.parameters()}
    h = 1e-30

    def laplacian(c):
        return sum(np.roll(c, s, a) for s, a in itertools.product((1, -1), (0, 1))) - 4 * c

    c = state + 1j * h * direction
    moved = system.with_values(**{n: float(getattr(system, n)) + 1j * h * d for n, d in push.items()})
    for _ in range(7):
        rates = moved.kinetics(*c)
        c = np.stack(
            [a + system.dt * (D * laplacian(a) + r) for a, D, r in zip(c, moved.diffusivities(), rates, strict=True)]
        )

    def ours(system, state):
        return rollout(system, state, steps=7, grid=grid, engine="native")

    arrays = jax.tree.map(jnp.asarray, system)
    along = arrays.with_values(**{n: jnp.asarray(d) for n, d in push.items()})
    out, tangent = jax.jvp(ours, (arrays, jnp.asarray(state)), (along, jnp.asarray(direction)))
    np.testing.assert_allclose(out, c.real, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(tangent, c.imag / h, rtol=1e-11, atol=1e-11)


@BOUNDARY
@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("cellwise", [(), ("F",)])
def test_directions_are_tangents_in_which_no_parameter_moves(boundary, clip, cellwise, monkeypatch):
    """The same to round-off, with the states of a rollout, bit for bit on one thread or on more than samples."""
    job = job_of(boundary, cellwise=cellwise, clip=clip)
    x, p, q = operands_of(job, 2)
    dx = np.random.default_rng(7).standard_normal((2, 5, *x.shape[1:]))
    still = [np.zeros((2, 5, *operand.shape[1:])) for operand in (p, q)]
    wanted = native.tangent(job, x, p, q, dx, *still, frames=1, every=40)[:, :, 0]
    shared = []
    for threads in ("1", "8"):
        monkeypatch.setenv("UNSTILL_THREADS", threads)
        states, moved = native.directions(job, x, p, q, dx, steps=40)
        np.testing.assert_array_equal(states, np.asarray(native.rollout(job, x, p, q, frames=1, every=40))[:, 0])
        np.testing.assert_allclose(moved, wanted, rtol=1e-10, atol=1e-12)
        shared.append(moved)
    np.testing.assert_array_equal(*shared)


def test_a_clamped_cell_passes_no_derivative_on():
    """What leaves [0, 1] sits on the bound: its row and column of the Jacobian are 0, of one step."""
    job = job_of(clip=True, shape=(4, 5), dt=1.0)
    x, p, q = operands_of(job, 1)
    x[0, 0, 1, 2], x[0, 1, 2, 3] = 1.4, -0.6
    size = x[0].size
    directions = np.eye(size).reshape(1, size, *x.shape[1:])
    out = native.rollout(job, x, p, q, frames=1, every=1)[0, 0]
    J = native.tangent(
        job, x, p, q, directions, np.zeros((1, size, 4)), np.empty((1, size, *q.shape[1:])), frames=1, every=1
    ).reshape(size, size).T  # fmt: skip
    bound = ((out == 0) | (out == 1)).ravel()
    assert bound.any()
    assert not bound.all()
    assert np.all(J[bound] == 0)
    assert np.all(np.abs(J[~bound]).max(1) > 0)


# --- padding, buffers, errors -----------------------------------------------------------------------------------------


@BOUNDARY
def test_ghost_columns_are_what_the_boundary_says(boundary):
    job = job_of(boundary, (3, 4))
    c = np.arange(24.0).reshape(2, 3, 4)
    padded = job.pad(c)
    np.testing.assert_array_equal(padded[..., 1:-1], c)
    west, east = (c[..., -1], c[..., 0]) if boundary == "periodic" else (c[..., 0], c[..., -1])
    np.testing.assert_array_equal(padded[..., 0], west)
    np.testing.assert_array_equal(padded[..., -1], east)
    assert padded.flags.c_contiguous


def test_scratch_is_kept_for_the_next_call_and_not_between_threads():
    job, other = job_of(), job_of(dtype="float32")
    first = native._scratch(job, 5)
    assert native._scratch(job, 4).base is first.base
    assert native._scratch(other, 4).dtype == np.float32
    assert native._scratch(job, 50).shape == (50, 2, 8, 9)
    seen = []
    thread = threading.Thread(target=lambda: seen.append(native._scratch(job, 50)))
    thread.start()
    thread.join()
    assert not np.shares_memory(seen[0], native._scratch(job, 50))


@pytest.mark.parametrize("count", ["1", "2"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_in_a_thread_gets_out_and_leaves_the_pool_usable(count, error, monkeypatch):
    monkeypatch.setenv("UNSTILL_THREADS", count)

    def fails(item):
        if item == 1:
            raise error("in a thread")
        return item

    with pytest.raises(error, match="in a thread"):
        native._map(fails, range(4))
    assert not native._interrupt.is_set()
    assert native._map(lambda n: n * n, range(5)) == [0, 1, 4, 9, 16]


def test_ctrl_c_stops_the_samples_that_still_move(monkeypatch):
    """The main thread is told, sets the flag, and the kernels' next return to Python ends them."""
    monkeypatch.setenv("UNSTILL_THREADS", "2")
    entered, ended = threading.Barrier(2), []

    def item(n):
        entered.wait()  # both run
        if n == 0:
            raise KeyboardInterrupt
        try:
            for _ in range(10_000):
                native.check_interrupt()
                threading.Event().wait(1e-3)
        except KeyboardInterrupt:
            ended.append(n)
            raise

    with pytest.raises(KeyboardInterrupt):
        native._map(item, range(2))
    assert ended == [1]
    native.check_interrupt()  # the flag is down again


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_a_forked_child_makes_threads_of_its_own(monkeypatch):
    """The parent's pool is dead in a child; waiting for it would hang."""
    monkeypatch.setenv("UNSTILL_THREADS", "2")
    assert native._map(lambda n: n + 1, range(3)) == [1, 2, 3]
    child = os.fork()
    if child == 0:
        os._exit(0 if native._map(lambda n: n + 1, range(3)) == [1, 2, 3] else 1)
    assert os.waitpid(child, 0)[1] == 0


# --- motion: the interface for batches --------------------------------------------------------------------------------


def test_parameters_of_samples_and_cells_are_told_apart(rng):
    F, k = rng.uniform(0.02, 0.06, (3, 8, 7)), np.array([0.05, 0.06, 0.07])
    system = GrayScott().with_values(F=F, k=k, Dv=rng.uniform(size=()))
    axes = sample_axes(system)
    assert (axes.Du, axes.Dv, axes.F, axes.k) == (None, None, 0, 0)
    one = sample(system, 2)
    np.testing.assert_array_equal(one.F, F[2])
    assert (one.k, one.Dv) == (k[2], system.Dv)


@pytest.mark.parametrize("engine", ["native", "xla"])
def test_any_subset_of_a_batch_moves_as_in_the_batch(engine, rng):
    grid, k = Grid((8, 7)), np.array([0.05, 0.06, 0.07, 0.055])
    system = GrayScott().with_values(k=k)
    states = np.stack([rough_state(GrayScott(), grid, seed) for seed in range(4)])
    options = {"dt": 0.7, "dtype": "float64", "stepper": "euler", "clip": False}
    motion = Motion(system, grid, states.shape, engine=engine, **options)
    assert motion.engine == engine
    every = np.arange(4)
    whole, drift = motion.advance(states, 6, every), motion.drift(states, every)
    for index in ([2], [3, 1], [0, 2, 3]):
        index = np.array(index)
        np.testing.assert_allclose(motion.advance(states[index], 6, index), whole[index], rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(motion.drift(states[index], index), drift[index], rtol=1e-14)
    for m in range(4):
        alone = rollout(GrayScott(k=float(k[m])), states[m], steps=6, dt=0.7, grid=grid, engine="native")
        np.testing.assert_allclose(whole[m], alone, rtol=1e-13, atol=1e-14)
