"""`recover` of v as people photograph it: twelve patterns, from whole and absolute to a window of a JPEG.

Du/Dv is given where the gain is unknown. The patterns still relax a little (100,000 steps). None of them served to set
a limit of `recovery`; their seeds are others than those of the tests.
"""

import io

import numpy as np
import pytest
from scipy import ndimage

import unstill as us

SIZE, WINDOW = 160, (slice(23, 119), slice(40, 136))
PATTERNS = [
    (0.16, 0.08, 0.035, 0.065), (0.16, 0.08, 0.029, 0.057), (0.16, 0.08, 0.037, 0.060), (0.16, 0.08, 0.039, 0.058),
    (0.16, 0.08, 0.055, 0.062), (0.2097, 0.10485, 0.029, 0.057), (0.2097, 0.10485, 0.037, 0.060),
    (0.12, 0.06, 0.030, 0.0565), (0.12, 0.06, 0.042, 0.063), (0.19, 0.095, 0.030, 0.062), (0.14, 0.07, 0.050, 0.062),
    (0.2, 0.1, 0.034, 0.0618),
]  # fmt: skip
UNKNOWN = {"gain": "unknown", "offset": "unknown"}


def stretched(v: np.ndarray) -> np.ndarray:
    return (v - v.min()) / np.ptp(v)


def eight_bits(unit: np.ndarray) -> np.ndarray:
    return np.round(255 * np.clip(unit, 0, 1)).astype(np.uint8)


def noisy(unit: np.ndarray, share: float, rng) -> np.ndarray:
    """With some room at both ends, so that few pixels saturate."""
    seen = 0.1 + 0.8 * unit
    return seen + share * seen.std() * rng.standard_normal(unit.shape)


def jpeg(unit: np.ndarray) -> np.ndarray:
    from PIL import Image

    held = io.BytesIO()
    Image.fromarray(eight_bits(0.1 + 0.8 * unit)).save(held, "JPEG", quality=85)
    return np.asarray(Image.open(held))


# The rungs: picture of v, options, and the largest error in F and k that is wanted.
RUNGS = {
    "whole, absolute": (lambda v, rng: v, {}, 0.02),
    "stretched to 0–255": (lambda v, rng: eight_bits(stretched(v)), UNKNOWN, 0.02),
    "window of it": (lambda v, rng: eight_bits(stretched(v[WINDOW])), UNKNOWN, 0.02),
    "gamma .45": (lambda v, rng: eight_bits(stretched(v[WINDOW]) ** 0.45), {**UNKNOWN, "gamma": "unknown"}, 0.02),
    "5 % noise": (lambda v, rng: noisy(stretched(v[WINDOW]), 0.05, rng), UNKNOWN, 0.05),
    "5 % noise, scaled by 1.37": (
        lambda v, rng: noisy(ndimage.zoom(stretched(v[WINDOW]), 1.37, order=3), 0.05, rng), UNKNOWN, 0.05),
    "JPEG 85": (lambda v, rng: jpeg(stretched(v[WINDOW])), UNKNOWN, 0.05),
}  # fmt: skip


@pytest.fixture(scope="module")
def patterns() -> list[np.ndarray]:
    made = (
        us.simulate(us.GrayScott(*p), grid=us.Grid((SIZE, SIZE)), init="discs", steps=100_000, seed=60 + i)
        for i, p in enumerate(PATTERNS)
    )
    return [run.state[0, 1] for run in made]


@pytest.mark.parametrize("rung", RUNGS)
def test_photo(benchmark, figure, patterns, rung):
    make, camera, wanted = RUNGS[rung]
    rng = np.random.default_rng(7)

    def every() -> list[us.Recovery]:
        fix = {"Du/Dv": 2.0} if camera else None
        return [us.recover("gray-scott", make(v, rng), fix=fix, **camera) for v in patterns]

    found = benchmark.pedantic(every, rounds=1)
    pairs = [(one, dict(zip(("Du", "Dv", "F", "k"), p, strict=True))) for one, p in zip(found, PATTERNS, strict=True)]
    kept = [(one, truth) for one, truth in pairs if one.status == us.Status.CONVERGED]
    errors = np.array([[abs(one.parameters[n].value / truth[n] - 1) for n in ("F", "k")] for one, truth in kept])
    z = np.array(
        [[(one.parameters[n].value - truth[n]) / one.parameters[n].std for n in ("F", "k")] for one, truth in kept]
    )
    slowest, worst = max(one.seconds for one in found), float(errors.max(initial=0))
    share = float((np.abs(z) < 1.96).mean()) if len(kept) else 0.0
    figure(
        f"photo, {rung}: largest error of F and k", f"≤ {wanted:.0%}", f"{worst:.2%}", "",
        f"{len(kept)} of 12 converged; intervals hold {share:.0%}, largest z {np.abs(z).max(initial=0):.1f}; "
        f"slowest {slowest:.0f} s", worst <= wanted and len(kept) == 12,
    )  # fmt: skip
