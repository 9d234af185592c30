"""Scores and flows as named arrays, with a line of JSON: what their files hold."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .flow import Flows
from .score import Score

SCORE_FILE, FLOWS_FILE = "score.npz", "flows.npz"


def score_arrays(score: Score, names: tuple[str, ...], schedule: str) -> dict[str, np.ndarray]:
    """The arrays of `score.npz`: the network's weights with the normalisation that belongs to them."""
    about = _about(kind="score", names=list(names), schedule=schedule)
    vectors = {"mean": np.asarray(score.mean), "scale": np.asarray(score.scale)}
    return {"about": about} | vectors | _score_parts(score)


def flow_arrays(flows: Flows) -> dict[str, np.ndarray]:
    """The arrays of `flows.npz`: K members' numbers, and the score where the family needs it."""
    about = _about(kind="flows", names=list(flows.names), field=flows.field.name, tau=flows.tau)
    arrays = {"about": about, "mean": flows.mean, "scale": flows.scale, "factors": flows.factors}
    score = {} if flows.score is None else _score_parts(flows.score)
    return arrays | flows.field.arrays() | score


def _score_parts(score) -> dict[str, np.ndarray]:
    normal = {"s_variances": np.asarray(score.normal.variances), "s_axes": np.asarray(score.normal.axes)}
    return normal | score.network.arrays("s_")


def _about(**facts: Any) -> np.ndarray:
    return np.array(json.dumps(facts))
