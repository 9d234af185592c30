"""Scores of pictures and flows built from them, where the truth is known: Gaussian random fields."""

import json
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import jsonschema
import numpy as np
import pytest

import unstill as us
from normal_fields import SHAPE, exact_score, few, gaussian, power, standardised
from unstill._types import Status
from unstill.cli.main import main
from unstill.field_flows import ConvolutionFlow, FieldScore, langevin, learn_field_flow, learn_field_score
from unstill.field_flows.convolution import antisymmetric_kernel
from unstill.field_flows.field_score import denoising_losses, noised_pictures, turned
from unstill.field_flows.local_network import LocalNetwork
from unstill.field_flows.sampling import density_distance, sample_pictures, spectral_distance
from unstill.field_flows.spectral_normal import SpectralNormal
from unstill.files.models import load_field_score

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


@pytest.fixture(scope="module")
def score() -> FieldScore:
    return exact_score()


@pytest.mark.parametrize("tau", [0.1, 0.5])
def test_the_loss_of_a_normal_field_is_its_closed_form(score, tau):
    """E|w − E[w | z]|² = mean over modes of tr C (a C + τ²)⁻¹ / fields, with the true C."""
    c, s, p = np.cos(0.5), np.sin(0.5), power()
    R = np.array([[c, -s], [s, c]])
    C = np.einsum("ab,bhw,cb->hwac", R, np.stack([p, 0.25 * p]), R) / np.outer(score.scale, score.scale)
    wanted = np.trace(C @ np.linalg.inv((1 - tau**2) * C + tau**2 * np.eye(2)), axis1=2, axis2=3).mean() / 2
    z = jnp.asarray(standardised(gaussian(200, seed=5)), jnp.float32)
    level = jnp.full(len(z), tau, jnp.float32)
    noised, w = noised_pictures(z, level, jax.random.key(2))
    found = float(jnp.mean((score.predicted(noised, level) - w) ** 2))
    assert found == pytest.approx(wanted, rel=0.03)


def test_white_noise_has_nothing_to_be_predicted():
    z = np.random.default_rng(0).standard_normal((300, 1, 16, 16))
    found = SpectralNormal.of(z).predicted(jnp.asarray(z[:4], jnp.float32), jnp.full(4, 0.5, jnp.float32))
    assert float(jnp.abs(found).mean()) < 0.05


def test_the_spectrum_serves_other_grids(score):
    large = jnp.asarray(standardised(gaussian(60, 7, (48, 32))), jnp.float32)
    losses = denoising_losses(score.normal.predicted, np.asarray(large[:20]), 0)
    small = denoising_losses(score.normal.predicted, standardised(gaussian(60, 8))[:20], 0)
    for level, value in losses.items():
        assert value == pytest.approx(small[level], rel=0.1)


def test_a_network_sees_its_radius_and_moves_with_the_picture(rng):
    network = LocalNetwork.make(jax.random.key(1), 2, 5, 2)
    network = jax.tree.map(
        lambda leaf: leaf + 0.1 * jax.random.normal(jax.random.key(3), leaf.shape, leaf.dtype), network
    )
    assert network.radius == 4
    z, tau = jnp.asarray(rng.standard_normal((1, 2, 20, 22)), jnp.float32), jnp.full(1, 0.3, jnp.float32)
    out = network(z, tau)
    changed = np.abs(np.asarray(network(z.at[0, 0, 10, 1].add(1.0), tau) - out)).max((0, 1)) > 0
    rows, columns = np.nonzero(changed)
    assert rows.min() == 6
    assert rows.max() == 14
    assert set(columns) == {(1 + d) % 22 for d in range(-4, 5)}  # around the torus
    np.testing.assert_allclose(network(jnp.roll(z, (3, -5), (2, 3)), tau), jnp.roll(out, (3, -5), (2, 3)), atol=1e-5)
    again = LocalNetwork.of(network.arrays())
    np.testing.assert_array_equal(again(z, tau), out)
    with pytest.raises(ValueError, match="fit"):
        LocalNetwork.of(network.arrays() | {"n_mixes_1": np.zeros((5, 4, 1, 1))})


def test_turns_keep_the_pictures_and_their_handedness(rng):
    z = jnp.asarray(rng.standard_normal((40, 1, 8, 8)), jnp.float32)
    seen = set()
    for before, after in zip(np.asarray(z), np.asarray(turned(z, jax.random.key(0))), strict=True):
        seen.add(next(n for n in range(4) if np.array_equal(np.rot90(before, n, (1, 2)), after)))
    assert seen == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("channels", "radius", "isotropic"), [(2, 0, True), (2, 2, True), (3, 1, False), (1, 1, False)]
)
def test_kernels_are_antisymmetric(channels, radius, isotropic):
    kernel = antisymmetric_kernel(channels, radius, isotropic=isotropic, rng=np.random.default_rng(0))
    np.testing.assert_allclose(kernel, -np.swapaxes(kernel, 0, 1)[..., ::-1, ::-1])
    assert (kernel**2).sum() == pytest.approx(channels)
    if isotropic:
        np.testing.assert_allclose(kernel, np.rot90(kernel, 1, (2, 3)))


def test_a_flow_of_an_exact_score_preserves_the_density(score):
    """v·s = 0 and ∇·v = 0, cell by cell of the sum: R = 0."""
    pictures = gaussian(24, seed=3)
    found = learn_field_flow({"u": pictures[:, 0], "v": pictures[:, 1]}, score, radius=1, tau=0.3, seed=2)
    assert abs(found.residual) < 4 * found.residual_std < 0.3
    z = jnp.asarray(standardised(pictures), jnp.float32)
    v, s = found.flow.standardised_drift(z), score.at(z, 0.3)
    assert abs(float(jnp.sum(v * s))) < 1e-4 * float(jnp.sum(jnp.abs(v * s)))
    noised, _ = noised_pictures(z, jnp.full(len(z), 0.3, jnp.float32), jax.random.key(0))
    assert float(jnp.mean(found.flow.standardised_drift(noised) ** 2)) == pytest.approx(1.0, rel=0.05)
    drift = found.flow.standardised_drift(score.standardised(jnp.asarray(pictures)))
    own = score.scale[:, None, None] * np.asarray(drift)
    np.testing.assert_allclose(found.flow(pictures), own, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("eta", [0.0, 0.5])
def test_langevin_motion_keeps_the_density(score, eta):
    """Variance and spectrum of noised fields after the motion, against what the closed form says."""
    pictures, tau = gaussian(48, seed=4), 0.4
    flow = learn_field_flow({"u": pictures[:, 0], "v": pictures[:, 1]}, score, radius=1, tau=tau, seed=1).flow
    moved = langevin(flow, pictures, steps=300, eta=eta, frames=3, seed=6)
    assert moved.status == (Status.MOVING,) * 48
    assert len(moved.frames) == 4
    z, _ = noised_pictures(
        score.standardised(jnp.asarray(pictures, jnp.float32)), jnp.full(48, tau, jnp.float32), jax.random.key(9)
    )
    start, end = np.asarray(score.natural(z)), moved.state
    assert float(np.corrcoef(start.ravel(), end.ravel())[0, 1]) < 0.9  # it did move
    np.testing.assert_allclose(end.var((0, 2, 3)), start.var((0, 2, 3)), rtol=0.06)
    assert spectral_distance(end, start) < 0.12


def test_pictures_drawn_from_an_exact_score_are_like_its_own(score):
    drawn, own = sample_pictures(score, 24, (32, 32), seed=1), gaussian(24, 11, (32, 32))
    assert spectral_distance(drawn, own) < 0.15
    assert density_distance(drawn, own) < 0.1


def test_backwards_and_forwards_come_back(score):
    pictures = gaussian(4, seed=8)
    flow = learn_field_flow({"u": pictures[:, 0], "v": pictures[:, 1]}, score, radius=0, tau=0.4).flow
    there = langevin(flow, pictures, steps=40, eta=0.0, frames=1, seed=3)
    z = score.standardised(jnp.asarray(there.state))
    back = z
    for _ in range(40):  # Heun's method with v → −v
        first = -flow.standardised_drift(back)
        back = back + there.dt / 2 * (first - flow.standardised_drift(back + there.dt * first))
    begun, _ = noised_pictures(
        score.standardised(jnp.asarray(pictures, jnp.float32)), jnp.full(4, 0.4, jnp.float32),
        jax.random.fold_in(jax.random.key(3), 0),
    )  # fmt: skip
    np.testing.assert_allclose(back, begun, atol=0.02)  # Heun's method comes back to second order
    assert float(jnp.abs(z - begun).max()) > 0.5


def test_training_lowers_the_loss_and_goes_on_where_it_stopped(tmp_path):
    """Of pictures that are not normal: squares of normal ones."""
    pictures = {name: values**2 for name, values in few(40).items()}
    options = {"width": 8, "depth": 1, "steps": 20, "batch": 8, "rate": 1e-2, "seed": 1}
    found = learn_field_score(pictures, epochs=4, **options)
    assert all(found.denoising[level] < found.gaussian[level] for level in (0.1, 0.214, 0.5))
    again = learn_field_score(pictures, epochs=4, **options)
    np.testing.assert_array_equal(found.losses, again.losses)
    found.save(tmp_path / "score")
    kept = load_field_score(tmp_path / "score")
    state = np.stack([pictures["u"], pictures["v"]], 1)[:2]
    np.testing.assert_allclose(kept(state, 0.3), found.score(state, 0.3), rtol=1e-6)
    assert us.load_score(tmp_path / "score").fields == ("u", "v")
    assert found.to_dict()["radius"] == 2
    assert len(found.plot().axes) == 5  # two graphs, two pictures and their bar
    assert found.status is Status.NOT_CONVERGED  # 80 steps of a small network draw nothing like the heap
    assert not found.like_the_heap
    assert "drawn from it" in found.message


def test_a_potential_gives_flows_that_preserve_exactly(rng, tmp_path):
    """Whatever its numbers are: R = 0 but for Hutchinson's noise, while a network that is no gradient has R > 0."""
    pictures = few(24)
    states = np.stack(list(pictures.values()), 1)
    mean, scale = states.mean((0, 2, 3)), states.std((0, 2, 3))
    normal = SpectralNormal.of(standardised(states))
    found = {}
    for conservative in (True, False):
        network = LocalNetwork.make(jax.random.key(0), 2, 6, 1, 1 if conservative else 2)
        last = 0.5 * jax.random.normal(jax.random.key(1), network.last.shape, jnp.float32)
        network = eqx.tree_at(lambda n: n.last, network, last)
        score = FieldScore(network, normal, mean, scale, ("u", "v"), conservative)
        found[conservative] = learn_field_flow(pictures, score, radius=1, tau=0.4)
        found[conservative].save(tmp_path / str(conservative))
        kept = us.load_flow(tmp_path / str(conservative))[0]
        np.testing.assert_allclose(kept(states[:2]), found[conservative].flow(states[:2]), rtol=1e-6)
    assert abs(found[True].residual) < 4 * found[True].residual_std
    assert found[True].status is Status.CONVERGED
    assert found[False].residual > 6 * found[True].residual_std
    assert found[False].status is Status.NOT_CONVERGED


def test_training_a_potential_lowers_the_loss():
    pictures = {name: values**2 for name, values in few(40).items()}
    options = {"width": 8, "depth": 1, "steps": 15, "batch": 8, "rate": 1e-2, "seed": 1, "epochs": 3}
    found = learn_field_score(pictures, conservative=True, **options)
    assert found.denoising[0.214] < found.gaussian[0.214]


def test_refusals(score, tmp_path):
    with pytest.raises(us.BadInput, match="at least 20 pictures"):
        learn_field_score({"u": gaussian(3)[:, 0]})
    with pytest.raises(us.BadInput, match="torus"):
        learn_field_score(us.Snapshots(few(), grid=us.Grid(SHAPE, 1.0, "no-flux")))
    with pytest.raises(us.BadInput, match="cells a side"):
        learn_field_score(few(), depth=4)
    with pytest.raises(us.BadInput, match="uniform"):
        learn_field_score(few() | {"w": np.ones((24, *SHAPE))})
    with pytest.raises(us.BadInput, match="normalisation"):
        learn_field_flow({name: 5 * values for name, values in few().items()}, score)
    with pytest.raises(us.BadInput, match="must be one of a, b"):
        learn_field_flow(dict(zip("ab", few().values(), strict=True)), score)
    one = FieldScore(
        LocalNetwork.make(jax.random.key(0), 1, 4, 1), score.normal, score.mean[:1], score.scale[:1], ("u",)
    )
    with pytest.raises(us.BadInput, match="isotropic"):
        learn_field_flow({"u": few()["u"]}, one)
    flow = ConvolutionFlow(score, 0.3, antisymmetric_kernel(2, 1, isotropic=True, rng=np.random.default_rng(0)))
    with pytest.raises(us.BadInput, match="shape"):
        flow(np.zeros((2, 3, 24, 24)))
    with pytest.raises(us.BadInput, match="size"):
        langevin(flow, size=3)
    with pytest.raises(us.NumericalFailure, match="dt"):
        langevin(flow, size=24, steps=40, dt=50.0)


def test_the_verbs_write_what_they_promise(tmp_path, capsys):
    source = tmp_path / "heap.npz"
    np.savez(source, **few())
    score, flow = tmp_path / "score", tmp_path / "flow"

    def run(*words) -> int:
        return main([*map(str, words)])

    training = ("--width", 4, "--depth", 1, "--epochs", 2, "--steps", 2, "--batch", 4, "--quiet")
    assert run("score", source, *training, "--out", score) == 0
    told = json.loads((score / "result.json").read_text())
    jsonschema.validate(told, json.loads((SCHEMAS / "field-score.json").read_text()))
    assert told["fields"] == ["u", "v"]
    assert set(told["denoising"]) == {"0.05", "0.1", "0.214", "0.5"}
    assert (score / "score.png").exists()
    assert run("flow", source, "--score", score, "--field", "convolution", "--quiet", "--out", flow) == 0
    told = json.loads((flow / "result.json").read_text())
    jsonschema.validate(told, json.loads((SCHEMAS / "field-flow.json").read_text()))
    assert told["family"] == "convolution"
    assert np.shape(told["kernel"]) == (2, 2, 3, 3)
    kept = us.load_flow(flow)[0]
    assert kept(np.stack(list(few().values()), 1)[:2]).shape == (2, 2, *SHAPE)
    net = ("flow", source, "--score", score, "--field", "local", "--radius", 1, "--epochs", 2, "--steps", 2)
    assert run(*net, "--width", 4, "--quiet", "--out", tmp_path / "net") == 0
    told = json.loads((tmp_path / "net/result.json").read_text())
    jsonschema.validate(told, json.loads((SCHEMAS / "field-flow.json").read_text()))
    assert (told["family"], told["epochs"], told["status"]) == ("local", 2, "not-converged")
    assert (tmp_path / "net/flow.png").exists()
    film = tmp_path / "flow.gif"
    assert run("animate", flow, "--size", 24, "--steps", 6, "--eta", 0.2, "--frames", 3, "--out", film, "--quiet") == 0
    assert film.exists()
    # every refusal is one line and exit code 2
    for words, told in (
        (("score", source, "--schedule", "ddpm"), "points only"),
        (("score", source, "--minutes", 1, "--epochs", 2), "must be left out where"),
        (("flow", source, "--field", "convolution"), "must be a run of `unstill score`"),
        (("flow", source, "--score", score), "the families convolution and local only"),
        (("flow", source, "--score", "nowhere", "--field", "convolution"), "`--score` must be a run"),
        (("flow", source, "--score", source, "--field", "local"), "`--score` must be field-score.npz"),
        (("flow", source, "--field", "convolusion"), "`--field` must be a known family of pictures"),
        (("flow", source, "--field", "convolution", "--score", score, "--degree", 2), "rules only"),
        (("flow", source, "--field", "convolution", "--score", score, "--epochs", 2), "the family local only"),
        (("animate", flow, "--preset", "waves", "--out", tmp_path / "x.gif"), "must be left out"),
        (("animate", flow, "--init", "discs", "--out", tmp_path / "x.gif"), "must be left out"),
        (("animate", flow, "--dtype", "float32", "--out", tmp_path / "x.gif"), "must be left out"),
        (("animate", "gray-scott", "--eta", 0.1, "--out", tmp_path / "x.gif"), "flows of pictures"),
    ):
        capsys.readouterr()
        assert run(*words) == 2
        error = capsys.readouterr().err
        assert told in error
        assert error.count("\n") == 1


def test_a_saved_flow_is_the_same_and_can_be_simulated(score, tmp_path):
    pictures = few()
    found = learn_field_flow(pictures, score, radius=1, tau=0.4)
    found.save(tmp_path / "flow")
    kept = us.load_flow(tmp_path / "flow")[0]
    state = np.stack(list(pictures.values()), 1)[:2]
    np.testing.assert_allclose(kept(state), found.flow(state), rtol=1e-9, atol=1e-12)
    moved = us.simulate(kept, state, steps=5)
    assert np.isfinite(moved.state).all()
