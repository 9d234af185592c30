"""What users bring, before any method looks at it: snapshots, points, frames in order. Needs no JAX."""

from .ordered import Ordered
from .points import Points
from .snapshots import Snapshots

__all__ = ["Ordered", "Points", "Snapshots"]
