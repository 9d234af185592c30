"""Whether a picture's opposite borders meet: a pattern on a torus does, a window cut from a larger picture does not."""

import numpy as np
from jaxtyping import Float

# Of the mean squared step between neighbours. Gray–Scott patterns at 64² and above: periodic ones .5 to 1.5.
_JUMP = 1.8


def looks_cut(pictures: Float[np.ndarray, "M H W"]) -> bool:
    """Whether the step across a border is larger than between neighbours inside, in either direction.

    A pattern between no-flux walls looks cut as well; a window that happens to end where it began does not.
    """
    across = [((pictures[:, 0] - pictures[:, -1]) ** 2).mean(), ((pictures[..., 0] - pictures[..., -1]) ** 2).mean()]
    inside = [(np.diff(pictures, axis=axis) ** 2).mean() for axis in (1, 2)]
    return any(a > _JUMP * max(b, 1e-300) for a, b in zip(across, inside, strict=True))
