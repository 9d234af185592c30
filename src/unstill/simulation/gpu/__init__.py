"""Fused kernels for NVIDIA GPUs, from the same kinetics as the native ones. Needs `cuda-bindings`."""

from .driver import machine, missing
from .job import Job, adjoint, rollout, tangent

__all__ = ["Job", "adjoint", "machine", "missing", "rollout", "tangent"]
