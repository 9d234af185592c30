"""The native engine: rollouts, tangents and adjoints on NumPy arrays, by the compiled kernels on a pool of threads.

Kernels release the GIL and return to Python every fraction of a second, so Ctrl-C and progress work. Samples go to
threads; where there are fewer samples than threads and the grid is large, one sample's rows are split instead.
All arrays: states (B, C, H, W), uniform parameters (B, P), cellwise parameters (B, Q, H, W).
"""

import concurrent.futures
import contextlib
import dataclasses
import functools
import itertools
import math
import os
import threading
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from ..systems.grid import Grid
from .kernel_source import KernelSpec
from .kernels import compiled
from .translate import Untranslatable

_CELL_STEPS_A_CALL = 2e8  # about 0.15 s of work between two returns to Python
_WAVE_BYTES = 1 << 20  # beyond this size of two buffers a wavefront of several steps pays: an L2 cache
_RING_BYTES = 1 << 18


def threads() -> int:
    """Threads of the native engine: `UNSTILL_THREADS`, or the cores that this process may use."""
    chosen = os.environ.get("UNSTILL_THREADS")
    if chosen and chosen.isdigit() and int(chosen) > 0:
        return int(chosen)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.lru_cache(maxsize=1)
def _pool(pid: int, count: int) -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(count, thread_name_prefix="unstill")


def _map(function: Callable, items: Iterable) -> list:
    """`function` over items on the pool (made anew after a fork); the first error, or Ctrl-C, cancels the rest."""
    items = list(items)
    if len(items) == 1 or threads() == 1:
        return [function(item) for item in items]
    futures = [_pool(os.getpid(), threads()).submit(function, item) for item in items]
    try:
        return [future.result() for future in futures]
    except BaseException as error:
        for future in futures:
            future.cancel()
        with interrupting() if isinstance(error, KeyboardInterrupt) else contextlib.nullcontext():
            concurrent.futures.wait(futures)
        raise


_interrupt = threading.Event()


@contextlib.contextmanager
def interrupting() -> Iterator[None]:
    """Kernel calls on other threads end soon, with `KeyboardInterrupt`, while what runs inside waits for them."""
    _interrupt.set()
    try:
        yield
    finally:  # a second Ctrl-C must not leave the flag set
        _interrupt.clear()


def check_interrupt() -> None:
    """Called between kernel calls on the pool: Ctrl-C reaches only the main thread."""
    if _interrupt.is_set():
        raise KeyboardInterrupt


@dataclasses.dataclass(frozen=True)
class Job:
    """One kind of rollout: which kernels, on which grid, with which step."""

    spec: KernelSpec
    grid: Grid
    dt: float

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.spec.dtype)

    @property
    def fields(self) -> int:
        return len(self.spec.system.fields)

    @property
    def scalars(self):
        """(h, area) in the arrays' dtype: the time step and 1/dx²."""
        return self.dtype.type(self.dt), self.dtype.type(1 / self.grid.dx**2)

    def padded(self, *lead: int) -> np.ndarray:
        H, W = self.grid.shape
        return np.empty((*lead, self.fields, H, W + 2), self.dtype)

    def pad(self, state: np.ndarray) -> np.ndarray:
        """Add the ghost columns to (…, H, W)."""
        mode = "wrap" if self.grid.boundary == "periodic" else "edge"
        return np.ascontiguousarray(np.pad(state, [(0, 0)] * (state.ndim - 1) + [(1, 1)], mode=mode), self.dtype)

    def ring(self, depth: int = 1) -> np.ndarray:
        return np.empty((max(depth - 1, 1), self.fields, 3, self.grid.shape[1] + 2), self.dtype)

    def chunk(self) -> int:
        """Steps of one sample in one kernel call."""
        return max(1, int(_CELL_STEPS_A_CALL / math.prod(self.grid.shape)))

    def checkpoint_stride(self, steps: int, samples: int = 1) -> int:
        """Steps between the checkpoints that a rollout keeps."""
        return checkpoint_stride(steps)


def supports(spec: KernelSpec) -> str | None:
    """None where all kernels can be generated, otherwise the reason why not."""
    try:
        for part in ("forward", "adjoint", "tangent"):
            compiled(spec, part)
    except Untranslatable as reason:
        return str(reason)
    return None


def _depth(job: Job) -> int:
    """Levels of the wavefront: 1 where both buffers fit the cache, else as many as fit the ring's share."""
    H, W = job.grid.shape
    row = job.fields * (W + 2) * job.dtype.itemsize
    if 2 * H * row <= _WAVE_BYTES:
        return 1
    return int(np.clip(_RING_BYTES // (3 * row), 2, 8))


class _Roller:
    """One sample's state in padded form, advanced in place by any number of steps."""

    def __init__(self, job: Job, x: np.ndarray, p: np.ndarray, q: np.ndarray, strips: int = 1):
        self.job, self.p, self.q = job, p, q
        self.x, self.y = job.pad(x), job.padded()
        self.kernels = compiled(job.spec, "forward")
        self.depth = _depth(job)
        bounds = np.linspace(0, job.grid.shape[0], strips + 1).astype(int)
        self.strips = [(int(a), int(b), job.ring(self.depth)) for a, b in itertools.pairwise(bounds)]

    def advance(self, steps: int) -> None:
        while steps > 0:
            done = min(steps, self.job.chunk()) if self.depth == 1 and len(self.strips) == 1 else min(steps, self.depth)
            self._some(done)
            steps -= done
            check_interrupt()

    def _some(self, steps: int) -> None:
        h, area = self.job.scalars
        if self.depth == 1 and len(self.strips) == 1:
            self.kernels.roll(self.x, self.y, self.p, self.q, h, area, steps)
            if steps % 2:
                self.x, self.y = self.y, self.x
            return

        def strip(bounds):
            start, stop, ring = bounds
            self.kernels.advance(self.x, self.y, ring, self.p, self.q, h, area, start, stop, steps)

        _map(strip, self.strips)
        self.x, self.y = self.y, self.x

    @property
    def state(self) -> np.ndarray:
        return self.x[..., 1:-1]


def _strips(job: Job, batch: int) -> int:
    """Split rows only where samples cannot fill the threads and a synchronisation is cheap against the work."""
    large = math.prod(job.grid.shape) >= 256**2
    return threads() if batch < threads() and large else 1


def _over_samples(function: Callable[[int], None], batch: int, strips: int) -> None:
    """Samples on threads, unless the rows of each sample already are."""
    if strips > 1:
        for b in range(batch):
            function(b)
    else:
        _map(function, range(batch))


def _events(steps: int, *periods: int) -> list[int]:
    """The sorted multiples of the periods in 1…steps, with `steps`."""
    return sorted({steps, *(t for period in periods for t in range(period, steps + 1, period))})


def checkpoint_stride(steps: int) -> int:
    """Steps between the checkpoints that a rollout keeps, about steps^⅔."""
    return max(1, math.ceil(max(steps, 1) ** (2 / 3) - 1e-9))


def block_length(stride: int) -> int:
    """Steps between the inner checkpoints, made anew within one stride: about its square root."""
    return max(1, math.ceil(math.sqrt(stride) - 1e-9))


def _sealed(*arrays: np.ndarray) -> list[np.ndarray]:
    """The arrays as they come from JAX, read-only: for another type of argument Numba would compile all anew."""
    views = [array.view() for array in arrays]
    for view in views:
        view.flags.writeable = False
    return views


def rollout(job: Job, x, p, q, *, frames: int, every: int, checkpoints: bool = False):
    """Frames (B, T, C, H, W) after every `every` steps, and the checkpoints (B, S, C, H, W) if asked for."""
    p, q = _sealed(p, q)
    batch, steps, length = len(x), frames * every, checkpoint_stride(frames * every)
    out = np.empty((batch, frames, *x.shape[1:]), job.dtype)
    kept = np.empty((batch, -(-steps // length) if checkpoints else 0, *x.shape[1:]), job.dtype)
    strips = _strips(job, batch)

    def sample(b: int) -> None:
        roller = _Roller(job, x[b], p[b], q[b], strips)
        if checkpoints and steps:
            kept[b, 0] = x[b]
        now = 0
        for t in _events(steps, every, *([length] if checkpoints else [])):
            roller.advance(t - now)
            now = t
            if t % every == 0:
                out[b, t // every - 1] = roller.state
            if checkpoints and t % length == 0 and t < steps:
                kept[b, t // length] = roller.state

    _over_samples(sample, batch, strips)
    return (out, kept) if checkpoints else out


_threads_own = threading.local()


def _scratch(job: Job, count: int) -> np.ndarray:
    """`count` padded states that this thread may overwrite. They are kept for its next call, since the first touch of
    fresh pages was measured to cost as much as several steps."""
    size = math.prod((count, job.fields, job.grid.shape[0], job.grid.shape[1] + 2))
    kept = getattr(_threads_own, "buffer", None)
    if kept is None or kept.dtype != job.dtype or kept.size < size or kept.size > 4 * size:
        kept = _threads_own.buffer = np.empty(size, job.dtype)
    return kept[:size].reshape(count, job.fields, job.grid.shape[0], job.grid.shape[1] + 2)


def adjoint(job: Job, kept, p, q, bars, *, every: int):
    """Cotangents of (x, p, q) from those of the frames, in three levels of checkpoints.

    From a kept checkpoint the motion is repeated once to lay inner checkpoints, and from each of those once more to
    record every state of a block, over which the adjoint walks back. So about 3·steps^⅓ states are held, blocks stay in
    the cache, and a gradient costs three motions and one adjoint motion.
    """
    p, q, bars = _sealed(p, q, bars)
    kernels = compiled(job.spec, "adjoint")
    batch, steps = len(kept), bars.shape[1] * every
    stride, (h, area) = checkpoint_stride(steps), job.scalars
    length = block_length(stride)
    gx = np.empty((batch, *kept.shape[2:]), job.dtype)
    gp, gq = np.zeros(p.shape, np.float64), np.zeros_like(q)

    def sample(b: int) -> None:
        count = -(-stride // length)
        buffers = _scratch(job, count + length + 4)
        inner, states, (spare, lam, other) = buffers[:count], buffers[count:-3], buffers[-3:]
        lam[:] = 0
        for segment in range(kept.shape[1] - 1, -1, -1):
            first = segment * stride
            starts = range(first, min(first + stride, steps), length)
            inner[0] = job.pad(kept[b, segment])
            for i in range(1, len(starts)):
                kernels.roll_to(inner[i - 1], inner[i], spare, p[b], q[b], h, area, length)
            for i in range(len(starts) - 1, -1, -1):
                some = min(length, first + stride - starts[i], steps - starts[i])
                states[0] = inner[i]
                kernels.record(states, p[b], q[b], h, area, some)
                lam, other = kernels.reverse(
                    states, lam, other, bars[b], p[b], q[b], gp[b], gq[b], h, area, starts[i], some, every
                )
                check_interrupt()
        gx[b] = lam[..., 1:-1]

    _map(sample, range(batch))
    return gx, gp.astype(job.dtype), gq


def tangent(job: Job, x, p, q, dx, dp, dq, *, frames: int, every: int):
    """Tangents (B, K, T, C, H, W) of the frames, from those of the inputs: dx (B, K, C, H, W), dp, dq alike."""
    p, q, dp, dq = _sealed(p, q, dp, dq)
    kernels = compiled(job.spec, "tangent")
    batch, directions, (h, area) = len(x), dx.shape[1], job.scalars
    out = np.empty((batch, directions, frames, *x.shape[1:]), job.dtype)
    chunk = max(1, job.chunk() // (directions + 1))

    def sample(b: int) -> None:
        state, other = job.pad(x[b]), job.padded()
        moved, spare = job.pad(dx[b]), job.padded(directions)
        for frame in range(frames):
            for done in range(0, every, chunk):
                some = min(chunk, every - done)
                state, other, moved, spare = kernels.roll_tangents(
                    state, other, moved, spare, p[b], dp[b], q[b], dq[b], h, area, some
                )
                check_interrupt()
            out[b, :, frame] = moved[..., 1:-1]

    _map(sample, range(batch))
    return out


def directions(job: Job, x, p, q, dx, *, steps: int):
    """The states (B, C, H, W) after `steps` steps, and what they make of directions dx (B, K, C, H, W): tangents in
    which no parameter moves. With fewer samples than threads the directions are shared out among these."""
    p, q = _sealed(p, q)
    kernels = compiled(job.spec, "directions")
    h, area = job.scalars
    batch, count = dx.shape[:2]
    shares = np.array_split(np.arange(count), max(1, min(count, -(-threads() // max(batch, 1)))))
    chunk = max(1, job.chunk() // (len(shares[0]) + 1))
    states, moved = np.empty_like(x, dtype=job.dtype), np.empty_like(dx, dtype=job.dtype)

    def share(task: int) -> None:
        b, some = divmod(task, len(shares))
        mine = shares[some]
        state, other = job.pad(x[b]), job.padded()
        ahead, spare = job.pad(dx[b, mine]), job.padded(len(mine))
        for done in range(0, steps, chunk):
            now = min(chunk, steps - done)
            state, other, ahead, spare = kernels.roll_directions(
                state, other, ahead, spare, p[b], q[b], h, area, now
            )  # fmt: skip
            check_interrupt()
        moved[b, mine] = ahead[..., 1:-1]
        if some == 0:
            states[b] = state[..., 1:-1]

    _map(share, range(batch * len(shares)))
    return states, moved
