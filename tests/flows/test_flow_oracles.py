"""Flows against closed forms: polynomials of the integrators, the discrete covariance of noisy steps, the probability
flow of a normal density, priors of linear fields, distances of a moved heap, members that train side by side."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from unstill._errors import BadInput
from unstill.flows import kernel_score as kernels
from unstill.flows.attractors import likeness
from unstill.flows.diagnosis import Preservation, Rescaled, paced, preservation
from unstill.flows.families import compare_families, scores_as_field
from unstill.flows.fields import ConstantField, PolynomialField, antisymmetric, find_field, least_residuals
from unstill.flows.flow import Flow
from unstill.flows.integrate import ScoreAscent, move, move_noisily
from unstill.flows.networks import MLP
from unstill.flows.priors import PRIORS, KineticEnergy, Known, Locality, Sparsity, Symmetry, find_prior
from unstill.flows.sampling import sample
from unstill.flows.schedule import check_level, even_levels, find_schedule
from unstill.flows.score import Normal, Score
from unstill.training.epochs import Epochs, train_epochs

SIGMA = np.array([[1.0, 0.5], [0.5, 0.8]])
MEAN, SCALE = np.array([1.0, -2.0]), np.array([2.0, 0.5])


def normal_score(covariance=SIGMA, mean=MEAN, scale=SCALE) -> Score:
    """A score whose network is silent: exactly that of a normal density of this covariance, at every level."""
    D = len(covariance)
    network = MLP.make(jax.random.key(0), (D + 6, 4, 1), silent=True)
    network = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), network)
    return Score(network, Normal(*np.linalg.eigh(covariance)), np.zeros(D) + mean, np.ones(D) * scale)


def level_covariance(tau: float) -> np.ndarray:
    return (1 - tau**2) * SIGMA + tau**2 * np.eye(2)


class Linear:
    """dx/dt = A x."""

    def __init__(self, A):
        self.A = np.asarray(A, float)

    def drift(self, state):
        return state @ jnp.asarray(self.A).T


# --- integrators ------------------------------------------------------------------------------------------------------


def test_steps_of_rk4_are_its_polynomial_of_fourth_order():
    """Of a linear field: P = Σ (hA)ⁿ/n!, n = 0 … 4, and Pⁿ after n steps; only every so many of them are kept."""
    A, x = np.array([[-0.2, 1.5], [-1.0, 0.1]]), np.array([[1.0, 0.3], [-2.0, 0.5]])
    P = np.eye(2) + sum(np.linalg.matrix_power(0.3 * A, n) / f for n, f in ((1, 1), (2, 2), (3, 6), (4, 24)))
    path = move(Linear(A), x, dt=0.3, steps=7, save_every=3)  # the seventh shows nowhere
    np.testing.assert_array_equal(path[0], x)
    for frame, power in zip(path[1:], (3, 6), strict=True):
        np.testing.assert_allclose(frame, x @ np.linalg.matrix_power(P, power).T, rtol=1e-12)
    assert np.abs(P - scipy.linalg.expm(0.3 * A)).max() < np.abs(0.3 * A).max() ** 5 / 30
    for wrong in (0, 8):
        with pytest.raises(BadInput, match="save_every"):
            move(Linear(A), x, dt=0.1, steps=7, save_every=wrong)


def turning(tau: float, entry: float = 1.3) -> Flow:
    return Flow(ConstantField(jnp.array([entry])), normal_score(), MEAN, SCALE, np.asarray(1.0), tau)


def test_noisy_steps_have_the_covariance_of_their_discrete_equation():
    """z ↦ (1 + hA + h²A²/2) z + √(2ηh) (1 + hA/2) ξ with A = −(D + η) Σ_τ⁻¹: its own stationary covariance solves the
    discrete Lyapunov equation. At steps as long as these it is clearly not Σ_τ."""
    tau, eta, h = 0.4, 0.8, 0.6
    Q = np.array([[0.0, 1.3], [-1.3, 0.0]])
    A = -(Q + eta * np.eye(2)) @ np.linalg.inv(level_covariance(tau))
    P = np.eye(2) + h * A + h**2 / 2 * A @ A
    kick = np.sqrt(2 * eta * h) * (np.eye(2) + h / 2 * A)
    expected = scipy.linalg.solve_discrete_lyapunov(P, kick @ kick.T)
    start = np.broadcast_to(MEAN, (8_000, 2))
    ends = move_noisily(turning(tau), normal_score(), start, eta=eta, dt=h, steps=30, save_every=30)[-1]
    found = np.cov(((ends - MEAN) / SCALE).T)
    np.testing.assert_allclose(found, expected, atol=4 * np.sqrt(2 / 8_000) * expected.max())
    assert np.abs(expected - level_covariance(tau)).max() > 6 * np.sqrt(2 / 8_000)


def test_without_noise_a_step_is_heuns_and_draws_nothing():
    """η = 0: z ↦ (1 + hA + h²A²/2) z."""
    x, tau, h = MEAN + SCALE * np.array([[1.0, 0.2], [-0.5, 0.4]]), 0.4, 0.3
    A = -np.array([[0.0, 1.3], [-1.3, 0.0]]) @ np.linalg.inv(level_covariance(tau))
    one = np.eye(2) + h * A + h**2 / 2 * A @ A
    for seed in (0, 1):
        path = move_noisily(turning(tau), normal_score(), x, eta=0.0, dt=h, steps=2, seed=seed)
        np.testing.assert_array_equal(path[0], x)
        for n in (1, 2):
            expected = (x - MEAN) / SCALE @ np.linalg.matrix_power(one, n).T * SCALE + MEAN
            np.testing.assert_allclose(path[n], expected, rtol=1e-12)
    with pytest.raises(BadInput, match="eta"):
        move_noisily(turning(tau), normal_score(), x, eta=-0.1, dt=0.1, steps=1)


def test_ascent_on_the_score_ends_on_the_peak():
    """dz/dt = −Σ_τ⁻¹ z."""
    z, tau = np.array([[1.0, 0.2], [-0.5, 0.4]]), 0.5
    path = move(ScoreAscent(normal_score(), tau), z, dt=0.02, steps=50)[-1]
    np.testing.assert_allclose(path, z @ scipy.linalg.expm(-np.linalg.inv(level_covariance(tau))).T, atol=1e-7)


# --- scores -----------------------------------------------------------------------------------------------------------


def test_samples_of_a_normal_density_are_the_exact_image_of_the_noise():
    """dy/dσ of a normal density scales each axis by √((λ + σ²)/(λ + σ₀²)); the last step takes E[z₀ | z]."""
    tau = find_schedule("even")[::-1]
    first, last = (t / np.sqrt(1 - t**2) for t in (tau[0], tau[-1]))
    z = np.asarray(jax.random.normal(jax.random.key(5), (50, 2), jnp.float64))
    variances, axes = np.linalg.eigh(SIGMA)
    along = z / np.sqrt(1 - tau[0] ** 2) @ axes
    along *= np.sqrt((variances + last**2) / (variances + first**2)) * variances / (variances + last**2)
    expected = along @ axes.T * SCALE + MEAN
    drawn = sample(normal_score(), 50, seed=5)
    assert np.linalg.norm(drawn - expected) < 0.01 * np.linalg.norm(expected - MEAN)  # 100 Heun steps
    np.testing.assert_array_equal(sample(normal_score(), 50, seed=5), drawn)


def test_even_levels_are_even_in_the_signal_to_noise_ratio():
    tau = even_levels(7, 0.1, 0.9)
    ratio = np.log((1 - tau**2) / tau**2)
    np.testing.assert_allclose(np.diff(ratio), np.diff(ratio)[0])
    np.testing.assert_allclose(tau[[0, -1]], [0.1, 0.9])
    assert check_level(0.5) == 0.5
    for wrong in (0.0, 1.0, -0.1, np.nan):
        with pytest.raises(BadInput, match="tau"):
            check_level(float(wrong))


def test_posterior_means_by_a_loop_whatever_fits_into_memory(rng, monkeypatch):
    clean, values, z, tau = (*(rng.standard_normal((n, 2)) for n in (11, 11, 7)), 0.6)
    expected = []
    for point in z:
        weight = np.exp(-np.sum((point - np.sqrt(1 - tau**2) * clean) ** 2, 1) / (2 * tau**2))
        expected.append(weight @ values / weight.sum())
    for pairs in (40_000_000, 33, 1):  # all at once, three points at a time, one
        monkeypatch.setattr(kernels, "_PAIRS", pairs)
        np.testing.assert_allclose(kernels.posterior_mean(z, clean, values, tau), expected, atol=1e-12)
    one = clean[:1]  # of one point the density is normal around √a z₀
    np.testing.assert_allclose(kernels.kernel_score(z, one, tau), (np.sqrt(1 - tau**2) * one - z) / tau**2, atol=1e-12)
    twice = np.concatenate([clean, clean])
    np.testing.assert_allclose(kernels.kernel_score(z, twice, tau), kernels.kernel_score(z, clean, tau), atol=1e-12)


# --- priors -----------------------------------------------------------------------------------------------------------


def linear(A) -> PolynomialField:
    C = np.zeros((len(A), (len(A) + 1) * (len(A) + 2) // 2))
    C[:, 1 : len(A) + 1] = A
    return PolynomialField(jnp.asarray(C))


A = np.array([[0.5, -1.0, 0.2], [1.5, 0.3, 0.7], [-0.4, 0.6, 1.1]])
FLIP = np.diag([-1.0, -1.0, 1.0])


def priors_in_closed_form(z):
    """Every prior with its value for the field A z at points z."""
    speed = np.linalg.norm(z @ A.T, axis=1)
    broken = FLIP @ A @ FLIP - A
    part = 2 * A + np.eye(3)
    return {
        "kinetic-energy": (KineticEnergy(), (speed**2).mean() / speed.mean() ** 2 - 1),
        "locality": (Locality(), (A[0, 2] ** 2 + A[2, 0] ** 2) / (A**2).sum()),
        "symmetry": (
            Symmetry(signs=(-1.0, -1.0, 1.0)),
            np.mean(np.sum((z @ broken.T) ** 2, 1)) / (2 * np.mean(speed**2)),
        ),
        "known": (
            Known(part=lambda z: jnp.asarray(part) @ z),
            np.mean(np.sum((z @ (A - part).T) ** 2, 1)) / np.mean(np.sum((z @ part.T) ** 2, 1)),
        ),
        "sparsity": (Sparsity(), 0.1 * np.abs(A * z.std(0)).sum() ** 2 / (30 * ((A * z.std(0)) ** 2).sum())),
    }


@pytest.mark.parametrize("name", PRIORS)
def test_priors_of_a_linear_field(name, rng):
    """Each by its formula in NumPy; free of the field's scale, but for the one that fixes it."""
    z = rng.standard_normal((2000, 3)) * [1.0, 2.0, 0.5]
    z -= z.mean(0)
    prior, expected = priors_in_closed_form(z)[name]
    points = jnp.asarray(z)

    def penalty(field):
        return float(prior(field, points, points, field.many(points, points)))

    # Sparsity's own regularisation is 1e-6 of each term's size
    assert penalty(linear(A)) == pytest.approx(expected, rel=1e-3 if name == "sparsity" else 1e-9)
    assert find_prior(name) is type(prior)
    if name != "known":
        assert penalty(linear(-7 * A)) == pytest.approx(penalty(linear(A)), rel=1e-4)
    else:
        assert penalty(linear(0 * A)) == pytest.approx(1)
        assert penalty(linear(-(2 * A + np.eye(3)))) == pytest.approx(4)


def test_what_breaks_a_symmetry_entirely_costs_two(rng):
    """v(Sz) = −S v(z): E|2v|²/(2E|v|²)."""
    z = jnp.asarray(rng.standard_normal((100, 3)))
    odd = np.array([[0.0, 0, 1], [0, 0, 2], [1, 1, 0]])
    field = linear(odd)
    assert float(Symmetry(signs=(-1.0, -1.0, 1.0))(field, z, z, field.many(z, z))) == pytest.approx(2)
    assert float(Locality(reach=2)(field, z, z, field.many(z, z))) == 0
    with pytest.raises(BadInput, match="Did you mean locality"):
        find_prior("localty")
    with pytest.raises(BadInput, match="Did you mean polynomial"):
        find_field("polynomal")


def test_the_least_quadratic_residual_of_a_normal_density_is_its_rotation(rng):
    """With the exact score v = J Σ⁻¹ z has no residual, and of linear fields no other; the count is bounded."""
    z = rng.standard_normal((3000, 2)) @ np.linalg.cholesky(SIGMA).T
    s = -z @ np.linalg.inv(SIGMA)
    found = np.asarray(least_residuals(z, s, 4))
    turn = np.zeros((2, 6))
    turn[:, 1:3] = np.array([[0.0, 1.0], [-1.0, 0.0]]) @ np.linalg.inv(SIGMA)
    # quadratic fields preserve it too: p v = ∇⊥(p ψ) with ψ = 1, x, y — three in all
    flat = found[:3].reshape(3, -1)
    rest = turn.ravel() - flat.T @ np.linalg.lstsq(flat.T, turn.ravel())[0]
    assert np.linalg.norm(rest) < 1e-3 * np.linalg.norm(turn)
    for C in found[:3]:
        field = PolynomialField(jnp.asarray(C, jnp.float64))
        v, divergence = (np.asarray(a) for a in field.with_divergence(jnp.asarray(z)))
        assert np.mean((divergence + np.sum(v * s, 1)) ** 2) < 1e-6 * np.mean(np.sum(v**2, 1))
    with pytest.raises(BadInput, match="at most 12 quadratic fields"):
        least_residuals(z, s, 13)


# --- diagnosis --------------------------------------------------------------------------------------------------------


class Drift:
    """Everything moves to the right."""

    def drift(self, state):
        return jnp.zeros_like(state).at[..., 0].set(1.0)


def test_distances_of_a_shifted_heap_are_those_of_normal_densities(rng):
    """MMD² of N(0, 1) against itself shifted by m, 2 (1 − e^{−m²/2(h²+2)}) (h²/(h²+2))^{D/2}; sliced W₂² = m²/D."""
    z = rng.standard_normal((1000, 2))
    found = preservation([Drift()], z, count=400, time=2.0, dt=0.1, looks=4)
    np.testing.assert_allclose(found.ts, [0, 0.5, 1, 1.5, 2])
    np.testing.assert_allclose(found.wasserstein[1:, 0], found.ts[1:] / np.sqrt(2), atol=0.15)
    h = 0.5
    expected = 2 * (1 - np.exp(-(found.ts**2) / (2 * (h**2 + 2)))) * h**2 / (h**2 + 2)
    np.testing.assert_allclose(found.mmd[:, 0], expected, atol=0.02)
    assert found.lost.tolist() == [0]
    assert found.mmd_median[-1, 0] > 20 * found.floor_median
    assert found.floor < 0.02


def test_curves_are_averaged_over_what_is_left():
    mmd = np.array([[0.1, np.nan, 0.3], [0.2, np.nan, np.nan], [np.nan] * 3])
    found = Preservation(np.arange(3.0), mmd, mmd, mmd, 0.0, 0.0, np.array([0.0, 1.0, 0.5]))
    np.testing.assert_allclose(found.mean, [0.2, 0.2, np.nan])
    last = found.of(slice(2, 3))
    assert last.mmd.shape == (3, 1)
    assert last.lost.tolist() == [0.5]
    assert last.floor == found.floor


def test_the_pace_is_that_of_a_flow_and_units_are_shed(rng):
    z = rng.standard_normal((500, 2)) * [1.0, 3.0]
    fast = paced(Linear(17 * np.array([[0.0, 1.0], [-1.0, 0.2]])), z)
    assert np.mean(np.sum(np.asarray(fast.drift(jnp.asarray(z))) ** 2, 1)) == pytest.approx(2)
    own = Rescaled(Linear(A[:2, :2]), MEAN, SCALE, 3.0)
    x = z * SCALE + MEAN
    np.testing.assert_allclose(own.drift(jnp.asarray(z)), 3 * x @ A[:2, :2].T / SCALE, rtol=1e-12)


def test_pace_of_the_truth_does_not_matter_to_its_likeness(rng):
    """Orbits are compared at the pace of a flow: the truth ten times as fast is as like itself as it is."""
    z = rng.standard_normal((400, 2))
    turn = np.array([[0.0, 1.0], [-1.0, 0.0]])
    slow, fast = (likeness([paced(Linear(c * turn), z)], Linear(c * turn), z, z, time=10.0) for c in (1.0, 10.0))
    np.testing.assert_allclose(fast.hellinger, slow.hellinger, atol=1e-6)
    np.testing.assert_allclose(fast.stsp, slow.stsp, atol=1e-9)
    assert fast.hellinger_floor == pytest.approx(slow.hellinger_floor)


# --- families ---------------------------------------------------------------------------------------------------------


def test_effective_numbers_of_correlated_families():
    """Unit fields with pairwise cosine c: eigenvalues 1 + (n − 1)c and 1 − c, so n²/Σλ² = n/(1 + (n − 1)c²)."""
    n, c = 4, 0.6
    root = np.linalg.cholesky((1 - c) * np.eye(n) + c)
    fields = np.concatenate([root, np.zeros((n, 2))], 1).reshape(n, 3, 2)
    found = compare_families({"alike": fields, "turned": -2 * fields})
    np.testing.assert_allclose(found.effective, n / (1 + (n - 1) * c**2))
    np.testing.assert_allclose(found.table[0], [c, (1 + (n - 1) * c) / n])
    np.testing.assert_allclose(found.spread[0, 0], 0, atol=1e-12)
    np.testing.assert_allclose(found.places[:n], found.places[n:], atol=1e-6)  # a field and its reverse lie together


def test_the_score_as_a_field_preserves_nothing(rng):
    z = rng.standard_normal((200, 2)) @ np.linalg.cholesky(SIGMA).T
    (s,) = scores_as_field(normal_score(), z, 0.3)
    np.testing.assert_allclose(s, -z @ np.linalg.inv(level_covariance(0.3)), atol=1e-12)
    entries = np.asarray(antisymmetric(jnp.array([1.0, 2.0, 3.0]), 3))
    np.testing.assert_array_equal(entries, [[0, 1, 2], [-1, 0, 3], [-2, -3, 0]])


# --- members that train side by side ----------------------------------------------------------------------------------


def test_no_member_sees_another():
    """Two members trained together end where each ends alone, whatever the other one does."""
    plan = Epochs(3, 10, 0.05, 9)

    def trained(targets, weights):
        def losses(params, key):
            return jnp.asarray(weights) * jnp.sum((params - jnp.asarray(targets)) ** 2, 1)

        return train_epochs(
            losses, lambda p: losses(p, None), jnp.zeros((len(weights), 2)), plan, key=jax.random.key(0)
        )

    mine = np.array([0.3, -0.8])
    alone = trained(mine[None], np.ones(1))
    for other, weight in ((np.array([0.1, 0.1]), 1.0), (np.array([5.0, -7.0]), 20.0)):
        both = trained(np.stack([mine, other]), np.array([1.0, weight]))
        np.testing.assert_allclose(both.params[0], alone.params[0], rtol=1e-9)
        np.testing.assert_allclose(both.validation[:, 0], alone.validation[:, 0], rtol=1e-9)
