"""From field values to colours: shared by figures and films, so that both show the same picture."""

from collections.abc import Iterable

import numpy as np

DATA, FOUND, PALE = "#3b4cc0", "#b40426", "#d0d0d0"  # what is given, what was found, data behind something else
SERIES = (FOUND, DATA, "#2a9d4a", "#8a5a00", "#7b3294", "#00a0c0", "#e08214", "#c2a5cf", "#a0a0a0")  # told apart
_SHOWN, _OTHER = "magma", "viridis"  # perceptually uniform both; the hue tells v from the fields beside it
_SAMPLE = 4_000_000  # values that a percentile looks at: exact enough, and a film of gigabytes costs no more


def colormap_of(field: str, fields) -> str:
    """One colour map for the field that pictures show by default, another for all others, in figures and films."""
    return _SHOWN if field == ("v" if "v" in fields else fields[0]) else _OTHER


def robust_limits(arrays: Iterable[np.ndarray]) -> tuple[float, float]:
    """The colour limits of a film: least value and 99.9th percentile over all arrays together."""
    arrays = [np.asarray(a) for a in arrays]
    stride = max(1, sum(a.size for a in arrays) // _SAMPLE)
    values = np.concatenate([a.reshape(-1)[::stride] for a in arrays]).astype(np.float64)
    values = values[np.isfinite(values)]
    return _span(values.min(), np.percentile(values, 99.9)) if values.size else (0.0, 1.0)


def full_limits(arrays: Iterable[np.ndarray]) -> tuple[float, float]:
    """The colour limits of a figure: least and greatest value over all arrays together."""
    values = np.concatenate([np.asarray(a, dtype=np.float64).reshape(-1) for a in arrays])
    values = values[np.isfinite(values)]
    return _span(values.min(), values.max()) if values.size else (0.0, 1.0)


def panel_pixels(field: np.ndarray, limits: tuple[float, float], *, colormap: str, scale: int = 1) -> np.ndarray:
    """The colours of one field: values (H, W) → bytes (scale·H, scale·W, 3), each cell a square of `scale` pixels.

    Row 0 is at the top. This is all that a film does to a computed state; a value that is not finite becomes grey.
    """
    from matplotlib import colormaps

    table = (colormaps[colormap](np.arange(256))[:, :3] * 255).round().astype(np.uint8)
    low, high = limits
    finite = np.isfinite(field)
    unit = (np.where(finite, field, low) - low) / (high - low)
    pixels = table[(np.clip(unit, 0, 1) * 255).round().astype(np.uint8)]
    pixels[~finite] = 128
    return pixels.repeat(scale, axis=0).repeat(scale, axis=1)


def _span(low: float, high: float) -> tuple[float, float]:
    # A uniform state still needs two different limits.
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)
