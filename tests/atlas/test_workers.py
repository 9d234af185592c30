"""Surveys on processes of their own: the same map, whoever dies."""

import re
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

import unstill as us
from unstill.atlas.workers import crew

OVER = {"F": np.linspace(0.03, 0.06, 4), "k": np.linspace(0.045, 0.062, 4)}
CALL = {"preset": "pearson", "over": OVER, "grid": us.Grid((24, 24)), "time": 3000.0, "seed": 3}


@pytest.fixture(scope="module")
def alone():
    return us.survey("gray-scott", **CALL)


def _same(one, other) -> bool:
    return all(np.array_equal(one.values[name], other.values[name], equal_nan=True) for name in one.values)


def _workers() -> list[psutil.Process]:
    """Processes that compute: below the nannies, which start them again."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            if "spawn_main" in " ".join(process.cmdline()) and process.memory_info().rss > 5e7:
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_workers_may_be_killed(alone):
    """Each time a task is done, one of the two is."""
    killed = []

    def kill(done, total, entry):
        alive = _workers()
        if alive and len(killed) < 3:
            alive[0].kill()
            killed.append(alive[0].pid)

    found = us.survey("gray-scott", **CALL, workers=2, progress=kill)
    assert len(killed) == 3
    assert found.status is us.Status.CONVERGED
    assert _same(found, alone)


@pytest.fixture
def scheduler():
    """A scheduler with one worker, as commands start them."""
    words = "from distributed.cli.dask_scheduler import main; main()"
    begun = subprocess.Popen(
        [sys.executable, "-c", words, "--host", "127.0.0.1", "--port", "0", "--no-dashboard"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    address = ""
    assert begun.stderr is not None
    while not address:
        line = begun.stderr.readline()
        assert line, "the scheduler ended"
        found = re.search(r"Scheduler at:\s+(tcp://\S+)", line)
        address = found[1] if found else ""
    words = "from distributed.cli.dask_worker import main; main()"
    worker = subprocess.Popen(
        [sys.executable, "-c", words, address, "--nthreads", "1", "--no-dashboard", "--no-nanny"],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    yield begun, address
    for process in (worker, begun):
        process.kill()
        process.wait()
    begun.stderr.close()


def test_a_lost_scheduler_leaves_a_map_that_goes_on(alone, scheduler, tmp_path):
    begun, address = scheduler
    kept = us.Checkpoint(tmp_path)

    def lose(done, total, entry):
        begun.send_signal(signal.SIGKILL)

    started = time.monotonic()
    found = us.survey("gray-scott", **CALL, cluster=address, progress=lose, resume=kept)
    assert found.interrupted
    assert "the scheduler was lost" in found.message
    assert time.monotonic() - started < 120
    seen = found.values["regime"] >= 0
    assert 0 < seen.sum() < seen.size
    again = us.survey("gray-scott", **CALL, resume=kept)
    assert _same(again, alone)


def test_a_scheduler_that_is_not_there(monkeypatch):
    monkeypatch.setattr("unstill.atlas.workers._PATIENCE", 1.0)
    with pytest.raises(us.BadInput, match=r"`cluster` must be the address of a scheduler that answers; got 'tcp://"):
        us.survey("gray-scott", **CALL, cluster="tcp://127.0.0.1:9")
    with pytest.raises(us.BadInput, match="`workers` must be left out"), crew(2, "tcp://127.0.0.1:9"):
        pass
