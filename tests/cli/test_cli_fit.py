"""`unstill fit` and `unstill landscape`: files as promised, runs taken up again, one line and exit 2 for bad input."""

import inspect
import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import unstill as us
from unstill._errors import BadInput
from unstill.cli.main import main
from unstill.fitting.fit import plan_of
from unstill.simulation import Grid, simulate
from unstill.systems import GrayScott
from unstill.training.optimisers import LevenbergMarquardt, Optax

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"
START = "Du=.127,Dv=.127,F=.04,k=.058"
SHORT = ("--strategy", "tbptt", "--window", 20, "--horizon", 60, "--batch", 1, "--iterations", 5)
FILES = {"run.json", "result.json", "log.jsonl", "fields.npz", "fit.png", "state-0.npz"}


def run(*words) -> int:
    return main([str(w) for w in words])


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    state = simulate(GrayScott.make(F=0.035, k=0.06), grid=Grid((24, 24)), samples=2, init="discs", steps=2000).state
    folder = tmp_path_factory.mktemp("targets")
    np.savez(folder / "v.npz", v=state[:, 1])
    np.savez(folder / "dead.npz", v=np.full((2, 24, 24), 0.3))
    np.savez(folder / "w.npz", w=state[:, 1])
    (folder / "mine.py").write_text(
        "import jax.numpy as jnp\ndef many(p, t): return (p - t).ravel()\n"
        "def one(p, t): return jnp.mean((p - t) ** 2)\n"
    )
    return folder


def result_of(folder) -> dict:
    def refuse(word):
        raise AssertionError(f"{word} in result.json")

    result = json.loads((folder / "result.json").read_text(), parse_constant=refuse)
    verb = json.loads((folder / "run.json").read_text())["verb"]
    jsonschema.validate(result, json.loads((SCHEMAS / f"{verb}.json").read_text()))
    return result


def log_of(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def same(rows) -> list:
    """Rows without what a clock measures."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def test_fit_writes_what_it_promises(source, tmp_path, capsys):
    out = tmp_path / "f"
    assert run("fit", source / "v.npz", "--start", START, "--fix", "Du=.16", "--out", out, *SHORT, "--json") == 0
    result = result_of(out)
    assert json.loads(capsys.readouterr().out) == result
    assert {path.name for path in out.iterdir()} == FILES
    assert result["status"] == "not-converged"
    assert (result["iterations"], result["starts"]) == (5, 1)
    assert result["parameters"]["Du"] == {"value": 0.16, "std": 0.0, "interval95": [0.16, 0.16], "cellwise": False}
    rows = log_of(out)
    assert [row["iteration"] for row in rows] == [0, 1, 2, 3, 4]
    assert set(rows[0]["gradients"]) == {"Dv", "F", "k"} == set(rows[0]["parameters"])
    wanted = {
        "loss", "road", "start", "finite", "prediction_std", "prediction_range", "prediction_slope", "dead", "steps",
        "rollout_steps", "steps_differentiated", "checksum", "rate", "seconds", "status",
    }  # fmt: skip
    assert wanted <= set(rows[0])
    with np.load(out / "fields.npz") as fields:
        assert fields["u"].shape == fields["v"].shape == fields["target_v"].shape == (1, 24, 24)


@pytest.mark.parametrize("name", ["adam", "levenberg-marquardt"])
def test_an_interrupted_run_goes_on_bit_for_bit(source, tmp_path, monkeypatch, name, capsys):
    words = ("fit", source / "v.npz", "--start", START, *SHORT, "--optimiser", name, "--quiet")
    assert run(*words, "--out", tmp_path / "whole") == 0
    cls = Optax if name == "adam" else LevenbergMarquardt
    step, calls = cls.step, iter(range(99))

    def stopping(self, objective, x, state):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return step(self, objective, x, state)

    with monkeypatch.context() as patch:
        patch.setattr(cls, "step", stopping)
        assert run(*words, "--out", tmp_path / "part") == 130
    assert "--resume" in capsys.readouterr().err
    assert result_of(tmp_path / "part")["status"] == "interrupted"
    assert len(log_of(tmp_path / "part")) == 2
    assert run(*words, "--out", tmp_path / "part", "--resume") == 0
    assert same(log_of(tmp_path / "part")) == same(log_of(tmp_path / "whole"))
    one, two = (result_of(tmp_path / folder)["parameters"] for folder in ("whole", "part"))
    assert one == two


def test_a_resumed_run_remembers_the_starts_before_it(source, tmp_path, monkeypatch):
    words = ("fit", source / "v.npz", "--start", START, *SHORT, "--optimiser", "sgd", "--starts", 3, "--quiet")
    assert run(*words, "--out", tmp_path / "whole") == 0
    step, calls = Optax.step, iter(range(99))

    def stopping(self, objective, x, state):
        if next(calls) == 8:  # in the second start of five iterations each
            raise KeyboardInterrupt
        return step(self, objective, x, state)

    with monkeypatch.context() as patch:
        patch.setattr(Optax, "step", stopping)
        assert run(*words, "--out", tmp_path / "part") == 130
    for _ in range(2):  # a run that is done stays as it is
        assert run(*words, "--out", tmp_path / "part", "--resume") == 0
        whole, part = (result_of(tmp_path / folder) for folder in ("whole", "part"))
        assert whole | {"seconds": 0} == part | {"seconds": 0}
        assert whole["starts"] == 3
        assert same(log_of(tmp_path / "part")) == same(log_of(tmp_path / "whole"))


def test_from_iteration_drops_what_came_after_and_refuses_without_loss(source, tmp_path, capsys):
    out = tmp_path / "f"
    words = ("fit", source / "v.npz", "--start", START, *SHORT, "--optimiser", "sgd", "--quiet", "--out", out)
    assert run(*words, "--from-iteration", 2) == 2  # there is no run yet
    assert run(*words) == 0
    before = log_of(out)
    assert run(*words, "--from-iteration", 9) == 2
    assert run(*words, "--from-iteration", 2, "--rate", 0.3) == 2
    assert log_of(out) == before
    assert run(*words, "--from-iteration", 2) == 0
    after = log_of(out)
    assert after[:2] == before[:2]
    for one, two in zip(before, after, strict=True):  # gradient descent keeps no memory but the parameters
        assert one["loss"] == pytest.approx(two["loss"], rel=1e-9)
    assert "from-iteration" in capsys.readouterr().err


def test_all_rates_failing_is_exit_3_and_keeps_the_log(source, tmp_path, capsys):
    out = tmp_path / "f"
    words = ("--strategy", "bptt", "--horizon", 200, "--optimiser", "adaptive", "--rate", 1e12, "--quiet")
    assert run("fit", source / "v.npz", "--start", START, "--constraint", "founding", *words, "--out", out) == 3
    error = capsys.readouterr().err
    assert "blow-up" in error
    assert "Du=0.127" in error
    assert "spans" in error
    assert "is kept" in error
    assert error.count("\n") == 1
    assert result_of(out)["status"] == "blow-up"
    assert log_of(out)[0]["rate"] is None


def test_fields_of_a_parameter_are_written(source, tmp_path):
    out = tmp_path / "f"
    words = ("--strategy", "observed-start", "--cellwise", "F", "--iterations", 2, "--quiet")
    assert run("fit", source / "v.npz", "--start", START, *words, "--out", out) == 0
    assert result_of(out)["parameters"]["F"]["cellwise"]
    with np.load(out / "fields.npz") as fields:
        assert fields["parameter_F"].shape == (24, 24)


BAD = {
    "": "--start", "--start F=.04": "--start", f"--start {START},Q=1": "--start", "--start Du=.1,Dv=.1,F=7,k=.05": "F",
    "--start Du=.3,Dv=.1,F=.04,k=.05": "--start", f"--start {START} --strategy none": "--strategy",
    f"--start {START} --loss none": "--loss", f"--start {START} --loss MINE:many": "--loss",
    f"--start {START} --loss MINE:none": "--loss", f"--start {START} --loss no.py:f": "--loss",
    f"--start {START} --loss MINE:one --optimiser levenberg-marquardt": "--optimiser",
    f"--start {START} --window 0": "--window", f"--start {START} --strategy tbptt --window 9 --horizon 8": "--window",
    f"--start {START} --strategy tbptt --horizon 8": "--window", f"--start {START} --rate 0": "--rate",
    f"--start {START} --system lorenz": "--system", f"--start {START} --observe u": "--observe",
    f"--start {START} --init none --strategy bptt": "--init", f"--start {START} --from-iteration 1": "--from-iteration",
    "--start Du=.1,Dv=.1,F=.1,k=.05 --constraint founding": "--start", f"--start {START} --free-state": "--free-state",
}  # fmt: skip


@pytest.mark.parametrize("words", BAD)
def test_bad_input_of_fit_is_one_line(words, source, tmp_path, capsys):
    tokens = words.replace("MINE", str(source / "mine.py")).split()
    assert run("fit", source / "v.npz", *tokens, "--out", tmp_path / "f") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"unstill fit: `{BAD[words]}`")
    assert error.count("\n") == 1
    assert not (tmp_path / "f" / "run.json").exists()


@pytest.mark.parametrize("name", ["dead.npz", "w.npz", "none.npz"])
def test_bad_targets_of_fit_are_one_line(name, source, tmp_path, capsys):
    assert run("fit", source / name, "--start", START, "--out", tmp_path / "f") == 2
    assert capsys.readouterr().err.count("\n") == 1


# --- landscape --------------------------------------------------------------------------------------------------------

SECTION = ("--set", "Du=.16,Dv=.08,k=.06", "--along", "F=.03:.04:3", "--horizon", 60, "--quiet")


def test_landscape_writes_what_it_promises(source, tmp_path):
    out = tmp_path / "l"
    assert run("fit", source / "v.npz", "--start", START, *SHORT, "--quiet", "--out", tmp_path / "f") == 0
    words = ("--target", source / "v.npz", "--path", tmp_path / "f", "--out", out)
    assert run("landscape", "gray-scott", *SECTION, *words) == 0
    result = result_of(out)
    assert result["axes"] == {"F": pytest.approx([0.03, 0.035, 0.04])}
    assert sum(result["status"].values()) == 3
    assert result["truth"] is None
    with np.load(out / "landscape.npz") as arrays:
        assert arrays["losses"].shape == (3,)
        assert result["best"]["loss"] == arrays["losses"].min()
    assert (out / "landscape.png").exists()


def test_a_landscape_goes_on_where_it_stopped(source, tmp_path):
    out, words = tmp_path / "l", ("landscape", "gray-scott", *SECTION, "--target", source / "v.npz")
    assert run(*words, "--out", out) == 0
    with np.load(out / "landscape.npz") as arrays:
        kept = dict(arrays)
    marked = kept["losses"].copy()
    marked[0], marked[2] = 99.0, np.nan
    status = kept["status"].copy()
    status[2] = ""
    np.savez(out / "landscape.npz", **kept | {"losses": marked, "status": status})
    assert run(*words, "--out", out, "--resume") == 0
    with np.load(out / "landscape.npz") as arrays:  # what was known is kept, what was open is computed
        np.testing.assert_array_equal(arrays["losses"], [99.0, kept["losses"][1], kept["losses"][2]])


def test_a_landscape_without_a_finite_loss_is_exit_3(source, tmp_path, capsys):
    words = ("--set", "Dv=.08,F=.035,k=.06", "--along", "Du=.26:.3:2", "--target", source / "v.npz", "--quiet")
    assert run("landscape", "gray-scott", *words, "--out", tmp_path / "l") == 3
    assert "2 unstable" in capsys.readouterr().err
    assert result_of(tmp_path / "l")["best"] is None


BAD_LANDSCAPES = {
    "--set Du=.1,Dv=.1,k=.05": "--along", "--along F=.03:.04:2": "--set",
    "--along F=.03 --set Du=.1,Dv=.1,k=.05": "--along",
    "--along Q=.03:.04:2 --set Du=.1": "--along", "--along F=.03:.04:2 --set Du=.1,Dv=.1,k=.05,Q=1": "--set",
    "--along F=.03:7:2 --set Du=.1,Dv=.1,k=.05": "F",
    "--along F=.03:.04:2 --along F=.03:.04:2 --set k=.05": "--along",
    "--along F=.03:.04:2 --along k=.05:.06:2 --along Du=.1:.2:2 --set Dv=.1": "--along",
    "--set Du=.1,Dv=.1,F=.03,k=.05 --set F=7": "F", "--along F=.03:.04:2 --set F=.1 --set F=.2": "--set",
    "--along F=.03:.04:2 --set Du=.1,Dv=.1,k=.05 --path none": "--path",
    "--along F=.03:.04:2 --set Du=.1,Dv=.1,k=.05 --strategy shooting": "--strategy",
    "--along F=.03:.04:2 --set Du=.1,Dv=.1,k=.05 --strategy none": "--strategy",
    "--along F=.03:.04:2 --set Du=.1,Dv=.1,k=.05 --init none": "--init",
}  # fmt: skip


@pytest.mark.parametrize("words", BAD_LANDSCAPES)
def test_bad_input_of_landscape_is_one_line(words, source, tmp_path, capsys):
    assert run("landscape", "gray-scott", *words.split(), "--target", source / "v.npz", "--out", tmp_path / "l") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"unstill landscape: `{BAD_LANDSCAPES[words]}`")
    assert error.count("\n") == 1
    assert not (tmp_path / "l" / "run.json").exists()


def test_a_landscape_needs_a_target(tmp_path, capsys):
    assert run("landscape", "gray-scott", *SECTION, "--out", tmp_path / "l") == 2
    assert "`--target` must name" in capsys.readouterr().err


# --- one definition ---------------------------------------------------------------------------------------------------


def test_landscape_means_the_same_by_an_argument_as_fit_does():
    """Kinds, and defaults but the strategy's: fit chooses one."""
    theirs, fits = (inspect.signature(verb).parameters for verb in (us.landscape, us.fit))
    shared = theirs.keys() & fits.keys() - {"system", "pictures"}
    assert {"strategy", "window", "loss", "pair", "batch", "init", "horizon", "until_change", "dt", "seed"} <= shared
    for name in shared - {"strategy"}:
        assert theirs[name] == fits[name]


def test_a_plan_is_the_arguments_of_fit():
    plan = plan_of(strategy="bptt", cellwise="F,k")
    for name, parameter in inspect.signature(us.fit).parameters.items():
        if parameter.default is not parameter.empty and name not in ("start", "fix", "cellwise", "strategy"):
            assert getattr(plan, name) == parameter.default
    assert (plan.strategy, plan.cellwise, plan.start, plan.count) == ("bptt", ("F", "k"), {}, 1)
    with pytest.raises(BadInput, match="`steps` must be an argument of fit"):
        plan_of(steps=3)
    with pytest.raises(BadInput, match="`batch` must be a whole number, 1 or more"):
        plan_of(batch=0)
