"""The GPU engine: rollouts, tangents and adjoints as JAX operations that launch the fused kernels on JAX's own stream.

Nothing comes back to the host: a callback on the device's buffers (`jax.experimental.buffer_callback`) only queues
launches. All arrays as in the native engine: states (B, C, H, W), uniform parameters (B, P), cellwise (B, Q, H, W).
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from ctypes import c_double, c_float, c_int, c_longlong, c_void_p

import jax
import numpy as np
from jax.experimental.buffer_callback import buffer_callback

from ...systems.grid import Grid
from ..kernel_source import KernelSpec
from . import driver
from .layout import Machine, Plan, plan
from .source import ENTRY, Part, source


@dataclasses.dataclass(frozen=True)
class Job:
    """One kind of rollout: which kernels, on which grid, with which step, for which card."""

    spec: KernelSpec
    grid: Grid
    dt: float
    machine: Machine

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(self.spec.dtype)

    @property
    def state(self) -> int:
        """Numbers in one state."""
        return len(self.spec.system.fields) * math.prod(self.grid.shape)

    def plan(self, part: Part, samples: int) -> Plan:
        return plan(self.spec, self.grid, part, samples, self.machine)

    def checkpoint_stride(self, steps: int, samples: int) -> int:
        """Steps between the checkpoints that a rollout keeps for its adjoint.

        One every `depth` steps, as the adjoint wants them, while that takes no more than a quarter of the device's
        memory; otherwise about √(steps·depth), between which the adjoint lays the others anew: one more motion.
        """
        depth = self.plan("adjoint", samples).depth
        kept = -(-steps // depth) * samples * self.state * self.dtype.itemsize
        return depth if kept <= self.machine.memory // 4 else self._sparse_stride(steps, depth)

    @staticmethod
    def _sparse_stride(steps: int, depth: int) -> int:
        return max(1, math.ceil(math.sqrt(steps / depth))) * depth

    def _stride_of(self, kept: int, steps: int, depth: int) -> int:
        """The stride behind a number of checkpoints."""
        return depth if kept == -(-steps // depth) else self._sparse_stride(steps, depth)


class _Kernel:
    """One part's kernel for a number of samples. Made while JAX traces, since deriving the source traces the kinetics;
    `on` a stream when it runs."""

    def __init__(self, job: Job, part: Part, samples: int):
        self.job, self.plan, self.entry = job, job.plan(part, samples), ENTRY[part]
        self.source = source(job.spec, 1 / job.grid.dx**2, job.dt, self.plan.shape, part)
        self.blocks = samples * self.plan.blocks
        real = c_float if job.spec.dtype == "float32" else c_double
        self.geometry = [*map(c_int, (*job.grid.shape, *self.plan.owned, self.plan.margin)), real(job.dt)]

    def on(self, stream: int, arguments: Sequence) -> Callable[[], None]:
        shape = self.plan.shape
        return driver.launcher(
            self.source, self.entry, arguments, threads=shape.threads, cluster=shape.cluster, shared=self.plan.shared,
            blocks=self.blocks, together=shape.standing, stream=stream,
        )  # fmt: skip


def _forward(
    kernel: _Kernel, stream, x, x_sample, p, q, *, steps, frames=0, every=1, kept=0, stride=1, kept_sample=0, spare
) -> None:
    """Queue a whole motion, all buffers by their addresses, `spare` those that `_spare` asked for."""
    job, plan, (scratch, flags) = kernel.job, kernel.plan, spare
    halves, at_once = _pair(job, scratch), steps if plan.shape.standing else plan.depth
    here, here_sample, there, now, some = c_void_p(x), c_longlong(x_sample), c_void_p(), c_int(0), c_int()
    launch = kernel.on(stream, [
        here, here_sample, there, c_void_p(frames), c_longlong(steps // every * job.state), c_int(every),
        c_void_p(kept), c_longlong(kept_sample), c_int(stride), c_void_p(p), c_void_p(q), c_void_p(halves[0]),
        c_longlong(math.prod(scratch.shape) // 2), c_void_p(driver.pointer(flags)), c_int(plan.depth),
        *kernel.geometry, now, some,
    ])  # fmt: skip
    driver.clear(stream, flags)
    for start in range(0, steps, at_once):
        now.value, some.value = start, min(at_once, steps - start)
        there.value = 0 if start + at_once >= steps else halves[start // at_once % 2]
        launch()
        here.value, here_sample.value = there.value, job.state


def _spare(kernel: _Kernel, x, samples: int, steps: int) -> list[jax.ShapeDtypeStruct]:
    """What a motion needs for itself: two states, between launches or for the rims of standing tiles, and their flags;
    nothing where one launch does all steps alone."""
    alone = steps <= kernel.plan.depth
    flags = kernel.blocks if kernel.plan.shape.standing and not alone else 0
    return [_like(x, 0 if alone else 2, samples), jax.ShapeDtypeStruct((flags,), np.uint32)]


def rollout(job: Job, x, p, q, *, frames: int, every: int, keep: bool):
    """(frames,), or with `keep` (frames, checkpoints): the states before every `checkpoint_stride` steps."""
    B, steps = len(x), frames * every
    stride = job.checkpoint_stride(steps, B) if keep else 1
    count = -(-steps // stride) if keep else 0
    kernel = _Kernel(job, "forward", B)
    outputs = [_like(x, B, frames), _like(x, B, count), *_spare(kernel, x, B, steps)]

    @driver.uninterrupted()
    def run(context, out, x, p, q):
        to, kept, *spare = out
        stream = driver.stream(context)
        _forward(
            kernel, stream, driver.pointer(x), job.state, driver.pointer(p), driver.pointer(q), steps=steps,
            frames=driver.pointer(to), every=every, kept=driver.pointer(kept) if keep else 0, stride=stride,
            kept_sample=count * job.state, spare=spare,
        )  # fmt: skip

    to, kept, *_ = buffer_callback(run, outputs)(x, p, q)
    return (to, kept) if keep else (to,)


def _like(x, *lead: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((*lead, *x.shape[-3:]), x.dtype)


def _pair(job: Job, scratch) -> tuple[int, int]:
    """The addresses of the two halves of a buffer (2, …)."""
    first, size = driver.pointer(scratch), int(np.prod(scratch.shape[1:])) * job.dtype.itemsize
    return first, first + size


def tangent(job: Job, dx, dp, dq, x, p, q, *, frames: int, every: int):
    """(tangents (B, K, T, C, H, W) of the frames,)."""
    B, K, steps = len(x), dx.shape[1], frames * every
    kernel = _Kernel(job, "tangent", B * K)
    spare = 0 if steps <= kernel.plan.depth else 2  # states between launches
    outputs = [_like(x, B, K, frames), _like(x, spare, B), _like(x, spare, B, K)]

    @driver.uninterrupted()
    def run(context, out, dx, dp, dq, x, p, q):
        to, scratch, dscratch = out
        stream = driver.stream(context)
        states, tangents, depth = _pair(job, scratch), _pair(job, dscratch), kernel.plan.depth
        here, dhere, there, dthere, now, some = c_void_p(), c_void_p(), c_void_p(), c_void_p(), c_int(), c_int()
        here.value, dhere.value = driver.pointer(x), driver.pointer(dx)
        launch = kernel.on(stream, [
            here, dhere, there, dthere, c_void_p(driver.pointer(to)), c_longlong(frames * job.state), c_int(every),
            *(c_void_p(driver.pointer(operand)) for operand in (p, dp, q, dq)), *kernel.geometry, now, some, c_int(K),
        ])  # fmt: skip
        for start in range(0, steps, depth):
            now.value, some.value = start, min(depth, steps - start)
            last, turn = start + depth >= steps, start // depth % 2
            there.value, dthere.value = (0, 0) if last else (states[turn], tangents[turn])
            launch()
            here.value, dhere.value = there.value, dthere.value

    return (buffer_callback(run, outputs)(dx, dp, dq, x, p, q)[0],)


def adjoint(job: Job, bars, kept, p, q, *, every: int):
    """Cotangents of (x, p, q) from those of the frames.

    Over each pass of `depth` steps the motion is repeated from its checkpoint and recorded in shared memory. Where
    checkpoints are sparse, those between two of them are laid first.
    """
    B, steps = len(kept), bars.shape[1] * every
    back, forth = _Kernel(job, "adjoint", B), _Kernel(job, "forward", B)
    depth = back.plan.depth
    stride = job._stride_of(kept.shape[1], steps, depth)
    inner = 0 if stride == depth else stride // depth
    entries = back.plan.blocks * back.plan.shape.warps
    outputs = [
        _like(kept, B), jax.ShapeDtypeStruct(p.shape, p.dtype), jax.ShapeDtypeStruct(q.shape, q.dtype),
        # float64 sums, as pairs: without `jax_enable_x64` JAX has no such dtype
        jax.ShapeDtypeStruct((B, entries, p.shape[1], 2), np.uint32),
        _like(kept, B), _like(kept, B, inner), *_spare(forth, kept, B, stride if inner else 0),
    ]  # fmt: skip

    @driver.uninterrupted()
    def run(context, out, bars, kept, p, q):
        gx, gp, gq, sums, other, between, *spare = out
        stream = driver.stream(context)
        driver.clear(stream, sums)
        driver.clear(stream, gq)
        walk = _BackwardWalk(back, stream, every, (gx, gq, sums, other), (bars, p, q))
        for segment in range(kept.shape[1] - 1 if inner else 0, -1, -1):
            first = segment * stride
            some = min(stride, steps - first) if inner else steps
            source, source_sample = driver.pointer(kept), kept.shape[1] * job.state
            if inner:
                _forward(
                    forth, stream, source + segment * job.state * job.dtype.itemsize, source_sample,
                    driver.pointer(p), driver.pointer(q), steps=some, every=some, kept=driver.pointer(between),
                    stride=depth, kept_sample=inner * job.state, spare=spare,
                )  # fmt: skip
                source, source_sample = driver.pointer(between), inner * job.state
            walk.over(source, source_sample, first, some)
        _add_up(back, stream, sums, gp)

    return tuple(buffer_callback(run, outputs)(bars, kept, p, q)[:3])


def _add_up(kernel: _Kernel, stream: int, sums, gp) -> None:
    """Queue the sum over the entries of all warps: gp (B, P) from sums (B, entries, P), which are float64."""
    samples, entries, uniform, _ = sums.shape
    if count := samples * uniform:
        pointers = c_void_p(driver.pointer(sums)), c_void_p(driver.pointer(gp))
        arguments = [*pointers, c_int(samples), c_int(entries), c_int(uniform)]
        driver.launcher(kernel.source, "total", arguments, threads=32, blocks=-(-count // 32), stream=stream)()


class _BackwardWalk:
    """λ on its way back: from nothing after the last step to the cotangent of the first state, which ends in gx."""

    def __init__(self, kernel: _Kernel, stream: int, every: int, out, given):
        self.kernel, bars_sample = kernel, given[0].shape[1] * kernel.job.state
        (gx, gq, sums, other), (bars, p, q) = map(driver.pointer, out), map(driver.pointer, given)
        # A resident grid is read and written by the same threads, so λ may stay in place; a tile reads its neighbours.
        self.homes = [gx] if kernel.plan.shape.resident else [gx, other]
        self.kept, self.kept_sample, self.lam, self.target = c_void_p(), c_longlong(), c_void_p(0), c_void_p()
        self.first, self.some = c_int(), c_int()
        self.launch = kernel.on(stream, [
            self.kept, self.kept_sample, self.lam, self.target, c_void_p(bars), c_longlong(bars_sample), c_int(every),
            *map(c_void_p, (p, q, sums, gq)), *kernel.geometry, self.first, self.some, c_int(kernel.plan.depth),
        ])  # fmt: skip

    def over(self, kept: int, kept_sample: int, first: int, steps: int) -> None:
        """Walk back over `steps` steps from `first`, whose checkpoints lie at `kept`."""
        job, depth = self.kernel.job, self.kernel.plan.depth
        at_once = steps if self.kernel.plan.shape.resident else depth
        self.kept_sample.value = kept_sample
        for start in range((steps - 1) // at_once * at_once, -1, -at_once):
            # Homes alternate, and the launch that reaches step 0 writes gx.
            self.target.value = self.homes[(first + start) // depth % len(self.homes)]
            self.kept.value = kept + start // depth * job.state * job.dtype.itemsize
            self.first.value, self.some.value = first + start, min(at_once, steps - start)
            self.launch()
            self.lam.value = self.target.value
