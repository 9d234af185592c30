"""Rivals of the fused GPU engine on one card: JAX, PyTorch, exponax and CUDA by hand, at Gray–Scott in float32.

    python benchmarks/gpu_rivals.py                      # checks them all; gpu.py races them

Each function takes a (B, 2, H, W) device array of JAX and a number of steps. It returns a call without arguments that
advances the same array each time and returns the result once it is there. This file needs JAX and NumPy alone; what a
rival needs beyond that is looked for when it is asked for.
"""

import ctypes
import functools
import hashlib
import math
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

DU, DV, F, K = THETA = 0.16, 0.08, 0.029, 0.057  # the maze preset; dt = dx = 1
BOX = 128
PLANS = ("8 × 8 cells a thread", "8 × 8, two steps", "4 × 8 cells a thread", "4 × 8, two steps")
SOURCE = Path(__file__).with_name("gray_scott.cu")


@dataclass(frozen=True)
class Rival:
    """A run, and which of several ways it is."""

    run: Callable[[], Any]
    how: str = ""

    def __call__(self):
        return self.run()


def seconds(run: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


def reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0][:160] if lines else ''}"


def fastest(ways: Mapping[str, Callable[[], Callable[[], Any]]]) -> Rival:
    """The best of two laps after one to warm up; a way that fails is left out, unless all do."""
    best, why = (math.inf, Rival(lambda: None)), []
    for name, make in ways.items():
        try:
            run = make()
            run()
            best = min(best, (min(seconds(run) for _ in range(2)), Rival(run, name)), key=lambda pair: pair[0])
        except Exception as error:
            why.append(f"{name}: {reason(error)}")
    if best[0] == math.inf:
        raise RuntimeError("; ".join(why))
    return best[1]


# ---- JAX ----


def _rolled(c):
    return jnp.roll(c, 1, -1) + jnp.roll(c, -1, -1) + jnp.roll(c, 1, -2) + jnp.roll(c, -1, -2) - 4 * c


def _sliced(c):
    n = jnp.pad(c, [(0, 0)] * (c.ndim - 2) + [(1, 1), (1, 1)], mode="wrap")
    return n[..., 1:-1, :-2] + n[..., 1:-1, 2:] + n[..., :-2, 1:-1] + n[..., 2:, 1:-1] - 4 * c


def lax_scan(x: jax.Array, steps: int, unroll: int = 1) -> Rival:
    """The faster of two Laplacians. Not donated: that would save one copy a run, and the next run needs x again."""

    def way(laplacian):
        def step(c, _):
            u, v = c
            rate = u * v * v
            u, v = u + (DU * laplacian(u) - rate + F * (1 - u)), v + (DV * laplacian(v) + rate - (F + K) * v)
            return (u, v), None

        @jax.jit
        def run(x):
            return jnp.stack(jax.lax.scan(step, (x[:, 0], x[:, 1]), None, length=steps, unroll=unroll)[0], 1)

        return lambda: jax.block_until_ready(run(x))

    return fastest({"jnp.roll": lambda: way(_rolled), "padded slices": lambda: way(_sliced)})


def exponax(x: jax.Array, steps: int) -> Rival:
    """Another scheme for the same equation: spectral in space with three quarters of the modes cut off before products,
    ETDRK2 in time (its default, two evaluations a step). Its states agree with the others' only where the pattern is
    smooth on the grid."""
    import equinox as eqx
    import exponax as ex

    size = x.shape[-1]
    if x.shape[-2] != size:
        raise ValueError("square boxes only")
    names = ("diffusivity_1", "diffusivity_2", "feed_rate", "kill_rate")
    stepper = ex.stepper.reaction.GrayScott(2, float(size), size, 1.0, **dict(zip(names, THETA, strict=True)))

    @eqx.filter_jit
    def run(stepper, x):
        return jax.lax.scan(lambda c, _: (jax.vmap(stepper)(c), None), x, None, length=steps)[0]

    return Rival(lambda: jax.block_until_ready(run(stepper, x)), f"exponax {ex.__version__}, ETDRK2")


# ---- PyTorch ----


def _torch(x: jax.Array):
    """The module and both fields as tensors of their own."""
    import torch

    y = torch.from_dlpack(x)
    return torch, y[:, 0].contiguous(), y[:, 1].contiguous()


def _wait(torch, u):
    if u.is_cuda:
        torch.cuda.synchronize()


def _torch_step(laplacian):
    def step(u, v):
        rate = u * v * v
        return u + (DU * laplacian(u) - rate + F * (1 - u)), v + (DV * laplacian(v) + rate - (F + K) * v)

    return step


def _torch_rolled(c):
    return c.roll(1, -1) + c.roll(-1, -1) + c.roll(1, -2) + c.roll(-1, -2) - 4 * c


def _torch_sliced(c):
    from torch.nn.functional import pad

    n = pad(c[None], (1, 1, 1, 1), mode="circular")[0]
    return n[..., 1:-1, :-2] + n[..., 1:-1, 2:] + n[..., :-2, 1:-1] + n[..., 2:, 1:-1] - 4 * c


@functools.cache
def _compiled(steps: int, mode: str):
    """Compiled anew for each shape: a kernel for any shape would be a slower rival."""
    import torch

    for name in ("recompile_limit", "cache_size_limit"):  # beyond it PyTorch goes on uncompiled without a word
        if hasattr(torch._dynamo.config, name):
            setattr(torch._dynamo.config, name, 64)
    step = _torch_step(_torch_rolled)

    def several(u, v):
        for _ in range(steps):
            u, v = step(u, v)
        return u, v

    return torch.compile(several, mode=mode, dynamic=False, fullgraph=True)


def _torch_loop(x: jax.Array, advance, times: int, copied: bool = False):
    torch, u0, v0 = _torch(x)

    def run():
        u, v = u0, v0
        with torch.no_grad():
            for _ in range(times):
                if copied:  # the graph that reduce-overhead records overwrites its results in the next call
                    torch.compiler.cudagraph_mark_step_begin()
                    u, v = (c.clone() for c in advance(u, v))
                else:
                    u, v = advance(u, v)
            y = torch.stack([u, v], 1)
        _wait(torch, y)
        return y

    return run


def torch_eager(x: jax.Array, steps: int) -> Rival:
    ways = {"roll": _torch_rolled, "padded slices": _torch_sliced}
    return fastest({name: functools.partial(_torch_loop, x, _torch_step(lap), steps) for name, lap in ways.items()})


def torch_compiled(x: jax.Array, steps: int) -> Rival:
    """One step tuned by trial, or ten in one recorded graph."""
    several = math.gcd(steps, 10)

    def one():
        return _torch_loop(x, _compiled(1, "max-autotune-no-cudagraphs"), steps)

    def ten():
        return _torch_loop(x, _compiled(several, "reduce-overhead"), steps // several, copied=True)

    return fastest({"a step, max-autotune": one, f"{several} steps, reduce-overhead": ten})


def torch_graph(x: jax.Array, steps: int) -> Rival:
    """Up to 50 steps recorded once as a CUDA graph and replayed: no time goes into Python or into single launches."""

    def way(make):
        torch, u0, v0 = _torch(x)
        advance, inner = make(), math.gcd(steps, 50)
        u, v = u0.clone(), v0.clone()

        def record():
            a, b = u, v
            for _ in range(inner):
                a, b = advance(a, b)
            u.copy_(a)
            v.copy_(b)

        with torch.no_grad():
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                record()  # compiles, and sets up what must not be set up while recording
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                record()

        def run():
            u.copy_(u0)
            v.copy_(v0)
            for _ in range(steps // inner):
                graph.replay()
            y = torch.stack([u, v], 1)
            _wait(torch, y)
            return y

        return run

    return fastest(
        {
            "compiled": lambda: way(lambda: _compiled(1, "max-autotune-no-cudagraphs")),
            "eager": lambda: way(lambda: _torch_step(_torch_rolled)),
        }
    )


# ---- CUDA by hand ----


@functools.cache
def library() -> ctypes.CDLL:
    """`gray_scott.cu`, compiled once for each of its versions; UNSTILL_CUDA_LIBRARY names one built before."""
    given = os.environ.get("UNSTILL_CUDA_LIBRARY")
    path = Path(given) if given else Path(tempfile.gettempdir()) / f"gray_scott_{_version()}.so"
    if not path.exists():
        if not shutil.which("nvcc"):
            raise RuntimeError("no nvcc")
        flags = ["-O3", "-std=c++17", "-arch=sm_90", "-shared", "-Xcompiler", "-fPIC"]
        partial = path.with_suffix(f".{os.getpid()}")
        subprocess.run(["nvcc", *flags, str(SOURCE), "-o", str(partial)], check=True)
        partial.replace(path)
    found = ctypes.CDLL(str(path))
    pointer, integer, number = ctypes.c_void_p, ctypes.c_int, ctypes.c_float
    found.gray_scott_resident.argtypes = [pointer] * 2 + [integer] * 2 + [number] * 4 + [integer, pointer]
    found.gray_scott_passes.argtypes = [pointer] * 3 + [integer] * 4 + [number] * 4 + [pointer]
    found.device_wait.argtypes = [pointer]
    found.error_text.argtypes, found.error_text.restype = [integer], ctypes.c_char_p
    return found


def _version() -> str:
    return hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]


def called(name: str, *arguments) -> None:
    """A function of the library on addresses, numbers and arrays of JAX; its error code raised."""
    code = getattr(library(), name)(*(_address(a) if isinstance(a, jax.Array) else a for a in arguments))
    if code:
        raise RuntimeError(f"{name}: {library().error_text(code).decode()}")


def _empty(x: jax.Array) -> jax.Array:
    """An array that kernels fill behind JAX's back: nobody else holds it, and NaN marks what was not written."""
    return jax.block_until_ready(jnp.full_like(x, jnp.nan))


def _address(x: jax.Array) -> int:
    return jax.block_until_ready(x).unsafe_buffer_pointer()


def _as_expected(x: jax.Array) -> None:
    if x.dtype != jnp.float32 or x.ndim != 4 or x.shape[1] != 2:
        raise ValueError(f"float32 (B, 2, H, W) only, not {x.dtype} {x.shape}")


def hand_written(x: jax.Array, steps: int, plan: int | None = None) -> Rival:
    """A whole box of 128 × 128 in one multiprocessor for all steps; the fastest of four plans."""
    _as_expected(x)
    if x.shape[2:] != (BOX, BOX):
        raise ValueError(f"boxes of {BOX} × {BOX} only")

    def way(plan):
        y = _empty(x)

        def run():
            called("gray_scott_resident", x, y, len(x), steps, *THETA, plan, None)
            called("device_wait", None)
            return y

        return run

    plans = range(len(PLANS)) if plan is None else [plan]
    return fastest({PLANS[i]: functools.partial(way, i) for i in plans})


def one_step_a_pass(x: jax.Array, steps: int) -> Rival:
    """Each step reads and writes global memory once: bound by bandwidth on large grids."""
    _as_expected(x)
    y, z = _empty(x), _empty(x)

    def run():
        called("gray_scott_passes", x, y, z, len(x), *x.shape[2:], steps, *THETA, None)
        called("device_wait", None)
        return y if steps % 2 else z

    return Rival(run)


RIVALS: dict[str, Callable[[jax.Array, int], Rival]] = {
    "hand-written, resident": hand_written,
    "one step a pass": one_step_a_pass,
    "lax.scan": lax_scan,
    "torch eager": torch_eager,
    "exponax": exponax,
    "torch compiled": torch_compiled,
    "torch CUDA graph": torch_graph,
}


def start(batch: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Noisy patches from which the maze grows; from noise alone v dies out, and equal numbers would flatter a card."""
    rng = np.random.default_rng(seed)
    patches = rng.random((batch, 1, height // 16, width // 16), dtype=np.float32) < 0.3
    inside = patches.repeat(16, -2).repeat(16, -1)
    noise = rng.random((batch, 2, height, width), dtype=np.float32)
    u, v = np.where(inside, 0.5, 0.9), np.where(inside, 0.25, 0.0)
    return (np.concatenate([u, v], 1) + 0.1 * noise).astype(np.float32)


def reference(x: np.ndarray, steps: int) -> np.ndarray:
    """In float64, by rolls."""

    def laplacian(c):
        return np.roll(c, 1, -1) + np.roll(c, -1, -1) + np.roll(c, 1, -2) + np.roll(c, -1, -2) - 4 * c

    u, v = x.astype(np.float64).swapaxes(0, 1)
    for _ in range(steps):
        rate = u * v * v
        u, v = u + (DU * laplacian(u) - rate + F * (1 - u)), v + (DV * laplacian(v) + rate - (F + K) * v)
    return np.stack([u, v], 1)


def on_host(y) -> np.ndarray:
    return np.asarray(y.cpu() if hasattr(y, "cpu") else y)


def error(y, truth: np.ndarray) -> float:
    """Of the worse field: ‖y − truth‖ / ‖truth‖."""
    wrong, size = (np.square(a).sum((0, 2, 3)) for a in (on_host(y) - truth, truth))
    return float(np.max(np.sqrt(wrong / size)))


def check(steps: int = 50) -> None:
    print(f"relative error after {steps} steps against float64", flush=True)
    x = start(3, BOX, BOX)
    truth, device = reference(x, steps), jnp.asarray(x)
    plans = {f"resident, {name}": functools.partial(hand_written, plan=i) for i, name in enumerate(PLANS)}
    rivals = plans | {name: make for name, make in RIVALS.items() if make is not hand_written}
    for name, make in rivals.items():
        try:
            run = make(device, steps)
            print(f"  {name:32} {error(run(), truth):.1e}  {run.how}", flush=True)
        except Exception as failed:
            print(f"  {name:32} not run: {reason(failed)}", flush=True)
    for odd, shape in ((7, (2, 96, 384)), (1, (1, 32, 128))):  # both buffers, and boxes that are not square
        x = start(*shape)
        try:
            run = one_step_a_pass(jnp.asarray(x), odd)
            print(f"  {f'one step a pass, {shape}':32} {error(run(), reference(x, odd)):.1e}", flush=True)
        except Exception as failed:
            print(f"  one step a pass, {shape} not run: {reason(failed)}", flush=True)


def main() -> None:
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # the rivals share the card's memory
    check()


if __name__ == "__main__":
    main()
