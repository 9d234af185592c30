"""Scores and flows in files: `.npz` arrays with a line of JSON, never a pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .._errors import BadInput
from ..field_flows.arrays import FIELD_FLOW_FILE, FIELD_SCORE_FILE
from ..flows.arrays import FLOWS_FILE, SCORE_FILE
from ..rules.arrays import RULE_FILE
from .arrays import read_npz
from .runs import asked_path, read_run


def load_score(path: str | os.PathLike, names: Sequence[str] | None = None):
    """The `Score` of points, or the `FieldScore` of pictures, that `unstill score` learnt.

    Args:
        path: Its run folder, or the file `score.npz` or `field-score.npz`.
        names: Names that its variables must have (default: any).

    Raises `BadInput`.
    """
    if _holds(path, FIELD_SCORE_FILE):
        if names is not None:
            raise BadInput("score", f"must be one of points of {', '.join(names)}", path)
        return load_field_score(path)
    about, arrays = _read(path, SCORE_FILE, "score")
    if names is not None and list(names) != list(about["names"]):
        given = f"{', '.join(about['names'])} in {path}"
        raise BadInput("score", f"must be one of points of {', '.join(names)}", given)
    return _score(arrays, len(about["names"]))


def load_flow(path: str | os.PathLike):
    """What `unstill flow` has learnt, from its run folder or file: `load_flow(path)[i](x)` is dx/dt.

    The `Flows` of points; of pictures, the one `Rule` or `ConvolutionFlow` in a tuple.

    Args:
        path: The run folder, or the file `flows.npz`, `rule.npz` or `field-flow.npz`.

    Raises `BadInput`.
    """
    return (load_picture_flow(path),) if is_picture_flow(path) else load_flows(path)


def is_rule(path: str | os.PathLike) -> bool:
    """Whether a run folder or file holds a rule."""
    return _holds(path, RULE_FILE)


def is_field_flow(path: str | os.PathLike) -> bool:
    """Whether a run folder or file holds a flow of pictures that is built from their score."""
    return _holds(path, FIELD_FLOW_FILE)


def is_picture_flow(path: str | os.PathLike) -> bool:
    """Whether a run folder or file holds dynamics of pictures."""
    return is_rule(path) or is_field_flow(path)


def load_picture_flow(path: str | os.PathLike):
    """The dynamics of pictures in a run folder or file; raises `BadInput`."""
    return load_rule(path) if is_rule(path) else load_field_flow(path)


def load_rule(path: str | os.PathLike):
    """The `Rule` of a run folder or file of `unstill flow`; raises `BadInput`."""
    from ..rules.arrays import rule_of

    return _built(path, RULE_FILE, "rule", rule_of)


def load_field_score(path: str | os.PathLike):
    """The `FieldScore` of a run folder or file of `unstill score` on pictures; raises `BadInput`."""
    from ..field_flows.arrays import field_score_of

    return _built(path, FIELD_SCORE_FILE, "field-score", field_score_of)


def load_field_flow(path: str | os.PathLike):
    """The `ConvolutionFlow` of a run folder or file of `unstill flow` on pictures; raises `BadInput`."""
    from ..field_flows.arrays import field_flow_of

    return _built(path, FIELD_FLOW_FILE, "field-flow", field_flow_of)


def _holds(path: str | os.PathLike, name: str) -> bool:
    path = Path(path).expanduser()
    return (path / name).is_file() if path.is_dir() else path.name == name


def _built(path: str | os.PathLike, name: str, kind: str, build: Callable):
    """What `build` makes of a file's facts and arrays; raises `BadInput`."""
    about, arrays = _read(path, name, kind)
    try:
        return build(about, arrays)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise BadInput("path", f"must hold a {kind} whose arrays fit together", path, "Write it again.") from error


def load_flows(path: str | os.PathLike):
    """The `Flows` of points; raises `BadInput`."""
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


def learnt_from(folder: str | os.PathLike) -> str:
    """The path of the points that a run of `unstill flow` was learnt from; raises `BadInput` where they are gone."""
    asked = read_run(folder).get("config")
    kept = str(asked.get("source", "")) if isinstance(asked, dict) else ""
    if not kept:
        raise BadInput("points", f"must be given: run.json of {folder} does not tell them", None)
    source = asked_path(folder, kept)
    if not Path(source).expanduser().exists():
        raise BadInput("points", f"must be given: those of {folder} are not where they were", source)
    return source


def known_part(word: str, dimension: int):
    """The dynamics of as many variables: of a flow's run folder (its first flow), a built-in system or `file.py:NAME`.

    Raises `BadInput`.
    """
    import jax

    part = _part(word)
    try:
        shape = jax.eval_shape(part.drift, jax.ShapeDtypeStruct((dimension,), "float32")).shape
    except (TypeError, ValueError, IndexError):
        shape = None
    if shape != (dimension,):
        raise BadInput("known", f"must be of the points' {dimension} variables", repr(word))
    return part


def _part(word: str):
    from ..systems import OrdinarySystem, find_system

    if (Path(word).expanduser() / FLOWS_FILE).is_file():
        return load_flows(word)[0]
    try:
        cls = find_system(word)
    except BadInput as error:
        rule = "must be a run of `unstill flow`, a known system or file.py:NAME"
        raise BadInput("known", error.rule if ".py:" in word else rule, error.value, error.remedy) from error
    if not issubclass(cls, OrdinarySystem):
        raise BadInput("known", "must be a system without space, or a run of `unstill flow`", repr(word))
    return cls()


def _score(arrays: dict[str, np.ndarray], D: int):
    """The score of these arrays; raises `BadInput`."""
    from ..flows.score import Normal, Score

    shapes = [arrays.get(name, np.zeros(0)).shape for name in ("s_variances", "s_axes")]
    if shapes != [(D,), (D, D)]:
        raise BadInput("path", f"must hold a covariance of {D} variables", shapes, "Write it again.")
    normal = Normal(arrays["s_variances"], arrays["s_axes"])
    return Score(_network(arrays, "s_", D + 6, (1, D)), normal, *_vectors(arrays, D))


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
            found = f"shape {arrays[name].shape}" if name in arrays else "none"
            raise BadInput(name, f"must hold {D} numbers", found, "The file is damaged; write it again.")
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
