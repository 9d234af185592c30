"""Fused kernels for NVIDIA GPUs, from the same kinetics as the native ones. Needs `cuda-bindings`."""

from .driver import description, machine, missing
from .job import Job, adjoint, rollout, tangent

__all__ = ["Job", "adjoint", "description", "machine", "missing", "rollout", "tangent"]
