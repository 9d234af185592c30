"""What users keep: snapshots, pictures and run folders. Importing this room does not import JAX."""

from .loading import load
from .runs import Checkpoint, RunFolder, read_result, read_run
from .saving import save
from .trajectories import load_trajectory

__all__ = ["Checkpoint", "RunFolder", "load", "load_trajectory", "read_result", "read_run", "save"]
