"""What an awkward input is: how it is made, what is asked of it, and what is right."""

import contextlib
import dataclasses
import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import unstill as us
from unstill.cli.main import main

H, W = 24, 32
_Y, _X = np.mgrid[:H, :W]
# A smooth periodic picture without a symmetry, so that turned and mirrored ones are told from it.
WAVE = 0.3 + 0.1 * np.cos(2 * np.pi * _X / 8 + 0.3) + 0.08 * np.cos(2 * np.pi * _Y / 8 + 0.4) * np.cos(np.pi * _X / 8)
BYTES = np.round(250 * WAVE / WAVE.max()).astype(np.uint8)
GREY = BYTES / 255


@dataclasses.dataclass(frozen=True)
class Case:
    """`act` makes the input in a folder and calls Unstill with it. Either what it returns is `right`, which raises
    where it is not, or it ends in a `BadInput` of this argument that names this cause. `difficulty` and `does` are the
    row of docs/awkward.md; `fault` says what is wrong still; `long` cases take seconds."""

    name: str
    difficulty: str
    does: str
    act: Callable[[Path], Any]
    right: Callable[[Any], None] | None = None
    refused: tuple[str, str] | None = None
    fault: str = ""
    long: bool = False
    kind: str = ""


def accepted(name: str, difficulty: str, does: str, act: Callable[[Path], Any], right: Callable[[Any], None], **more):
    """A case whose answer is right."""
    return Case(name, difficulty, does, act, right, **more)


def refused(name: str, difficulty: str, does: str, act: Callable[[Path], Any], argument: str, cause: str, **more):
    """A case that is refused; `does` ends the sentence "refused: …"."""
    return Case(name, difficulty, f"refused: {does}", act, refused=(argument, cause), **more)


def holds(expected: np.ndarray, tolerance: float = 0.0, name: str = "v") -> Callable[[Any], None]:
    """Whether what was loaded holds these values (H, W) or (M, H, W) under a name; the tolerance is that of a format
    that rounds."""

    def right(found: Any) -> None:
        values = np.reshape(expected, (-1, *np.shape(expected)[-2:]))
        assert found.fields[name].shape == values.shape
        np.testing.assert_allclose(found.fields[name], values, rtol=1e-12, atol=tolerance)

    return right


def says(*words: str) -> Callable[[Any], None]:
    """Whether an inspection names these as suspicious."""

    def right(found: Any) -> None:
        told = "; ".join(found.suspicious)
        for word in words:
            assert word in told, told

    return right


def ends(status: str, *words: str) -> Callable[[Any], None]:
    """Whether a result has this status, and a message with these words."""

    def right(found: Any) -> None:
        assert str(found.status) == status, (found.status, found.message)
        for word in words:
            assert word in found.message, found.message

    return right


def command(*words: str) -> tuple[int, str]:
    """The exit code of a command line, and what it says on stderr."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = main([str(word) for word in words])
    return code, said.getvalue()


@functools.cache
def spots(rows: int = 32, columns: int = 32, preset: str = "spots") -> np.ndarray:
    """A pattern at rest, (2, H, W)."""
    grid = us.Grid((rows, columns))
    found = us.simulate(us.GrayScott.make(preset), grid=grid, init="discs", steps=60_000)
    values = np.array(found.state[0])
    values.setflags(write=False)
    return values


@functools.cache
def ring(count: int = 1500) -> np.ndarray:
    """Independent points (M, 2) that turn about the origin: the density is that of a ring."""
    rng = np.random.default_rng(1)
    angle, radius = rng.uniform(0, 2 * np.pi, count), rng.uniform(0.5, 1.5, count)
    values = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    values.setflags(write=False)
    return values


def turns(size: tuple[float, float] = (1.0, 1.0)) -> Callable[[Any], None]:
    """Whether the field found is x' = −ω y, y' = ω x, in variables of these units."""

    def right(found: Any) -> None:
        assert str(found.status) == "converged", found.message
        terms = found.equations.library.names
        linear = found.coefficients[:, [terms.index(name) for name in found.variables]]
        unit = linear / np.array([[1.0, size[0] / size[1]], [size[1] / size[0], 1.0]])
        # The scale is one standard deviation per unit time of both variables together, hence √½ of each; 1,500 points
        # tell it to 0.1 % here.
        np.testing.assert_allclose(np.abs(unit), np.sqrt(0.5) * np.array([[0, 1], [1, 0]]), atol=0.005)
        assert unit[0, 1] * unit[1, 0] < 0

    return right
