"""`Trajectory`: fields by name, samples by number, states by time; what is saved, an interrupted motion taken up."""

import numpy as np
import pytest

import unstill as us
from unstill import BadInput, GrayScott, Grid, Status

SMALL = {"grid": Grid((16, 12)), "steps": 40, "save_every": 10, "init": "discs"}


@pytest.fixture(scope="module")
def film():
    return us.simulate(GrayScott(F=np.array([0.03, 0.04, 0.05])), samples=3, **SMALL)


def test_a_field_by_name_is_that_of_the_frames(film):
    np.testing.assert_array_equal(film["v"], film.frames[:, :, 1])
    assert film["u"].shape == (4, 3, 16, 12)
    still = us.simulate("gray-scott", grid=Grid((16, 12)), steps=2)
    np.testing.assert_array_equal(still["v"], still.state[:, 1])
    with pytest.raises(BadInput, match=r"`field` .* 'w'"):
        film["w"]


def test_samples_by_number_keep_their_parameters(film):
    last = film[-1]
    assert len(last) == 1
    assert last.dynamics.F == [0.05]
    np.testing.assert_array_equal(last.state, film.state[2:])
    assert len(film[1:]) == 2
    with pytest.raises(IndexError):
        film[3]


def test_states_by_time(film):
    np.testing.assert_array_equal(film.at(20.0), film.frames[1])
    with pytest.raises(BadInput, match="saved one, such as 20"):
        film.at(23.0)
    with pytest.raises(BadInput, match="save_every"):
        us.simulate("gray-scott", grid=Grid((16, 12)), steps=2).at(1.0)


def test_a_file_keeps_frames_and_times(film, tmp_path):
    us.save(tmp_path / "film.npz", film)
    with np.load(tmp_path / "film.npz") as kept:
        np.testing.assert_array_equal(kept["frames_v"], film["v"])
        np.testing.assert_array_equal(kept["ts"], film.ts)
    states = us.load(tmp_path / "film.npz")
    assert tuple(states.fields) == ("u", "v")
    np.testing.assert_array_equal(states.fields["v"], film.state[:, 1])


def test_a_saved_trajectory_comes_back_with_its_system(film, tmp_path):
    kept = us.load_trajectory(film.save(tmp_path / "run"))
    np.testing.assert_array_equal(kept.frames, film.frames)
    np.testing.assert_array_equal(kept.dynamics.F, film.dynamics.F)


def test_parameter_sets_are_told_once_each():
    system = GrayScott(F=np.array([0.05, 0.03, 0.05, 0.03]), k=0.06)
    sets, index = us.simulate(system, samples=4, grid=Grid((16, 16)), steps=1).parameter_sets()
    assert [one["F"] for one in sets] == [0.05, 0.03]
    assert index.tolist() == [0, 1, 0, 1]


def test_an_interrupted_motion_goes_on_from_its_checkpoint(tmp_path):
    def interrupt(done, total, entry):
        assert (total, entry["steps"]) == (40, done)
        if done == 20:
            raise KeyboardInterrupt

    whole = us.simulate("gray-scott", **SMALL)
    part = us.simulate("gray-scott", **SMALL, progress=interrupt, resume=us.Checkpoint(tmp_path / "state"))
    assert part.status == (Status.INTERRUPTED,)
    rest = us.simulate("gray-scott", **SMALL, resume=us.Checkpoint(tmp_path / "state"))
    np.testing.assert_array_equal(rest.frames, whole.frames)
    assert not list((tmp_path / "state").iterdir()), "a motion that has ended leaves nothing behind"
    with pytest.raises(BadInput, match="`resume` must hold states of this call"):
        us.simulate("gray-scott", grid=Grid((8, 8)), steps=40, resume=_kept(part))


def _kept(part):
    from unstill.simulation.simulate import _checkpoint_of

    return _checkpoint_of(part)


def test_normalised_states_are_an_affine_map_of_the_states():
    """Gray–Scott never leaves [0, 1]; of other systems the extremes of the heap are −1 and 1."""
    spots = us.simulate("gray-scott", grid=Grid((16, 16)), steps=50, samples=3, init="discs")
    found = spots.normalised()
    np.testing.assert_allclose(found["v"], 2 * spots["v"] - 1, atol=1e-6)
    np.testing.assert_array_equal(found["low"], [0, 0])
    other = us.simulate("brusselator", grid=Grid((16, 16)), steps=20, samples=2, init="noise")
    found = other.normalised()
    assert found["u"].dtype == np.float32
    for i, name in enumerate(other.fields):
        assert found[name].min() == pytest.approx(-1)
        assert found[name].max() == pytest.approx(1)
        back = found["low"][i] + (found[name] + 1) / 2 * (found["high"][i] - found["low"][i])
        np.testing.assert_allclose(back, other[name], atol=1e-5)


def test_normalize_writes_them_beside_the_states(tmp_path):
    from unstill.cli.main import main

    folder = tmp_path / "run"
    words = "simulate --preset waves --size 16 --steps 20 --samples 2 --normalize --quiet --out"
    assert main([*words.split(), str(folder)]) == 0
    with np.load(folder / "normalised.npz", allow_pickle=False) as kept:
        assert set(kept) == {"u", "v", "low", "high"}
        assert np.abs(kept["u"]).max() <= 1
    assert us.load(folder).shape == (16, 16)
