"""`TorchSimulator`: a rollout as a PyTorch module. Needs PyTorch, and so is imported only when it is asked for."""

import numpy as np
from jaxtyping import Float

from .._errors import BadInput
from ..systems import ReactionDiffusion
from ..systems.grid import Grid, OnGrid
from . import native
from .kernel_source import KernelSpec
from .layer import check_motion, check_names, check_state_shape
from .native import Job
from .rollout import check_parameter_shapes, choose_engine, default_dt

try:
    import torch  # pyright: ignore[reportMissingImports]
except ImportError as error:
    raise BadInput("TorchSimulator", "needs PyTorch", None, "Install it: pip install 'unstill[torch]'.") from error

_SECOND = (
    "second derivatives of a native rollout are not available: the adjoint kernel is first order. "
    "Differentiate without create_graph=True, or in JAX by Simulator(..., engine='xla')."
)
_DTYPES = {torch.float32: "float32", torch.float64: "float64"}


class _Rollout(torch.autograd.Function):
    """The native rollout and its adjoint. NumPy sees the tensors' own memory, and tensors that of the results."""

    @staticmethod
    def forward(ctx, state, p, q, job: Job, frames: int, every: int, keep: bool):
        operands = [tensor.detach().numpy() for tensor in (state, p, q)]
        out = native.rollout(job, *operands, frames=frames, every=every, checkpoints=keep)
        if not keep:
            return torch.from_numpy(out)
        out, kept = out
        ctx.save_for_backward(p, q, torch.from_numpy(kept))
        ctx.job, ctx.every = job, every
        return torch.from_numpy(out)

    @staticmethod
    def backward(ctx, bars):
        if torch.is_grad_enabled():  # create_graph=True: to go on would be to take this gradient for a constant
            raise NotImplementedError(_SECOND)
        p, q, kept = (tensor.detach().numpy() for tensor in ctx.saved_tensors)
        # The kernels want rows that lie close; a cotangent may be an expanded number.
        gradients = native.adjoint(ctx.job, kept, p, q, bars.contiguous().numpy(), every=ctx.every)
        return (*map(torch.from_numpy, gradients), None, None, None, None)


class TorchSimulator(torch.nn.Module):
    """A reaction–diffusion system that moves tensors by `steps` steps: cₙ₊₁ = cₙ + dt (D∇²c + R(c; θ)).

    `theta` holds the system's parameters by name as float64 `torch.nn.Parameter`s, so an optimiser trains them; freeze
    them with `requires_grad_(False)`, or override them at the call by what a network puts out. Forward and backward are
    native kernels on the CPU; nothing is traced or compiled after the first call, and tensors are not copied.

    Reverse mode keeps about 3·steps^⅓ states a sample. First derivatives in reverse mode only: create_graph=True raises
    `NotImplementedError`, and torch.func and forward mode are not there. Gradients are exact and may still be of no
    use: 0 where the pattern has died, growing like exp(λ₁t) in a chaotic regime.

    Arguments: as for `Simulator`, with explicit Euler steps on the native engine only. Raises `BadInput`, also for
    kinetics that have no native kernel.
    """

    def __init__(
        self,
        system: ReactionDiffusion,
        grid: Grid,
        *,
        steps: int,
        dt: float | None = None,
        save_every: int | None = None,
        clip: bool = False,
    ):
        super().__init__()
        check_motion(system, steps, dt, save_every)
        on_grid = OnGrid(system, grid)
        try:
            choose_engine("native", on_grid, "euler", KernelSpec(type(system), grid.boundary, "float64"))
        except BadInput as error:
            remedy = "Move it in JAX, by Simulator(..., engine='xla')."
            raise BadInput("system", error.rule, system.name, remedy) from None
        self.system, self.grid, self.clip = system, grid, clip
        self.steps, self.save_every = steps, save_every
        self.dt = float(default_dt(on_grid) if dt is None else dt)
        values = {name: torch.tensor(np.asarray(value, np.float64)) for name, value in system.values().items()}
        self.theta = torch.nn.ParameterDict({name: torch.nn.Parameter(value) for name, value in values.items()})

    def forward(
        self, state: Float[torch.Tensor, "*state"], /, **parameters: torch.Tensor | float
    ) -> Float[torch.Tensor, "*frames"]:
        """The state after `steps` steps, or with `save_every` the frames.

        Arguments: one state (C, H, W) or a batch (M, C, H, W) on the CPU, float32 or float64, which is computed in;
        `parameters` override the system's by name: one number, (M,), kinetic ones also (H, W) or (M, H, W), of any
        dtype. Returns the shape of the state, or (T, C, H, W) and (M, T, C, H, W) frames. Raises `BadInput`.
        """
        check_state_shape(self.system, self.grid, tuple(state.shape))
        if state.device.type != "cpu" or state.dtype not in _DTYPES:
            got = f"{state.dtype} on {state.device}"
            raise BadInput("state", "must be float32 or float64 on the CPU", got, "Pass state.cpu().float().")
        check_names(self.system, parameters)
        # In the order of the kernels; a ParameterDict sorts.
        given = {name: parameters.get(name, self.theta[name]) for name in self.system.parameters()}
        values = {n: torch.as_tensor(v, dtype=state.dtype, device=state.device) for n, v in given.items()}
        batch = state if state.ndim == 4 else state[None]
        self._check_shapes(values, len(state) if state.ndim == 4 else None)
        cellwise = tuple(name for name, value in values.items() if value.ndim >= 2)
        p, q = _operands(values, cellwise, batch)
        every = self.save_every or self.steps
        spec = KernelSpec(type(self.system), self.grid.boundary, _DTYPES[state.dtype], cellwise, self.clip)
        job = Job(spec, self.grid, self.dt)
        keep = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in (batch, p, q))
        out = _Rollout.apply(batch, p, q, job, self.steps // every, every, keep)
        # squeeze and not [0], whose derivative is a copy
        out = out if self.save_every else out.squeeze(1)
        return out if state.ndim == 4 else out.squeeze(0)

    def _check_shapes(self, values, samples: int | None) -> None:
        shapes = {name: np.broadcast_to(0.0, tuple(value.shape)) for name, value in values.items()}  # takes no memory
        check_parameter_shapes(self.system.with_values(**shapes), samples, self.grid.shape)

    def extra_repr(self) -> str:
        return f"{self.system.name}, {self.grid}, steps={self.steps}, dt={self.dt:g}"


def _operands(values, cellwise: tuple[str, ...], batch):
    """The native operands p (M, P) and q (M, Q, H, W); expanding is PyTorch's, so it sums the gradients, too."""
    samples, _, *cells = batch.shape
    uniform = [value.expand(samples) for name, value in values.items() if name not in cellwise]
    fields = [values[name].expand(samples, *cells) for name in cellwise]
    p = torch.stack(uniform, -1) if uniform else batch.new_zeros(samples, 0)
    return p, torch.stack(fields, 1) if fields else batch.new_zeros(samples, 0, *cells)
