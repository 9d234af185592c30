"""Single pixels that stand out from their surroundings as neither a pattern nor its noise does: hot and dead ones."""

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

# What is left of a pixel after the value that its twelve neighbours foretell, with Σ(∇²c)² at its least.
_LEFT = np.array([[0, 0, 1, 0, 0], [0, 2, -8, 2, 0], [1, -8, 20, -8, 1], [0, 2, -8, 2, 0], [0, 0, 1, 0, 0]]) / 20
# Of the contrast: waves of 8 and 6 cells in both directions, twice as high as their contrast, leave .14 and .4.
_OF_CONTRAST = 0.5
_OF_USUAL = 15.0  # times the median: ten standard deviations of white noise
_ROUNDS = 4  # an outlier raises what its neighbours leave: the largest is mended first
MOST = 0.03  # of the pixels; more are a texture


def stand_out(picture: Float[np.ndarray, "H W"], seen: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """Which seen pixels of a picture, whose gaps are filled, do; none where there are too many. Border cells never."""
    mended, found = np.array(picture, float), np.zeros(picture.shape, bool)
    inner = np.zeros(picture.shape, bool)
    inner[2:-2, 2:-2] = True
    limit = _OF_CONTRAST * float(picture.std())
    for _ in range(_ROUNDS):
        left = np.abs(ndimage.correlate(mended, _LEFT, mode="mirror"))
        largest = left == ndimage.maximum_filter(left, 5)
        new = inner & seen & largest & (left > max(limit, _OF_USUAL * float(np.median(left))))
        if not new.any():
            break
        found |= new
        mended[new] -= ndimage.correlate(mended, _LEFT, mode="mirror")[new]
    return found if found.mean() <= MOST else np.zeros_like(found)
