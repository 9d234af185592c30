"""Native kernels against an independent NumPy stencil, and every path against every other, bit by bit."""

import jax.numpy as jnp
import numpy as np
import pytest

from registry import GRIDS, REACTION_DIFFUSION, rough_state
from unstill.simulation import Grid, native, rollout
from unstill.simulation.kernel_source import KernelSpec
from unstill.simulation.native import Job
from unstill.simulation.translate import Untranslatable, translate
from unstill.systems import GrayScott, ReactionDiffusion, parameter

SYSTEMS = pytest.mark.parametrize("name", REACTION_DIFFUSION)
BOUNDARIES = pytest.mark.parametrize("boundary", GRIDS)


def numpy_gray_scott(state, Du, Dv, F, k, dt, steps, mode):
    """Explicit Euler with the five-point Laplacian by padded slices: shares no code with the library."""
    u, v = state

    def laplacian(c):
        p = np.pad(c, 1, mode=mode)
        return p[:-2, 1:-1] + p[2:, 1:-1] + p[1:-1, :-2] + p[1:-1, 2:] - 4 * c

    for _ in range(steps):
        r = u * v**2
        u, v = u + dt * (Du * laplacian(u) - r + F * (1 - u)), v + dt * (Dv * laplacian(v) + r - (F + k) * v)
    return np.stack([u, v])


@BOUNDARIES
@pytest.mark.parametrize("engine", ["native", "xla"])
def test_gray_scott_against_numpy(boundary, engine):
    grid = GRIDS[boundary]
    state = rough_state(GrayScott(), grid)
    ours = rollout(GrayScott(), state, steps=100, dt=0.7, grid=grid, engine=engine)
    mode = "wrap" if boundary == "periodic" else "edge"
    theirs = numpy_gray_scott(state, 0.16, 0.08, 0.035, 0.065, 0.7, 100, mode)
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13)  # 100 steps of round-off on numbers of order 1


@SYSTEMS
@BOUNDARIES
@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-4)])
def test_engines_agree_to_round_off(name, boundary, dtype, tolerance):
    system, grid = REACTION_DIFFUSION[name](), GRIDS[boundary]
    state = rough_state(system, grid).astype(dtype)
    native_, xla = (np.asarray(rollout(system, state, steps=50, grid=grid, engine=e)) for e in ("native", "xla"))
    assert native_.dtype == xla.dtype == np.dtype(dtype)
    np.testing.assert_allclose(native_, xla, rtol=tolerance, atol=tolerance)


@BOUNDARIES
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_wavefront_and_strips_give_the_same_bits(boundary, dtype, monkeypatch):
    grid = Grid((40, 24), 1.0, boundary)
    spec = KernelSpec(GrayScott, boundary, dtype)
    job = Job(spec, grid, 1.0)
    x = rough_state(GrayScott(), grid)[None].astype(dtype)
    p, q = np.array([[0.16, 0.08, 0.035, 0.065]], dtype), np.empty((1, 0, *grid.shape), dtype)
    plain = native.rollout(job, x, p, q, frames=3, every=7)
    monkeypatch.setattr(native, "_depth", lambda job: 5)
    np.testing.assert_array_equal(native.rollout(job, x, p, q, frames=3, every=7), plain)
    monkeypatch.setattr(native, "_strips", lambda job, batch: 3)
    monkeypatch.setattr(native, "threads", lambda: 3)
    np.testing.assert_array_equal(native.rollout(job, x, p, q, frames=3, every=7), plain)
    np.testing.assert_array_equal(native.rollout(job, x, p, q, frames=1, every=21)[:, 0], plain[:, 2])


def test_a_large_grid_takes_the_wavefront():
    grid = Grid((300, 260))
    assert native._depth(Job(KernelSpec(GrayScott, "periodic", "float64"), grid, 1.0)) > 1
    state = rough_state(GrayScott(), grid)
    ours = rollout(GrayScott(), state, steps=11, grid=grid, engine="native")
    theirs = numpy_gray_scott(state, 0.16, 0.08, 0.035, 0.065, 1.0, 11, "wrap")
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13)


@SYSTEMS
def test_motion_commutes_with_translation_reflection_and_transposition(name):
    # the five-point stencil's sum is symmetric in pairs, so a mirror image may differ by round-off only
    system, grid = REACTION_DIFFUSION[name](), Grid((12, 12))
    state = rough_state(system, grid)

    def move(c):
        return np.asarray(rollout(system, c, steps=20, grid=grid, engine="native"))

    for change in (lambda c: np.roll(c, (3, 5), (-2, -1)), lambda c: c[..., ::-1], lambda c: c.swapaxes(-1, -2)):
        np.testing.assert_allclose(move(change(state)), change(move(state)), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("engine", ["native", "xla"])
def test_clip_clamps_after_every_step(engine):
    grid = GRIDS["periodic"]
    state = rough_state(GrayScott(), grid) * 1.6 - 0.2
    ours = np.asarray(rollout(GrayScott(), state, steps=1, grid=grid, engine=engine, clip=True))
    free = numpy_gray_scott(state, 0.16, 0.08, 0.035, 0.065, 1.0, 1, "wrap")
    assert free.min() < 0 < 1 < free.max()
    np.testing.assert_allclose(ours, np.clip(free, 0, 1), atol=1e-15)


@BOUNDARIES
def test_cellwise_parameters(boundary, rng):
    grid = GRIDS[boundary]
    F = rng.uniform(0.02, 0.06, grid.shape)
    state = rough_state(GrayScott(), grid)
    mode = "wrap" if boundary == "periodic" else "edge"
    ours = rollout(GrayScott(F=F), state, steps=30, grid=grid, engine="native")
    theirs = numpy_gray_scott(state, 0.16, 0.08, F, 0.065, 1.0, 30, mode)
    np.testing.assert_allclose(ours, theirs, atol=1e-14)


def test_a_nan_is_kept():
    state = rough_state(GrayScott(), GRIDS["periodic"])
    state[0, 3, 3] = np.nan
    assert np.isnan(np.asarray(rollout(GrayScott(), state, steps=2, engine="native", clip=True))).sum() > 0


class Odd(ReactionDiffusion):
    """Kinetics of every translated primitive kind, and control flow by where."""

    name, fields, diffusion, equations = "odd", ("u",), {"u": "D"}, ("",)
    D: float = parameter(0.1, (0, 1))
    a: float = parameter(0.5, (0, 1))

    def kinetics(self, u):
        smooth = jnp.tanh(u) + jnp.exp(-u) * jnp.sin(u) + jnp.sqrt(u**2 + 1) + u**-2 + jnp.log1p(u * u)
        bent = jnp.where(u > self.a, u, jnp.maximum(u, 0.1)) + jnp.abs(u) + jnp.minimum(u, 0.7)
        return (0.1 * (smooth + bent) - u + 1 / (1 + jnp.exp(-u)),)

    def rest(self):
        return (0.4,)


def test_translated_primitives_agree_with_jax():
    grid, state = GRIDS["periodic"], np.linspace(0.1, 1.3, 120).reshape(1, 12, 10)
    native_, xla = (rollout(Odd(), state, steps=5, dt=0.1, grid=grid, engine=e) for e in ("native", "xla"))
    np.testing.assert_allclose(native_, xla, rtol=1e-13)


class Untranslated(Odd):
    """A primitive without a scalar form."""

    name = "untranslated"

    def kinetics(self, u):
        return (jnp.interp(u, jnp.array([0.0, 1.0]), jnp.array([0.0, 0.5])),)


def test_an_unknown_primitive_falls_back_to_xla_with_a_log_line(caplog):
    state = np.full((1, 12, 10), 0.4)
    with caplog.at_level("INFO", logger="unstill"):
        out = rollout(Untranslated(), state, steps=3, dt=0.1)
    assert np.isfinite(np.asarray(out)).all()
    assert "no fused kernel" in caplog.text


def test_translate_refuses_arrays():
    with pytest.raises(Untranslatable):
        translate(lambda x: [jnp.sort(jnp.stack([x, x]))[0]], ["x"])


def test_a_second_start_compiles_nothing(tmp_path):
    """Numba's index of the machine code is read, not written, by a second process."""
    import os
    import subprocess
    import sys

    code = (
        "import numpy as np; from unstill.simulation import rollout, kernels; from unstill.systems import GrayScott; "
        "rollout(GrayScott(), np.ones((2, 8, 8), np.float32), steps=2, engine='native'); "
        "m = kernels.compiled(kernels.KernelSpec(GrayScott, 'periodic', 'float32'), 'forward'); "
        "print(sum(m.roll.stats.cache_misses.values()), sum(m.roll.stats.cache_hits.values()))"
    )
    env = {**os.environ, "UNSTILL_CACHE": str(tmp_path)}
    first, second = (
        subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True).stdout.split()
        for _ in range(2)
    )
    assert first == ["1", "0"]
    assert second == ["0", "1"]
