"""Flows: divergences against automatic ones, closed Gaussian forms, bias of estimates, priors, files and verbs."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unstill._errors import BadInput
from unstill.files.models import load_flow
from unstill.flows.arrays import flow_arrays
from unstill.flows.attractors import likeness
from unstill.flows.diagnosis import Rescaled, paced, preservation
from unstill.flows.fields import FIELDS, PolynomialField, antisymmetric, quadratic
from unstill.flows.flow import Flow, Flows
from unstill.flows.integrate import move, move_noisily
from unstill.flows.learn_flow import chosen_priors
from unstill.flows.networks import MLP
from unstill.flows.priors import PRIORS, KineticEnergy, Known, Locality, Sparsity, Symmetry, power
from unstill.flows.score import Normal, Score
from unstill.flows.training import estimates, rayleigh, residual, residuals, train_flows
from unstill.observations.points import Points
from unstill.systems import SYSTEMS, Lorenz
from unstill.training.epochs import Epochs

SIGMA = np.array([[1.0, 0.5], [0.5, 0.8]])
SHORT = Epochs(8, 25, 2e-2, 8)


class GaussianScore(Score):
    """−Σ⁻¹ z at every level, in the place of a learnt score."""

    def at(self, z, tau):
        return -z @ jnp.asarray(np.linalg.inv(SIGMA), z.dtype)


def gaussian_score():
    return GaussianScore(MLP.make(jax.random.key(0), (8, 1)), Normal(np.ones(2), np.eye(2)), np.zeros(2), np.ones(2))


def gaussian_points(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, 2)) @ np.linalg.cholesky(SIGMA).T


def one_of(name, dimension, seed=0, hidden=16):
    field = FIELDS[name].make(jax.random.key(seed), dimension, hidden)
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float64), field)


@pytest.mark.parametrize("dimension", [2, 3, 5])
@pytest.mark.parametrize("name", [n for n, cls in FIELDS.items() if not cls.uses_score])
def test_divergence_is_the_trace_of_the_jacobian(name, dimension, rng):
    field, many = one_of(name, dimension), jnp.asarray(rng.standard_normal((3, dimension)))
    for z, v, divergence in zip(many, *field.with_divergence(many), strict=True):
        np.testing.assert_allclose(v, field(z, z), atol=1e-12)
        np.testing.assert_allclose(divergence, jnp.trace(jax.jacfwd(lambda z: field(z, z))(z)), atol=1e-12)


@pytest.mark.parametrize("dimension", [2, 5])
def test_antisymmetric_fields_by_automatic_derivatives(dimension, rng):
    """v_i = Σ_j D_ij s_j + ∂_j D_ij, entry by entry, and its derivatives by the weights."""
    field, (z, s) = one_of("antisymmetric", dimension), jnp.asarray(rng.standard_normal((2, 4, dimension)))

    def automatic(field, z, s):
        def matrix(z):
            return antisymmetric(field.network(z, jnp.tanh), dimension)

        return matrix(z) @ s + jnp.einsum("ijj->i", jax.jacfwd(matrix)(z))

    @eqx.filter_jit
    def slopes_and_values(many):
        def squares(field):
            v = many(field)
            return jnp.sum(v**2), v

        return jax.grad(squares, has_aux=True)(field)

    ours = slopes_and_values(lambda field: field.many(z, s))
    theirs = slopes_and_values(lambda field: jax.vmap(lambda z, s: automatic(field, z, s))(z, s))
    assert eqx.tree_equal(ours, theirs, rtol=1e-10, atol=1e-11)
    assert all(np.abs(leaf).max() > 0.1 for leaf in jax.tree.leaves(ours))


@pytest.mark.parametrize("name", ["antisymmetric", "constant"])
def test_fields_of_the_score_preserve_the_density_exactly(name, rng):
    field = one_of(name, 3)
    form = rng.standard_normal((3, 3))
    form = form @ form.T + np.eye(3)

    def v(z):
        return field(z, -form @ z - z**3)  # the score of exp(−zᵀΣ⁻¹z/2 − Σz⁴/4)

    for z in jnp.asarray(rng.standard_normal((4, 3))):
        divergence = jnp.trace(jax.jacfwd(v)(z))
        assert float(divergence + v(z) @ (-form @ z - z**3)) == pytest.approx(0, abs=1e-10)


def test_gaussian_rotation_is_preserved():
    """v = D Σ⁻¹ (x − μ): Mahalanobis distances stay, so does the covariance."""
    x = gaussian_points(500)
    one = one_of("constant", 2)
    flow = Flow(one, gaussian_score(), np.zeros(2), np.ones(2), np.ones(()), 0.1)
    paths = move(flow, x, dt=0.02, steps=200, save_every=50)
    form = np.einsum("tmi,ij,tmj->tm", paths, np.linalg.inv(SIGMA), paths)
    np.testing.assert_allclose(form[-1], form[0], rtol=1e-6)
    assert np.linalg.norm(paths[-1] - x) > 1
    np.testing.assert_allclose(np.cov(paths[-1].T), np.cov(x.T), atol=0.15)
    back = move(flow, paths[-1], dt=-0.02, steps=200)[-1]
    np.testing.assert_allclose(back, x, atol=1e-6)


def test_adaptive_steps_follow_the_exact_motion():
    """A circle with its exact phase forwards and backwards; a point that explodes is infinite, the others go on."""

    class Turn:
        def drift(self, state):
            x, y = state[..., 0], state[..., 1]
            return jnp.stack([-y, x], -1)

    angle = np.linspace(0, 10, 6)
    for sign in (1, -1):
        path = move(Turn(), np.array([[1.0, 0.0]]), dt=sign * 0.5, steps=20, save_every=4, integrator="adaptive")[:, 0]
        exact = np.stack([np.cos(angle), sign * np.sin(angle)], -1)
        np.testing.assert_allclose(path, exact, atol=1e-4)
        coarse = move(Turn(), np.array([[1.0, 0.0]]), dt=sign * 0.5, steps=20, save_every=4)[:, 0]
        assert np.abs(coarse - exact).max() > 10 * np.abs(path - exact).max()

    class Explode:
        def drift(self, state):
            return state**3

    ends = move(Explode(), np.array([[0.1, 0.1], [2.0, 2.0]]), dt=0.1, steps=20, save_every=20, integrator="adaptive")
    np.testing.assert_allclose(ends[-1, 0], 0.1 / np.sqrt(1 - 2 * 0.01 * 2), rtol=1e-4)
    assert not np.isfinite(ends[-1, 1]).any()
    with pytest.raises(BadInput, match="adaptive"):
        move(Turn(), np.zeros((1, 2)), dt=0.1, steps=1, integrator="adaptiv")


def test_noisy_motion_has_the_density():
    """With η > 0 any start relaxes to N(0, Σ)."""
    flow = Flow(one_of("constant", 2), gaussian_score(), np.zeros(2), np.ones(2), np.ones(()), 0.1)
    ends = move_noisily(flow, gaussian_score(), np.full((4000, 2), 2.0), eta=1.0, dt=0.02, steps=400, save_every=400)
    np.testing.assert_allclose(np.cov(ends[-1].T), SIGMA, atol=0.08)
    np.testing.assert_allclose(ends[-1].mean(0), 0, atol=0.08)


def test_hutchinson_halves_are_unbiased_and_squares_are_not(rng):
    """Mean over all probes of one estimate squared: r² + 2(‖sym J‖² − ΣJᵢᵢ²); of two independent ones: r²."""
    field, z, s = one_of("plain", 4), *jnp.asarray(rng.standard_normal((2, 4)))
    r = residual(field, z[None], s[None])[1][0]
    J = np.asarray(jax.jacfwd(lambda z: field(z, s))(z))
    halves = jax.vmap(lambda key: estimates(field, z, s, key)[1])(jax.random.split(jax.random.key(0), 20_000))
    halves = np.asarray(halves)
    product = halves[:, 0] * halves[:, 1]
    assert product.mean() == pytest.approx(float(r) ** 2, abs=5 * product.std() / np.sqrt(20_000))
    symmetric = (J + J.T) / 2
    bias = 2 * (np.sum(symmetric**2) - np.sum(np.diag(J) ** 2))
    square = halves[:, 0] ** 2
    assert square.mean() - float(r) ** 2 == pytest.approx(bias, abs=5 * square.std() / np.sqrt(20_000))
    assert bias > 10 * abs(product.mean() - float(r) ** 2)


def test_rayleigh_quotient_is_free_of_scale(rng):
    field, (z, s) = one_of("polynomial", 2), jnp.asarray(rng.standard_normal((2, 50, 2)))
    twice = PolynomialField(2 * field.coefficients)
    key = jax.random.key(0)
    np.testing.assert_allclose(rayleigh(twice, z, s, key)[0], rayleigh(field, z, s, key)[0], rtol=1e-12)


def test_quadratic_fields_of_a_gaussian():
    """p v = J∇(pψ) with ψ = 1, x, y are the three quadratic fields that preserve it, D Σ⁻¹ z among them."""
    points = Points(gaussian_points(5_000))
    found = train_flows(points, gaussian_score(), tau=0.01, field="polynomial", experiments=5, count=4096)
    assert found.residuals[:3].max() < 1e-3  # not 0: the heap is noised a little, the score is that of clean points
    assert found.residuals[3:].min() > 0.02
    z = gaussian_points(200, seed=5)
    rotation = (z @ (np.array([[0.0, -1.0], [1.0, 0.0]]) @ np.linalg.inv(SIGMA)).T).ravel()
    three = found.flows.velocities(z)[:3].reshape(3, -1).T
    left = rotation - three @ np.linalg.lstsq(three, rotation)[0]
    assert np.linalg.norm(left) < 0.02 * np.linalg.norm(rotation)
    with pytest.raises(BadInput, match="at most 12"):
        train_flows(points, gaussian_score(), field="polynomial", experiments=13, count=512)


def test_residuals_tell_stationary_from_random():
    z = gaussian_points(500)
    s = -z @ np.linalg.inv(SIGMA)
    field = jax.tree.map(lambda leaf: np.asarray(leaf)[None], one_of("constant", 2))
    steady = Flows(field, gaussian_score(), np.zeros(2), np.ones(2), np.ones(1), 0.1, ("x", "y"))
    assert residuals(steady, z, s)[0] < 1e-20
    field = jax.tree.map(lambda leaf: np.asarray(leaf)[None], one_of("plain", 2))
    assert residuals(Flows(field, None, np.zeros(2), np.ones(2), np.ones(1), 0.1, ("x", "y")), z, s)[0] > 0.05


def test_priors_are_nought_at_their_ideal_and_free_of_scale(rng):
    z, s = jnp.asarray(rng.standard_normal((2, 400, 3)))
    ideal = {  # a field for which the penalty vanishes
        "kinetic-energy": lambda z: jnp.stack([jnp.cos(z[0]), jnp.sin(z[0]), 0 * z[0]]),
        "locality": lambda z: jnp.stack([z[1], z[0] * z[2], z[1] ** 2]),
        "symmetry": lambda z: jnp.stack([z[1] * z[2], z[0], z[0] * z[1]]),
        "known": lambda z: jnp.stack([z[1], -z[0], z[2]]),
    }
    priors = {
        "kinetic-energy": KineticEnergy(), "locality": Locality(), "symmetry": Symmetry(signs=(-1.0, -1.0, 1.0)),
        "known": Known(part=ideal["known"]), "sparsity": Sparsity(),
    }  # fmt: skip
    assert set(priors) == set(PRIORS)
    random = one_of("plain", 3)
    for name, prior in priors.items():
        v = jax.vmap(random)(z, s)
        penalty = float(prior(random, z, s, v))
        assert penalty > 0.05, name
        if name in ideal:
            field = _Given(ideal[name])
            assert float(prior(field, z, s, jax.vmap(field)(z, s))) == pytest.approx(0, abs=1e-9), name


class _Given:
    def __init__(self, f):
        self.f = f

    def __call__(self, z, s):
        return self.f(z)


def test_sparsity_counts_terms(rng):
    z = jnp.asarray(rng.standard_normal((3000, 2)))
    one, many = (jnp.zeros((2, 6)).at[0, 2].set(1.0), jnp.ones((2, 6)))
    few, dense = (
        float(Sparsity()(None, z, z, jax.vmap(quadratic)(z) @ c.T))  # pyright: ignore[reportArgumentType]
        for c in (one, many)
    )
    assert few == pytest.approx(0.1 / 12, rel=0.05)
    assert dense > 0.08


def test_a_known_part_is_corrected(rng):
    """The nearest stationary field to a rotation plus a contraction of a Gaussian is the rotation."""
    points = Points(gaussian_points(4000))
    turn = antisymmetric(jnp.array([1.0]), 2) @ np.linalg.inv(np.corrcoef(points.x.T))

    def part(z):
        return (turn @ z - 0.5 * z).astype(z.dtype)

    known = Known(0.1, part=part)
    found = train_flows(points, tau=0.3, experiments=2, hidden=16, count=1024, batch=256, plan=SHORT, priors=[known])
    assert found.residuals.max() < 0.05
    assert len(found.flows) == 2
    z = rng.standard_normal((200, 2))
    v = found.flows.velocities(z)[1]
    rotation = z @ np.asarray(turn).T
    assert np.sum(v * rotation) / (np.linalg.norm(v) * np.linalg.norm(rotation)) > 0.95


def test_a_resumed_ensemble_is_the_same(rng):
    points, kept = Points(gaussian_points(200)), []
    how: dict = {"tau": 0.3, "experiments": 2, "hidden": 4, "count": 256, "batch": 64, "plan": Epochs(4, 3, 0.05, 4)}

    def stop(arrays):
        kept.append(arrays)
        if len(kept) == 2:
            raise KeyboardInterrupt

    whole = train_flows(points, **how)
    assert train_flows(points, **how, keep=stop).interrupted
    resumed = train_flows(points, **how, resume=kept[-1])
    z = rng.standard_normal((5, 2))
    np.testing.assert_array_equal(resumed.flows.velocities(z), whole.flows.velocities(z))
    np.testing.assert_array_equal(resumed.losses, whole.losses)


def test_users_arrays_come_back_as_they_came(rng):
    fields = jax.vmap(lambda key: FIELDS["plain"].make(key, 2, 8))(jax.random.split(jax.random.key(0), 3))
    flows = Flows(fields, None, np.array([1.0, 2.0]), np.array([2.0, 3.0]), np.ones(3), 0.1, ("x", "y"))
    x = rng.standard_normal((5, 2))
    flow = flows[1]
    assert flow(x).dtype == np.float64
    assert flow(x.astype(np.float32)).dtype == np.float32
    assert isinstance(flow(jnp.asarray(x)), jax.Array)
    np.testing.assert_allclose(flow(jnp.asarray(x)), flow(x), atol=1e-12)
    assert flow(x[0]).shape == (2,)
    z = (x - [[1.0, 2.0]]) / [[2.0, 3.0]]
    np.testing.assert_allclose(flow(x), flows.velocities(z)[1] * [[2.0, 3.0]], atol=1e-12)
    with pytest.raises(BadInput, match=r"shape \(M, 2\)"):
        flow(np.zeros((4, 3)))
    with pytest.raises(IndexError):
        flows[3]
    assert len(list(flows)) == 3


def test_preservation_tells_loss(rng):
    z = rng.standard_normal((2000, 2))

    class Turn:
        def drift(self, state):
            return jnp.stack([-state[..., 1], state[..., 0]], -1)

    class Shrink:
        def drift(self, state):
            return -state

    class Explode:
        def drift(self, state):
            return 10 * state

    found = preservation([paced(Turn(), z), Shrink(), Explode()], z, count=300, time=3.0, looks=3)
    assert abs(found.mmd[-1, 0]) < 2 * found.floor
    assert found.mmd[-1, 1] > 10 * found.floor
    assert found.lost.tolist() == [0, 0, 1]
    assert np.isnan(found.mmd[-1, 2])
    moved = Rescaled(Turn(), np.zeros(2), np.array([2.0, 1.0])).drift(jnp.array([1.0, 1.0]))
    np.testing.assert_allclose(moved, [-0.5, 2.0])


class _Turn(eqx.Module):
    """Rotation with an angular velocity 1 + shear · r²; explodes for shear < 0."""

    shear: float = 0.0

    def drift(self, state):
        x, y = state[..., 0], state[..., 1]
        speed = 1 + self.shear * (x**2 + y**2)
        return state**3 if self.shear < 0 else jnp.stack([-y * speed, x * speed], -1)


def test_likeness_to_the_truth(rng):
    """The truth is like itself; a shear keeps the density but not the spectrum; what explodes has no likeness."""
    z = rng.standard_normal((2000, 2))
    found = likeness([paced(_Turn(), z), paced(_Turn(3.0), z), _Turn(-1.0)], _Turn(), z, z, time=40.0)
    assert found.hellinger[0] < 2 * found.hellinger_floor + 0.05
    assert found.hellinger[1] > 0.2
    assert np.isfinite(found.stsp[:2]).all()
    assert found.stsp_floor > 0
    assert np.isnan(found.stsp[2])
    assert np.isnan(found.hellinger[2])


def test_bad_input(rng):
    with pytest.raises(BadInput, match="two variables"):
        train_flows(Points(rng.standard_normal((50, 1))))
    with pytest.raises(BadInput, match="between 0 and 1"):
        train_flows(Points(rng.standard_normal((50, 2))), tau=1.5)
    with pytest.raises(BadInput, match="must be a learnt one"):
        train_flows(Points(rng.standard_normal((50, 2))), field="constant")
    with pytest.raises(BadInput, match="of the points' variables"):
        train_flows(Points(rng.standard_normal((50, 3))), gaussian_score())
    with pytest.raises(BadInput, match="Did you mean plain"):
        train_flows(Points(rng.standard_normal((50, 2))), field="plane")
    with pytest.raises(BadInput, match="other than 0"):
        move(Lorenz(), np.zeros((1, 3)), dt=0.0, steps=1)


@pytest.mark.parametrize("name", FIELDS)
def test_files_keep_every_family(tmp_path, rng, name):
    fields = jax.vmap(lambda key: FIELDS[name].make(key, 3, 6))(jax.random.split(jax.random.key(0), 2))
    normal = Normal(np.array([0.5, 1.0, 1.5]), np.linalg.qr(rng.standard_normal((3, 3)))[0])
    score = Score(MLP.make(jax.random.key(1), (9, 5, 1)), normal, np.zeros(3), np.ones(3))
    score = score if FIELDS[name].uses_score else None
    flows = Flows(fields, score, np.zeros(3), np.ones(3), np.array([1.0, 2.0]), 0.2, ("x", "y", "z"))
    np.savez(tmp_path / "flows.npz", **flow_arrays(flows))
    back = load_flow(tmp_path)
    z = rng.standard_normal((4, 3))
    np.testing.assert_allclose(back.velocities(z), flows.velocities(z), atol=1e-12)
    np.testing.assert_allclose(back[1](z), flows.velocities(z)[1], atol=1e-12)
    np.savez(tmp_path / "flows.npz", **{**flow_arrays(flows), "factors": np.ones(3)})
    with pytest.raises(BadInput, match="fit together"):
        load_flow(tmp_path)


def test_words_of_priors():
    points = Points(gaussian_points(30))

    def chosen(*words, flip=(), known=None):
        return chosen_priors(points, words, flip, known)

    both = chosen("sparsity=0.5", "symmetry", flip=("y",))
    assert both == [Sparsity(0.5), Symmetry(signs=(1.0, -1.0))]
    assert chosen() == []
    assert chosen(Sparsity(2.0)) == [Sparsity(2.0)]
    (known,) = chosen("known", known=SYSTEMS["hopf"]())
    assert isinstance(known, Known)
    for words, more, message in (
        ((), {"known": SYSTEMS["lorenz"]()}, "needs `prior=known`"),
        (("known",), {}, "must say which part"),
        (("symmetry",), {}, "must name the variables"),
        (("symmetry",), {"flip": ("w",)}, "must name variables among x, y"),
        (("sparse",), {}, "Did you mean sparsity"),
        (("sparsity=much",), {}, "must be NAME or NAME=WEIGHT"),
        (("sparsity=-1",), {}, "must have a positive weight"),
    ):
        with pytest.raises(BadInput, match=message):
            chosen(*words, **more)


def test_power():
    assert float(power(jnp.array([[3.0, 4.0], [0.0, 0.0]]))) == 12.5
