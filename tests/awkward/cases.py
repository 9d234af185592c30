"""The collection: every awkward input with what is right of it, by kind. docs/awkward.md is written from it."""

import dataclasses

from awkward_arrays import ARRAYS
from awkward_case import Case
from awkward_files import PICTURES
from awkward_pictures import SCENES, VALUES
from awkward_points import POINTS
from awkward_stores import STORES
from awkward_systems import SYSTEMS
from awkward_tables import TABLES

_KINDS = {
    "Arrays": ARRAYS,
    "Files of pictures": PICTURES,
    "Archives and stores": STORES,
    "Tables": TABLES,
    "Values": VALUES,
    "Pictures": SCENES,
    "Points": POINTS,
    "Systems and parameters": SYSTEMS,
}
CASES: tuple[Case, ...] = tuple(
    dataclasses.replace(case, kind=kind) for kind, cases in _KINDS.items() for case in cases
)


def page() -> str:
    """The tables of docs/awkward.md, one a kind."""
    parts = []
    for kind, cases in _KINDS.items():
        rows = "\n".join(f"| {case.difficulty} | {case.does}{_still(case)} |" for case in cases)
        parts.append(f"## {kind}\n\n| difficulty | what Unstill does |\n| --- | --- |\n{rows}\n")
    return "\n".join(parts)


def _still(case: Case) -> str:
    return f" (not yet: {case.fault})" if case.fault else ""
