"""The figures of each verb's result, by the name of the file in its run folder."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .._result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _figure(module: str, function: str) -> Callable[[Any], Figure | None]:
    """A figure's function, imported when it is drawn."""
    return lambda found: getattr(import_module(f".{module}", __package__), function)(found)


# Verb (or what a result of it says it is drawn as) → file → the function that draws it.
FIGURES: dict[str, dict[str, Callable[[Any], Figure | None]]] = {
    "simulate": {"states.png": _figure("states", "plot_states")},
    "points": {"points.png": _figure("discoveries", "plot_points")},
    "alife": {"icons.png": _figure("icons", "plot_icons")},
    "score": {"score.png": _figure("flows", "plot_score")},
    "flow": {"flow.png": _figure("flows", "plot_flows"), "motions.png": _figure("flows", "plot_motions")},
    "rule": {"rule.png": _figure("rules", "plot_rule")},
    "field_score": {"score.png": _figure("field_flows", "plot_field_score")},
    "field_flow": {"flow.png": _figure("field_flows", "plot_field_flow")},
    "tracking": {"tracking.png": _figure("tracking", "plot_tracking")},
    "agree": {"agree.png": _figure("agreement", "plot_agreement")},
    "stability": {"stability.png": _figure("stability", "plot_stability")},
    "continue": {"branch.png": _figure("pattern_branches", "plot_pattern_branch")},
    "lyapunov": {"lyapunov.png": _figure("lyapunov", "plot_spectra")},
    "uniqueness": {"uniqueness.png": _figure("uniqueness", "plot_uniqueness")},
    "discover": {"discovery.png": _figure("discoveries", "plot_found")},
    "inspect": {"inspection.png": _figure("inspections", "plot_inspection")},
    "recover": {"recovery.png": _figure("recoveries", "plot_recovery")},
    "calibrate": {"calibration.png": _figure("calibrations", "plot_calibration")},
    "fit": {"fit.png": _figure("fits", "fit_figure")},
    "landscape": {"landscape.png": _figure("landscapes", "plot_landscape")},
    "compare": {"compare.png": _figure("comparisons", "comparison_figure")},
    "classify": {"regimes.png": _figure("regimes", "plot_classification")},
    "survey": {"atlas.png": _figure("atlases", "plot_atlas")},
    "atlas": {"nearest.png": _figure("atlases", "plot_neighbours")},
    "viability": {"viability.png": _figure("viability", "viability_figure")},
}


def figures(found: Result) -> dict[str, Figure]:
    """The figures of a result, the main one first; none of states without a grid."""
    if getattr(found, "grid", True) is None:
        return {}
    without = {"motions.png"} if getattr(found, "score", True) is None else set()  # they move up a learnt score
    drawn_as = getattr(found, "drawn_as", found.verb)
    drawn = {name: draw(found) for name, draw in FIGURES[drawn_as].items() if name not in without}
    return {name: figure for name, figure in drawn.items() if figure is not None}
