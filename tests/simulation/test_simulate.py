"""`simulate`: stopping, statuses, frames, batches, interruption; initial states."""

import equinox as eqx
import numpy as np
import pytest

from registry import REACTION_DIFFUSION, rough_state
from unstill import Status
from unstill._errors import BadInput
from unstill.simulation import INITIAL_STATES, Grid, initial_state, rollout, simulate
from unstill.systems import Brusselator, GrayScott, Lorenz, ReactionDiffusion, parameter

SMALL = Grid((32, 32))


def independent_rms_drift(state, Du=0.16, Dv=0.08, F=0.035, k=0.065):
    u, v = state
    lap = lambda c: sum(np.roll(c, s, a) for a in (0, 1) for s in (1, -1)) - 4 * c  # noqa: E731
    rates = (Du * lap(u) - u * v**2 + F * (1 - u), Dv * lap(v) + u * v**2 - (F + k) * v)
    return max(np.sqrt(np.mean(r**2)) for r in rates)


def test_steps_and_time_reach_what_rollout_reaches():
    state = rough_state(GrayScott(), SMALL)
    by_steps = simulate(GrayScott(), state, steps=120, dt=0.5)
    by_time = simulate(GrayScott(), state, time=60, dt=0.5)
    np.testing.assert_array_equal(by_steps.state[0], rollout(GrayScott(), state, steps=120, dt=0.5))
    np.testing.assert_array_equal(by_steps.state, by_time.state)
    assert by_time.steps.tolist() == [120]
    assert by_steps.drift[0] == pytest.approx(independent_rms_drift(by_steps.state[0]), rel=1e-10)


def test_frames_are_the_states_at_their_times():
    state = rough_state(GrayScott(), SMALL)
    film = simulate(GrayScott(), state, steps=250, save_every=100)
    assert film.ts.tolist() == [100.0, 200.0]
    np.testing.assert_array_equal(film.frames[1, 0], rollout(GrayScott(), state, steps=200))
    np.testing.assert_array_equal(film.state[0], rollout(GrayScott(), state, steps=250))


def test_until_drift_stops_sample_by_sample():
    # one sample dies at once, the other goes on
    system = GrayScott(F=np.array([0.035, 0.05]), k=np.array([0.065, 0.08]))
    run = simulate(system, grid=SMALL, samples=2, until_drift=1e-5, max_steps=60_000)
    assert run.status == (Status.STEADY, Status.DEAD)
    assert run.steps[1] < run.steps[0] <= 60_000
    assert np.all(run.steps % 100 == 0)
    assert np.all(run.drift < 1e-5)
    assert run.drift[0] == pytest.approx(independent_rms_drift(run.state[0]), rel=1e-6)


def test_a_cap_is_named():
    run = simulate(GrayScott(), grid=SMALL, until_drift=1e-9, max_steps=300)
    assert run.status == (Status.NOT_CONVERGED,)
    assert run.steps.tolist() == [300]


def test_blow_up_is_named_and_the_last_finite_state_kept():
    state = rough_state(GrayScott(), SMALL)
    state[1] += 30
    run = simulate(GrayScott(), state, steps=1000, save_every=1)
    assert run.status == (Status.BLOW_UP,)
    assert np.isfinite(run.state).all()
    assert np.isfinite(run.frames).all()
    assert run.steps[0] < 1000


def test_parameter_sets_are_independent_of_their_company():
    F = np.array([0.03, 0.035, 0.04])
    state = rough_state(GrayScott(), SMALL)
    together = simulate(GrayScott(F=F), np.stack([state] * 3), steps=200)
    for m, value in enumerate(F):
        np.testing.assert_array_equal(together.state[m], simulate(GrayScott(F=value), state, steps=200).state[0])
    xla = simulate(GrayScott(F=F), np.stack([state] * 3), steps=200, engine="xla")
    np.testing.assert_allclose(together.state, xla.state, atol=1e-12)


class Interrupt:
    """Ctrl-C after so many looks."""

    def __init__(self, after: int):
        self.left = after

    def __call__(self, done, total, entry):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def test_an_interrupted_run_resumes_to_the_same_bits():
    options = {"grid": SMALL, "samples": 2, "steps": 600, "save_every": 100, "init": "discs", "seed": 3}
    whole = simulate(GrayScott(), **options)
    part = simulate(GrayScott(), **options, progress=Interrupt(3))
    assert part.status == (Status.INTERRUPTED,) * 2
    assert part.steps.tolist() == [300, 300]
    rest = simulate(GrayScott(), **options, resume=part)
    np.testing.assert_array_equal(rest.state, whole.state)
    np.testing.assert_array_equal(rest.frames, whole.frames)
    np.testing.assert_array_equal(rest.ts, whole.ts)


def test_ordinary_systems_and_users_dynamics_move_by_the_same_call():
    run = simulate(Lorenz(), np.array([1.0, 2.0, 20.0]), steps=40, stepper="rk4", save_every=10)
    assert run.frames.shape == (4, 1, 3)

    class Decay:
        def drift(self, state):
            return -state

    run = simulate(Decay(), np.array([[1.0, 2.0]]), time=1.0, dt=0.01, stepper="rk4")
    np.testing.assert_allclose(run.state, np.exp(-1.0) * np.array([[1.0, 2.0]]), rtol=1e-9)


@pytest.mark.parametrize("name", REACTION_DIFFUSION)
@pytest.mark.parametrize("init", INITIAL_STATES)
def test_initial_states(name, init):
    system = REACTION_DIFFUSION[name]()
    state = initial_state(system, SMALL, init=init, samples=3, seed=5)
    assert state.shape == (3, len(system.fields), 32, 32)
    np.testing.assert_array_equal(state, initial_state(system, SMALL, init=init, samples=3, seed=5))
    assert not np.array_equal(state[0], state[1])
    assert not np.array_equal(state, initial_state(system, SMALL, init=init, samples=3, seed=6))
    run = simulate(system, state, grid=SMALL, steps=50)
    assert Status.BLOW_UP not in run.status


def test_the_square_is_the_founding_one():
    u, v = initial_state(GrayScott(), Grid((128, 128)), init="square", seed=0)[0]
    assert u[54:74, 54:74].mean() == pytest.approx(0.5, abs=0.01)
    assert v[54:74, 54:74].mean() == pytest.approx(0.25, abs=0.01)
    assert u[:54].mean() == pytest.approx(1.0, abs=0.02)
    assert min(u.min(), v.min()) >= 0
    assert max(u.max(), v.max()) <= 1


def test_discs_wrap_and_have_the_founding_radii():
    states = initial_state(GrayScott(), Grid((64, 64)), init="discs", samples=50, seed=1)
    covered = (states[:, 1] == 0.25).mean()
    # five discs with mean area near π·5²+π·2 ≈ 85 of 4096 cells, a little less for overlaps
    assert 0.06 < covered < 0.11
    assert (states[:, 1, 0] > 0).any(), "a disc crosses the edge"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: simulate(GrayScott(), grid=SMALL), ["`steps`", "exactly one", "none"]),
        (lambda: simulate(GrayScott(), grid=SMALL, steps=1, time=2), ["`steps`", "exactly one"]),
        (lambda: simulate(GrayScott(), grid=SMALL, steps=-1), ["`steps`", "1 or more", "-1"]),
        (lambda: simulate(GrayScott(), grid=SMALL, steps=5, dt=1.7), ["`dt`", "stability limit", "1.562", "1.7"]),
        (lambda: simulate(GrayScott(), grid=SMALL, steps=5, dt=float("nan")), ["`dt`", "positive", "nan"]),
        (lambda: simulate(GrayScott(), grid=SMALL, steps=5, stepper="heun"), ["`stepper`", "'heun'", "Known"]),
        (lambda: simulate(GrayScott(), grid=SMALL, steps=5, engine="cuda"), ["`engine`", "'cuda'"]),
        (lambda: simulate(GrayScott(), grid=SMALL, steps=5, engine="native", stepper="rk4"), ["`engine`", "rk4"]),
        (lambda: simulate(GrayScott(), grid=SMALL, steps=5, init="disks"), ["`init`", "discs"]),
        (lambda: simulate(GrayScott(), grid=SMALL, steps=5, dtype="int8"), ["`dtype`", "int8"]),
        (lambda: simulate(GrayScott(), grid=SMALL, steps=5, samples=0), ["`samples`", "0"]),
        (lambda: simulate(GrayScott(), np.zeros((3, 32, 32)), steps=5), ["`state`", "u, v"]),
        (lambda: simulate(GrayScott(), np.full((2, 32, 32), np.nan), steps=5), ["`state`", "finite"]),
        (lambda: simulate(GrayScott(), np.ones((2, 16, 16)), grid=SMALL, steps=5), ["`state`", "grid"]),
        (lambda: simulate(GrayScott(F=np.ones(3) * 0.03), np.ones((2, 2, 32, 32)), steps=5), ["`F`", "2 samples"]),
        (lambda: simulate(GrayScott(Du=np.ones((32, 32))), np.ones((2, 32, 32)), steps=5), ["`Du`", "cells"]),
        (lambda: Grid((2, 9)), ["`size`", "3 cells"]),
        (lambda: Grid((9, 9), dx=-1), ["`dx`", "positive"]),
        (lambda: Grid((9, 9), boundary="open"), ["`boundary`", "'open'"]),
        (lambda: rollout(GrayScott(), np.ones((2, 9, 9)), steps=10, save_every=3), ["`save_every`", "divide"]),
    ],
)
def test_bad_input(call, words):
    with pytest.raises(BadInput) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


def test_drift_is_looked_at_whatever_frames_are_kept():
    dead = np.stack([np.ones(SMALL.shape), np.zeros(SMALL.shape)])
    run = simulate(GrayScott(), dead, until_drift=1e-6, save_every=70, max_steps=5000)
    assert run.steps.tolist() == [100]
    assert run.status == (Status.DEAD,)
    run = simulate(GrayScott(), grid=SMALL, until_drift=10.0, max_steps=50)
    assert run.status == (Status.STEADY,)


def test_an_interrupt_while_polishing_keeps_the_motion(monkeypatch):
    import importlib

    module = importlib.import_module("unstill.simulation.simulate")
    calls = []

    def stop_at_the_second(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return arguments[2], 0.0, Status.STEADY

    monkeypatch.setattr(module, "polish_state", stop_at_the_second)
    options = {"grid": SMALL, "samples": 3, "steps": 300, "init": "discs", "polish": True}
    maze = GrayScott.make("maze")
    part = simulate(maze, **options)
    assert part.status == (Status.STEADY, Status.INTERRUPTED, Status.INTERRUPTED)
    assert part.steps.tolist() == [300] * 3
    rest = simulate(maze, **options, resume=part)
    assert rest.status == (Status.STEADY,) * 3
    assert rest.steps.tolist() == [300] * 3


def test_polishing_that_was_interrupted_goes_on_from_a_checkpoint_to_the_same_bits(monkeypatch, tmp_path):
    """One that stopped by its drift, so that it stands before the cap of steps, and one that was polished already."""
    import sys

    from unstill.files import Checkpoint

    module, calls = sys.modules["unstill.simulation.simulate"], []
    real = module.polish_state

    def stop_at_the_second(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    options = {"grid": SMALL, "samples": 2, "until_drift": 1e-3, "init": "discs", "polish": True}
    maze = GrayScott.make("maze")
    whole = simulate(maze, **options)
    monkeypatch.setattr(module, "polish_state", stop_at_the_second)
    part = simulate(maze, **options, resume=Checkpoint(tmp_path / "kept"))
    assert part.status[1] is Status.INTERRUPTED
    rest = simulate(maze, **options, resume=Checkpoint(tmp_path / "kept"))
    assert len(calls) == 3  # the first was not polished again
    np.testing.assert_array_equal(rest.state, whole.state)
    assert rest.steps.tolist() == whole.steps.tolist()
    assert rest.status == whole.status


def test_the_default_time_step_is_stable_for_any_diffusion():
    run = simulate(GrayScott(Du=0.9), grid=SMALL, steps=20)
    assert run.dt == pytest.approx(0.9 / (4 * 0.9))
    assert Status.BLOW_UP not in run.status


class Powered(ReactionDiffusion):
    """Kinetics that depend on a field which is no parameter: kernels of the class cannot know it."""

    name, fields, diffusion, equations = "powered", ("u",), {"u": "D"}, ("",)
    D: float = parameter(0.1, (0, 1))
    power: int = eqx.field(static=True, default=2)

    def kinetics(self, u):
        return (u**self.power - u,)

    def rest(self):
        return (0.0,)


def test_fields_that_are_no_parameters_are_not_forgotten():
    state = np.linspace(0.1, 0.9, 100).reshape(1, 10, 10)
    for power in (2, 3):
        system = Powered(power=power)
        auto = rollout(system, state, steps=5, dt=0.1)
        np.testing.assert_array_equal(auto, rollout(system, state, steps=5, dt=0.1, engine="xla"))
    with pytest.raises(BadInput, match="power"):
        rollout(Powered(), state, steps=5, engine="native")


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (
            lambda: rollout(GrayScott(), np.ones((2, 64, 64)), steps=3, grid=SMALL),
            "`state` must have shape",
        ),
        (lambda: rollout(GrayScott(), np.ones((1, 32, 32)), steps=3), "`state`"),
        (lambda: rollout(GrayScott(), np.ones((3, 2, 32, 32)), steps=3), "jax.vmap"),
        (lambda: rollout(GrayScott(F=np.full((4, 4), 0.03)), np.ones((2, 32, 32)), steps=3), "`F` must vary over"),
        (lambda: rollout(GrayScott(F=np.full(1, 0.03)), np.ones((2, 32, 32)), steps=3), "`F` cannot vary over samples"),
        (lambda: rollout(GrayScott(), np.ones((2, 32, 32)), steps=-5), "`steps` must not be negative"),
        (lambda: simulate(Lorenz(rho=np.full(3, 28.0)), np.ones((5, 3)), steps=3), "`rho` must have one entry"),
    ],
)
def test_shapes_that_would_reach_beyond_the_arrays_are_refused(call, word):
    with pytest.raises(BadInput) as caught:
        call()
    assert word in str(caught.value)


def test_a_name_is_its_system_with_defaults():
    named, made = (simulate(which, grid=Grid((16, 16)), steps=3, seed=1) for which in ("brusselator", Brusselator()))
    np.testing.assert_array_equal(named.state, made.state)
    with pytest.raises(BadInput, match="known system"):
        simulate("brusselater", steps=3)
    with pytest.raises(BadInput, match="`stepper` must be a known stepper"):
        simulate("gray-scott", stepper="nope")
