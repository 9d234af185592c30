"""A finding as numbers for JSON, and as arrays for a checkpoint, from which it is read again."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._result import plain
from ..analysis import Exponent
from .recurrence import Recurrence
from .regimes import Finding, Regime


def evidence(found: Finding, fields: Sequence[str]) -> dict[str, Any]:
    """A finding as `result.json` tells it; what was not needed for the decision is `None`."""
    way = found.recurrence
    return plain(
        {
            "regime": str(found.regime),
            "why": found.why,
            "time": found.time,
            "dt": found.dt,
            "drift": found.drift,
            "means": dict(zip(fields, found.means, strict=True)),
            "contrasts": dict(zip(fields, found.contrasts, strict=True)),
            "period": found.period,
            "recurrence": None if way is None else dataclasses.asdict(way),
            "exponent": None if found.exponent is None else _numbers(found.exponent),
            "checks": [_numbers(each) for each in found.checks],
            "before": None if found.before is None else _numbers(found.before),
        }
    )


def packed(found: Finding, fields: Sequence[str]) -> dict[str, np.ndarray]:
    """A finding as arrays, one of them its evidence as text."""
    text = np.array(json.dumps(evidence(found, fields)))
    return {"evidence": text, "state": found.state, "ts": found.ts, "trace": found.trace}


def unpacked(arrays: Mapping[str, np.ndarray]) -> Finding:
    """The finding that was packed."""
    told = json.loads(str(arrays["evidence"]))
    way, exponent, before = told["recurrence"], told["exponent"], told["before"]
    return Finding(
        Regime(told["regime"]), told["why"], told["time"], told["dt"], told["drift"], arrays["state"],
        arrays["ts"], arrays["trace"],
        recurrence=None if way is None else Recurrence(**(way | {"reach": way["reach"] or np.inf})),
        exponent=None if exponent is None else _exponent(exponent),
        checks=tuple(_exponent(each) for each in told["checks"]),
        before=None if before is None else _exponent(before),
    )  # fmt: skip


def _numbers(exponent: Exponent) -> dict[str, Any]:
    return {name: getattr(exponent, name) for name in ("value", "std", "interval95", "time", "lost")}


def _exponent(told: Mapping[str, Any]) -> Exponent:
    return Exponent(**{**told, "interval95": tuple(told["interval95"])}, segments=np.empty(0))
