"""`recover` on pictures whose parameters make and judge them, and are never handed to it."""

import time

import numpy as np
import pytest

import unstill as us
from pictures import GRID, ensemble, late, polished

STEADY = ("spots", "maze", "holes", "stripes", "worms", "fingerprints")
MOVING = ("spirals", "waves", "chaos", "life")
NAMES = ("Du", "Dv", "F", "k")
DRAWS = 10


def errors(found, preset: str) -> dict[str, float]:
    """Relative errors by parameter; infinite where one was not given."""
    truth = us.GrayScott.presets[preset]
    values = {name: found.parameters[name].value for name in NAMES}
    return {n: np.inf if v is None else abs(v / truth[n] - 1) for n, v in values.items()}


def told(error: dict[str, float]) -> str:
    return ", ".join(f"{name} {e:.1e}" for name, e in error.items())


def recover(benchmark, pictures: dict, rounds: int = 1, warmup_rounds: int = 0):
    return benchmark.pedantic(
        us.recover, ("gray-scott", pictures), {"grid": GRID}, rounds=rounds, warmup_rounds=warmup_rounds
    )


def judge(figure, name: str, preset: str, found, limit: float, seconds: float, longest: float | None, note: str = ""):
    error = errors(found, preset)
    within = max(error.values()) <= limit and found.status == us.Status.CONVERGED
    met = within and (longest is None or seconds <= longest)
    wanted = f"≤ {limit:.0e}" + (f", ≤ {longest:g} s" if longest else "")
    measured = f"{max(error.values()):.1e}, {seconds:.1f} s"
    how = f"{told(error)}; status {found.status}{note}"
    figure(f"{name}, {preset}", wanted, measured, "", how, bool(met), errors=error, seconds=seconds)


@pytest.fixture(scope="module", autouse=True)
def warm(data_folder):
    """One recovery of each kind, so that no later one pays for compilation. The first is told as the cold time."""
    state = late(data_folder, "spots")
    cold = {}
    for name, fields in (("u and v", {"u": state[0], "v": state[1]}), ("v", {"v": state[1]})):
        started = time.perf_counter()
        us.recover("gray-scott", fields, grid=GRID)
        cold[name] = time.perf_counter() - started
    return cold


@pytest.mark.parametrize("preset", STEADY)
def test_v_polished(benchmark, figure, data_folder, preset):
    state, drift, status = polished(data_folder, preset)
    found = recover(benchmark, {"v": state[1]})
    note = f"; polishing ended {status} at drift {drift:.0e}"
    judge(figure, "v only, polished", preset, found, 1e-4, found.seconds, 10, note)


@pytest.mark.parametrize("preset", STEADY)
def test_v_unpolished(benchmark, figure, data_folder, preset):
    found = recover(benchmark, {"v": late(data_folder, preset)[1]})
    drift = "none" if found.drift_per_time is None else f"{found.drift_per_time:.1e}"
    judge(figure, "v only after 20,000 steps", preset, found, 3e-3, found.seconds, None, f"; drift told {drift}")


@pytest.mark.parametrize("preset", STEADY)
def test_u_and_v(benchmark, figure, data_folder, warm, preset):
    state, drift, _ = polished(data_folder, preset)
    found = recover(benchmark, {"u": state[0], "v": state[1]}, rounds=3, warmup_rounds=1)
    note = f"; first call of all {warm['u and v']:.1f} s; drift {drift:.0e}"
    judge(figure, "u and v", preset, found, 1e-3, float(np.median(benchmark.stats.stats.data)), 1, note)


@pytest.mark.slow
@pytest.mark.parametrize("preset", STEADY)
def test_v_with_noise(benchmark, figure, data_folder, preset):
    v = polished(data_folder, preset)[0][1]
    noise = 0.01 * v.std()
    found = recover(benchmark, {"v": v + noise * np.random.default_rng(400).standard_normal(v.shape)})
    truth, scores = us.GrayScott.presets[preset], []
    for name in NAMES:
        estimate = found.parameters[name]
        known = estimate.value is not None and estimate.std
        scores.append(f"{(estimate.value - truth[name]) / estimate.std:+.1f}" if known else "none")
    note = f"; z {', '.join(scores)}; noise found {found.noise['v'] / noise:.3f} of the true"
    judge(figure, "v with 1 % noise", preset, found, 5e-3, found.seconds, 120, note)


@pytest.mark.slow
@pytest.mark.parametrize("preset", MOVING)
def test_moving(benchmark, figure, data_folder, preset):
    draws = [ensemble(data_folder, preset, draw) for draw in range(DRAWS)]

    def all_draws():
        return [us.recover("gray-scott", {"u": x[:, 0], "v": x[:, 1]}, grid=GRID) for x in draws]

    found = benchmark.pedantic(all_draws, rounds=1)
    each = [errors(one, preset) for one in found]
    rms = {name: float(np.sqrt(np.mean([error[name] ** 2 for error in each]))) for name in NAMES}
    seconds = float(np.median([one.seconds for one in found]))
    statuses = ", ".join(sorted({str(one.status) for one in found}))
    how = f"{told(rms)}; {min(map(len, draws))} snapshots or more, status {statuses}, {seconds:.1f} s a draw"
    met = max(rms.values()) <= 0.02
    name = f"rms of {DRAWS} draws of 64 snapshots, {preset}"
    figure(name, "≤ 2e-02", f"{max(rms.values()):.1e}", "", how, met, rms=rms, each=each)
