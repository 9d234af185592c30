"""What can go wrong, by name. Every error that a user can cause is one of these and prints as one line."""

import contextlib
from collections.abc import Iterator


class UnstillError(Exception):
    """Base of all errors that Unstill raises on purpose."""

    exit_code = 1


class BadInput(UnstillError, ValueError):
    """An argument breaks a rule. The message names the argument, the rule, the value and a remedy.

    >>> raise BadInput("dt", "must be positive", -0.1, "Pass dt=1.")
    """

    exit_code = 2

    def __init__(self, argument: str, rule: str, value: object = None, remedy: str = ""):
        self.argument, self.rule, self.value, self.remedy = argument, rule, value, remedy
        got = "" if value is None else f"; got {value}"
        super().__init__(" ".join(f"`{argument}` {rule}{got}. {remedy}".split()))


@contextlib.contextmanager
def naming(argument: str) -> Iterator[None]:
    """What is wrong with a `path` that is read here is said of the argument that it was given by."""
    try:
        yield
    except BadInput as error:
        if error.argument != "path":
            raise
        raise BadInput(argument, error.rule, error.value, error.remedy) from error


class NumericalFailure(UnstillError, ArithmeticError):
    """The numerics failed, or the data do not meet the method's assumption; `status` says how."""

    exit_code = 3

    def __init__(self, status: str, message: str):
        self.status = status
        super().__init__(message)


# Why a derivative is not finite where the value is; said wherever one is met.
NO_GRADIENT = (
    "usually a `where` around a root, logarithm or quotient, whose other branch is differentiated too: "
    "make that branch safe by a `where` inside as well (docs/gradients.md)"
)


def nearest(name: str, known) -> str:
    """A remedy that names the nearest known words: "Did you mean maze? Known: …"."""
    import difflib

    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
    hint = f"Did you mean {' or '.join(close)}? " if close else ""
    return f"{hint}Known: {', '.join(known)}."
