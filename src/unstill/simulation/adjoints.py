"""All custom derivatives: a fused rollout as three JAX primitives, rollout, tangent and adjoint, on a CPU or a GPU.

Each has a batching rule; the rollout has a jvp rule (the tangent), the tangent a transpose rule (the adjoint). So grad,
jit, jvp, vjp, jacfwd, jacrev, vmap, scan and checkpoint all work. Second derivatives do not: differentiating a tangent
or an adjoint with respect to the point raises `NotImplementedError` (use engine="xla" for those).

`watched` is the one derivative here that computes nothing: it looks at what comes back.

Operands have one canonical form: x (B, C, H, W), p (B, P) uniform parameters, q (B, Q, H, W) cellwise ones. The primal
returns its checkpoints, so that a gradient need not begin with another forward motion. The job says which engine
computes: `native.Job` on the host, `gpu.Job` where the arrays are.
"""

import functools
from collections.abc import Callable
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from .._errors import NO_GRADIENT, NumericalFailure
from .._jax import Primitive, ShapedArray, ad, batching, host_call, mlir
from .._types import Status
from . import gpu, native

Job = native.Job | gpu.Job
T = TypeVar("T")


def watched(tree: T, what: str = "") -> T:
    """The same arrays, whose derivatives must be finite on the way back: `NumericalFailure` names the one that is not,
    or the error of JAX inside `jit`. `what` stands for a leaf without a name. Not for forward mode."""

    def named(path, leaf):
        name = jax.tree_util.keystr(path).strip(".") or what
        return _watched(jnp.asarray(leaf), name) if jnp.issubdtype(jnp.result_type(leaf), jnp.inexact) else leaf

    return jax.tree_util.tree_map_with_path(named, tree)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def _watched(value: Array, name: str) -> Array:
    del name
    return value


def _looked_at(name: str, _, slope: Array) -> tuple[Array]:
    told, bad = f"the derivative by {name} is not finite: {NO_GRADIENT}", ~jnp.isfinite(slope).all()
    if isinstance(slope, Tracer):
        return (eqx.error_if(slope, bad, f"{Status.NO_GRADIENT}: {told}"),)
    if bad:
        raise NumericalFailure(Status.NO_GRADIENT, told)
    return (slope,)


_watched.defvjp(lambda value, name: (value, None), _looked_at)

_SECOND = (
    "second derivatives of a fused rollout are not available: the adjoint kernel is first order. "
    'Pass engine="xla", or difference the gradient.'
)


def _primitive(name: str, on_host: Callable, on_device: Callable, shapes: Callable) -> Primitive:
    """A primitive that runs NumPy code, at once where the operands are concrete and as a callback inside jit; or, for a
    GPU's job, `on_device`, a function of JAX arrays.

    `on_host(*arrays, job, **params)`, `on_device(job, *arrays, **params)` and `shapes(*avals, job, **params)` give a
    tuple. The callback touches NumPy only: JAX inside a callback can deadlock.
    """
    primitive = Primitive(name)
    primitive.multiple_results = True

    def traced(*operands, job: Job, **params):
        if isinstance(job, gpu.Job):
            return on_device(job, *operands, **params)

        def host(*arrays):
            return on_host(*arrays, job=job, **params)

        avals = [jax.ShapeDtypeStruct(s, operands[0].dtype) for s in shapes(*operands, job=job, **params)]
        return host_call(host, avals, *operands)

    compiled = jax.jit(traced, static_argnames=("job", "frames", "every", "keep"))

    def eager(*operands, job: Job, **params):
        if isinstance(job, gpu.Job):
            return compiled(*operands, job=job, **params)
        return [jnp.asarray(out) for out in on_host(*map(np.asarray, operands), job=job, **params)]

    primitive.def_impl(eager)
    primitive.def_abstract_eval(lambda *a, **params: [ShapedArray(shape, a[0].dtype) for shape in shapes(*a, **params)])
    mlir.register_lowering(primitive, mlir.lower_fun(traced, multiple_results=True))
    return primitive


def _rollout(x, p, q, *, job: native.Job, frames: int, every: int, keep: bool):
    out = native.rollout(job, x, p, q, frames=frames, every=every, checkpoints=keep)
    return out if isinstance(out, tuple) else (out,)


def _rollout_shapes(x, p, q, *, job: Job, frames: int, every: int, keep: bool):
    batch, *state = x.shape
    shapes = [(batch, frames, *state)]
    if keep:
        steps = frames * every
        shapes.append((batch, -(-steps // job.checkpoint_stride(steps, batch)), *state))
    return shapes


def _tangent(dx, dp, dq, x, p, q, kept, *, job: native.Job, frames: int, every: int):
    return (native.tangent(job, x, p, q, dx, dp, dq, frames=frames, every=every),)


def _tangent_on_device(job: gpu.Job, dx, dp, dq, x, p, q, kept, *, frames: int, every: int):
    return gpu.tangent(job, dx, dp, dq, x, p, q, frames=frames, every=every)


def _adjoint(bars, kept, p, q, *, job: native.Job, every: int):
    return native.adjoint(job, kept, p, q, bars, every=every)


rollout_p = _primitive("unstill_rollout", _rollout, gpu.rollout, _rollout_shapes)
# Tangent operands carry a second axis K of directions: dx (B, K, C, H, W), dp (B, K, P), dq (B, K, Q, H, W).
tangent_p = _primitive(
    "unstill_tangent",
    _tangent,
    _tangent_on_device,
    lambda dx, dp, dq, x, p, q, kept, *, job, frames, every: [(*dx.shape[:2], frames, *x.shape[1:])],
)
adjoint_p = _primitive(
    "unstill_adjoint",
    _adjoint,
    gpu.adjoint,
    lambda bars, kept, p, q, *, job, every: [(kept.shape[0], *kept.shape[2:]), p.shape, q.shape],
)


def _front(operand, dim, size):
    """The mapped axis first, made where it is missing."""
    return jnp.broadcast_to(operand, (size, *operand.shape)) if dim is None else jnp.moveaxis(operand, dim, 0)


def _merge(operand):
    return operand.reshape(operand.shape[0] * operand.shape[1], *operand.shape[2:])  # -1 fails on empty arrays


def _size(operands, dims) -> int:
    return next(a.shape[d] for a, d in zip(operands, dims, strict=True) if d is not None)


def _batch_into_samples(primitive: Primitive, operands, dims, params):
    size = _size(operands, dims)
    merged = [_merge(_front(a, d, size)) for a, d in zip(operands, dims, strict=True)]
    out = primitive.bind(*merged, **params)
    return [o.reshape(size, o.shape[0] // size, *o.shape[1:]) for o in out], [0] * len(out)


def _batch_tangent(operands, dims, **params):
    """Where only tangents are mapped (jacfwd), the axis joins the directions: the state moves once for all."""
    if any(d is not None for d in dims[3:]):
        return _batch_into_samples(tangent_p, operands, dims, params)
    size = _size(operands[:3], dims[:3])
    moved = [jnp.moveaxis(_front(a, d, size), 0, 1) for a, d in zip(operands[:3], dims[:3], strict=True)]
    joined = [a.reshape(a.shape[0], a.shape[1] * a.shape[2], *a.shape[3:]) for a in moved]
    (out,) = tangent_p.bind(*joined, *operands[3:], **params)
    out = out.reshape(out.shape[0], size, out.shape[1] // size, *out.shape[2:])
    return [jnp.moveaxis(out, 1, 0)], [0]


def _materialise(tangent, primal):
    return jnp.zeros_like(primal) if isinstance(tangent, ad.Zero) else tangent


def _rollout_jvp(primals, tangents, *, job, frames, every, keep):
    if keep:  # the kept states are residuals of a derivative already taken
        raise NotImplementedError(_SECOND)
    x, p, q = primals
    out, kept = rollout_p.bind(x, p, q, job=job, frames=frames, every=every, keep=True)
    directions = [_materialise(t, v)[:, None] for t, v in zip(tangents, primals, strict=True)]
    (moved,) = tangent_p.bind(*directions, x, p, q, kept, job=job, frames=frames, every=every)
    return [out], [moved[:, 0]]


def _tangent_transpose(cotangents, dx, dp, dq, x, p, q, kept, *, job, frames, every):
    (bars,) = cotangents
    inputs = (dx, dp, dq)
    if isinstance(bars, ad.Zero):
        return [None] * 7
    directions = bars.shape[1]

    def repeat(operand):  # one adjoint a direction
        return operand if directions == 1 else jnp.repeat(operand, directions, axis=0)

    gradients = adjoint_p.bind(_merge(bars), repeat(kept), repeat(p), repeat(q), job=job, every=every)
    shaped = [g.reshape(g.shape[0] // directions, directions, *g.shape[1:]) for g in gradients]
    return [g if ad.is_undefined_primal(t) else None for g, t in zip(shaped, inputs, strict=True)] + [None] * 4


def _tangent_jvp(primals, tangents, **params):
    if not all(isinstance(t, ad.Zero) for t in tangents[3:]):
        raise NotImplementedError(_SECOND)
    directions = [_materialise(t, v) for t, v in zip(tangents[:3], primals[:3], strict=True)]
    return tangent_p.bind(*primals, **params), tangent_p.bind(*directions, *primals[3:], **params)


def _adjoint_jvp(primals, tangents, **params):
    if not all(isinstance(t, ad.Zero) for t in tangents[1:]):
        raise NotImplementedError(_SECOND)
    moved = _materialise(tangents[0], primals[0])
    return adjoint_p.bind(*primals, **params), adjoint_p.bind(moved, *primals[1:], **params)


ad.primitive_jvps[rollout_p] = _rollout_jvp
ad.primitive_jvps[tangent_p] = _tangent_jvp
ad.primitive_jvps[adjoint_p] = _adjoint_jvp
ad.primitive_transposes[tangent_p] = _tangent_transpose
batching.primitive_batchers[rollout_p] = lambda a, d, **k: _batch_into_samples(rollout_p, a, d, k)
batching.primitive_batchers[tangent_p] = _batch_tangent
batching.primitive_batchers[adjoint_p] = lambda a, d, **k: _batch_into_samples(adjoint_p, a, d, k)


def fused_rollout(
    job: Job, x: Float[Array, "C H W"], p: Float[Array, " P"], q: Float[Array, "Q H W"], *, frames: int, every: int
) -> Float[Array, "T C H W"]:
    """Frames after every `every` steps, differentiable once in x, p and q by every first-order transformation."""
    (out,) = rollout_p.bind(x[None], p[None], q[None], job=job, frames=frames, every=every, keep=False)
    return out[0]
