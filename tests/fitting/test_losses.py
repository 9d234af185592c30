"""Losses: the contract that every registry entry keeps, closed forms, and a user's own losses."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from unstill._errors import BadInput
from unstill.fitting.losses import LOSSES, ScalarLoss, check_loss, find_loss, user_loss
from unstill.fitting.losses_base import NOISE, FeatureLoss, check_shapes
from unstill.fitting.losses_spectra import power

SHAPES = [(2, 2, 20, 16), (2, 1, 9, 15)]  # a window and more; odd, and less than a window


def batch(shape, seed=0):
    """Smooth rough states without symmetry, of contrast .2 around .4."""
    rng = np.random.default_rng(seed)
    c = rng.standard_normal(shape)
    c = c + np.roll(c, 1, -1) + np.roll(c, 1, -2) + 0.3 * c**2
    return jnp.asarray(0.4 + 0.1 * c)


def wave(rows=0, columns=3, amplitude=0.2, mean=0.4, shape=(24, 24)):
    """mean + amplitude cos(2π(rows i/H + columns j/W)), as (1, 1, H, W)."""
    i, j = np.indices(shape)
    phase = 2 * np.pi * (rows * i / shape[0] + columns * j / shape[1])
    return jnp.asarray(mean + amplitude * np.cos(phase)[None, None])


def features(name):
    """The features of a registry loss, compiled."""
    return compiled(name)[0]


# Losses of whole ensembles have a residual, and tests, of their own.
PICTURE_LOSSES = [name for name, cls in LOSSES.items() if cls.residual is FeatureLoss.residual]
every_loss = pytest.mark.parametrize("name", PICTURE_LOSSES)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


@functools.cache
def compiled(name):
    """Features, and (value, gradient, residual, its tangent) along a direction: compiled once for all tests."""
    loss = find_loss(name)

    def derivatives(a, b, direction):
        residual, tangent = jax.jvp(lambda x: loss.residual(x, b), (a,), (direction,))
        return *jax.value_and_grad(loss)(a, b), residual, tangent

    return jax.jit(loss.features), jax.jit(derivatives)


# --- the contract -----------------------------------------------------------------------------------------------------


@every_loss
def test_is_the_mean_square_of_differences_of_features(name):
    (f_of, derivatives), (a, b) = compiled(name), (batch(SHAPES[0], seed) for seed in (0, 1))
    value, _, residual, _ = derivatives(a, b, a)
    f, g = (np.asarray(f_of(x)) for x in (a, b))
    np.testing.assert_allclose(value, np.mean((f - g) ** 2), rtol=1e-9)
    np.testing.assert_allclose(np.sum(np.asarray(residual) ** 2), value, rtol=1e-9)
    assert derivatives(a, a, a)[0] < 1e-25 * value
    np.testing.assert_allclose(f_of(a[::-1]), f[::-1], atol=1e-12)  # samples do not mix


def test_unpaired_batches_compare_by_their_means():
    loss, a, b = find_loss("pixel"), batch(SHAPES[0]), batch(SHAPES[0], 1)
    f, g = (np.asarray(loss.features(x)) for x in (a, b))
    np.testing.assert_allclose(loss(a, b, paired=False), np.mean((f.mean(0) - g.mean(0)) ** 2), rtol=1e-9)
    np.testing.assert_allclose(loss(a, b[:1], paired=False), np.mean((f.mean(0) - g[0]) ** 2), rtol=1e-9)


@every_loss
@every_shape
def test_a_shift_on_the_torus_matters_only_where_the_loss_says_so(name, shape):
    f, c = features(name), batch(shape)
    change = np.abs(f(jnp.roll(c, (3, 5), (-2, -1))) - f(c)).max()
    exact = 1e-6 if name == "founding-spectrum" else 1e-10  # that one sees round-off
    assert (change > 1e-3) if LOSSES[name].depends_on_start else (change < exact)


@every_loss
def test_gradient_against_central_differences(name):
    (_, derivatives), (a, b) = compiled(name), (batch(SHAPES[0], seed) for seed in (0, 1))
    direction = jnp.asarray(np.random.default_rng(2).standard_normal(a.shape))
    h = 1e-6
    high, low = (derivatives(a + sign * h * direction, b, direction)[0] for sign in (1, -1))
    _, gradient, residual, tangent = derivatives(a, b, direction)
    slope = np.vdot(gradient, direction)
    # Within ±h some projections of patches change places, and each such kink costs its share of the slope.
    np.testing.assert_allclose(slope, (high - low) / (2 * h), rtol=3e-3 if name == "patches" else 1e-5)
    np.testing.assert_allclose(2 * np.vdot(residual, tangent), slope, rtol=1e-8)


@every_loss
def test_a_dead_picture_has_a_finite_loss_and_gradient(name):
    (_, derivatives), b = compiled(name), batch(SHAPES[0])
    for dead in (jnp.zeros_like(b), jnp.full_like(b, 0.3)):
        for predicted, target in ((dead, b), (dead, dead), (b, dead)):
            assert all(np.isfinite(x).all() for x in derivatives(predicted, target, b))


@every_loss
def test_keeps_float32(name):
    a = batch(SHAPES[0])
    single = jax.jit(find_loss(name).features)(a.astype(jnp.float32))
    assert single.dtype == jnp.float32
    wanted = np.asarray(features(name)(a))
    seen = wanted > (-30 if name == "founding-spectrum" else -np.inf)  # its mode 0, which is empty, shows round-off
    np.testing.assert_allclose(np.asarray(single)[seen], wanted[seen], rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("name", ["structure-factor", "patches"])
def test_works_with_x64_off(name):
    expected = features(name)(batch(SHAPES[0]))
    with jax.enable_x64(False):
        single = jax.jit(find_loss(name).features)(jnp.asarray(np.asarray(batch(SHAPES[0])), jnp.float32))
    np.testing.assert_allclose(single, expected, rtol=1e-2, atol=1e-3)


@every_loss
def test_tells_a_wavelength_or_says_it_cannot(name):
    # Stripes of 3 and of 5 wavelengths a side have the same moments, and differ in everything else.
    f, g = (features(name)(jnp.broadcast_to(wave(0, n, shape=(20, 16)), SHAPES[0])) for n in (3, 5))
    apart = np.mean((f - g) ** 2)
    assert (apart < 1e-20) if name == "moments" else (apart > 1e-4)


def test_batches_that_cannot_be_compared():
    a = np.zeros((3, 1, 12, 12))
    check_shapes(a, a[:2], paired=False)
    with pytest.raises(BadInput, match="as many samples"):
        check_shapes(a, a[:2], paired=True)
    with pytest.raises(BadInput, match="fields and cells"):
        check_shapes(a, a[..., :8], paired=False)
    with pytest.raises(BadInput, match="as many samples"):
        find_loss("pixel")(jnp.asarray(a), jnp.asarray(a[:2]))


# --- closed forms -----------------------------------------------------------------------------------------------------


def test_power_of_a_cosine_and_of_white_noise(rng):
    # a cos has the variance a²/2, in two modes of the full spectrum; the half spectrum holds one of them.
    p = np.asarray(power(wave(rows=2, columns=3, amplitude=0.2)))[0, 0]
    assert p[2, 3] == pytest.approx(0.2**2 / 4 * 24 * 24, rel=1e-12)
    assert np.delete(p.ravel(), 2 * 13 + 3).max() < 1e-25
    noise = jnp.asarray(rng.standard_normal((1, 1, 96, 96)))
    assert float(power(noise).mean()) == pytest.approx(1, abs=0.05)


def test_power_spectrum_is_the_mean_over_the_full_spectrum():
    for shape in SHAPES:
        a, b = batch(shape), batch(shape, 1)
        full = [np.abs(np.fft.fft2(np.asarray(x), norm="ortho")) ** 2 for x in (a, b)]
        for p in full:
            p[..., 0, 0] = 0
        expected = np.mean((np.log(full[0] + NOISE**2) - np.log(full[1] + NOISE**2)) ** 2)
        f, g = (features("power-spectrum")(x) for x in (a, b))
        np.testing.assert_allclose(np.mean((f - g) ** 2), expected, rtol=1e-10)


def test_power_spectrum_against_a_dead_picture():
    p, floor = 0.2**2 / 4 * 24 * 24, NOISE**2
    expected = 2 * np.log((p + floor) / floor) ** 2 / (24 * 24)
    f = features("power-spectrum")
    np.testing.assert_allclose(np.mean((f(wave()) - f(jnp.full((1, 1, 24, 24), 0.4))) ** 2), expected, rtol=1e-9)


@pytest.mark.parametrize("shape", [(20, 24), (9, 31)])
def test_windowed_spectrum_is_the_mean_over_all_places_of_the_window(shape):
    # Slow and plain: cut every window out of the periodic picture, taper, transform.
    c = np.asarray(batch((1, 1, *shape)))[0, 0]
    taper = np.sin(np.pi * (np.arange(16) + 0.5) / 16) ** 2
    taper = np.outer(taper, taper)
    places = np.arange(16)
    total = np.zeros((16, 16))
    for i in range(shape[0]):
        for j in range(shape[1]):
            cut = (c - c.mean())[np.ix_((i + places) % shape[0], (j + places) % shape[1])]
            total += np.abs(np.fft.fft2(taper * cut)) ** 2
    expected = np.log(total / c.size / np.sum(taper**2) + NOISE**2)[:, :9]
    f = np.asarray(features("windowed-spectrum")(jnp.asarray(c)[None, None])).reshape(16, 9)
    weight = np.r_[1, np.full(7, 2), 1]
    np.testing.assert_allclose(f, expected * np.sqrt(weight / weight.mean()), rtol=1e-9)


def test_radial_spectrum_of_white_noise_is_flat_and_of_a_wave_is_not(rng):
    f = features("radial-spectrum")
    noise = (jnp.asarray(0.1 * rng.standard_normal((1, 1, 24, 24))) for _ in range(64))
    level = np.mean([np.exp(f(c)[0]) for c in noise], 0)
    np.testing.assert_allclose(level, 0.01, rtol=0.3)  # the corner is one mode: 64 samples of an exponential variable
    assert 1 <= np.sum(np.asarray(f(wave(columns=5))) > np.log(10 * NOISE**2)) <= 2  # the bands that share the wave


def test_radial_spectrum_does_not_see_directions():
    for name, most, least in (("radial-spectrum", 1e-9, 0), ("power-spectrum", np.inf, 1)):
        f, g = (features(name)(c) for c in (wave(rows=3, columns=4), wave(rows=4, columns=3)))
        assert least <= np.abs(f - g).max() < most


@pytest.mark.parametrize(("rows", "columns"), [(0, 3), (3, 4), (5, 0)])
def test_structure_factor_peaks_at_the_wave(rows, columns):
    f, c = features("structure-factor"), wave(rows, columns, amplitude=0.2)
    peak, width, height = np.exp(np.asarray(f(c))[0])
    modulus = 2 * np.pi * np.hypot(rows, columns) / 24
    assert peak == pytest.approx(modulus, rel=1e-6)
    assert width == pytest.approx(2 * np.pi / 24, rel=1e-6)
    _, _, weaker = np.exp(np.asarray(f(0.5 * c))[0])
    assert height / weaker == pytest.approx(2, rel=1e-4)  # an amplitude


def test_moments_of_a_cosine():
    # cos: s² = a²/2, no third moment, fourth 3a⁴/8; against itself half a quarter turn on: covariance 0, and a²/2.
    a, s = 0.2, 0.2 / np.sqrt(2)
    f, c = features("moments"), wave(amplitude=a, mean=0.4)
    quarter = jnp.roll(c, 2, -1)  # 8 cells a wave
    mean, deviation, third, fourth = np.asarray(f(c))[0]
    assert (mean, deviation) == pytest.approx((0.4, s), rel=1e-4)
    assert third == pytest.approx(0, abs=1e-12)
    assert fourth == pytest.approx(3 * a**4 / 8 / s**3, rel=1e-3)
    both = np.asarray(f(jnp.concatenate([c, quarter], 1)))[0]
    assert both[-1] == pytest.approx(0, abs=1e-12)
    assert np.asarray(f(jnp.concatenate([c, c], 1)))[0, -1] == pytest.approx(s, rel=1e-3)


def test_moments_see_the_sign_of_the_skewness():
    spots = jnp.zeros((1, 1, 12, 12)).at[0, 0, 3:5, 3:5].set(1.0)
    third = [float(features("moments")(x)[0, 2]) for x in (spots, 1 - spots)]
    assert third[0] > 0.1
    assert third[1] == pytest.approx(-third[0], rel=1e-9)


def test_patches_of_constant_pictures():
    # All patches of a constant picture are equal: f = c · Σw for every quantile.
    f, one = features("patches"), jnp.ones((1, 1, 12, 10))
    sums = LOSSES["patches"]()._vectors(1).sum((1, 2, 3))
    for level in (1, 3):
        expected = level * sums[:, None] * np.ones((1, 64))
        np.testing.assert_allclose(np.asarray(f(level * one)).reshape(32, 64), expected, rtol=1e-11)


def test_patches_sort_projections_of_patches():
    # Slow and plain: cut every patch out of the periodic picture. 64 cells: each quantile is one cell.
    f, c = features("patches"), batch((1, 2, 8, 8))
    vectors, field, offset = LOSSES["patches"]()._vectors(2), np.asarray(c)[0], np.arange(-2, 3)
    cut = [field[:, (i + offset)[:, None] % 8, (j + offset)[None, :] % 8] for i in range(8) for j in range(8)]
    expected = np.sort(np.einsum("lcyx,ncyx->ln", vectors, np.array(cut)), -1)
    np.testing.assert_allclose(np.asarray(f(c)).reshape(32, 64), expected, atol=1e-12)


def test_patches_tell_spots_from_holes_which_have_one_spectrum():
    spots = jnp.zeros((1, 1, 16, 16)).at[0, 0, 3:7, 3:7].set(0.5)
    holes = 2 * spots.mean() - spots  # of the same mean
    for name, most, least in (("power-spectrum", 1e-9, 0), ("patches", np.inf, 0.1)):
        assert least <= np.abs(features(name)(spots) - features(name)(holes)).max() < most


def test_gram_of_a_wave_answers_in_its_own_scale_and_direction():
    # Wavelength 8 along x is the centre of one filter: gain 2 on one of the wave's two halves, so the response is a.
    f = np.asarray(features("gram")(wave(columns=3, amplitude=0.2)))[0]
    gram = np.zeros((12, 12))
    gram[np.triu_indices(12)] = f
    assert np.argmax(np.diag(gram)) == 4  # scales 4, 8, 16 by directions 0, 45, 90, 135
    response = 0.2 - NOISE
    assert gram[4, 4] == pytest.approx(response, rel=1e-3)


# --- by name ----------------------------------------------------------------------------------------------------------


def test_every_loss_says_what_it_is():
    for cls in LOSSES.values():
        assert cls.about
        assert "\n" not in cls.about
        assert len(cls.__doc__ or "") > 100


def test_find_loss_by_name_and_the_nearest_of_a_wrong_one():
    assert type(find_loss("gram")) is LOSSES["gram"]
    with pytest.raises(BadInput, match="Did you mean power-spectrum"):
        find_loss("power-spectra")


@pytest.fixture
def losses_file(tmp_path):
    file = tmp_path / "numpy.py"  # a name that must not hide the library's
    file.write_text(
        "import jax.numpy as jnp, numpy\n"
        "def mine(p, t): return jnp.mean(jnp.abs(p - t))\n"
        "def vector(p, t): return jnp.mean((p - t) ** 2, (1, 2, 3))\n"
        "def infinite(p, t): return jnp.sum(p - t) / 0.0\n"
        "def kinked(p, t): return jnp.sqrt(jnp.mean((p - t) ** 2))\n"
        "def host(p, t): return numpy.mean(numpy.asarray(p))\n"
        "def lonely(p): return jnp.mean(p)\n"
        "number = 3\n"
    )
    return file


def test_a_users_loss(losses_file):
    loss, a, b = find_loss(f"{losses_file}:mine"), batch(SHAPES[0]), batch(SHAPES[0], 1)
    assert isinstance(loss, ScalarLoss)
    assert not loss.has_residual
    check_loss(loss, a)
    np.testing.assert_allclose(loss(a, b), np.mean(np.abs(a - b)))
    np.testing.assert_allclose(jax.grad(jax.jit(loss))(a, b), np.sign(a - b) / a.size)
    with pytest.raises(BadInput, match="as many samples"):
        loss(a, b[:1])


def test_a_users_loss_from_an_installed_module():
    loss = user_loss("optax:l2_loss")
    with pytest.raises(BadInput, match="one real number"):
        check_loss(loss, batch(SHAPES[0]))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("vector", "one real number"),
        ("infinite", "must be finite"),
        ("kinked", "finite gradient"),
        ("host", "jax.numpy"),
        ("lonely", "TypeError"),
    ],
)
def test_a_users_loss_that_will_not_do(losses_file, function, words):
    with pytest.raises(BadInput, match=words):
        check_loss(user_loss(f"{losses_file}:{function}"), batch(SHAPES[0]))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("{file}:number", "must name a function"),
        ("{file}:mien", "Did you mean mine"),
        ("nothing.py:f", "existing file"),
        ("no_such_module:f", "cannot be imported: ModuleNotFoundError"),
        ("math:", "module:function"),
        (":f", "module:function"),
    ],
)
def test_a_users_loss_that_cannot_be_found(losses_file, name, words):
    with pytest.raises(BadInput, match=words):
        user_loss(name.format(file=losses_file))


def test_a_users_file_that_fails(tmp_path):
    (tmp_path / "bad.py").write_text("1 / 0")
    with pytest.raises(BadInput, match="ZeroDivisionError"):
        user_loss(f"{tmp_path / 'bad.py'}:f")
