"""Words for pictures: which field to show, and what tells the panels apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .._errors import BadInput, nearest


def pick_field(fields: Sequence[str], field: str | None) -> str:
    """The field to show: the asked one, or v where there is one, or the first; raises `BadInput`."""
    if field is None:
        return "v" if "v" in fields else fields[0]
    if field not in fields:
        raise BadInput("field", "must be a field of the film", repr(field), nearest(field, fields))
    return field


def sample_values(dynamics, count: int) -> list[dict[str, float]]:
    """The scalar parameters of each of `count` samples; empty for dynamics that have none."""
    values = getattr(dynamics, "values", None)
    if values is None:
        return [{} for _ in range(count)]
    samples = [{} for _ in range(count)]
    for name, value in values().items():
        value = np.asarray(value)
        if value.size in (1, count):  # a field of values has no place in a label
            for sample, number in zip(samples, np.broadcast_to(value.reshape(-1), count), strict=True):
                sample[name] = float(number)
    return samples


def split_labels(samples: Sequence[Mapping[str, float]]) -> tuple[list[str], str]:
    """What differs from panel to panel, one text a panel, and what all share, one text."""
    names = list(dict.fromkeys(name for sample in samples for name in sample))
    shared = [n for n in names if len({sample.get(n) for sample in samples}) == 1]
    own = [_text({n: v for n, v in sample.items() if n not in shared}) for sample in samples]
    if len(own) > 1:
        seen: dict[str, int] = {}
        totals = {text: own.count(text) for text in own}
        for i, text in enumerate(own):
            seen[text] = seen.get(text, 0) + 1
            if totals[text] > 1:
                own[i] = f"{text}  sample {seen[text]}".strip()
    return own, _text({n: samples[0][n] for n in shared}) if samples else ""


def number(value: float) -> str:
    """A time or a count for the eye: 12,500 or 0.25."""
    if float(value).is_integer() or abs(value) >= 1e4:
        return f"{value:,.0f}"
    return f"{value:,.4g}"


def clock_words(ts: np.ndarray) -> list[str]:
    """Times with equally many decimals: right to 1/200 of the frames' distance, and to 1/10,000 of the last one."""
    error = min([1e-4 * abs(float(ts[-1])) or 1.0, *np.diff(ts) / 200])
    decimals = next((d for d in range(6) if np.abs(np.round(ts, d) - ts).max() <= error), 6)
    return [f"{t:,.{decimals}f}" for t in ts]


def _text(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name}={value:.4g}" for name, value in values.items())
