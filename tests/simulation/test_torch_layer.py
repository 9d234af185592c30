"""`TorchSimulator` against PyTorch's own gradcheck, against the JAX layer, and the claim that nothing is copied."""

import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from registry import REACTION_DIFFUSION, rough_state  # noqa: E402
from unstill import BadInput, GrayScott, Grid  # noqa: E402
from unstill.simulation import native  # noqa: E402
from unstill.simulation.layer import Simulator  # noqa: E402
from unstill.simulation.torch_layer import TorchSimulator  # noqa: E402

GRID = Grid((8, 8))
SYSTEMS = pytest.mark.parametrize("name", REACTION_DIFFUSION)


def states(count=2, system=None, grid=GRID):
    return np.stack([rough_state(system or GrayScott(), grid, seed) for seed in range(count)])


@SYSTEMS
@pytest.mark.parametrize("boundary", ["periodic", "no-flux"])
def test_gradcheck_of_state_and_of_every_parameter(name, boundary):
    system = REACTION_DIFFUSION[name]()
    grid = Grid((4, 5), 1.0, boundary)
    simulator = TorchSimulator(system, grid, steps=4, save_every=2)
    values = {n: torch.tensor(float(v), dtype=torch.float64, requires_grad=True) for n, v in system.values().items()}
    state = torch.tensor(states(2, system, grid), requires_grad=True)

    def move(state, *theta):
        return simulator(state, **dict(zip(values, theta, strict=True)))

    torch.autograd.gradcheck(move, (state, *values.values()), fast_mode=True)  # by random projections


@pytest.mark.parametrize("shape", [(2,), GRID.shape, (2, *GRID.shape)], ids=str)
def test_gradcheck_of_parameters_by_sample_and_by_cell(shape, rng):
    simulator = TorchSimulator(GrayScott(), GRID, steps=5)
    F, k = (torch.tensor(rng.uniform(0.03, 0.06, shape), requires_grad=True) for _ in range(2))
    fast = len(shape) == 3
    torch.autograd.gradcheck(lambda F, k: simulator(torch.tensor(states()), F=F, k=k), (F, k), fast_mode=fast)


@SYSTEMS
@pytest.mark.parametrize("options", [{}, {"save_every": 5}], ids=str)
def test_value_and_gradient_are_those_of_the_jax_layer(name, options):
    system = REACTION_DIFFUSION[name]()
    start = states(3, system) * 1.1
    state = torch.tensor(start, requires_grad=True)
    simulator = TorchSimulator(system, GRID, steps=30, **options)
    out = simulator(state)
    (out**2).sum().backward()

    def loss(layer, state):
        out = layer(state)
        return jnp.sum(out**2), out

    layer = Simulator(system, GRID, steps=30, engine="native", **options)
    (_, expected), (by_system, by_state) = jax.value_and_grad(loss, (0, 1), has_aux=True)(layer, jnp.asarray(start))
    np.testing.assert_array_equal(out.detach(), expected)  # one engine
    np.testing.assert_allclose(state.grad, by_state, rtol=1e-13)
    for parameter in system.parameters():
        gradient = float(simulator.theta[parameter].grad)
        assert gradient == pytest.approx(float(getattr(by_system.system, parameter)), rel=1e-12)


def test_one_state_is_a_batch_of_one_and_samples_do_not_mix(rng):
    simulator = TorchSimulator(GrayScott(), GRID, steps=9)
    batch = torch.tensor(states(3))
    F = torch.tensor(rng.uniform(0.02, 0.06, (3, *GRID.shape)))
    ks = [0.05, 0.06, 0.065]
    together = simulator(batch, F=F, k=torch.tensor(ks, dtype=torch.float64))
    for m, k in enumerate(ks):
        assert torch.equal(simulator(batch[m], F=F[m], k=k), together[m])
    assert TorchSimulator(GrayScott(), GRID, steps=9, save_every=3)(batch).shape == (3, 3, 2, 8, 8)


def test_tensors_are_not_copied(monkeypatch):
    """The engine sees the state's memory, the result is the engine's, and so are the gradient's."""
    seen = {}

    def spy(name):
        original = getattr(native, name)

        def call(*arguments, **options):
            seen[name] = arguments, original(*arguments, **options)
            return seen[name][1]

        monkeypatch.setattr(native, name, call)

    spy("rollout")
    spy("adjoint")
    state = torch.tensor(states(), requires_grad=True)
    cotangent = torch.ones_like(state)
    out = TorchSimulator(GrayScott(), GRID, steps=6)(state)
    (by_state,) = torch.autograd.grad(out, state, cotangent)
    (_, x, *_), (frames, kept) = seen["rollout"]
    assert x.ctypes.data == state.data_ptr()
    assert out.data_ptr() == frames.ctypes.data
    (_, again, _, _, bars), (gx, _, _) = seen["adjoint"]
    assert again.ctypes.data == kept.ctypes.data
    assert bars.ctypes.data == cotangent.data_ptr()
    assert by_state.data_ptr() == gx.ctypes.data


def test_checkpoints_are_kept_only_for_a_gradient(monkeypatch):
    asked = []
    original = native.rollout
    monkeypatch.setattr(native, "rollout", lambda *a, **k: asked.append(k["checkpoints"]) or original(*a, **k))
    simulator, state = TorchSimulator(GrayScott(), GRID, steps=3), torch.tensor(states())
    simulator(state)
    with torch.no_grad():
        simulator(state.requires_grad_())
    simulator.requires_grad_(False)
    simulator(state.detach())
    assert asked == [True, False, False]


def test_float32_follows_the_tensor_and_gradients_the_parameters():
    simulator = TorchSimulator(GrayScott(), GRID, steps=20)
    results = []
    for dtype in (torch.float32, torch.float64):
        state = torch.tensor(states(), dtype=dtype, requires_grad=True)
        out = simulator(state)
        simulator.zero_grad()
        out[:, 1].sum().backward()  # an expanded cotangent
        assert out.dtype == state.grad.dtype == state.dtype
        assert simulator.theta["F"].grad.dtype == torch.float64
        results.append((out.detach().double(), state.grad.double(), simulator.theta["F"].grad.clone()))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)  # 20 steps of float32 round-off


def test_a_convolution_in_float32_trains_through_the_layer():
    torch.manual_seed(0)
    network = torch.nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular")
    simulator, state = TorchSimulator(GrayScott(), GRID, steps=50).requires_grad_(False), torch.tensor(states()).float()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    losses = []
    for _ in range(30):
        F, k = (0.045 + 0.02 * torch.tanh(network(state))).unbind(1)
        loss = (simulator(state, F=F, k=k)[:, 1].mean() - 0.2) ** 2
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


def test_the_module_copies_and_saves():
    simulator = TorchSimulator(GrayScott(F=0.03), GRID, steps=3)
    other = TorchSimulator(GrayScott(), GRID, steps=3)
    other.load_state_dict(simulator.state_dict())
    state = torch.tensor(states())
    assert torch.equal(other(state), simulator(state))
    assert torch.equal(copy.deepcopy(simulator)(state), simulator(state))


def test_second_derivatives_raise():
    F = torch.tensor(0.035, dtype=torch.float64, requires_grad=True)
    out = TorchSimulator(GrayScott(), GRID, steps=3)(torch.tensor(states()), F=F).sum()
    with pytest.raises(NotImplementedError, match="second derivatives"):
        torch.autograd.grad(out, F, create_graph=True)


def test_bad_input():
    simulator, state = TorchSimulator(GrayScott(), GRID, steps=3), torch.tensor(states())
    bad = {
        "state": [(state[:, :1], {}), (state.half(), {}), (state.to("meta"), {})],
        "F": [(state, {"F": torch.zeros(3)}), (state, {"F": torch.zeros(4, 4)}), (state[0], {"F": torch.zeros(2)})],
        "Dv": [(state, {"Dv": torch.zeros(GRID.shape)})],
        "feed": [(state, {"feed": 0.1})],
    }
    for argument, calls in bad.items():
        for tensor, parameters in calls:
            with pytest.raises(BadInput, match=f"`{argument}`"):
                simulator(tensor, **parameters)
    with pytest.raises(BadInput, match="`steps`"):
        TorchSimulator(GrayScott(), GRID, steps=0)


class Smooth(GrayScott):
    """Kinetics that look beyond the cell: no native kernel."""

    def kinetics(self, u, v):
        return jnp.cumsum(u), v


def test_kinetics_without_a_native_kernel_are_refused_with_a_remedy():
    with pytest.raises(BadInput, match="engine='xla'"):
        TorchSimulator(Smooth(), GRID, steps=3)
