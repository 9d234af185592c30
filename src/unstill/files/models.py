"""Scores and flows in files: `.npz` arrays with a line of JSON, never a pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._errors import BadInput
from .arrays import read_npz

SCORE_FILE, FLOWS_FILE = "score.npz", "flows.npz"


def score_arrays(score, names: tuple[str, ...], schedule: str) -> dict[str, np.ndarray]:
    """The arrays of `score.npz`: the network's weights with the normalisation that belongs to them."""
    about = _about(kind="score", names=list(names), schedule=schedule)
    vectors = {"mean": np.asarray(score.mean), "scale": np.asarray(score.scale)}
    return {"about": about} | vectors | _score_parts(score)


def flow_arrays(flows) -> dict[str, np.ndarray]:
    """The arrays of `flows.npz`: K members' numbers, and the score where the family needs it."""
    about = _about(kind="flows", names=list(flows.names), field=flows.field.name, tau=flows.tau)
    arrays = {"about": about, "mean": flows.mean, "scale": flows.scale, "factors": flows.factors}
    score = {} if flows.score is None else _score_parts(flows.score)
    return arrays | flows.field.arrays() | score


def load_score(path: str | os.PathLike, names: Sequence[str] | None = None):
    """The `Score` of a run folder or file of `unstill score`; raises `BadInput`, also where its points
    had other variables than `names`."""
    about, arrays = _read(path, SCORE_FILE, "score")
    if names is not None and list(names) != list(about["names"]):
        given = f"{', '.join(about['names'])} in {path}"
        raise BadInput("score", f"must be one of points of {', '.join(names)}", given)
    return _score(arrays, len(about["names"]))


def load_flow(path: str | os.PathLike):
    """The `Flows` of a run folder or file of `unstill flow`: `load_flow(path)[i](x)` is dx/dt; raises `BadInput`."""
    from ..flows.fields import find_field
    from ..flows.flow import Flows
    from ..flows.schedule import check_level

    about, arrays = _read(path, FLOWS_FILE, "flows")
    D, mean_scale = len(about["names"]), _vectors(arrays, len(about["names"]))
    family = find_field(str(about.get("field")))
    members = np.asarray(arrays.get("factors", np.zeros(0)), np.float64)
    try:
        field = family.of({name: np.asarray(a, np.float64) for name, a in arrays.items() if name.startswith("v_")})
        score = _score(arrays, D) if family.uses_score else None
        flows = Flows(field, score, *mean_scale, members, check_level(about["tau"]), tuple(about["names"]))
        shape = flows.velocities(np.zeros((1, D))).shape
    except BadInput:
        raise
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise BadInput("path", "must hold flows whose arrays fit together", path, "Write it again.") from error
    if members.ndim != 1 or shape != (len(members), 1, D):
        raise BadInput("path", "must hold flows whose arrays fit together", path, "Write it again.")
    return flows


def _score_parts(score) -> dict[str, np.ndarray]:
    normal = {"s_variances": np.asarray(score.normal.variances), "s_axes": np.asarray(score.normal.axes)}
    return normal | score.network.arrays("s_")


def _score(arrays: dict[str, np.ndarray], D: int):
    """The score of these arrays; raises `BadInput`."""
    from ..flows.score import Normal, Score

    shapes = [arrays.get(name, np.zeros(0)).shape for name in ("s_variances", "s_axes")]
    if shapes != [(D,), (D, D)]:
        raise BadInput("path", f"must hold a covariance of {D} variables", shapes, "Write it again.")
    normal = Normal(arrays["s_variances"], arrays["s_axes"])
    return Score(_network(arrays, "s_", D + 6, (1, D)), normal, *_vectors(arrays, D))


def _about(**facts: Any) -> np.ndarray:
    return np.array(json.dumps(facts))


def _read(path: str | os.PathLike, name: str, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    path = Path(path).expanduser()
    file = path / name if path.is_dir() else path
    if not file.is_file():
        raise BadInput("path", f"must hold {name}" if path.is_dir() else "must be an existing file or folder", path)
    arrays = read_npz(file)
    try:
        about = json.loads(str(arrays.pop("about")))
        names = about["names"]
        if about["kind"] != kind or not names or not all(isinstance(n, str) for n in names):
            raise ValueError
    except (KeyError, ValueError, TypeError):
        raise BadInput("path", f"must be {name} of Unstill", file) from None
    for label, values in arrays.items():
        if values.dtype.kind != "f" or not np.isfinite(values).all():
            raise BadInput(label, "must hold finite numbers", file)
    return about, arrays


def _vectors(arrays: dict[str, np.ndarray], D: int) -> tuple[np.ndarray, np.ndarray]:
    for name in ("mean", "scale"):
        if name not in arrays or arrays[name].shape != (D,):
            raise BadInput(name, f"must hold {D} numbers", None, "The file is damaged; write it again.")
    if not (arrays["scale"] > 0).all():
        raise BadInput("scale", "must be positive", arrays["scale"], "The file is damaged; write it again.")
    return arrays["mean"].astype(np.float64), arrays["scale"].astype(np.float64)


def _network(arrays: dict[str, np.ndarray], prefix: str, first: int, last: tuple[int, ...]):
    """The perceptron of these arrays, with every layer fitting the next; raises `BadInput`."""
    from ..flows.networks import MLP

    try:
        network = MLP.of({name: np.asarray(a, np.float64) for name, a in arrays.items()}, prefix)
        sizes = [first, *(b.shape[-1] for b in network.biases)]
        fits = all(
            W.shape == (out, into) and b.shape == (out,)
            for W, b, into, out in zip(network.weights, network.biases, sizes[:-1], sizes[1:], strict=True)
        )
    except (KeyError, ValueError, IndexError):
        fits, sizes, network = False, [], None
    if network is None or not fits or len(sizes) < 2 or sizes[-1] not in last:
        raise BadInput("path", "must hold a network whose layers fit together", None, "Write it again.")
    return network
