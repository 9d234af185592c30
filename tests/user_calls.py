"""The main verbs, each on a small problem, as a user calls them. `python user_calls.py OUT.npz` writes their numbers.

Run so, nothing of the tests' settings holds: JAX as it comes (32 bits, ranks promoted) and no types at run time.
"""

import functools
import sys

import jax
import numpy as np

import unstill as us

GRID = us.Grid((24, 24))
MAZE = {"Du": 0.16, "Dv": 0.08, "F": 0.029, "k": 0.057}
TRAINING = {"epochs": 3, "steps": 5, "rate": 1e-2, "batch": 64}


@functools.cache
def maze() -> dict[str, np.ndarray]:
    """At rest: (1, 24, 24) a field."""
    run = us.simulate(us.GrayScott(**MAZE), grid=GRID, init="discs", steps=6_000, polish=True)
    return {"u": run.state[:, 0], "v": run.state[:, 1]}


@functools.cache
def waves() -> dict[str, np.ndarray]:
    """In motion: 16 pictures, (16, 24, 24) a field."""
    run = us.simulate(us.GrayScott(F=0.035, k=0.06), grid=GRID, init="discs", samples=4, steps=800, save_every=200)
    moving = np.concatenate(run.frames)
    return {"u": moving[:, 0], "v": moving[:, 1]}


def eight() -> dict[str, np.ndarray]:
    return {name: pictures[:8] for name, pictures in waves().items()}


def simulate(dynamics="gray-scott", **options) -> dict:
    run = us.simulate(dynamics, **options)
    return {"state": run.state, "drift": run.drift}


def spots(**options) -> dict:
    return simulate(grid=GRID, init="discs", samples=2, steps=200, **options)


def recover(pictures, *fields: str) -> dict:
    found = us.recover("gray-scott", {name: pictures()[name] for name in fields}, grid=GRID)
    known = {name: (e.value, e.std) for name, e in found.parameters.items() if e.value is not None}
    numbers = {name: [number for number in pair if number is not None] for name, pair in known.items()}
    return numbers | {"fields": found.fields}


def fit(strategy: str, **options) -> dict:
    start = MAZE | {"F": 0.031}
    found = us.fit("gray-scott", {"v": maze()["v"]}, start=start, strategy=strategy, iterations=3, **options)
    return found.values | {"states": found.states, "loss": found.loss}


def discover(data, *library: str) -> dict:
    found = us.discover(data() if callable(data) else data, *library)
    return {"coefficients": found.coefficients, "spectrum": found.spectrum}


def gaussian() -> us.Points:
    return us.Points(np.random.default_rng(3).standard_normal((600, 2)) @ np.array([[1.0, 0.4], [0.0, 1.0]]))


def learn_score() -> dict:
    found = us.learn_score(gaussian(), hidden=(8, 8), **TRAINING)
    return {"losses": found.losses, "score": found.score(gaussian().x[:9], 0.3)}


def learn_flow(field: str, **training) -> dict:
    found = us.learn_flow(gaussian(), field=field, experiments=2, hidden=8, time=0.2, **training)
    return {"losses": found.losses, "residuals": found.residuals, "v": found.flows[0](gaussian().x[:9])}


def lyapunov() -> dict:
    found = us.lyapunov_spectrum(us.Lorenz(), np.array([1.0, 2.0, 20.0]), time=4.0, segments=4)
    return {"exponents": found.exponents, "std": found.std}


call = functools.partial


def stability() -> dict:
    found = us.stability("brusselator", over={"b": (2.0, 12.0)})
    places = [list(point.parameters.values()) for point in found.bifurcations]
    return {"states": found.arrays()["stability.npz"]["states"], "growth": found.states[0].fastest.rate, "b": places}


def classify() -> dict:
    found = us.classify(us.GrayScott.make("pearson", F=0.06, k=0.045), grid=us.Grid((16, 16)), time=2000.0)
    return {"state": found.findings[0].state, "drift": found.findings[0].drift}


def survey() -> dict:
    found = us.survey("gray-scott", over={"F": [0.04, 0.06]}, grid=us.Grid((16, 16)), time=2000.0)
    return {name: found.values[name] for name in ("drift", "mean", "quantiles")}


def continue_branch() -> dict:
    y, x = np.mgrid[:12, :12]
    v = 0.3 * np.exp(-(((x - 6) ** 2 + (y - 6) ** 2) / 9))
    run = us.simulate(us.GrayScott.make("spots", k=0.066), np.stack([1 - 2 * v, v])[None], steps=6000)
    found = us.continue_branch(run, over={"F": (0.034, 0.036)}, step=0.3)
    return {"values": found.values, "state": found.points[-1].state, "growth": [p.modes.growth for p in found.points]}


CALLS = {
    "simulate by native kernels": call(spots, engine="native"),
    "simulate by XLA": call(spots, engine="xla"),
    "simulate in float32": call(spots, dtype="float32"),
    "simulate with ETDRK4": call(spots, stepper="etdrk4"),
    "simulate points": call(simulate, us.Lorenz(), steps=200),
    "polish": maze,
    "recover with a hidden field": call(recover, maze, "v"),
    "recover with all fields": call(recover, maze, "u", "v"),
    "recover in motion": call(recover, eight, "u", "v"),
    "fit from the targets": call(fit, "observed-start"),
    "fit through time": call(fit, "bptt", horizon=40, until_change=0.0),
    "fit by tangents": call(fit, "forward", horizon=40, until_change=0.0),
    "fit at rest": call(fit, "implicit"),
    "discover of points": call(discover, gaussian(), "poly1"),
    "discover of pictures at rest": call(discover, maze),
    "discover of pictures in motion": call(discover, waves),
    "learn a score": learn_score,
    "learn a flow": call(learn_flow, "plain", **TRAINING),
    "the best polynomial flow": call(learn_flow, "polynomial"),
    "lyapunov": lyapunov,
    "stability": stability,
    "classify": classify,
    "survey": survey,
    "continue": continue_branch,
}


def main(out: str, *names: str) -> None:
    """Every call as it comes, then once more under 64-bit JAX: "plain CALL: NAME" and "x64 CALL: NAME"."""
    numbers = {}
    for mode in ("plain", "x64"):
        jax.config.update("jax_enable_x64", mode == "x64")
        numbers |= {f"{mode} {name}: {key}": value for name in names for key, value in CALLS[name]().items()}
        assert jax.config.jax_enable_x64 == (mode == "x64")
    np.savez(out, **numbers)


if __name__ == "__main__":
    main(*sys.argv[1:])
