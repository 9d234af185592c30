"""The rule behind unordered pictures: against the truth on held-out ones, hints, refusals, files. Small versions of
`benchmarks/test_rules.py`."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

import unstill as us
from unstill._jax import enable_x64
from unstill._types import Status
from unstill.cli.main import main
from unstill.files import load_trajectory
from unstill.rules import LearntRule, learn_rule

GRID = us.Grid((96, 96))


def heap(system, runs: int = 6, times: int = 4, seed: int = 0, burn: int = 12_000, every: int = 1500) -> np.ndarray:
    """Pictures (M, C, H, W) of several runs, shuffled."""
    state = us.simulate(system, grid=GRID, samples=runs, steps=burn, init="discs", seed=seed).state
    kept = [state]
    for _ in range(times - 1):
        state = us.simulate(system, state, grid=GRID, steps=every).state
        kept.append(state)
    return np.random.default_rng(seed).permutation(np.concatenate(kept))


def fields(pictures: np.ndarray) -> dict[str, np.ndarray]:
    return {"u": pictures[:, 0], "v": pictures[:, 1]}


def cosine(found, system, held: np.ndarray) -> float:
    """Of the field with the truth, signed, each field in its own standard deviation."""
    with enable_x64():
        true = np.asarray(us.OnGrid(system, GRID).drift(jnp.asarray(held)))
    spread = held.std((0, 2, 3))[:, None, None]
    a, b = true / spread, found(held) / spread
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


WAVES = us.GrayScott.make("waves")


@pytest.fixture(scope="module")
def waves() -> np.ndarray:
    return heap(WAVES)


@pytest.fixture(scope="module")
def rule(waves) -> LearntRule:
    return learn_rule(fields(waves))


def test_waves_give_gray_scott_back(rule):
    """Pace free: ratios of coefficients are Gray–Scott's, within 3 % (scatter of 24 pictures of 96²)."""
    assert rule.status is Status.CONVERGED
    assert rule.nullity == 1
    assert rule.chi2 < rule.dof + 4.5 * np.sqrt(2 * rule.dof)
    assert rule.scale == "free"
    assert rule.sign == "fixed by diffusion > 0"
    assert cosine(rule.rule, WAVES, heap(WAVES, 2, 1, seed=9)) > 0.995
    Du, Dv = rule.diffusivities
    assert Du / Dv == pytest.approx(2.0, rel=0.03)
    names = rule.rule.terms.names
    assert rule.sparse is not None
    sparse = {(a, n): rule.sparse[a, j] for a in range(2) for j, n in enumerate(names) if rule.sparse[a, j]}
    assert {(0, "u v^2"), (0, "lap u"), (1, "lap v"), (1, "u v^2")} <= set(sparse)
    assert sparse[1, "u v^2"] / sparse[1, "lap v"] == pytest.approx(1 / 0.08, rel=0.03)


def test_the_stated_error_holds(rule):
    held = heap(WAVES, 2, 1, seed=9)
    actual = np.sqrt(2 - 2 * cosine(rule.rule, WAVES, held))
    assert actual < 4 * rule.error


def test_kinetics_on_splines_agree_when_they_are_needed(waves):
    """The larger family by itself, as where the kinetics are no polynomials: begun at the smaller one's field."""
    from unstill.rules.functionals import Functionals
    from unstill.rules.learn_rule import _families, _solved
    from unstill.rules.neighbourhood import Neighbourhood

    where = Neighbourhood.make(("u", "v"), "laplacian", GRID)
    families = _families("kinetics", where, waves, 3)
    functionals = Functionals.make(GRID, waves, np.zeros(2), 150, 0)
    levels = _solved(families, waves, functionals, np.zeros(2), 0, lambda *_: None)
    assert [level.name for level in levels] == ["polynomial kinetics of degree 3", "kinetics on splines"]
    assert all(abs(cosine(level.rule, WAVES, waves[:6])) > 0.97 for level in levels)


def test_order_and_units_do_not_matter(waves, rule):
    """Shuffled pictures give the same rule; pictures in other units the same motion."""
    other = learn_rule(fields(waves[::-1]))
    np.testing.assert_allclose(other.rule(waves[:2]), rule.rule(waves[:2]), rtol=1e-4, atol=1e-5)
    scaled = learn_rule({"u": 2 * waves[:, 0] - 1, "v": 10 * waves[:, 1] - 1})
    back = (
        scaled.rule(np.stack([2 * waves[:2, 0] - 1, 10 * waves[:2, 1] - 1], 1)) / np.array([2.0, 10.0])[:, None, None]
    )
    difference = back - rule.rule(waves[:2])
    assert np.sqrt((difference**2).mean()) < 0.02 * np.sqrt((rule.rule(waves[:2]) ** 2).mean())


def test_a_known_coefficient_fixes_the_pace(waves):
    found = learn_rule(fields(waves), fix={"u:lap u": 0.16})
    assert found.scale == "fixed by u:lap u = 0.16"
    with enable_x64():
        true = np.asarray(us.OnGrid(WAVES, GRID).drift(jnp.asarray(waves[:4])))
    np.testing.assert_allclose(found.rule(waves[:4]), true, atol=0.05 * np.abs(true).max())


def test_ordered_frames_fix_pace_and_arrow(waves):
    film = us.simulate(WAVES, waves[0], grid=GRID, steps=20, save_every=1)
    assert film.frames is not None
    timed = learn_rule(fields(waves), ordered=us.Ordered(film.frames[:, 0], 1.0))
    assert timed.scale == timed.sign == "fixed by the ordered frames"
    assert timed.diffusivities[0] == pytest.approx(0.16, rel=0.05)
    reverse = learn_rule(fields(waves), ordered=us.Ordered(film.frames[::-1, 0]))
    assert reverse.scale == "free"
    assert reverse.diffusivities[0] < 0


def test_frames_that_do_not_follow_the_rule_are_refused(waves):
    """Pictures of different runs are in no order: their arrow would be chance."""
    with pytest.raises(us.BadInput, match="must be frames near in time"):
        learn_rule(fields(waves), ordered=us.Ordered(waves[:5]))


def test_noise_is_told_and_taken_out(waves):
    """2 % white noise on both fields: the same field, and its level."""
    level = 0.02 * waves.std((0, 2, 3))
    noisy = waves + level[:, None, None] * np.random.default_rng(1).standard_normal(waves.shape)
    found = learn_rule(fields(noisy))
    assert found.status is Status.CONVERGED
    assert [found.noise["u"], found.noise["v"]] == pytest.approx(level, rel=0.05)
    assert cosine(found.rule, WAVES, waves[:6]) > 0.99


def test_two_dynamics_in_one_heap_are_not_one_rule(waves):
    other = heap(us.GrayScott(Du=0.16, Dv=0.08, F=0.006, k=0.045), 6, 2)
    found = learn_rule(fields(np.concatenate([waves[:12], other])))
    assert found.status is Status.NO_FIT
    assert found.nullity == 0
    assert "not one rule" in found.message


def test_uniform_pictures_are_left_out_and_said(waves, rule):
    dead = np.concatenate([waves, np.stack([np.ones((2, 96, 96)), np.zeros((2, 96, 96))], 1)])
    found = learn_rule(fields(dead))
    assert "2 uniform pictures left out" in found.message
    assert abs(cosine(found.rule, WAVES, waves[:4])) > 0.99


def test_pictures_at_rest_are_refused():
    one = us.simulate("gray-scott", grid=us.Grid((64, 64)), steps=60_000, init="discs").state[0]
    at_rest = np.stack([np.roll(one, (5 * m, 3 * m), (1, 2)) for m in range(18)])
    with pytest.raises(us.BadInput, match="must move: at rest only the balance"):
        learn_rule(fields(at_rest))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pictures": 7}, "must hold at least 8"),
        ({"degree": 6}, "must hold about"),
        ({"neighbourhood": "laplacien"}, "must be a known one"),
        ({"fix": {"u:lap w": 1.0}}, "must name a term of the rule"),
        ({"fix": {"w:lap u": 1.0}}, "must name a field"),
        ({"fix": {"lap u": 1.0}}, "must be FIELD:TERM=VALUE"),
        ({"family": "rules"}, "family"),
    ],
)
def test_bad_input(waves, change, message):
    change = dict(change)
    pictures = waves[: change.pop("pictures", 12)]
    with pytest.raises(us.BadInput, match=message):
        learn_rule(fields(pictures), **change)


def test_a_rule_with_more_of_the_neighbourhood(waves):
    """Terms that are not needed change nothing: the smaller family is taken, and agrees with the truth."""
    found = learn_rule(fields(waves[:16]), neighbourhood="laplacian,biharmonic", degree=3, family="kinetics")
    assert {"lap u", "bilap v"} <= set(found.rule.terms.names)
    assert abs(cosine(found.rule, WAVES, waves[16:])) > 0.98


def test_one_field_of_two_is_no_rule(waves):
    """v alone has a memory, u, that no picture of v shows."""
    found = learn_rule({"v": waves[:, 1]})
    assert found.status is Status.NO_FIT
    assert found.failed


def test_fields_that_do_not_belong_together_are_no_rule(waves):
    swapped = fields(waves) | {"v": np.roll(waves[:, 1], 1, 0)}
    assert learn_rule(swapped).status is Status.NO_FIT


def test_noise_alone_is_refused():
    noise = np.random.default_rng(0).standard_normal((2, 32, 64, 64))
    with pytest.raises(us.BadInput, match="must be below 50% of every field's standard deviation"):
        learn_rule({"u": noise[0], "v": noise[1]})


def test_pictures_that_are_not_used_are_said(waves):
    found = learn_rule(fields(waves), most=12)
    assert found.pictures.count == 12
    assert "12 not used: `most` takes more" in found.message


# --- the verb ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(waves, tmp_path_factory):
    where = tmp_path_factory.mktemp("rules")
    np.savez(where / "waves.npz", **fields(waves))
    assert main(["flow", str(where / "waves.npz"), "--out", str(where / "rule"), "--quiet"]) == 0
    return where


def test_the_verb_writes_what_the_function_returns(folder, rule, waves):
    result = json.loads((folder / "rule" / "result.json").read_text())
    expected = json.loads(json.dumps(rule.to_dict()))
    for changes in ("seconds",):
        del result[changes], expected[changes]
    assert result == expected
    assert {
        "fields",
        "family",
        "status",
        "chi2",
        "dof",
        "nullity",
        "scale",
        "sign",
        "terms",
        "coefficients",
        "equation",
    } <= (result.keys())
    (loaded,) = us.load_flow(folder / "rule")
    np.testing.assert_array_equal(loaded(waves[:2]), rule.rule(waves[:2]))
    assert (folder / "rule" / "rule.png").stat().st_size > 10_000


def test_a_rule_moves_and_is_filmed(folder, tmp_path):
    kept = load_trajectory(folder / "rule")
    assert kept.grid == GRID
    moved = us.simulate(kept.dynamics, kept.state[:1], grid=kept.grid, steps=20)
    assert moved.status == (Status.MOVING,)
    words = ["animate", folder / "rule", "--steps", 6, "--frames", 2, "--out", tmp_path / "x.gif", "--quiet"]
    assert main([str(word) for word in words]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--score", "kernel"], "`--score` is for the families convolution and local only"),
        (["--field", "plain"], "must be a known family of pictures"),
        (["--interval", "2"], "`--interval` needs `--ordered`"),
        (["--degree", "0"], "--degree"),
        (["--ordered", "{run}"], "`--ordered` must have saved frames"),
    ],
)
def test_the_verb_refuses(folder, tmp_path, capsys, words, message):
    run = tmp_path / "run"
    if "{run}" in words:
        assert main(["simulate", "--steps", "2", "--size", "96", "--out", str(run), "--quiet"]) == 0
    words = [word.replace("{run}", str(run)) for word in words]
    assert main(["flow", str(folder / "waves.npz"), *words, "--out", str(tmp_path / "x")]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_a_damaged_rule_is_refused(folder, tmp_path):
    arrays = dict(np.load(folder / "rule" / "rule.npz"))
    np.savez(tmp_path / "rule.npz", **(arrays | {"coefficients": np.zeros((2, 2))}))
    with pytest.raises(us.BadInput, match="fit together"):
        us.load_flow(tmp_path / "rule.npz")
