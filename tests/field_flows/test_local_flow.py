"""Trained flows of pictures: exact divergences, what they see, and that they keep a density whose score is known."""

import json
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import jsonschema
import numpy as np
import pytest

import unstill as us
from normal_fields import exact_score, few, gaussian, standardised
from unstill._progress import Memory
from unstill._types import Status
from unstill.field_flows import ConvolutionFlow, FieldScore, LocalFlow, langevin, learn_field_flow
from unstill.field_flows.arrays import field_flow_arrays, field_flow_of
from unstill.field_flows.field_score import noised_pictures
from unstill.field_flows.flow import residuals_of
from unstill.field_flows.local_flow import rings

SCHEMA = Path(__file__).parents[2] / "docs" / "schemas" / "field-flow.json"
DISC = [(y, x) for y in range(-2, 3) for x in range(-2, 3) if 0 < y * y + x * x <= 5]


@pytest.fixture(scope="module")
def score() -> FieldScore:
    return exact_score()


def local_flow(score: FieldScore, isotropic: bool = True) -> LocalFlow:
    flow = LocalFlow.make(score, jax.random.key(2), width=8, radius=2, isotropic=isotropic, tau=0.3)
    return eqx.tree_at(lambda f: f.pace, flow, np.float32(1.5))


@pytest.mark.parametrize("isotropic", [True, False])
def test_the_divergence_of_a_local_flow_is_the_trace_of_its_jacobian(score, isotropic):
    flow = local_flow(score, isotropic)
    z = jax.random.normal(jax.random.key(0), (1, 2, 7, 6), jnp.float32)
    v, (first, second) = flow.drift_and_divergences(z, jax.random.key(1))
    jacobian = jax.jacfwd(flow.standardised_drift)(z).reshape(84, 84)
    assert float(first[0]) == pytest.approx(float(jnp.trace(jacobian)), rel=1e-4)
    assert float(first[0]) == float(second[0])
    np.testing.assert_allclose(v, flow.standardised_drift(z))


@pytest.mark.parametrize("kind", ["local", "convolution"])
def test_the_mean_residual_of_any_flow_is_nothing(score, kind):
    """Stein's identity, E[∇·v + v·s] = 0 for any v under the density of s: it would fail for a score, a divergence or a
    sum of another sign. The fields that are noised here are drawn anew, and the flows preserve nothing."""
    flow = local_flow(score)
    if kind == "convolution":
        kernel = np.random.default_rng(3).standard_normal((2, 2, 3, 3))  # not antisymmetric
        flow = ConvolutionFlow(score, 0.3, kernel)
    z = score.standardised(jnp.asarray(gaussian(400, seed=9), jnp.float32))
    noised, _ = noised_pictures(z, jnp.full(400, 0.3, jnp.float32), jax.random.key(5))
    parts = [(each, jax.random.key(i)) for i, each in enumerate(jnp.split(noised, 20))]
    r = np.concatenate([residuals_of(flow, *part)[0].mean(0) for part in parts])
    divergence = np.mean([flow.drift_and_divergences(*part)[1].mean() for part in parts])
    allowed = 4 * r.std() / len(r) ** 0.5 + 0.02 * abs(divergence)  # 400 fields know their spectrum to some per cent
    assert abs(r.mean()) < allowed
    assert abs(2 * divergence) > 3 * allowed  # what another sign would leave


def test_a_local_flow_sees_its_radius_and_turns_with_the_picture(score):
    z = jax.random.normal(jax.random.key(0), (1, 2, 11, 11), jnp.float32)
    for isotropic in (True, False):
        flow = local_flow(score, isotropic)
        changed = jnp.abs(flow.standardised_drift(z.at[0, 0, 5, 5].add(1.0)) - flow.standardised_drift(z)).max((0, 1))
        assert {(int(y), int(x)) for y, x in np.argwhere(changed > 1e-6)} == {
            (5, 5),
            *((5 + y, 5 + x) for y, x in DISC),
        }
        turned_first = flow.standardised_drift(jnp.rot90(z, 1, (2, 3)))
        turned_last = jnp.rot90(flow.standardised_drift(z), 1, (2, 3))
        assert np.allclose(turned_first, turned_last, atol=1e-5) == isotropic


def test_rings_hold_each_cell_of_the_disc_once():
    assert [len(ring) for ring in rings(2, True)] == [4, 4, 4, 8]
    assert sorted(cell for ring in rings(2, False) for cell in ring) == sorted(DISC)


def test_a_trained_flow_keeps_the_density_and_goes_on_where_it_stopped(score, tmp_path):
    """Of a normal field with its exact score: R falls by four, and comes near 0."""
    pictures, options = few(48), {"field": "local", "radius": 2, "width": 16, "tau": 0.4, "rate": 1e-2, "seed": 1}
    found = learn_field_flow(pictures, score, epochs=12, steps=20, **options)
    assert found.losses[:, 1].min() < found.losses[0, 0] / 4
    assert found.residual < 0.1
    assert found.flow.radius == 2
    states = np.stack(list(pictures.values()), 1)
    noised, _ = noised_pictures(jnp.asarray(standardised(states), jnp.float32), jnp.full(48, 0.4), jax.random.key(0))
    assert float(jnp.mean(found.flow.standardised_drift(noised) ** 2)) == pytest.approx(1.0, rel=0.1)
    found.save(tmp_path / "flow")
    kept = us.load_flow(tmp_path / "flow")[0]
    np.testing.assert_allclose(kept(states[:2]), found.flow(states[:2]), rtol=1e-6)
    assert kept.dt == found.flow.dt
    jsonschema.validate(json.loads((tmp_path / "flow/result.json").read_text()), json.loads(SCHEMA.read_text()))
    moved = langevin(kept, states[:4], steps=20, eta=0.0, frames=2, seed=1)
    assert moved.status == (Status.MOVING,) * 4


def test_resumed_training_of_a_flow_is_the_same(score):
    options = {"field": "local", "radius": 1, "width": 8, "tau": 0.4, "steps": 3}
    memory = Memory()
    learn_field_flow(few(), score, epochs=3, **options, resume=memory)
    again = learn_field_flow(few(), score, epochs=3, **options, resume=memory)
    whole = learn_field_flow(few(), score, epochs=3, **options)
    np.testing.assert_array_equal(again.losses, whole.losses)
    assert again.residual == whole.residual


def test_a_torus_on_which_the_flow_sees_a_cell_twice_is_refused(score):
    with pytest.raises(us.BadInput, match="27 cells a side"):
        learn_field_flow(few(), score, field="local", radius=13)
    with pytest.raises(us.BadInput, match="27 cells a side"):
        learn_field_flow(few(), score, radius=13)
    flow = LocalFlow.make(score, jax.random.key(2), width=4, radius=6, isotropic=True, tau=0.3)
    with pytest.raises(us.BadInput, match="at least 13"):
        langevin(flow, size=12)


@pytest.mark.parametrize("harm", [{"radius": 10**7}, {"radius": -1}, {"weights_1": None}, {"pace": np.float32(np.nan)}])
def test_broken_files_of_trained_flows_are_told(score, harm):
    kept = field_flow_arrays(local_flow(score))
    about = json.loads(str(kept.pop("about")))
    assert field_flow_of(about, kept).radius == 2
    for name, value in harm.items():
        if name == "radius":
            about[name] = value
        elif value is None:
            del kept[name]
        else:
            kept[name] = value
    with pytest.raises((KeyError, ValueError, TypeError)):
        field_flow_of(about, kept)
