"""Trainings and exponents on JAX's first device: run it on a card, and where there is none.

    python benchmarks/gpu_training.py [--long]

Seconds of a whole call, its first (with what is compiled) and its second.
"""

import argparse
import time

import jax

import unstill as us


def cases(long: bool):
    points = us.draw_points("lorenz")
    score = us.learn_score(points, epochs=1, steps=10)
    yield "score, 500 steps of 2,048 points", lambda: us.learn_score(points, epochs=5, steps=100)
    flows = lambda count: us.learn_flow(points, score, experiments=count, epochs=2, steps=100, seed=1)  # noqa: E731
    yield "20 flows, 200 steps of 1,024 points", lambda: flows(20)
    if long:
        yield "score, 12,000 steps of 2,048 points", lambda: us.learn_score(points)
        yield "100 flows, 200 steps of 1,024 points", lambda: flows(100)
    grid, chaos = us.Grid((128, 128)), us.GrayScott.make("chaos")
    state = us.simulate(chaos, steps=2_000, seed=1, grid=grid).state[0]
    yield (
        "8 exponents of a 128² box, 2,000 steps",
        lambda: us.lyapunov_spectrum(chaos, state, time=2_000.0, count=8, grid=grid),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="trainings of full length too: minutes")
    given = parser.parse_args()
    print(jax.devices()[0].device_kind, flush=True)
    for name, run in cases(given.long):
        laps = []
        for _ in range(2):
            begun = time.perf_counter()
            run()
            laps.append(time.perf_counter() - begun)
        print(f"{name}: {laps[0]:.1f} s, then {laps[1]:.1f} s", flush=True)


if __name__ == "__main__":
    main()
