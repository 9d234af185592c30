"""Statistics of patterns with known answers."""

import numpy as np
import pytest
from scipy import ndimage

import unstill as us
from unstill.analysis.patterns import QUANTILES, pattern_statistics
from unstill.systems.grid import Grid


def _discs(n: int, radius: float, centres) -> np.ndarray:
    """A smooth picture that is 1 in discs on a torus and 0 outside."""
    y, x = np.mgrid[:n, :n]
    away = np.full((n, n), np.inf)
    for cy, cx in centres:
        dy, dx = (np.minimum(abs(a - c), n - abs(a - c)) for a, c in ((y, cy), (x, cx)))
        away = np.minimum(away, np.hypot(dy, dx))
    return 1 / (1 + np.exp(4 * (away - radius)))


@pytest.mark.parametrize("dx", [1.0, 0.25])
def test_stripes(dx):
    c = np.sin(2 * np.pi * np.arange(64) / 8)[None, :].repeat(64, 0)
    seen = pattern_statistics(Grid((64, 64), dx), c)
    assert seen.wavelength == pytest.approx(8 * dx)
    assert seen.orientation == pytest.approx(1)
    assert seen.spots == pytest.approx(8 / (64 * dx) ** 2 * 1e4)
    assert seen.euler == 0  # bands around the torus


def test_shapes_end_at_a_border_that_is_not_periodic():
    c = np.zeros((20, 30))
    c[:, :3] = c[:, -3:] = 1  # two bands at the sides, one on a torus
    around, cut = (pattern_statistics(us.Grid((20, 30), 1.0, boundary), c) for boundary in ("periodic", "no-flux"))
    assert [round(each.spots * 600 / 1e4) for each in (around, cut)] == [1, 2]
    assert [round(each.euler * 600 / 1e4) for each in (around, cut)] == [0, 2]
    assert around.perimeter == pytest.approx(cut.perimeter)


def test_waves_in_all_directions_have_none():
    y, x = np.mgrid[:64, :64] * 2 * np.pi / 64
    seen = pattern_statistics(Grid((64, 64)), np.sin(8 * x) + np.sin(8 * y))
    assert seen.orientation == pytest.approx(0, abs=1e-12)
    assert seen.wavelength == pytest.approx(8)


def test_discs_and_their_holes():
    n, radius = 128, 12.0
    c = _discs(n, radius, [(0, 0), (60, 60), (30, 90)])  # the first lies on all four corners
    seen = pattern_statistics(Grid((n, n)), c)
    assert seen.spots == pytest.approx(3 / n**2 * 1e4)
    assert seen.euler == pytest.approx(3 / n**2 * 1e4)
    assert seen.area == pytest.approx(3 * np.pi * radius**2 / n**2, rel=0.03)  # of cells whose centres lie inside
    assert seen.perimeter == pytest.approx(3 * 2 * np.pi * radius / n**2, rel=0.05)
    holes = pattern_statistics(Grid((n, n)), -c)
    assert holes.spots == pytest.approx(1 / n**2 * 1e4)
    assert holes.euler == pytest.approx(-3 / n**2 * 1e4)


def test_pieces_are_those_of_an_open_picture_where_no_piece_meets_the_border(rng):
    c = ndimage.gaussian_filter(rng.standard_normal((60, 60)), 2)
    c[:4], c[-4:], c[:, :4], c[:, -4:] = 4 * (c.min(),)
    seen = pattern_statistics(Grid((60, 60)), c)
    above = c > (np.quantile(c, QUANTILES[0]) + np.quantile(c, QUANTILES[-1])) / 2
    count = ndimage.label(above, np.ones((3, 3)))[1]
    holes = ndimage.label(np.pad(~above, 1, constant_values=True))[1] - 1
    assert seen.spots == pytest.approx(count / 3600 * 1e4)
    assert seen.euler == pytest.approx((count - holes) / 3600 * 1e4)


def test_cells_of_half_the_size_make_no_other_pattern(rng):
    c = ndimage.gaussian_filter(rng.standard_normal((48, 48)), 3, mode="wrap")
    one = pattern_statistics(Grid((48, 48)), c)
    other = pattern_statistics(Grid((96, 96), 0.5), np.kron(c, np.ones((2, 2))))
    for name in ("orientation", "area", "perimeter", "euler", "spots"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=1e-2, rel=1e-6), name
    assert one.wavelength == pytest.approx(other.wavelength, rel=0.2)  # edges of cells are short waves


def test_places_do_not_matter(rng):
    c = ndimage.gaussian_filter(rng.standard_normal((48, 48)), 3, mode="wrap")
    one, other = (pattern_statistics(Grid((48, 48)), each) for each in (c, np.roll(c, (7, -11), (0, 1))))
    for name in ("wavelength", "orientation", "area", "perimeter", "euler", "spots"):
        assert getattr(one, name) == pytest.approx(getattr(other, name)), name


def test_a_uniform_picture_has_levels_alone():
    seen = pattern_statistics(Grid((8, 8)), np.full((8, 8), 0.3))
    assert seen.quantiles == pytest.approx([0.3] * len(QUANTILES))
    assert seen.wavelength is None
    assert seen.spots is None
