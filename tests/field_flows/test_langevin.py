"""Noisy motion of pictures against the Ornstein–Uhlenbeck process, which white pictures follow, and how it ends."""

import equinox as eqx
import jax
import numpy as np
import pytest

import unstill as us
from normal_fields import exact_score, few
from unstill._types import Status
from unstill.field_flows import ConvolutionFlow, FieldScore, langevin
from unstill.field_flows.convolution import antisymmetric_kernel
from unstill.field_flows.local_network import LocalNetwork
from unstill.field_flows.spectral_normal import SpectralNormal

TAU = 0.5


def white_score() -> FieldScore:
    """s = −z at every level: the score of white pictures of unit variance."""
    normal = SpectralNormal(np.ones((8, 2)), np.tile(np.eye(2), (8, 1, 1)))
    return FieldScore(LocalNetwork.make(jax.random.key(0), 2, 2, 1), normal, np.zeros(2), np.ones(2), ("u", "v"))


def at_rest() -> ConvolutionFlow:
    return ConvolutionFlow(white_score(), TAU, np.zeros((2, 2, 1, 1)))


def turning(gain: float = 1.0) -> ConvolutionFlow:
    """dz/dt = gain (v, −u) s: each cell turns about the origin."""
    return ConvolutionFlow(white_score(), TAU, gain * np.array([[0.0, 1.0], [-1.0, 0.0]])[..., None, None])


@pytest.fixture(scope="module")
def smooth() -> ConvolutionFlow:
    kernel = antisymmetric_kernel(2, 1, isotropic=True, rng=np.random.default_rng(0))
    return ConvolutionFlow(exact_score(), 0.4, kernel)


@pytest.mark.parametrize("steps", [10, 40])
def test_the_noise_alone_is_an_ornstein_uhlenbeck_process(steps):
    """√a z is shown of white pictures: its mean decays by Heun's factor 1 − h + h²/2 a step."""
    dt, eta, begun = 0.05, 2.0, 6.0
    moved = langevin(at_rest(), np.full((4, 2, 64, 64), begun), steps=steps, dt=dt, eta=eta, frames=1, seed=3)
    h, a = eta * dt, 1 - TAU**2
    fade = 1 - h + h**2 / 2
    kicks = 2 * h * (1 - h / 2) ** 2  # variance that one step adds: the noise is seen by the second half of the step
    variance = TAU**2 * fade ** (2 * steps) + kicks * (1 - fade ** (2 * steps)) / (1 - fade**2)
    assert moved.state.mean() == pytest.approx(np.sqrt(a) * begun * fade**steps, abs=4 / np.sqrt(moved.state.size))
    assert moved.state.var() == pytest.approx(variance, rel=0.04)
    shown = moved.frames[-1]
    np.testing.assert_allclose(shown, np.sqrt(a) * moved.state, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_flow_alone_turns_by_its_angle(reverse):
    """Of white pictures K ∗ s is a rotation: (u, v) turns by t, and keeps its length."""
    angle, steps = 1.0, 50
    moved = langevin(turning(), steps=steps, dt=angle / steps, eta=0.0, size=16, frames=1, reverse=reverse, seed=1)
    still = langevin(turning(), steps=1, dt=1e-9, eta=0.0, size=16, frames=1, seed=1).state
    c, s = np.cos(angle), np.sin(angle) * (-1 if reverse else 1)
    wanted = np.stack([c * still[:, 0] - s * still[:, 1], s * still[:, 0] + c * still[:, 1]], 1)
    np.testing.assert_allclose(moved.state, wanted, atol=2e-3)


def test_backwards_is_the_flow_at_a_negative_pace(smooth):
    options = {"steps": 12, "eta": 0.0, "frames": 1, "size": 24, "seed": 5, "dt": smooth.dt}
    backwards = langevin(smooth, reverse=True, **options)
    mirrored = langevin(smooth.at_pace(-1.0), **options)
    np.testing.assert_allclose(backwards.state, mirrored.state, atol=1e-5)
    assert smooth.at_pace(2.0).dt == pytest.approx(smooth.dt / 2)


def test_the_balanced_noise_needs_a_smaller_step(smooth):
    steps = [langevin(smooth, steps=1, eta=eta, size=24, frames=1).dt for eta in (0.0, 1.0)]
    assert steps == pytest.approx([smooth.dt, smooth.dt / 2])


@pytest.mark.parametrize(
    ("steps", "frames", "ends"), [(10, 3, [4, 8, 10]), (10, 10, range(1, 11)), (3, 150, [1, 2, 3])]
)
def test_frames_are_kept_at_equal_distances_and_at_the_end(steps, frames, ends):
    told = []
    moved = langevin(
        turning(), steps=steps, dt=0.01, frames=frames, size=8, samples=2,
        progress=lambda done, whole, told_too: told.append((done, whole)),
    )  # fmt: skip
    np.testing.assert_allclose(moved.ts, [0.0, *(0.01 * n for n in ends)])
    assert told == [(n, steps) for n in ends]
    assert moved.frames.shape == (len(moved.ts), 2, 2, 8, 8)
    assert moved.steps.tolist() == [steps, steps]
    assert moved.status == (Status.MOVING, Status.MOVING)


def test_the_seed_decides_everything(smooth):
    options = {"steps": 6, "eta": 0.3, "size": 24, "frames": 2}
    first, again, other = (langevin(smooth, seed=seed, **options) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.frames, again.frames)
    assert np.abs(first.state - other.state).mean() > 0.1


def test_what_was_shown_before_an_interrupt_is_kept():
    def stop(done, whole, told):
        if done == 4:
            raise KeyboardInterrupt

    moved = langevin(turning(), steps=10, dt=0.01, frames=5, size=8, progress=stop)
    assert moved.status == (Status.INTERRUPTED,)
    assert moved.ts.tolist() == [0.0, 0.02, 0.04]
    assert moved.steps.tolist() == [4]


def test_what_was_shown_before_a_blow_up_is_kept():
    """A step of h = 3.9 radians by Heun's method multiplies a state by √(1 + h⁴/4) = 7.7."""
    moved = langevin(turning(3.0), np.full((1, 2, 8, 8), 1e-3), steps=9, dt=1.3, eta=0.0, frames=9, seed=2)
    assert moved.status == (Status.BLOW_UP,)
    assert 1 < len(moved.frames) < 10
    assert np.isfinite(moved.frames).all()
    assert len(moved.ts) == len(moved.frames)


def test_drifts_of_one_state_and_of_many_are_the_same(smooth):
    many = jax.numpy.asarray(np.stack(list(few().values()), 1)[:6])
    together = np.asarray(smooth.drift(many))
    np.testing.assert_allclose(np.asarray(smooth.drift(many[2])), together[2], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(np.asarray(smooth.drift(many.reshape(2, 3, *many.shape[1:]))).reshape(many.shape),
                               together, rtol=1e-6, atol=1e-7)  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_a_call_answers_in_the_kind_it_was_asked_in(smooth, dtype):
    state = np.ones((1, 2, 24, 24), dtype)
    assert smooth(state).dtype == (np.float64 if dtype is np.int64 else dtype)
    assert isinstance(smooth(jax.numpy.asarray(state, float)), jax.Array)
    with pytest.raises(us.BadInput, match="fields u, v"):
        smooth(state[0])


def test_hutchinsons_halves_are_independent_and_near_the_trace():
    """Of a flow that preserves nothing: dz/dt = K ∗ s with K = 1 has the divergence −(number of cells)."""
    flow = eqx.tree_at(lambda f: f.kernel, turning(), np.eye(2)[..., None, None])
    z = jax.random.normal(jax.random.key(0), (2, 2, 12, 12))
    v, halves = flow.drift_and_divergences(z, jax.random.key(1))
    np.testing.assert_allclose(v, -z, atol=1e-6)
    np.testing.assert_allclose(halves, -2 * 144, rtol=1e-5)  # a multiple of one: no probe errs
