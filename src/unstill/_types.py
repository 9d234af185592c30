"""Words that every room shares: shape letters and outcomes.

Shape letters in signatures: C fields, H W cells (rows, columns), M samples, T times, P parameters.
"""

import enum


class Status(str, enum.Enum):
    """How a computation ended. The value is the word in `result.json`."""

    CONVERGED = "converged"
    NOT_CONVERGED = "not-converged"
    STEADY = "steady"
    MOVING = "moving"
    DEAD = "dead"
    BLOW_UP = "blow-up"
    NO_GRADIENT = "no-gradient"
    UNIDENTIFIABLE = "unidentifiable"
    NO_FIT = "no-fit"
    INTERRUPTED = "interrupted"

    def __str__(self) -> str:
        return self.value
