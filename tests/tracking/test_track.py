"""Flow and nulls end to end, by the exact score of a Gaussian field."""

import json

import numpy as np
import pytest

from unstill import BadInput
from unstill.cli.main import main
from unstill.field_flows import ConvolutionFlow
from unstill.field_flows.convolution import antisymmetric_kernel
from unstill.tracking import collective
from unstill.tracking.collective import CLAIMS, _random

pytest.importorskip("laptrack")


@pytest.fixture(scope="module")
def flow():
    from tests.field_flows.test_field_flows import score

    made = getattr(score, "__wrapped__", None) or score.__pytest_wrapped__.obj
    return ConvolutionFlow(made(), antisymmetric_kernel(2, 1, isotropic=True, rng=np.random.default_rng(0)), 0.3)


def test_every_claim_has_a_verdict_and_two_seeds_decide_nothing(flow):
    found = collective(flow, size=32, steps=20, frames=10, seeds=2, reach=4)
    assert set(found.claims) == set(CLAIMS)
    assert {len(each) for each in found.films.values()} == {2}
    assert {each["verdict"] for each in found.claims.values()} <= {
        "not told apart from both nulls",
        "too few particles",
    }
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["claims"]
    with pytest.raises(BadInput, match="quarter of the torus"):
        collective(flow, size=32, steps=2, reach=9)


def test_the_random_kernel_has_the_drift_of_the_flow(flow):
    state = np.random.default_rng(1).standard_normal((1, 2, 32, 32)).astype(np.float32)
    z = flow.score.standardised(state)
    sizes = [float((np.asarray(each.standardised_drift(z)) ** 2).mean()) for each in
             (flow, _random(flow, state, np.random.default_rng(2)))]  # fmt: skip
    assert sizes[1] == pytest.approx(sizes[0], rel=1e-4)


def test_tracking_is_for_flows_of_pictures(tmp_path, capsys):
    assert main(["animate", "gray-scott", "--time", "5", "--track", "--out", str(tmp_path / "x.gif")]) == 2
    assert "track`" in capsys.readouterr().err
