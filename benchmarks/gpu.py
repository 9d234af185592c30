"""The GPU engine against its rivals and the card's own limits, in one run on one card.

    python benchmarks/gpu.py [--seconds 150]

Gray–Scott, maze preset, dt = dx = 1, float32 unless said; ns a cell and step, median of 5 after one to warm up.
"""

import os

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch and CUDA by hand want memory too

import argparse
import functools
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np

import gpu_ceilings
import gpu_rivals
import unstill as us
from unstill.simulation import gpu
from unstill.simulation.kernel_source import KernelSpec

THETA = [gpu_rivals.DU, gpu_rivals.DV, gpu_rivals.F, gpu_rivals.K]
SLOW = {"torch eager", "torch compiled", "exponax", "lax.scan", "torch graph"}


def nanoseconds(run, work: float, rounds: int = 5) -> float:
    run()
    laps = []
    for _ in range(rounds):
        begun = time.perf_counter()
        jax.block_until_ready(run())
        laps.append(time.perf_counter() - begun)
    return statistics.median(laps) / work * 1e9


def ours(x, steps: int, gradient: bool = False):
    """A call that moves x, or that also differentiates Σ c² in the parameters and x."""
    batch, _, *shape = x.shape
    job = gpu.Job(KernelSpec(us.GrayScott, "periodic", x.dtype.name), us.Grid(tuple(shape)), 1.0, gpu.machine())
    p, q = jnp.asarray(np.tile(np.array([THETA], x.dtype), (batch, 1))), jnp.empty((batch, 0, *shape), x.dtype)

    @jax.jit
    def differentiate(x, p, q):
        out, kept = gpu.rollout(job, x, p, q, frames=1, every=steps, keep=True)
        return gpu.adjoint(job, 2 * out, kept, p, q, every=steps)

    move = jax.jit(functools.partial(gpu.rollout, job, frames=1, every=steps, keep=False))
    run = differentiate if gradient else move
    return lambda: jax.block_until_ready(run(x, p, q))


def start(batch: int, size: int, dtype=np.float32):
    few = gpu_rivals.start(min(batch, 8), min(size, 128), min(size, 128))
    tiled = np.tile(few, (-(-batch // len(few)), 1, size // few.shape[2], size // few.shape[3]))[:batch]
    return jnp.asarray(tiled, dtype)


def race(batch: int, size: int, ends: float, wanted: list[str] | None) -> None:
    x, cells = start(batch, size), batch * size**2
    many = max(48, int(min(4000, 3e12 / cells / 40)) // 48 * 48)
    rivals = {
        "ours": lambda n: ours(x, n),
        "by hand, resident": lambda n: gpu_rivals.hand_written(x, n),
        "by hand, one step a pass": lambda n: gpu_rivals.one_step_a_pass(x, n),
        "lax.scan": lambda n: gpu_rivals.lax_scan(x, n),
        "torch eager": lambda n: gpu_rivals.torch_eager(x, n),
        "exponax": lambda n: gpu_rivals.exponax(x, n),
        "torch compiled": lambda n: gpu_rivals.torch_compiled(x, n),
    }
    for name, make in rivals.items():
        if wanted and name not in wanted:
            continue
        if time.perf_counter() > ends:
            print(f"{size}² × {batch:5d}  {name:26s} not run: out of time", flush=True)
            continue
        steps = 200 if name in SLOW else many
        try:
            print(f"{size}² × {batch:5d}  {name:26s} {nanoseconds(make(steps), cells * steps):.6f}", flush=True)
        except Exception as error:
            print(f"{size}² × {batch:5d}  {name:26s} not run: {gpu_rivals.reason(error)}", flush=True)


def gradients() -> None:
    for batch, size, steps in ((1, 128, 4000), (8, 128, 4000), (132, 128, 4000), (132, 64, 4000), (1, 1024, 400)):
        x, work = start(batch, size), batch * size**2 * steps
        forward, both = (nanoseconds(ours(x, steps, gradient), work, 3) for gradient in (False, True))
        print(f"gradient {size}² × {batch}, {steps} steps: {both:.6f}, {both / forward:.2f} × forward", flush=True)


def atlas() -> None:
    """A 64 × 64 atlas over (F, k) of 128² boxes to 20,000 time units, as `simulate` does it."""
    F, k = np.meshgrid(np.linspace(0.01, 0.09, 64), np.linspace(0.04, 0.07, 64))
    system = us.GrayScott().with_values(F=F.ravel().astype(np.float32), k=k.ravel().astype(np.float32))
    state = np.tile(us.simulate("gray-scott", steps=1, dtype="float32").state, (4096, 1, 1, 1))
    for _ in range(2):
        begun = time.perf_counter()
        trajectory = us.simulate(system, state, steps=20_000, dtype="float32", grid=us.Grid((128, 128)), dt=1.0)
        names, counts = np.unique([status.value for status in trajectory.status], return_counts=True)
        told = ", ".join(f"{n} {c}" for n, c in zip(names, counts, strict=True))
        print(f"atlas of 4096 boxes, 20,000 steps: {time.perf_counter() - begun:.1f} s ({told})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=150, help="no further rival starts after so long")
    parser.add_argument("--size", type=int, help="only one sample of this size, e.g. 4096")
    parser.add_argument("--rivals", nargs="+", metavar="NAME", help="only these, e.g. ours 'torch compiled'")
    given = parser.parse_args()
    ends = time.perf_counter() + given.seconds
    gpu_ceilings.show(gpu_ceilings.measure())
    if given.size:
        return race(1, given.size, ends, given.rivals)
    for batch in (132, 1056, 1, 8):
        race(batch, 128, ends, given.rivals)
    for size in (512, 1024, 4096):
        race(1, size, ends, given.rivals)
    if given.rivals and "ours" not in given.rivals:
        return
    jax.config.update("jax_enable_x64", True)
    x = start(132, 128, np.float64)
    print(f"float64, 128² × 132: ours {nanoseconds(ours(x, 2000), x[:, 0].size * 2000):.6f}", flush=True)
    jax.config.update("jax_enable_x64", False)
    gradients()
    atlas()


if __name__ == "__main__":
    main()
