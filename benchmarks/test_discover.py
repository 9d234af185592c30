"""Dynamics from unordered points: cosine with the true field, nullity over many draws, and seconds.

One default serves both kinds of heaps: nothing is said to `discover` about which kind it gets, how much noise there is,
or how many terms the truth has.
"""

import jax.numpy as jnp
import numpy as np
import pytest

import unstill as us
from pictures import ensemble, late, system
from unstill.discovery import discover, discover_pictures
from unstill.discovery.point_sets import POINT_SETS
from unstill.observations.points import Points
from unstill.systems import SYSTEMS

DRAWS = 100
# points, wanted cosine with the truth, draws in which it is measured
INDEPENDENT = [(50_000, 0.999, 1), (5_000, 0.995, DRAWS), (1_000, 0.98, DRAWS)]
# set, library, options of discover, wanted nullity
NULLITIES = [
    ("rossler", "poly2", {}, 1),
    ("van_der_pol", "poly3", {"stochastic": True}, 1),
    ("hopf", "poly3", {"stochastic": True}, 5),
    ("hopf", "poly3", {"covariance": {"x:x": 0.2, "y:y": 0.2}}, 3),
    ("ring", "poly3", {}, 2),
    ("gaussian", "poly1", {}, 1),
    ("gaussian", "poly3", {}, 6),
    ("double_gyre", "trig", {}, 2),
]


def cosine(found, points) -> float:
    """|cosine| over the points, in units of the variables' standard deviations."""
    a, b = (np.asarray(d.drift(jnp.asarray(points.x))) / points.x.std(0) for d in (found, points.drift))
    return float(abs((a * b).sum()) / np.sqrt((a**2).sum() * (b**2).sum()))


def test_shuffled_runs(benchmark, figure):
    points = POINT_SETS["lorenz"]()
    found = benchmark.pedantic(discover, (points,), rounds=3, warmup_rounds=1)
    value, seconds = cosine(found, points), float(np.median(benchmark.stats.stats.data))
    met = found.nullity == 1 and value >= 0.9999 and seconds <= 5
    measured = f"nullity {found.nullity}, {value:.6f}, {seconds:.1f} s"
    figure("Lorenz, 50,000 shuffled run points", "nullity 1, ≥ .9999, ≤ 5 s", measured, ".257 (neural flow)", "", met)


def test_shuffled_runs_of_many_seeds(benchmark, figure):
    def draws():
        sets = [POINT_SETS["lorenz"](seed=seed) for seed in range(1, 11)]
        return [(one, discover(one)) for one in sets]

    found = benchmark.pedantic(draws, rounds=1)
    right = sum(d.nullity == 1 for _, d in found)
    worst = min(cosine(d, points) for points, d in found)
    figure("the same, 10 seeds", "nullity 1", f"{right} of 10, least cosine {worst:.6f}", "", "", right == 10)


def test_noisy_points(benchmark, figure):
    points = POINT_SETS["lorenz"]()
    level = 0.05 * points.x.std(0)
    noisy = points.x + level * np.random.default_rng(1).standard_normal(points.x.shape)
    found = benchmark.pedantic(discover, (noisy,), rounds=1)
    value = cosine(found, points)
    told = (
        f"noise found: {np.mean(list(found.noise.values()) / level):.3f} of the true"
        if found.noise
        else "no noise found"
    )
    figure("the same with 5 % noise", "≥ .999", f"{value:.5f}", "", told, value >= 0.999 and found.nullity == 1)


@pytest.mark.parametrize(("count", "wanted", "draws"), INDEPENDENT)
def test_independent_points(benchmark, figure, count, wanted, draws):
    every = POINT_SETS["lorenz"](count * draws, independent=True, raw=True, seed=11)
    order = np.random.default_rng(0).permutation(every.count)  # a draw takes points of all runs
    heaps = [Points(every.x[order[i::draws]], (), every.drift) for i in range(draws)]
    found = benchmark.pedantic(lambda: [discover(heap) for heap in heaps], rounds=1)
    values = [cosine(one, heap) for one, heap in zip(found, heaps, strict=True)]
    right = sum(one.nullity == 1 for one in found)
    met = right >= 0.95 * draws and float(np.median(values)) >= wanted
    how = f"cosine least {min(values):.5f}, median {np.median(values):.5f}"
    name = f"Lorenz, {count:,} independent points, {draws} draws"
    figure(name, f"≥ {wanted}, nullity 1 in 95 %", f"{np.median(values):.5f}, {right} of {draws}", "", how, met)


@pytest.mark.parametrize(("name", "library", "options", "nullity"), NULLITIES)
def test_nullity(benchmark, figure, name, library, options, nullity):
    count = 20_000 if POINT_SETS[name].moves else None
    points = POINT_SETS[name](count, independent=True, seed=2)
    found = benchmark.pedantic(lambda: discover(points, library, **options), rounds=1)
    close = f", cosine {cosine(found, points):.5f}" if nullity == 1 and points.drift is not None else ""
    met = found.nullity == nullity and (not close or cosine(found, points) >= 0.99)
    given = ", Σ given" if "covariance" in options else ", Σ unknown" if options else ""
    figure(f"{name}, {library}{given}", f"nullity {nullity}", f"{found.nullity}{close}", "", "independent points", met)


LORENZ = {(0, 1): -10, (1, 1): 28, (1, 2): -1, (1, 6): -1, (2, 3): -8 / 3, (2, 5): 1}


def test_deviations_of_points(benchmark, figure):
    """Share of errors within 1.96 standard deviations, over draws of 5,000 independent points."""
    every = POINT_SETS["lorenz"](5_000 * DRAWS, independent=True, raw=True, seed=21)
    order = np.random.default_rng(0).permutation(every.count)
    heaps = [every.x[order[i::DRAWS]] for i in range(DRAWS)]
    found = benchmark.pedantic(lambda: [discover(heap, fix={"x:y": 10}) for heap in heaps], rounds=1)
    z = np.array([(d.coefficients[k] - v) / d.std[k] for d in found if d.std is not None for k, v in LORENZ.items()])
    share = float(np.mean(np.abs(z) < 1.96))  # a missed term has deviation 0: it counts as outside
    truth = {*LORENZ, (0, 2)}
    right = sum({(int(i), int(j)) for i, j in zip(*np.nonzero(d.coefficients), strict=True)} == truth for d in found)
    none = sum(d.std is None for d in found)
    how = f"{DRAWS} draws; exactly the true terms in {right}, std null in {none}"
    figure("Lorenz, 5,000 points: errors within 1.96 std", "95 %", f"{share:.0%}", "", how, share > 0.9)


def gray_scott(preset: str) -> np.ndarray:
    """The true coefficients: 1, u, v, …, u v^2, …, lap u, lap v."""
    p = system(preset).values()
    C = np.zeros((2, 12))
    C[0, [0, 1, 8, 10]] = p["F"], -p["F"], -1, p["Du"]
    C[1, [2, 8, 11]] = -p["F"] - p["k"], 1, p["Dv"]
    return C


def _measure(states: np.ndarray, preset: str, noise: float, fix: dict[str, float]):
    level = noise * states.std((0, 2, 3))[:, None, None]
    noisy = states + level * np.random.default_rng(7).standard_normal(states.shape)
    found, truth = discover_pictures({"u": noisy[:, 0], "v": noisy[:, 1]}, fix=fix), gray_scott(preset)
    there = truth != 0
    error = float(np.abs(found.coefficients[there] / truth[there] - 1).max())
    return bool(np.array_equal(found.coefficients != 0, there)), error


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("preset", ["maze", "spots", "holes", "worms", "stripes", "fingerprints"])
def test_pictures_at_rest(benchmark, figure, data_folder, preset, noise):
    state = late(data_folder, preset)[None]
    fix = {"u:u v^2": -1.0, "v:u v^2": 1.0}
    right, error = benchmark.pedantic(_measure, (state, preset, noise, fix), rounds=1)
    name = f"one picture of {preset} at rest, poly3, {noise:.0%} noise"
    figure(name, "Gray–Scott's terms", f"{'right' if right else 'wrong'}, {error:.2%} off", "", "", right)


@pytest.mark.parametrize("preset", ["waves", "chaos", "spirals"])
def test_moving_pictures(benchmark, figure, data_folder, preset):
    states = ensemble(data_folder, preset, 0)
    right, error = benchmark.pedantic(_measure, (states, preset, 0.0, {"u:u v^2": -1.0}), rounds=1)
    name = f"64 unordered pictures of {preset}, poly3"
    figure(name, "Gray–Scott's terms", f"{'right' if right else 'wrong'}, {error:.2%} off", "", "", right)


QUOTIENTS = {
    "1": lambda a, h: np.ones_like(a + h), "a": lambda a, h: a, "h": lambda a, h: h, "a^2": lambda a, h: a**2,
    "a h": lambda a, h: a * h, "a^2/h": lambda a, h: a**2 / h, "h^2/a": lambda a, h: h**2 / a,
}  # fmt: skip


def truth_in(found, name: str) -> np.ndarray:
    """The system's own equations in the library of what was found, every diffusion coefficient 1."""
    cls, terms = SYSTEMS[name], found.equations.library
    c = np.random.default_rng(0).uniform(0.5, 2, (2, 40, 50))
    columns = terms.columns(us.Grid(c.shape[1:]), c)
    laplacians = [terms.names.index(f"lap {field}") for field in cls.fields]
    reactions = [j for j in range(len(terms.names)) if j not in laplacians]
    C = np.zeros((2, len(terms.names)))
    rates = np.stack(cls().kinetics(*c)).reshape(2, -1)
    C[:, reactions] = np.linalg.lstsq(columns[reactions].reshape(len(reactions), -1).T, rates.T, rcond=None)[0].T
    C[[0, 1], laplacians] = cls().diffusivities()
    return np.where(np.abs(C) > 1e-9, C, 0.0) / C[[0, 1], laplacians][:, None]


@pytest.mark.parametrize("noise", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
@pytest.mark.parametrize("name", ["schnakenberg", "brusselator", "fitzhugh-nagumo", "gierer-meinhardt"])
def test_other_systems_at_rest(benchmark, figure, name, boundary, noise):
    grid, fields = us.Grid((64, 64), 1.0, boundary), SYSTEMS[name].fields
    state = us.simulate(name, grid=grid, init="noise", steps=40_000, seed=1).state[0]
    level = noise * state.std((1, 2))[:, None, None]
    noisy = dict(zip(fields, state + level * np.random.default_rng(7).standard_normal(state.shape), strict=True))
    library = QUOTIENTS if name == "gierer-meinhardt" else "poly3"
    found = benchmark.pedantic(discover_pictures, (noisy, library), {"grid": grid}, rounds=1)
    truth = truth_in(found, name)
    there = truth != 0
    right = bool(np.array_equal(found.coefficients != 0, there))
    error = float(np.abs(found.coefficients[there] / truth[there] - 1).max())
    told = f"one picture of {name}, {boundary}, 64², {noise:.0%} noise"
    figure(told, "its terms", f"{'right' if right else 'wrong'}, {error:.2%} off", "", "", right)
