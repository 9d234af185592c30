"""How systems move, and how gradients come back."""

from .grid import BOUNDARIES, Grid, OnGrid
from .initial import INITIAL_STATES, initial_state
