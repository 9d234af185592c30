"""Agreement with the truth: closed cases of the cosine, pace, sign, chance, rest."""

import dataclasses

import numpy as np
import pytest

import unstill as us
from unstill._types import Status
from unstill.analysis.agreement import Cosine, agree
from unstill.systems import GrayScott, system_name

GRID = us.Grid((48, 48))
WAVES = GrayScott.make("waves")


@dataclasses.dataclass(frozen=True, eq=False)
class Scaled:
    """Dynamics at another pace; negative: backwards."""

    dynamics: us.OnGrid
    factor: float

    def drift(self, state):
        return self.factor * self.dynamics.drift(state)


@pytest.fixture(scope="module")
def pictures() -> dict[str, np.ndarray]:
    state = us.simulate(WAVES, grid=GRID, samples=6, steps=1000, init="discs").state
    return {"u": state[:, 0], "v": state[:, 1]}


@pytest.fixture(scope="module")
def found(pictures):
    own, other = (us.OnGrid(GrayScott.make(name), GRID) for name in ("waves", "maze"))
    flows = {"itself": own, "faster": Scaled(own, 3.0), "backwards": Scaled(own, -0.5), "maze": other}
    return agree(pictures, flows, WAVES)


def test_the_truth_agrees_with_itself_at_any_pace(found):
    for name in ("itself", "faster"):
        assert found.field[name].value == pytest.approx(1, abs=1e-12)
        assert found.field[name].low == pytest.approx(1, abs=1e-12)
    assert found.displacement["itself"].value == pytest.approx(1, abs=1e-12)
    assert found.displacement["faster"].value == pytest.approx(1, abs=1e-6)  # other steps of Heun's method


def test_the_sign_counts(found):
    assert found.field["backwards"].value == pytest.approx(-1, abs=1e-12)
    assert not found.displacement["backwards"].value > 0  # diffusion backwards leaves the finite numbers: then NaN


def test_another_preset_is_told_apart(found):
    assert found.field["maze"].value < 0.99
    assert found.field["maze"].low <= found.field["maze"].value <= found.field["maze"].high
    for name in ("itself", "faster"):
        assert max(found.confusion[name], key=lambda preset: found.confusion[name][preset]) == "waves"
    assert found.confusion["maze"]["maze"] == pytest.approx(1, abs=1e-12)
    assert 0 < found.chance < 0.9


def test_at_rest_there_is_nothing_to_agree_with():
    flat = {"u": np.ones((3, 48, 48)), "v": np.zeros((3, 48, 48))}
    told = agree(flat, {"itself": us.OnGrid(WAVES, GRID)}, WAVES)
    assert told.status is Status.STEADY
    assert told.field == {}
    assert "at rest" in told.message


def test_refusals(pictures):
    with pytest.raises(us.BadInput, match="must name at least one"):
        agree(pictures, {}, WAVES)
    with pytest.raises(us.BadInput, match="finite drift"):
        agree(pictures, {"none": Scaled(us.OnGrid(WAVES, GRID), 0.0)}, WAVES)
    with pytest.raises(us.BadInput, match="must name fields"):
        agree({"v": pictures["v"]}, {"itself": us.OnGrid(WAVES, GRID)}, WAVES)


def test_what_is_told(found):
    result = found.to_dict()
    assert result["truth"] == pytest.approx(GrayScott.presets["waves"])
    assert system_name(GrayScott) == "gray-scott"
    assert isinstance(found.field["maze"], Cosine)
    assert len(found.table()) == 5
    assert found.plot() is not None
