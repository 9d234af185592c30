"""Films: what they show is what was computed."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
from made_films import T, film, lopsided
from PIL import Image

from unstill._errors import BadInput
from unstill._types import Status
from unstill.plotting import animate, plot_states
from unstill.plotting.canvas import Canvases, Layout
from unstill.plotting.colors import panel_pixels, robust_limits
from unstill.plotting.films import gather
from unstill.plotting.labels import clock_words, split_labels
from unstill.simulation import Trajectory
from unstill.systems import Lorenz


def decoded(path):
    import av

    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def test_panel_pixels_are_the_colours_of_the_cells():
    from matplotlib import colormaps

    field = np.array([[0.0, 1.0, 2.0], [4.0, -9.0, np.nan]])
    pixels = panel_pixels(field, (0.0, 4.0), colormap="magma", scale=3)
    assert pixels.shape == (6, 9, 3)
    expected = (np.array(colormaps["magma"]([0, 64, 128, 255, 0]))[:, :3] * 255).round()
    np.testing.assert_array_equal(pixels[::3, ::3].reshape(-1, 3)[:5], expected)
    assert (pixels[3:, 6:] == 128).all()
    assert (pixels[:3, :3] == pixels[0, 0]).all()


def test_canvases_hold_exactly_the_computed_states():
    movie = film()
    limits = robust_limits([movie.frames[:, :, 1]])
    panels = gather(movie).panels
    layout = Layout.of(panels, None)
    canvases = list(Canvases(panels, "title", colormap="magma", limits=limits))
    assert len(canvases) == T
    for t, canvas in enumerate(canvases):
        assert canvas.shape[:2] == layout.shape
        for m in range(2):
            pixels = panel_pixels(movie.frames[t, m, 1], limits, colormap="magma", scale=layout.scale)
            top, left = layout.box(m)
            np.testing.assert_array_equal(canvas[top : top + pixels.shape[0], left : left + pixels.shape[1]], pixels)


def test_mp4_shows_every_state_upright_and_in_order(tmp_path):
    movie = film()
    animate(movie, tmp_path / "x.mp4", limits=(0, 1))
    repeats = 12  # five pictures at 30 a second, for two seconds
    frames = decoded(tmp_path / "x.mp4").astype(float)[repeats - 1 :: repeats]
    layout = Layout.of(gather(movie).panels)
    assert frames.shape == (T, *layout.shape, 3)
    assert layout.shape[0] % 2 == layout.shape[1] % 2 == 0
    for t in range(T):
        for m in range(2):
            pixels = panel_pixels(movie.frames[t, m, 1], (0, 1), colormap="magma", scale=layout.scale)
            top, left = layout.box(m)
            box = frames[t, top : top + pixels.shape[0], left : left + pixels.shape[1]]
            # Compression and chroma at half resolution cost about 2 of 255; a flip, or the wrong sample, costs over 8.
            assert np.abs(box - pixels).mean() < 3
            assert np.abs(box - pixels[::-1]).mean() > 8
            assert np.abs(box - pixels[:, ::-1]).mean() > 8
            other = panel_pixels(movie.frames[t, 1 - m, 1], (0, 1), colormap="magma", scale=layout.scale)
            assert np.abs(box - other).mean() > 8


def test_mp4_plays_everywhere(tmp_path):
    import av

    animate(film(), tmp_path / "x.mp4", fps=12)
    with av.open(str(tmp_path / "x.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt, stream.average_rate) == ("h264", "yuv420p", 12)
    assert (tmp_path / "x.mp4").read_bytes().index(b"moov") < (tmp_path / "x.mp4").read_bytes().index(b"mdat")
    assert os.listdir(tmp_path) == ["x.mp4"]
    animate(film(), tmp_path / "y.mp4", fps=12)
    assert (tmp_path / "x.mp4").read_bytes() == (tmp_path / "y.mp4").read_bytes()


def test_the_bytes_of_an_mp4_do_not_depend_on_what_lay_in_memory(tmp_path):
    """glibc fills fresh memory with this byte: any that the encoder reads before it writes shows in the film."""
    program = (
        "import sys, numpy as np; from pathlib import Path; from unstill.plotting.video import write_mp4\n"
        "rows, columns = np.mgrid[0:386, 0:816]\n"
        "waves = [128 + 100 * np.sin(columns / 30 + t) * np.cos(rows / 20) for t in range(5)]\n"
        "write_mp4(Path(sys.argv[1]), [np.stack([w] * 3, -1).astype(np.uint8) for w in waves], 12)"
    )
    films = set()
    for byte in ("0", "1", "2"):
        path = tmp_path / f"{byte}.mp4"
        subprocess.run([sys.executable, "-c", program, path], check=True, env={**os.environ, "MALLOC_PERTURB_": byte})
        films.add(path.read_bytes())
    assert len(films) == 1


def test_gif_shows_the_states(tmp_path):
    movie = film(1)
    animate(movie, tmp_path / "x.gif", limits=(0, 1), size=64)
    layout = Layout.of(gather(movie).panels, 64)
    with Image.open(tmp_path / "x.gif") as gif:
        assert gif.n_frames == T
        gif.seek(T - 1)
        frame = np.asarray(gif.convert("RGB")).astype(float)
    pixels = panel_pixels(movie.frames[-1, 0, 1], (0, 1), colormap="magma", scale=layout.scale)
    top, left = layout.box(0)
    box = frame[top : top + pixels.shape[0], left : left + pixels.shape[1]]
    assert np.abs(box - pixels).mean() < 8  # 256 colours for panel, words and bar


def test_a_film_ends_where_the_motion_did():
    """Frames after every 100 of 460 steps: the final state follows."""
    movie = film(1, ts=np.array([100.0, 200.0, 300.0, 400.0, 450.0]))
    (panel,) = gather(dataclasses.replace(movie, steps=np.array([460]), state=movie.state + 1)).panels
    np.testing.assert_array_equal(panel.ts, [100, 200, 300, 400, 450, 460])
    np.testing.assert_array_equal(panel.frames[-1], movie.state[0, 1] + 1)


def test_films_share_colours_and_time():
    short = film(1, ts=np.array([150.0, 1000.0]), frames=lopsided(1)[:2] + 5)
    panels = gather([film(1), short]).panels
    layout = Layout.of(panels)
    canvases = list(Canvases(panels, colormap="magma"))
    assert len(canvases) == T
    top, left = layout.box(1)
    limits = robust_limits(p.frames for p in panels)
    first = panel_pixels(short.frames[0, 0, 1], limits, colormap="magma", scale=layout.scale)
    for canvas in canvases:  # its second frame lies beyond the longest film's last time
        np.testing.assert_array_equal(canvas[top : top + first.shape[0], left : left + first.shape[1]], first)


def test_titles_and_labels_say_what_is_shown():
    found = gather(film())
    assert [p.label for p in found.panels] == ["F=0.03", "F=0.04"]
    assert found.title == "gray-scott · v · Du=0.16  Dv=0.08  k=0.065"
    assert gather(film(), "u").title.startswith("gray-scott · u")
    assert [p.label for p in gather(film(), labels=["a", "b"]).panels] == ["a", "b"]
    assert gather(np.zeros((3, 8, 8))).panels[0].clock == "frame"
    assert split_labels([{"F": 1.0}, {"F": 1.0}]) == (["sample 1", "sample 2"], "F=1")
    assert split_labels([{"F": 1.0}, {"F": 2.0}, {"F": 2.0}])[0] == ["F=1", "F=2  sample 1", "F=2  sample 2"]


@pytest.mark.parametrize(
    ("count", "shape", "size", "columns", "scale"),
    [(1, (128, 128), None, 1, 3), (2, (128, 128), None, 2, 3), (6, (128, 128), None, 3, 3), (1, (64, 64), None, 1, 6),
     (1, (128, 128), 512, 1, 4), (1, (128, 128), 60, 1, 1), (16, (256, 256), None, 4, 2), (1, (600, 600), None, 1, 1),
     (3, (16, 64), None, 1, 6), (3, (64, 64), None, 3, 6), (5, (64, 64), None, 3, 6)],
)  # fmt: skip
def test_layout(count, shape, size, columns, scale):
    layout = Layout.of(gather([np.zeros((1, *shape))] * count).panels, size)
    assert (layout.columns, layout.scale) == (columns, scale)
    corners = [layout.box(i) for i in range(count)]
    assert len(set(corners)) == count
    assert all(top + shape[0] * scale <= layout.shape[0] for top, _ in corners)
    assert all(left + shape[1] * scale <= layout.shape[1] for _, left in corners)


@pytest.mark.parametrize("count", range(1, 17))
@pytest.mark.parametrize("shape", [(20, 20), (10, 40), (40, 10)])
def test_panels_leave_less_than_a_quarter_of_the_page_blank(count, shape):
    layout = Layout.of(gather([np.zeros((1, *shape))] * count).panels)
    blank = -count % layout.columns
    assert 4 * blank < count + blank
    corners = [layout.box(i) for i in range(count)]
    last = [left for top, left in corners if top == corners[-1][0]]
    right = max(left for _, left in corners)
    assert last[0] - corners[0][1] == pytest.approx(right - last[-1], abs=1)  # the last row stands in the middle


@pytest.mark.parametrize(("count", "size"), [(1, None), (2, None), (3, 40)])
def test_panels_that_are_narrower_than_the_title_stand_in_the_middle(count, size):
    layout = Layout.of(gather([np.zeros((1, 40, 10))] * count).panels, size)
    lefts = [layout.box(i)[1] for i in range(count)]
    right = max(lefts) + 10 * layout.scale
    assert layout.shape[1] == 400 > right - min(lefts) + 32
    assert min(lefts) == pytest.approx(layout.shape[1] - right, abs=1)


@pytest.mark.parametrize(("count", "fps", "seconds"), [(9, 30, 2.1), (1, 30, 2.0), (90, 30, 3.0), (24, 12, 2.0)])
def test_films_last_long_enough_to_be_seen(tmp_path, count, fps, seconds):
    import av

    frames = np.random.default_rng(0).random((count, 8, 8))
    animate(frames, tmp_path / "x.mp4", fps=fps, size=16)
    with av.open(str(tmp_path / "x.mp4")) as container:
        assert container.duration / av.time_base == pytest.approx(seconds, abs=1 / fps)
    animate(frames, tmp_path / "x.gif", fps=fps, size=16)
    with Image.open(tmp_path / "x.gif") as gif:
        assert gif.n_frames == count
        if count > 1:
            assert count * gif.info["duration"] / 1000 == pytest.approx(seconds, rel=0.1)


@pytest.mark.parametrize(
    ("ts", "told"),
    [
        ([0, 67, 10_000], ["0", "67", "10,000"]),
        ([0, 0.02, 0.04], ["0.00", "0.02", "0.04"]),
        ([0, 500, 1003.3], ["0.0", "500.0", "1,003.3"]),
        ([0, 100, 100.1 * 3], ["0.0", "100.0", "300.3"]),
        ([0.1 * 3 * n for n in range(3)], ["0.0", "0.3", "0.6"]),
        ([6000], ["6,000"]),
    ],
)
def test_the_clock_tells_the_time(ts, told):
    assert clock_words(np.array(ts, float)) == told


def test_bad_films_get_one_clear_line(tmp_path):
    movie = film()
    still = dataclasses.replace(movie, frames=None, ts=None)
    (tmp_path / "file").write_text("")
    for films, path, options, words in [
        (still, "x.mp4", {}, "save_every"),
        (movie, "x.avi", {}, r"\.mp4 or \.gif"),
        (movie, "x.mp4", {"field": "w"}, "Known: u, v"),
        (movie, "x.mp4", {"labels": ["one"]}, "2 in all"),
        (movie, "x.mp4", {"colormap": "mud"}, "colour map"),
        (movie, "x.mp4", {"limits": (1, 1)}, "low < high"),
        (movie, "x.mp4", {"fps": 0}, "fps"),
        (movie, "x.mp4", {"size": 0}, "size"),
        ([], "x.mp4", {}, "at least one"),
        (np.zeros((8, 8)), "x.mp4", {}, r"\(T, H, W\)"),
        (movie, "file/x.mp4", {}, "writable"),
    ]:
        with pytest.raises(BadInput, match=words) as error:
            animate(films, tmp_path / path, **options)
        assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == ["file"]


def test_films_of_points_are_refused(tmp_path):
    state = np.zeros((1, 3))
    one = np.ones(1)
    points = Trajectory(Lorenz.make(), None, 0.01, state, state[None], one, (Status.MOVING,), np.ones(1, int), one)
    for draws in (lambda: animate(points, tmp_path / "x.mp4"), lambda: plot_states(points)):
        with pytest.raises(BadInput, match="on a grid"):
            draws()
