"""The Well's layout: what we write its own reader takes and we read back, what strangers write tells its facts."""

import json

import h5py
import numpy as np
import pytest

import unstill as us
from unstill._errors import BadInput
from unstill.cli.main import main
from unstill.files import heaps, load, reading, save

GRID = us.Grid((12, 10), 0.1)


@pytest.fixture(scope="module")
def film():
    sets = {"F": np.array([0.03, 0.04, 0.05])}
    system = us.GrayScott.make("maze").with_values(**sets)
    return us.simulate(system, grid=GRID, dt=0.005, steps=40, save_every=10, samples=3, init="noise")


@pytest.fixture
def written(film, tmp_path):
    save(tmp_path / "film.hdf5", film)
    return tmp_path / "film.hdf5"


def stranger(path, *, kind="PERIODIC", step=10.0, count=2, times=4, **more):
    """A file as the collection's Gray–Scott set has them: (trajectory, time, x, y) of A and B."""
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file.attrs.update(n_trajectories=count, F=0.014, **more)
        file.attrs["simulation_parameters"] = ["F", "absent"]
        file["dimensions/time"] = np.float32(step) * np.arange(times, dtype=np.float32)
        for side in "xy":
            file[f"dimensions/{side}"] = np.linspace(-1, 1, 16, endpoint=False, dtype=np.float32)
            file.create_group(f"boundary_conditions/{side}_periodic").attrs["bc_type"] = kind
        file["dimensions"].attrs["spatial_dims"] = ["x", "y"]
        for name, value, varying in (("F", 0.5, False), ("k", np.float32(0.054), False), ("load", np.arange(4), True)):
            file[f"scalars/{name}"] = value
            file[f"scalars/{name}"].attrs.update(time_varying=varying, sample_varying=False)
        for name in "AB":
            field = file.create_dataset(f"t0_fields/{name}", data=rng.random((count, times, 16, 16), np.float32))
            field.attrs.update(sample_varying=True, time_varying=True, dim_varying=[True, True])
    return path


def test_a_film_comes_back_trajectory_by_trajectory(film, written):
    every = load(written)
    assert (every.count, every.ordered, every.grid) == (12, False, GRID)
    assert every.measures.parameters == {"Du": 0.16, "Dv": 0.08, "F": (0.03, 0.04, 0.05), "k": 0.057}
    for m in range(3):
        one = load(written, trajectory=m)
        assert one.ordered
        assert (one.measures.interval, one.measures.dx) == (pytest.approx(0.05), 0.1)
        assert one.measures.parameters["F"] == [0.03, 0.04, 0.05][m]
        for i, name in enumerate("uv"):
            np.testing.assert_array_equal(one[name], film.frames[:, m, i].astype(np.float32))
    some = load(written, trajectory="1:", frames="::2")
    np.testing.assert_array_equal(some["v"], film["v"][::2, 1:].swapaxes(0, 1).reshape(4, 12, 10).astype(np.float32))
    assert some.measures.interval == pytest.approx(0.1)
    assert some.measures.parameters["F"] == (0.04, 0.05)


def test_groups_and_attributes_are_those_of_the_specification(written):
    """docs/data_format.md of the package `the_well` 1.2.0."""
    with h5py.File(written) as file:
        assert set(file) == {
            "dimensions", "boundary_conditions", "scalars", "t0_fields", "t1_fields", "t2_fields"
        }  # fmt: skip
        root = {"dataset_name", "grid_type", "n_spatial_dims", "n_trajectories", "simulation_parameters"}
        assert root | {"Du", "Dv", "k"} == set(file.attrs)
        assert list(file["t0_fields"].attrs["field_names"]) == ["u", "v"]
        assert file["t0_fields/u"].shape == (3, 4, 12, 10)
        assert {each.dtype for each in file["t0_fields"].values()} == {np.dtype(np.float32)}
        assert list(file["dimensions"].attrs["spatial_dims"]) == ["x", "y"]
        assert (file["dimensions/x"].shape, file["dimensions/y"].shape) == ((12,), (10,))
        side = file["boundary_conditions/x_periodic"]
        assert (side.attrs["bc_type"], list(side.attrs["associated_dims"])) == ("PERIODIC", ["x"])
        assert (side["mask"][()].nonzero()[0].tolist(), side["values"].shape) == ([0, 11], (2,))
        scalars = file["scalars"]
        varying = {name: bool(scalars[name].attrs["sample_varying"]) for name in scalars.attrs["field_names"]}
        assert varying == {"Du": False, "Dv": False, "F": True, "k": False}
        assert scalars["F"].shape == (3,)


def test_the_collections_own_reader_takes_what_we_write(film, written):
    pytest.importorskip("torch")
    datasets = pytest.importorskip("the_well.data")
    found = datasets.WellDataset(path=str(written.parent), n_steps_input=2, n_steps_output=1)
    told = found.metadata
    assert (told.n_trajectories_per_file, told.n_steps_per_trajectory) == ([3], [4])
    assert (told.dataset_name, told.spatial_resolution) == ("gray-scott", (12, 10))
    assert told.field_names == {0: ["u", "v"], 1: [], 2: []}
    assert told.constant_scalar_names == ["Du", "Dv", "F", "k"]
    assert len(found) == 6  # two windows of three frames in each of the three
    window = found[3]  # of the second trajectory, from its second frame on
    states = np.moveaxis(film.frames[1:, 1], 1, -1).astype(np.float32)
    np.testing.assert_array_equal(window["input_fields"], states[:2])
    np.testing.assert_array_equal(window["output_fields"], states[2:])
    np.testing.assert_allclose(window["constant_scalars"], [0.16, 0.08, 0.04, 0.057], rtol=1e-6)
    np.testing.assert_array_equal(window["boundary_conditions"], 2)  # its code for periodic
    np.testing.assert_allclose(window["space_grid"][3, 4], [0.3, 0.4], rtol=1e-6)
    np.testing.assert_allclose(window["output_time_grid"], [0.1], rtol=1e-6)


def test_walls_come_back_where_they_are_ours_and_are_not_guessed_where_not(film, tmp_path):
    walls = us.simulate("gray-scott", grid=us.Grid((9, 9), 0.5, "no-flux"), steps=4, save_every=2, init="noise")
    save(tmp_path / "ours.h5", walls)
    assert load(tmp_path / "ours.h5").grid == us.Grid((9, 9), 0.5, "no-flux")
    theirs = load(stranger(tmp_path / "theirs.hdf5", kind="WALL"))
    assert theirs.grid is None
    assert theirs.measures.dx == 0.125


def test_a_strangers_file_tells_its_facts(tmp_path):
    found = load(stranger(tmp_path / "x.hdf5"), fields="u=A,v=B", trajectory=0)
    assert (found.ordered, found.grid) == (True, us.Grid((16, 16), 0.125))
    assert found.measures.interval == 10
    assert found.measures.parameters == {"F": 0.014, "k": 0.054}  # attributes count more than scalars
    table = dict(us.inspect(found).table())
    assert table["of"] == "F = 0.014, k = 0.054"
    assert us.inspect(found).to_dict()["parameters"] == {"F": 0.014, "k": 0.054}


def test_inspect_tells_the_parameters_on_the_command_line(written, tmp_path, capsys):
    assert main(["inspect", str(written), "--trajectory", "0:2", "--json", "--out", str(tmp_path / "look")]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"]["F"] == [0.03, 0.04]


def test_a_file_beyond_memory_is_read_in_parts(tmp_path, monkeypatch):
    path = stranger(tmp_path / "x.hdf5")
    monkeypatch.setattr(reading, "MOST_ELEMENTS", 1000)
    with pytest.raises(BadInput, match=r"must be read in parts.*8 pictures.*Pass `frames=0:100`.*`trajectory=0`"):
        load(path, fields="v=B")
    assert load(path, fields="v=B", trajectory=1, frames="1:4").count == 3


def test_values_of_other_files_and_odd_ones_are_passed_over(tmp_path):
    path = stranger(tmp_path / "x.hdf5")
    with h5py.File(tmp_path / "secret.hdf5", "w") as file:
        file["F"] = 7.0
    with h5py.File(path, "r+") as file:
        file["scalars/secret"] = h5py.ExternalLink("secret.hdf5", "/F")
        file["scalars/word"] = "text"
        file["scalars/hole"] = np.nan
        file["t0_fields/line"] = np.zeros((2, 4, 16))  # constant along y
        file["t0_fields/line"].attrs["dim_varying"] = [True, False]
        file.attrs["simulation_parameters"] = ["F", "list"]
        file.attrs["list"] = [1.0, 2.0]
    found = load(path, trajectory=0)
    assert list(found.fields) == ["A", "B"]
    assert found.measures.parameters == {"F": 0.014, "k": 0.054}
    with h5py.File(path, "r+") as file:
        del file["t0_fields/A"], file["t0_fields/B"]
    with pytest.raises(BadInput, match=r"two dimensions in space.*line \(2, 4, 16\)"):
        load(path)


WRONG = {
    "an array": (lambda film: {"v": film.state[:, 0]}, "must be a Trajectory for .hdf5; got dict"),
    "no frames": (lambda film: us.simulate(film.dynamics, film.state, grid=GRID, steps=1), "saved frames.*save_every"),
    "no space": (lambda _: us.simulate("lorenz", steps=2, save_every=1), "must be fields on a grid"),
    "uneven": (lambda film: us.simulation.filming.to_its_end(late(film)), "equally far apart.*0.025 to 0.05"),
}


def late(film):
    return us.simulate(film.dynamics, film.state, grid=GRID, dt=0.005, steps=35, save_every=10)


@pytest.mark.parametrize("case", WRONG)
def test_what_has_no_place_in_the_layout_is_refused(case, film, tmp_path):
    make, words = WRONG[case]
    with pytest.raises(BadInput, match=words):
        save(tmp_path / "x.hdf5", make(film))
    assert not list(tmp_path.iterdir())


def test_trajectories_are_not_taken_for_one_film(written, film, tmp_path):
    with pytest.raises(BadInput, match=r"frames of one trajectory.*trajectory=0"):
        heaps.load_pictures([str(written)], str(written), None, None, None)
    save(tmp_path / "one.hdf5", film[:1])
    *_, ordered, told = heaps.load_pictures([str(written)], str(tmp_path / "one.hdf5"), None, None, None)
    assert (ordered.x.shape, told) == ((4, 2, 12, 10), "frames 0.05 apart")
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((3, 9, 9)))
    with pytest.raises(BadInput, match="`trajectory` must be left out of what does not hold samples of several frames"):
        load(tmp_path / "x.npy", trajectory=0)
    for wrong in ("3", "x"):
        with pytest.raises(BadInput, match="`trajectory` must"):
            load(written, trajectory=wrong)


def test_simulate_writes_it_beside_its_states(tmp_path, capsys):
    words = ["simulate", "--size", "16", "--steps", "4", "--init", "noise", "--well", "--quiet"]
    assert main([*words, "--out", str(tmp_path / "a")]) == 2
    assert "`--well` needs `--save-every`" in capsys.readouterr().err
    orbit = ["simulate", "lorenz", "--steps", "4", "--save-every", "2", "--well"]
    assert main([*orbit, "--out", str(tmp_path / "a")]) == 2
    assert not (tmp_path / "a").exists()
    assert main([*words, "--save-every", "2", "--out", str(tmp_path / "a")]) == 0
    with np.load(tmp_path / "a" / "frames.npz") as frames:
        np.testing.assert_array_equal(load(tmp_path / "a" / "well.hdf5")["v"], frames["v"][:, 0].astype(np.float32))
