"""What a user waits for before anything happens, and whether a second start compiles a kernel."""

import os
import re
import statistics
import subprocess
import sys
import time

import numpy as np
import pytest

UNSTILL = [sys.executable, "-m", "unstill"]
VERBS = {
    "simulate": "simulate gray-scott --preset maze --size 64 --steps 20000 --seed 300 --out run --force",
    "polish": "simulate gray-scott --preset spots --size 48 --steps 20000 --seed 300 --polish --out steady --force",
    "recover u, v": "recover run --observe u,v --out both --force",
    "recover v": "recover steady --observe v --out one --force",
    "animate": "animate run --out motion.mp4 --force",
}


def test_help(benchmark, figure):
    def call():
        subprocess.run([*UNSTILL, "--help"], check=True, capture_output=True)

    benchmark.pedantic(call, rounds=9, warmup_rounds=1)
    seconds = statistics.median(benchmark.stats.stats.data)
    figure("unstill --help", "< 0.5 s", f"{seconds:.2f} s", "", "whole process, median of 9", seconds < 0.5)


def _start(verb: str, folder, caches) -> tuple[int, float]:
    """(functions that Numba compiled and saved, seconds) of one process."""
    places = {"UNSTILL_CACHE": str(caches), "NUMBA_CACHE_DIR": str(caches / "numba")}
    env = {**os.environ, **places, "NUMBA_DEBUG_CACHE": "1"}
    started = time.perf_counter()
    done = subprocess.run([*UNSTILL, *VERBS[verb].split()], cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode not in (0, 3):  # 3: ran, but the picture was not what the method wants
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return len(re.findall(r"data saved to", done.stdout)), time.perf_counter() - started


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("starts")


@pytest.mark.parametrize("verb", VERBS)
def test_second_start(benchmark, figure, folder, tmp_path, verb):
    first, slow = _start(verb, folder, tmp_path)
    second, quick = benchmark.pedantic(_start, args=(verb, folder, tmp_path), rounds=1)
    how = f"files that Numba saves; {first} and {slow:.1f} s at the first start, {quick:.1f} s at the second"
    figure(f"kernels compiled at the second start of {verb}", "0", str(second), "", how, second == 0)


def test_import(benchmark, figure):
    call = "import unstill; unstill.recover"
    benchmark.pedantic(lambda: subprocess.run([sys.executable, "-c", call], check=True), rounds=5, warmup_rounds=1)
    seconds = float(np.median(benchmark.stats.stats.data))
    figure("import of recover", "", f"{seconds:.2f} s", "", "whole process, median of 5")
