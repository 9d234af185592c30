"""Figures and films. The only room that imports Matplotlib or a video library, and only when something is drawn."""

from .figures import save_figure
from .films import animate
from .recoveries import plot_recovery
from .results import figures
from .states import plot_states

__all__ = ["animate", "figures", "plot_recovery", "plot_states", "save_figure"]
