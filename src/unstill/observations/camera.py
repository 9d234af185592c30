"""What stands between a field and its picture: gain, offset, gamma and blur, each known or to be found."""

import dataclasses

import numpy as np
from jaxtyping import Float

FLOOR = 1e-4  # of the largest concentration: below, a power with an unknown exponent is not followed
GAMMAS = (0.2, 5.0)
BLURS = (-0.12, 0.12)  # 1 + blur dx²∇² loses the finest waves at ⅛
UNSTATED_BLUR = 0.05  # a blur over a third of a pixel: lenses, resampling, compression of pictures that say nothing
PARTS = ("gain", "offset", "gamma", "blur")


@dataclasses.dataclass(frozen=True)
class Camera:
    """y = (1 + blur dx²∇²)(gain · c^gamma + offset), with None for what is unknown; powers are of positive fields only.

    An unknown blur lies around 0 with the standard deviation `blur_std`; 0: nothing is known of it. Pictures of which
    nobody says a word on their blur may be `taken_as_sharp`. Of each of its four
    neighbours a pixel takes the share `blur`, half the variance of a blur in pixels²; sharpened pictures have a
    negative one. The curve is applied here, the blur where there is a grid (`Optics`). Values of the unknowns are
    passed in the order of `unknown`.
    """

    gain: float | None = 1.0
    offset: float | None = 0.0
    gamma: float | None = 1.0
    blur: float | None = 0.0
    blur_std: float = 0.0
    taken_as_sharp: bool = False

    @property
    def unknown(self) -> tuple[str, ...]:
        """The names of what is to be found."""
        return tuple(name for name in PARTS if getattr(self, name) is None)

    def numbers(self, values: Float[np.ndarray, " U"]) -> tuple[float, float, float]:
        """Gain, offset and gamma, the unknown ones from `values`."""
        found = iter(values)
        gain, offset, gamma = (
            float(next(found)) if known is None else known for known in (self.gain, self.offset, self.gamma)
        )
        return gain, offset, gamma

    def share(self, values: Float[np.ndarray, " U"]) -> float:
        """The blur, where it is unknown from `values`."""
        return float(values[-1]) if self.blur is None else self.blur

    def concentration(self, values: Float[np.ndarray, " U"], y: Float[np.ndarray, "*B"]):
        """c behind the sharp picture y, and ∂c/∂(each unknown), shape (U, *B); in place of the blur's, ∂c/∂y."""
        gain, offset, gamma = self.numbers(values)
        x = (y - offset) / gain
        if gamma == 1.0 and self.gamma is not None:
            c, dc_dx, log_x = x, np.ones_like(x), None
        else:
            seen = np.maximum(x, FLOOR * np.abs(x).max())
            c = seen ** (1 / gamma)
            dc_dx, log_x = np.where(x < seen, 0.0, c / (gamma * seen)), np.log(seen)
        slopes = {"gain": -dc_dx * x / gain, "offset": -dc_dx / gain, "blur": dc_dx / gain}
        if log_x is not None:
            slopes["gamma"] = -c * log_x / gamma**2
        return c, np.array([slopes[name] for name in self.unknown]).reshape(-1, *y.shape)

    def picture(self, values: Float[np.ndarray, " U"], c: Float[np.ndarray, "*B"]):
        """The sharp picture y of c, ∂y/∂c, and ∂y/∂(each unknown), shape (U, *B); in place of the blur's, y."""
        gain, offset, gamma = self.numbers(values)
        if gamma == 1.0 and self.gamma is not None:
            power, slope, log_c = c, np.ones_like(c), None
        else:
            seen = np.maximum(c, FLOOR * np.abs(c).max())
            power = seen**gamma
            slope, log_c = gamma * power / seen, np.log(seen)
            power = power + slope * (c - seen)  # a straight line below the floor
        y = gain * power + offset
        slopes = {"gain": power, "offset": np.ones_like(c), "blur": y}
        if log_c is not None:
            slopes["gamma"] = gain * power * log_c
        return y, gain * slope, np.array([slopes[n] for n in self.unknown]).reshape(-1, *c.shape)


ABSOLUTE = Camera()
