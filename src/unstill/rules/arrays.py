"""Rules as named arrays, with a line of JSON: what `rule.npz` holds. Never a pickle."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .neighbourhood import Neighbourhood
from .rule import Rule
from .terms import AbstractTerms, Polynomials, Splines

RULE_FILE = "rule.npz"


def rule_arrays(rule: Rule) -> dict[str, np.ndarray]:
    """The coefficients, the features' normalisation, and what the terms are."""
    terms, where = rule.terms, rule.terms.neighbourhood
    about: dict[str, Any] = {
        "kind": "rule", "names": list(rule.fields), "neighbourhood": list(where.kinds), "dx": where.dx,
        "boundary": where.boundary, "dt": rule.dt,
    }  # fmt: skip
    arrays = {"coefficients": np.asarray(rule.coefficients), "mean": np.array(terms.mean)}
    arrays["scale"] = np.array(terms.scale)
    if isinstance(terms, Splines):
        about |= {"terms": "splines", "count": terms.count}
        arrays |= {"ranges": np.array(terms.ranges), "kept": np.array(terms.kept, float)}
    else:
        assert isinstance(terms, Polynomials)
        about |= {"terms": "polynomials", "degree": terms.degree}
    return {"about": np.array(json.dumps(about))} | arrays


def rule_of(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> Rule:
    """From what `rule_arrays` gave; raises `KeyError`, `ValueError` or `TypeError` for anything else."""
    where = Neighbourhood(
        tuple(about["names"]), tuple(about["neighbourhood"]), float(about["dx"]), str(about["boundary"])
    )
    mean, scale = (tuple(map(float, arrays[name])) for name in ("mean", "scale"))
    terms: AbstractTerms
    if about["terms"] == "splines":
        ranges = tuple((float(low), float(high)) for low, high in arrays["ranges"])
        kept = tuple(tuple(map(int, which)) for which in arrays["kept"])
        terms = Splines(where, mean, scale, ranges, kept, int(about["count"]))
    else:
        terms = Polynomials(where, mean, scale, int(about["degree"]))
    table = np.asarray(arrays["coefficients"], float)
    if table.shape != (len(where.fields), len(terms.names)) or len(mean) != len(where.names) or not min(scale) > 0:
        raise ValueError("arrays do not fit together")
    return Rule(table, terms, float(about["dt"]))
