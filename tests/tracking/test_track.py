"""Flow and nulls end to end, by the exact score of a Gaussian field."""

import importlib
import json
from pathlib import Path

import jax.numpy as jnp
import jsonschema
import numpy as np
import pytest

import unstill as us
from normal_fields import exact_score, few
from unstill import BadInput, NumericalFailure, Status
from unstill.cli.main import main
from unstill.field_flows import ConvolutionFlow
from unstill.field_flows.convolution import antisymmetric_kernel
from unstill.plotting.trails import TRAIL, segments, with_trails
from unstill.tracking import Tracks, track
from unstill.tracking.comparison import CLAIMS, judged

pytest.importorskip("laptrack")
MODULE = importlib.import_module("unstill.tracking.track")  # the room's `track` is the function
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "schemas" / "tracking.json").read_text())
TINY = ("--size", 36, "--steps", 36, "--frames", 18, "--seeds", 2, "--dt", 0.004, "--eta", 0.5, "--quiet")


@pytest.fixture(scope="module")
def flow():
    return ConvolutionFlow(exact_score(), 0.3, antisymmetric_kernel(2, 1, isotropic=True, rng=np.random.default_rng(0)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return us.learn_field_flow(few(), exact_score(), radius=1, tau=0.4).save(tmp_path_factory.mktemp("runs") / "flow")


def run(*words) -> int:
    return main([*map(str, words)])


def test_every_claim_has_a_verdict_and_two_seeds_decide_nothing(flow):
    found = track(flow, size=32, steps=20, frames=10, seeds=2, reach=4)
    assert set(found.claims) == set(CLAIMS)
    assert {len(each) for each in found.films.values()} == {2}
    undecided = {each.otherwise for each in CLAIMS.values()} | {"too few particles"}
    assert {each["verdict"] for each in found.claims.values()} <= undecided
    jsonschema.validate(json.loads(json.dumps(found.to_dict(), allow_nan=False)), SCHEMA)
    assert found.tracks.frame.min() >= len(found.film.frames) // 5
    assert found.tracks.frame.max() == len(found.film.frames) - 1
    with pytest.raises(BadInput, match="quarter of the torus"):
        track(flow, size=32, steps=2, reach=9)


def test_the_random_kernel_has_the_drift_of_the_flow(flow):
    state = np.random.default_rng(1).standard_normal((1, 2, 32, 32)).astype(np.float32)
    z = flow.score.standardised(jnp.asarray(state))
    sizes = [float((np.asarray(each.standardised_drift(z)) ** 2).mean()) for each in
             (flow, MODULE._random(flow, state, np.random.default_rng(2)))]  # fmt: skip
    assert sizes[1] == pytest.approx(sizes[0], rel=1e-4)


def test_a_null_that_blows_up_is_an_outcome(flow, monkeypatch):
    moved, calls = MODULE.langevin, []

    def fragile(*args, **options):
        calls.append(options["seed"])
        if options["seed"] >= 200_000:  # the random kernels
            raise NumericalFailure(Status.BLOW_UP, "by hand")
        return moved(*args, **options)

    monkeypatch.setattr(MODULE, "langevin", fragile)
    done = []
    found = track(flow, size=32, steps=20, frames=10, seeds=2, reach=4, progress=lambda n, total, _: done.append(n))
    assert len(calls) == len(done) == 6
    assert found.films["random-kernel"] == [{"status": "blow-up"}] * 2
    assert found.status is Status.UNIDENTIFIABLE
    assert found.failed
    assert "blew up" in found.message
    assert found.claims["nearness"]["verdict"] == "not told apart from the score alone"
    assert {found.claims[name]["verdict"] for name in ("alignment", "exponent")} == {"too few particles"}
    jsonschema.validate(json.loads(json.dumps(found.to_dict(), allow_nan=False)), SCHEMA)
    assert found.plot().axes


def test_g_that_differs_is_no_attraction_and_dynamics_need_both_nulls():
    rng = np.random.default_rng(0)

    def films(nearness, alignment, exponent):
        noise = 0.01 * rng.standard_normal((5, 3))
        return [{"status": "moving", "nearness": a, "alignment": b, "exponent": c}
                for a, b, c in noise + np.array([nearness, alignment, exponent])]  # fmt: skip

    found = judged({"flow": films(2, 0.5, 1), "langevin": films(1, 0, 1), "random-kernel": films(2, 0, 0)}, rng)
    assert found["nearness"]["verdict"] == "not equilibrated or not preserved"
    assert found["alignment"]["verdict"] == "alignment"
    assert found["exponent"]["verdict"] == "not told apart from both nulls"
    assert "attraction" not in json.dumps(found)


def test_the_command_line_writes_film_tracks_numbers_and_figure(folder, tmp_path, capsys):
    assert run("animate", folder, "--track", *TINY, "--out", tmp_path / "x.gif") == 0
    assert {each.name for each in tmp_path.iterdir()} == {"x.gif", "x-tracks.csv", "x-tracking.json", "x-tracking.png"}
    told = json.loads((tmp_path / "x-tracking.json").read_text())
    jsonschema.validate(told, SCHEMA)
    assert told["status"] == "converged"
    assert told["tracks"] > 0
    assert (tmp_path / "x-tracks.csv").read_text().startswith("track,frame,row,column\n")
    (tmp_path / "x.gif").unlink()
    assert run("animate", folder, "--track", *TINY, "--out", tmp_path / "x.gif") == 2
    assert "--force" in capsys.readouterr().err


def test_too_few_pictures_end_with_exit_code_3(folder, tmp_path, capsys):
    words = [*TINY, "--frames", 2]  # two lags, and an exponent needs three
    assert run("animate", folder, "--track", *words, "--out", tmp_path / "x.gif") == 3
    assert "unidentifiable: too few particles" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 4


def test_refusals_of_tracking(folder, tmp_path, capsys):
    for words, told in (
        (("gray-scott", "--time", 5), "track`"),
        ((folder, "--reverse"), "reverse`"),
        ((folder, "--samples", 2), "samples`"),
        ((folder, "--size", 32), "above 32"),
        ((folder, "--preset", "waves"), "must be left out"),
    ):
        assert run("animate", *words, "--track", "--out", tmp_path / "x.gif") == 2
        assert told in capsys.readouterr().err


def test_trails_fade_and_cross_the_border():
    frames = np.arange(30)
    tracks = Tracks(np.zeros(30, int), frames, np.stack([np.full(30, 5.0), 2.0 + frames], 1), (16, 16), 30)
    assert len(segments(tracks, 29)[2]) == TRAIL
    assert sorted(segments(tracks, 3)[2]) == [0, 1, 2]
    drawn = with_trails(np.zeros((64, 64, 3), np.uint8), tracks, 29, 4)
    shown = drawn[22, :, 1].astype(int)  # row 5, four pixels a cell
    assert shown[4 * 15 + 1] > shown[4 * 10 + 1] > 0  # column 31 = 15 + 16 is the last place; 26 was five frames before
    assert not drawn[40:].any()
    with pytest.raises(BadInput, match="only panel"):
        us.animate(np.zeros((3, 8, 8)), "never.gif", trails=tracks)
