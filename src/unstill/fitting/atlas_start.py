"""Starts of a fit from an atlas: parameters whose patterns are like the pictures."""

from __future__ import annotations

from .._errors import BadInput
from ..atlas import Atlas
from ..atlas.similar import similar_parameters
from ..observations.task import Task
from ..systems import system_name
from .plan import SYNTHETIC

SHIPPED = "atlas"  # the word for the atlas that comes with the package


def atlas_starts(task: Task, where: str) -> list[dict[str, float]]:
    """Parameter sets of the nearest cells, those that are known replaced; raises `BadInput` as `open_atlas` does."""
    cells = similar_parameters(open_atlas(task, where), task.pictures, task.grid)
    return [{**cell, **task.fix} for cell in cells]


def open_atlas(task: Task, where: str) -> Atlas:
    """The shipped one, where that is the word, or that of a run folder of survey.

    Raises `BadInput` where there is no such atlas, or it is of another system.
    """
    name = system_name(task.system)
    if where == "recover":
        raise BadInput("warm_start", f"must be an atlas for {SYNTHETIC}, which sees no places", where)
    if where == SHIPPED and name != "gray-scott":
        rule = f"must name a run folder of survey: no atlas of {name} comes with the package"
        raise BadInput("warm_start", rule, where, f"Make one: `us.survey` of {name}.")
    try:
        atlas = Atlas.open("gray-scott" if where == SHIPPED else where)
    except BadInput as error:
        raise BadInput("warm_start", "must be recover, atlas, or a run folder of survey", where) from error
    if atlas.setting.cls is not task.system:
        raise BadInput("warm_start", f"must be an atlas of {name}", f"one of {system_name(atlas.setting.cls)}")
    return atlas
