"""Scores of pictures: identities that hold whatever the network says, their spectra, and how far pictures are apart."""

import json

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import unstill as us
from normal_fields import exact_score, gaussian, standardised
from unstill.field_flows import FieldScore
from unstill.field_flows.arrays import field_score_arrays, field_score_of
from unstill.field_flows.field_score import noised_pictures, turned
from unstill.field_flows.local_network import LocalNetwork, convolved, level_features
from unstill.field_flows.sampling import density_distance, spectral_distance
from unstill.field_flows.spectral_normal import LARGEST, SpectralNormal, wavenumbers

LEVELS = pytest.mark.parametrize("tau", [0.05, 0.3, 0.9])


def with_noisy_network(conservative: bool) -> FieldScore:
    """The exact score of Gaussian fields with something added that belongs to no field."""
    exact = exact_score()
    network = LocalNetwork.make(jax.random.key(0), 2, 4, 1, 1 if conservative else 2)
    last = 0.3 * jax.random.normal(jax.random.key(1), network.last.shape, jnp.float32)
    network = eqx.tree_at(lambda n: n.last, network, last)
    return FieldScore(network, exact.normal, exact.mean, exact.scale, exact.fields, conservative)


@LEVELS
def test_tweedies_formula(tau, rng):
    """E[z₀ | z] = (z + τ² s)/√a (B. Efron, J. Am. Stat. Assoc. 106, 1602 (2011), eq. 1.4), whatever w is."""
    score = with_noisy_network(False)
    z = jnp.asarray(rng.standard_normal((2, 2, 12, 10)))
    wanted = (z + tau**2 * score.at(z, tau)) / np.sqrt(1 - tau**2)
    np.testing.assert_allclose(score.clean(z, tau), wanted, rtol=1e-5, atol=1e-6)


@LEVELS
def test_noise_and_what_is_predicted_of_it_turn_into_each_other(tau, rng):
    """z₀ = √a z − τ w and ε = τ z + √a w: a rotation by the level's angle."""
    clean = jnp.asarray(rng.standard_normal((3, 1, 8, 8)))
    z, w = noised_pictures(clean, jnp.full(3, tau), jax.random.key(0))
    np.testing.assert_allclose(np.sqrt(1 - tau**2) * z - tau * w, clean, atol=1e-12)
    eps = tau * z + np.sqrt(1 - tau**2) * w
    assert float(eps.var()) == pytest.approx(1, abs=0.4)
    np.testing.assert_allclose(z, np.sqrt(1 - tau**2) * clean + tau * eps, atol=1e-12)


def test_a_score_of_pictures_is_per_unit_of_their_fields():
    score, pictures = exact_score(), gaussian(2, seed=3)
    z = score.standardised(jnp.asarray(pictures))
    np.testing.assert_allclose(np.asarray(score.natural(z)), pictures, atol=1e-12)
    own = np.asarray(score.at(z, 0.3)) / score.scale[None, :, None, None]
    np.testing.assert_allclose(score(pictures, 0.3), own, rtol=1e-6)
    assert score(pictures, 0.3).dtype == np.float64
    with pytest.raises(us.BadInput, match="fields u, v"):
        score(pictures[0], 0.3)


@pytest.mark.parametrize("conservative", [True, False])
def test_a_potentials_jacobian_is_symmetric(conservative, rng):
    score = with_noisy_network(conservative)
    z = jnp.asarray(rng.standard_normal((1, 2, 6, 5)))
    jacobian = np.asarray(jax.jacfwd(lambda x: score.at(x, 0.4))(z)).reshape(60, 60)
    assert np.allclose(jacobian, jacobian.T, atol=1e-6) == conservative


@pytest.mark.parametrize("harm", [
    {"mean": np.zeros(3)}, {"scale": np.array([1.0, 0.0])}, {"axes": np.zeros((4, 2, 2))}, {"n_last": None},
    {"n_first": np.zeros((4, 3, 3, 3))}, {"variances": np.zeros((24, 3))}, {"n_levels_0": np.zeros((8, 5))},
])  # fmt: skip
def test_broken_files_of_scores_are_told(harm):
    kept = field_score_arrays(with_noisy_network(True))
    about = json.loads(str(kept.pop("about")))
    whole = field_score_of(about, kept)
    np.testing.assert_array_equal(whole.network.last, with_noisy_network(True).network.last)
    assert whole.conservative
    broken = {name: a for name, a in (kept | harm).items() if a is not None}
    with pytest.raises((KeyError, ValueError, TypeError)):
        field_score_of(about, broken)
    with pytest.raises(ValueError, match="fit together"):
        field_score_of(about | {"conservative": False}, kept)


def test_one_wave_is_filtered_as_wiener_says():
    """Of a field with spectrum C(k) the wave k keeps the share τ √a (1 − C)/(a C + τ²) of itself."""
    shells, tau = 9, 0.3
    C = np.linspace(4.0, 0.1, shells)
    normal = SpectralNormal(C[:, None], np.ones((shells, 1, 1)))
    x = 2 * np.pi * 3 * np.arange(16) / 16
    wave = jnp.asarray(np.cos(x) * np.ones((16, 1)))[None, None]
    place = (2 * np.pi * 3 / 16) / LARGEST * (shells - 1)
    below = int(place)
    share = tau * np.sqrt(1 - tau**2) * (1 - C) / ((1 - tau**2) * C + tau**2)
    gain = share[below] + (place - below) * (share[below + 1] - share[below])
    np.testing.assert_allclose(normal.predicted(wave, jnp.full(1, tau)), gain * wave, atol=1e-12)


def test_the_spectrum_of_turned_white_fields_is_their_covariance(rng):
    """Two white fields that are correlated have one matrix C at every k, and its trace is their variance."""
    root = np.array([[1.0, 0.0], [0.6, 0.4]])
    white = np.einsum("ab,mbhw->mahw", root, rng.standard_normal((300, 2, 16, 16)))
    normal = SpectralNormal.of(white)
    found = np.einsum("sac,sc,sdc->sad", normal.axes, normal.variances, normal.axes)
    wanted = np.broadcast_to(root @ root.T, found.shape)
    np.testing.assert_allclose(found, wanted, atol=0.2)  # at both ends there are few modes
    np.testing.assert_allclose(found[3:12].mean(0), root @ root.T, atol=0.02)


@pytest.mark.parametrize("half", [True, False])
def test_wavenumbers_are_those_of_the_transform(half):
    k = wavenumbers((6, 8), half=half)
    assert k.shape == (6, 5 if half else 8)
    assert k[0, 0] == 0
    assert k.max() == pytest.approx(LARGEST)
    assert k[0, 1] == pytest.approx(2 * np.pi / 8)
    assert k[1, 0] == pytest.approx(2 * np.pi / 6)


def test_levels_are_told_apart_and_change_smoothly():
    tau = jnp.linspace(0.02, 0.98, 200)
    features = np.asarray(level_features(tau))
    assert np.isfinite(features).all()
    assert np.abs(np.diff(features, axis=0)).max() < 0.25
    apart = np.linalg.norm(features[:, None] - features, axis=2)[~np.eye(200, dtype=bool)]
    assert apart.min() > 1e-3


def test_convolved_is_the_sum_that_it_says(rng):
    z, kernel = rng.standard_normal((1, 2, 5, 6)), rng.standard_normal((3, 2, 3, 3))
    wanted = sum(
        np.einsum("oi,bihw->bohw", kernel[:, :, y + 1, x + 1], np.roll(z, (-y, -x), (2, 3)))
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
    )
    np.testing.assert_allclose(convolved(jnp.asarray(z), kernel), wanted, atol=1e-12)


def test_oblong_pictures_are_turned_by_halves_only(rng):
    z = jnp.asarray(rng.standard_normal((30, 1, 6, 8)))
    after = np.asarray(turned(z, jax.random.key(1)))
    halves = [np.array_equal(a, np.rot90(b, 2, (1, 2))) for a, b in zip(after, np.asarray(z), strict=True)]
    same = [np.array_equal(a, b) for a, b in zip(after, np.asarray(z), strict=True)]
    assert all(a or b for a, b in zip(halves, same, strict=True))
    assert any(halves)
    assert any(same)


def test_distances_of_pictures():
    a, b = standardised(gaussian(30, 1)), standardised(gaussian(30, 2))
    assert spectral_distance(a, a) == density_distance(a, a) == 0
    assert spectral_distance(3 * a, a) == pytest.approx(2 * np.log(3))
    assert spectral_distance(a + 5, a) < 1e-9  # the mean does not count
    assert density_distance(a + 1, a) == pytest.approx(1 / a[:, 0].std())
    assert density_distance(a, b) < 0.1
    large = standardised(gaussian(30, 3, (48, 40)))  # the same law on another grid
    assert spectral_distance(large, a) < 0.2
    rough = np.random.default_rng(0).standard_normal(a.shape)
    assert spectral_distance(rough, a) > 1
    assert density_distance(rough, a) < 0.05  # equal densities, another spectrum
