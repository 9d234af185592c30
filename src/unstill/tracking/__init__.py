"""Particles in films of pictures: found, linked on the torus, and counted against nulls."""

from .collective import Collective, collective
from .finding import Particles, find_particles
from .linking import Tracks, link
from .numbers import alignment, displacement_exponent, median_lifetime, pair_correlation

__all__ = [
    "Collective",
    "Particles",
    "Tracks",
    "alignment",
    "collective",
    "displacement_exponent",
    "find_particles",
    "link",
    "median_lifetime",
    "pair_correlation",
]
