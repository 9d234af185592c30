"""Particles, tracks and their numbers against what is known of synthetic ones."""

import numpy as np
import pytest

from unstill import BadInput
from unstill.tracking import (
    Tracks,
    alignment,
    displacement_exponent,
    find_particles,
    link,
    median_lifetime,
    pair_correlation,
)
from unstill.tracking.comparison import compared, holm
from unstill.tracking.linking import shortest

BOX = (48, 64)
EDGES = np.linspace(0, 20, 6)


def _discs(places, radius=3.0):
    cells = np.stack(np.meshgrid(*map(np.arange, BOX), indexing="ij"), -1)
    near = [np.linalg.norm(shortest(cells - place, BOX), axis=-1) < radius for place in places]
    return np.any(near, 0).astype(float)


def _tracks(paths):
    """Tracks from paths (N, T, 2)."""
    many, frames, _ = paths.shape
    return Tracks(
        np.repeat(np.arange(many), frames), np.tile(np.arange(frames), many), paths.reshape(-1, 2), BOX, frames
    )


def test_particles_on_the_border_are_one_and_in_their_place():
    truth = np.array([[0.0, 63.5], [24.0, 30.0], [47.0, 20.0]])
    found = find_particles(_discs(truth))
    assert len(found.places) == 3
    apart = np.linalg.norm(shortest(found.places[:, None] - truth, BOX), axis=-1)
    assert apart.min(0).max() < 0.1  # discs are symmetric about their middles, up to the choice of cells at the rim


def test_dark_particles_and_touching_ones_are_counted():
    picture = _discs([(10, 10), (30, 10), (24, 40), (24, 45)])
    assert sorted(find_particles(picture).counts) == [1, 1, 2]
    assert sorted(find_particles(1 - picture, dark=True).counts) == [1, 1, 2]


def test_an_empty_picture_has_none_and_nan_is_refused():
    assert len(find_particles(np.zeros(BOX), threshold=0.5).places) == 0
    with pytest.raises(BadInput, match="finite"):
        find_particles(np.full(BOX, np.nan))


def test_tracks_cross_the_border_and_bridge_a_gap():
    pytest.importorskip("laptrack")
    velocity = np.array([[1.0, 2.0], [-1.5, 0.5]])
    paths = np.array([[5.0, 60.0], [30.0, 20.0]]) + np.arange(40)[:, None, None] * velocity
    frames = [each % BOX for each in paths]
    frames[20] = frames[20][:1]  # one is missed
    found = link(frames, BOX, reach=5)
    assert len(found) == 2
    for name in np.unique(found.track):
        own = found.places[found.track == name]
        moved = own[-1] - own[0]
        assert np.abs(velocity * 39 - moved).sum(1).min() < 1e-9
    assert found.csv().startswith("track,frame,row,column\n")
    with pytest.raises(BadInput, match="half of the torus"):
        link(frames, BOX, reach=30)


def test_no_particles_give_no_tracks_and_no_numbers():
    none = link([np.zeros((0, 2))] * 3, BOX)
    assert len(none) == 0
    assert np.isnan(displacement_exponent(none))
    assert np.isnan(alignment(none, 9))
    assert median_lifetime(none) is None
    assert np.isnan(pair_correlation([np.zeros((1, 2))], BOX, EDGES)).all()


def test_pair_correlation_of_poisson_points_is_one_and_of_a_hard_core_zero_inside():
    rng = np.random.default_rng(0)
    g = pair_correlation([rng.uniform(0, 1, (40, 2)) * BOX for _ in range(300)], BOX, EDGES)
    np.testing.assert_allclose(g, 1, atol=0.05)  # the first ring has 300·780·π4²/3072 ≈ 3,800 pairs: 1.6 %
    lattice = np.stack(np.meshgrid(np.arange(0, 48, 8), np.arange(0, 64, 8), indexing="ij"), -1).reshape(-1, 2)
    assert pair_correlation([lattice], BOX, EDGES)[0] == 0


@pytest.mark.parametrize("kind", ["brownian", "ballistic", "confined"])
def test_displacement_exponents(kind):
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((60, 200, 2))
    paths = {
        "brownian": noise.cumsum(1),
        "ballistic": noise[:, :1] * np.arange(200)[:, None],
        "confined": noise,
    }[kind]
    wanted = {"brownian": 1, "ballistic": 2, "confined": 0}[kind]
    assert displacement_exponent(_tracks(paths)) == pytest.approx(wanted, abs=0.05)


def test_a_flock_is_aligned_and_independent_walkers_are_not():
    rng = np.random.default_rng(2)
    begin = rng.uniform(0, 1, (30, 1, 2)) * BOX
    flock = begin + np.arange(50)[:, None] * np.array([0.5, 0.2])
    assert alignment(_tracks(flock), 15) == pytest.approx(1)
    walkers = begin + 0.3 * rng.standard_normal((30, 50, 2)).cumsum(1)
    assert abs(alignment(_tracks(walkers), 15)) < 0.05


def test_lifetimes_are_censored_at_both_ends():
    def lives(spans, frames):
        frame = np.concatenate([np.arange(a, b) for a, b in spans])
        track = np.repeat(np.arange(len(spans)), [b - a for a, b in spans])
        return Tracks(track, frame, np.zeros((len(frame), 2)), BOX, frames)

    # S falls to 2/3 at 2 and, with one censored at 3 left out of the risk set at 4, to 0 at 4
    assert median_lifetime(lives([(1, 3), (5, 9), (7, 10)], 10)) == 4
    assert median_lifetime(lives([(0, 3), (6, 10)], 10)) is None


def test_permutations_are_exact_and_holm_corrects():
    rng = np.random.default_rng(3)
    found = compared(np.arange(5.0) + 100, np.arange(5.0), rng)
    assert found["p"] == pytest.approx(2 / 252)
    assert found["interval95"][0] < 100 < found["interval95"][1]
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
