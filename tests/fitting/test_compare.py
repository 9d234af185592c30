"""`compare`: the losses between pictures are those of the losses themselves, and the verb writes what it promises."""

import json
from pathlib import Path

import jax.numpy as jnp
import jsonschema
import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from unstill._errors import BadInput
from unstill._progress import Memory
from unstill.fitting import compare
from unstill.fitting.compare import distances
from unstill.fitting.comparison import summary
from unstill.fitting.losses import ScalarLoss, find_loss
from unstill.plotting.comparisons import percentile_limits, plot_comparison
from verbs_arguments import run_verb

SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "compare.json"


@pytest.fixture
def states(rng):
    return 0.4 + 0.1 * rng.standard_normal((4, 2, 12, 10))


@pytest.fixture
def source(states, tmp_path):
    np.savez(tmp_path / "set.npz", u=states[:, 0], v=states[:, 1])
    return tmp_path / "set.npz"


def call(*words) -> int:
    return run_verb("compare", words)


# --- in Python --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pixel", "power-spectrum"])
def test_each_entry_is_the_loss_of_two_pictures(name, states):
    loss, losses = find_loss(name), distances(states, find_loss(name))
    for i, j in ((0, 1), (3, 2)):
        expected = loss(jnp.asarray(states[i : i + 1]), jnp.asarray(states[j : j + 1]))
        assert losses[i, j] == pytest.approx(float(expected), rel=1e-10)
    np.testing.assert_array_equal(np.diag(losses), 0)
    np.testing.assert_array_equal(losses, losses.T)


def test_pixel_losses_in_numpy(states):
    expected = np.mean((states[:, None] - states[None]) ** 2, (2, 3, 4))
    np.testing.assert_allclose(distances(states, find_loss("pixel")), expected, rtol=1e-12)


def test_a_small_distance_is_not_lost_to_cancellation(states):
    near = np.stack([states[0], states[0] + 1e-9])
    assert distances(near, find_loss("pixel"))[0, 1] == pytest.approx(1e-18, rel=1e-6)


def test_a_users_loss_keeps_its_direction(states):
    losses = distances(states, ScalarLoss(lambda p, t: jnp.mean(p) - 2 * jnp.mean(t)))
    means = states.mean((1, 2, 3))
    np.testing.assert_allclose(losses, means[:, None] - 2 * means[None], rtol=1e-12)


def test_what_cannot_be_compared(states):
    with pytest.raises(BadInput, match="at least two"):
        compare(states[:1, 0])
    with pytest.raises(BadInput, match="that `observe` names"):
        compare(states)
    with pytest.raises(BadInput, match="must be finite; got v"):
        compare(np.full((2, 8, 8), np.nan))
    with pytest.raises(BadInput, match="finite for every two"):
        distances(states, ScalarLoss(lambda p, t: jnp.log(jnp.mean(p) - jnp.mean(t))))
    with pytest.raises(BadInput, match="single pictures"):
        distances(states, find_loss("stationarity"))


def test_summary_leaves_the_diagonal_out():
    losses = np.arange(1.0, 10.0).reshape(3, 3)  # off the diagonal 2, 3, 4, 6, 7, 8
    s = summary(losses)
    assert (s["min"], s["max"], s["mean"], s["median"]) == (2, 8, 5, 5)
    assert s["percentile5"] == pytest.approx(2.25)
    assert s["percentile95"] == pytest.approx(7.75)
    assert percentile_limits(losses) == pytest.approx((2.25, 7.75))
    assert percentile_limits(np.array([[0, 0.02], [0.02, 0]])) == (0, 0.02)  # one loss has no percentiles


def test_arrays_and_names_give_the_same_matrices(states):
    named = compare({"u": states[:, 0], "v": states[:, 1]}, loss="pixel,moments", samples=3)
    plain = compare(states, loss=("pixel", "moments"), observe="u,v", samples=3)
    assert list(named.losses) == ["pixel", "moments"]
    assert list(named.pictures) == ["u", "v"]
    for name in named.losses:
        np.testing.assert_array_equal(named.losses[name], plain.losses[name])
    assert compare(states[:, 1], loss="pixel").to_dict()["observed"] == ["v"]
    assert "3 pictures of u, v" in repr(named)
    jsonschema.validate(named.to_dict(), json.loads(SCHEMA.read_text()))


def test_losses_that_are_kept_are_not_computed_again(states):
    kept, told = Memory(), []
    kept.keep("losses", pixel=np.full((4, 4), 7.0))
    found = compare(states[:, 1], loss="pixel,moments", resume=kept, progress=lambda *now: told.append(now))
    assert (found.losses["pixel"] == 7).all()
    assert set(kept.kept("losses") or {}) == {"pixel", "moments"}
    assert told == [(1, 2, {"loss": "pixel"}), (2, 2, {"loss": "moments"})]


# --- the picture ------------------------------------------------------------------------------------------------------


def test_heat_maps_show_the_matrices_in_colours_of_the_percentiles(states):
    losses = {name: distances(states, find_loss(name)) for name in ("pixel", "moments")}
    figure = plot_comparison(losses, {"u": states[:, 0], "v": states[:, 1]})
    images = [axes.images[0] for axes in figure.findobj(lambda a: bool(getattr(a, "images", None)))]
    assert len(images) == 2 + 4  # heat maps, pictures
    for image, matrix in zip(images, losses.values(), strict=False):
        np.testing.assert_array_equal(image.get_array(), matrix)
        assert image.get_clim() == pytest.approx(percentile_limits(matrix))
    for image, picture in zip(images[2:], states[:, 1], strict=True):
        np.testing.assert_array_equal(image.get_array(), picture)
    words = [t.get_text() for t in figure.findobj(Text)]
    assert any(word.startswith("pixel: median") for word in words)
    assert {"v 0", "v 1", "v 2", "v 3"} <= set(words)


def test_at_most_twelve_pictures_and_equal_losses_are_drawn(rng):
    pictures = {"v": rng.uniform(size=(40, 8, 8))}
    figure = plot_comparison({"flat": np.zeros((40, 40))}, pictures)
    titles = [t.get_text() for t in figure.findobj(Text) if t.get_text().startswith("v ")]
    assert len(titles) == 12
    assert (titles[0], titles[-1]) == ("v 0", "v 39")
    with pytest.raises(BadInput, match="each with each"):
        plot_comparison({"flat": np.zeros((3, 3))}, pictures)


# --- the verb ---------------------------------------------------------------------------------------------------------


def test_compare_writes_what_it_promises(source, states, tmp_path, capsys):
    out = tmp_path / "c"
    assert call(source, "--loss", "pixel,moments", "--samples", 3, "--out", out) == 0
    result = json.loads((out / "result.json").read_text())
    jsonschema.validate(result, json.loads(SCHEMA.read_text()))
    assert result["observed"] == ["u", "v"]
    assert result["samples"] == 3
    expected = distances(states[:3], find_loss("pixel"))
    assert result["losses"]["pixel"] == summary(expected)
    with np.load(out / "losses.npz") as losses:
        assert set(losses) == {"pixel", "moments"}
        np.testing.assert_array_equal(losses["pixel"], expected)
    with Image.open(out / "compare.png") as picture:
        assert min(picture.size) > 400
    assert "pixel" in capsys.readouterr().out
    assert json.loads((out / "run.json").read_text())["verb"] == "compare"


def test_observe_a_users_loss_and_json(source, states, tmp_path, capsys):
    (tmp_path / "mine.py").write_text("import jax.numpy as jnp\ndef far(p, t): return jnp.mean(jnp.abs(p - t))\n")
    name = f"{tmp_path / 'mine.py'}:far"
    assert call(source, "--observe", "v", "--loss", name, "--out", tmp_path / "c", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    jsonschema.validate(result, json.loads(SCHEMA.read_text()))
    assert result["observed"] == ["v"]
    with np.load(tmp_path / "c" / "losses.npz") as losses:
        v = states[:, 1]
        np.testing.assert_allclose(losses["mine.py:far"], np.abs(v[:, None] - v[None]).mean((2, 3)), rtol=1e-12)
    assert list(result["losses"]) == [name]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--loss", "pixels"), "Did you mean pixel"),
        (("--loss", "pixel,pixel"), "each loss once"),
        (("--loss", ","), "at least one loss"),
        (("--loss", "pixel", "--samples", 5), "to the 4 pictures"),
        (("--loss", "pixel", "--samples", 1), "from 2 to"),
        (("--loss", "pixel", "--observe", "w"), "w"),
        (("--loss", "jax.numpy:subtract"), "one real number"),
        (("--loss", "stationarity"), "single pictures"),
    ],
)
def test_bad_input_leaves_no_folder(source, tmp_path, words, message):
    with pytest.raises(BadInput, match=message):
        call(source, *words, "--out", tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_the_folder_must_be_new(source, tmp_path):
    assert call(source, "--loss", "pixel", "--out", tmp_path / "c", "--quiet") == 0
    with pytest.raises(BadInput, match="force=True"):
        call(source, "--loss", "pixel", "--out", tmp_path / "c", "--quiet")
