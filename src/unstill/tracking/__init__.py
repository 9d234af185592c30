"""Particles in films of pictures: found, linked on the torus, and counted against nulls."""

from .finding import Particles, find_particles
from .linking import Tracks, link
from .numbers import alignment, displacement_exponent, median_lifetime, pair_correlation
from .track import Tracking, track

__all__ = [
    "Particles",
    "Tracking",
    "Tracks",
    "alignment",
    "displacement_exponent",
    "find_particles",
    "link",
    "median_lifetime",
    "pair_correlation",
    "track",
]
