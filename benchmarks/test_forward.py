"""Forward motion, 128², batch 8, 2 threads: the native engine, `lax.scan`, eager PyTorch and plain C in turns."""

import concurrent.futures
import contextlib
import ctypes
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from cases import SYSTEM, batched, native_rollout, ready, rolled, sliced, states
from timing import Lap, contestant, median, race, ratio

SIZE, BATCH, STEPS = 128, 8, 400
HERE = Path(__file__).parent


def work(steps: int) -> float:
    return SIZE * SIZE * BATCH * steps


def compiled_c(x: np.ndarray, folder: Path):
    """The C loop over the samples of x on two threads; a reason instead where there is no compiler."""
    compiler = os.environ.get("CC") or shutil.which("cc")
    if not compiler:
        return "no C compiler"
    real = "double" if x.dtype == np.float64 else "float"
    library = folder / f"gray_scott_{real}.so"
    flags = ["-O3", "-march=native", f"-DREAL={real}", "-fPIC", "-shared"]
    subprocess.run([compiler, *flags, str(HERE / "gray_scott.c"), "-o", str(library)], check=True)
    function = ctypes.CDLL(str(library)).unstill_rival
    number = ctypes.c_double if real == "double" else ctypes.c_float
    function.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_ssize_t] * 2 + [number] * 4
    function.restype = None
    padded = [np.ascontiguousarray(np.pad(c, [(0, 0), (0, 0), (1, 1)], mode="wrap")) for c in x]
    spare = [np.empty_like(c) for c in padded]
    theta = [float(value) for value in SYSTEM.values().values()]
    pool = concurrent.futures.ThreadPoolExecutor(2)

    def run(steps: int) -> np.ndarray:
        list(pool.map(lambda a, b: function(a.ctypes.data, b.ctypes.data, SIZE, steps, *theta), padded, spare))
        return np.stack(padded)[..., 1:-1]

    return run


def torch_process(x: np.ndarray, folder: Path):
    """A process with the eager loop and what it says of itself; a reason instead where there is no PyTorch."""
    python = os.environ.get("UNSTILL_TORCH_PYTHON") or (sys.executable if importlib.util.find_spec("torch") else None)
    if not python:
        return "no torch here; name an interpreter that has it in UNSTILL_TORCH_PYTHON"
    np.save(folder / "states.npy", x)
    command = [python, str(HERE / "torch_loop.py"), str(folder / "states.npy")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return process, json.loads(process.stdout.readline())


def torch_lap(process, steps: int) -> Lap:
    process.stdin.write(f"{steps}\n")
    process.stdin.flush()
    answer = json.loads(process.stdout.readline())
    return Lap(answer["wall"], answer["cpu"]).per(work(steps))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_forward(benchmark, figure, tmp_path, dtype):
    x = states(SIZE, BATCH, dtype)
    device = jnp.asarray(x)
    c, torch = compiled_c(x, tmp_path), torch_process(x, tmp_path)
    if not isinstance(c, str):
        np.testing.assert_allclose(
            c(100), native_rollout(x, 100)()[:, 0], rtol=0, atol=1e-5 if dtype == "float32" else 1e-12
        )
        c = compiled_c(x, tmp_path)
    contestants = {"native": contestant(native_rollout(x, STEPS), work(STEPS))}
    scans = {
        "our engine='xla'": ready(batched, SYSTEM, device, STEPS // 5, "xla"),
        "jnp.roll": ready(rolled, device, STEPS // 5),
        "padded slices": ready(sliced, device, STEPS // 5),
    }
    contestants |= {name: contestant(run, work(STEPS // 5)) for name, run in scans.items()}
    if not isinstance(c, str):
        contestants["C"] = contestant(lambda: c(STEPS), work(STEPS))
    if not isinstance(torch, str):
        contestants["torch"] = lambda: torch_lap(torch[0], STEPS // 20)
    with contextlib.nullcontext() if isinstance(torch, str) else torch[0]:  # its end closes the pipes
        laps = race(benchmark, contestants, rounds=7)

    wall = {name: f"{median(runs).wall * 1e9:.2f}" for name, runs in laps.items()}
    best = min(scans, key=lambda name: median(laps[name]).wall)
    own = median(laps["native"])
    others = ", ".join(f"{name} {wall[name]}" for name in laps if name != "native")
    how = f"128², batch 8, {STEPS} steps, ns a cell and step, median of 7 rounds; {others}"
    figure(f"native forward, {dtype}", "", f"{wall['native']} ns", "", how, laps=wall, cpu=own.cpu * 1e9)
    for name, key, wanted, reason in (
        (f"lax.scan ({best})", best, "≥ 4×", None),
        ("eager PyTorch", "torch", "≥ 20×", torch),
        ("C -O3 -march=native", "C", "≥ 0.5×", c),
    ):
        if key not in laps:
            figure(f"native against {name}, {dtype}", wanted, "not run", "", reason)
            continue
        times = ratio(laps, key, "native")
        note = f"{times.cpu:.2f}× in processor time" + (f"; {torch[1]['how']}" if key == "torch" else "")
        met = times.wall >= float(wanted[2:-1])
        figure(
            f"native against {name}, {dtype}", wanted, f"{times.wall:.2f}×", f"{wall[key]} ns", note, met, ratio=times
        )
