"""Unstill: from still patterns to the dynamics that make them.

Names are imported when they are first used: importing `unstill` takes no time and loads no plotting or video library.
"""

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ._errors import BadInput, NumericalFailure, UnstillError
    from ._stopping import time_limit
    from ._types import Status
    from .analysis import (
        Agreement,
        PatternBranch,
        PatternStatistics,
        Stability,
        agree,
        continue_branch,
        growth_rates,
        leading_exponent,
        lyapunov_spectrum,
        pattern_statistics,
        stability,
    )
    from .atlas import Atlas, Classification, Neighbours, Regime, classify, survey
    from .discovery import Discovery, Equations, discover
    from .discovery.point_sets import POINT_SETS, DrawnPoints, draw_points
    from .field_flows import (
        ConvolutionFlow,
        FieldScore,
        LearntFieldFlow,
        LearntFieldScore,
        LocalFlow,
        langevin,
        learn_field_flow,
        learn_field_score,
    )
    from .files import Checkpoint, load, load_trajectory, save
    from .files.inspect import inspect
    from .files.models import load_flow, load_score
    from .files.points import load_points, save_points
    from .fitting import (
        LOSSES,
        STRATEGIES,
        Comparison,
        Fit,
        Landscape,
        Viability,
        compare,
        find_loss,
        fit,
        landscape,
        viability,
    )
    from .flows import (
        Flow,
        Flows,
        LearntFlows,
        LearntScore,
        Lyapunov,
        Score,
        Uniqueness,
        learn_flow,
        learn_score,
        lyapunov,
        uniqueness,
    )
    from .icons import ICONS, DrawnIcons, draw_icons
    from .observations import Ordered, Points, Snapshots
    from .observations.inspection import Inspection
    from .plotting import animate, plot_recovery, plot_states, save_figure
    from .recovery import Calibration, Estimate, Recovery, calibrate, recover
    from .rules import LearntRule, Rule, learn_rule
    from .simulation import Grid, OnGrid, Simulator, Trajectory, initial_state, polish, rollout, simulate
    from .simulation.doctor import Doctor, doctor
    from .simulation.torch_layer import TorchSimulator
    from .systems import (
        SYSTEMS,
        Brusselator,
        DoubleGyre,
        Dynamics,
        FitzHughNagumo,
        GiererMeinhardt,
        GrayScott,
        Hopf,
        Lorenz,
        OrdinarySystem,
        ReactionDiffusion,
        Rossler,
        Schnakenberg,
        VanDerPol,
        find_system,
        parameter,
    )
    from .tracking import Tracking, track

_ROOMS = {
    "_errors": ("BadInput", "NumericalFailure", "UnstillError"),
    "_stopping": ("time_limit",),
    "_types": ("Status",),
    "analysis": (
        "Agreement", "PatternBranch", "PatternStatistics", "Stability", "agree", "continue_branch", "growth_rates",
        "leading_exponent", "lyapunov_spectrum", "pattern_statistics", "stability",
    ),
    "atlas": ("Atlas", "Classification", "Neighbours", "Regime", "classify", "survey"),
    "files": ("Checkpoint", "load", "load_trajectory", "save"),
    "files.inspect": ("inspect",),
    "files.models": ("load_flow", "load_score"),
    "files.points": ("load_points", "save_points"),
    "discovery": ("Discovery", "Equations", "discover"),
    "discovery.point_sets": ("POINT_SETS", "DrawnPoints", "draw_points"),
    "field_flows": (
        "ConvolutionFlow", "FieldScore", "LearntFieldFlow", "LearntFieldScore", "LocalFlow", "langevin",
        "learn_field_flow", "learn_field_score",
    ),
    "fitting": (
        "LOSSES", "STRATEGIES", "Comparison", "Fit", "Landscape", "Viability", "compare", "find_loss", "fit",
        "landscape", "viability",
    ),
    "flows": (
        "Flow", "Flows", "LearntFlows", "LearntScore", "Lyapunov", "Score", "Uniqueness", "learn_flow", "learn_score",
        "lyapunov", "uniqueness",
    ),
    "icons": ("ICONS", "DrawnIcons", "draw_icons"),
    "plotting": ("animate", "plot_recovery", "plot_states", "save_figure"),
    "recovery": ("Calibration", "Estimate", "Recovery", "calibrate", "recover"),
    "rules": ("LearntRule", "Rule", "learn_rule"),
    "simulation": ("Grid", "OnGrid", "Simulator", "Trajectory", "initial_state", "polish", "rollout", "simulate"),
    "simulation.doctor": ("Doctor", "doctor"),
    "simulation.torch_layer": ("TorchSimulator",),
    "observations": ("Ordered", "Points", "Snapshots"),
    "observations.inspection": ("Inspection",),
    "systems": (
        "SYSTEMS", "Brusselator", "DoubleGyre", "Dynamics", "FitzHughNagumo", "GiererMeinhardt", "GrayScott", "Hopf",
        "Lorenz", "OrdinarySystem", "ReactionDiffusion", "Rossler", "Schnakenberg", "VanDerPol", "find_system",
        "parameter",
    ),
    "tracking": ("Tracking", "track"),
}  # fmt: skip
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

_OPTIONAL = {"TorchSimulator"}  # `import *` must not ask for PyTorch
__all__ = ["__version__", *sorted(_HOME.keys() - _OPTIONAL)]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'unstill' has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
