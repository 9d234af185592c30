"""Arrays with named axes → `Snapshots`, filled block by block: little memory is needed beyond what is kept."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._errors import BadInput
from ..observations.snapshots import Measures, Snapshots
from .arrays import MOST_ELEMENTS, decoding
from .choosing import Choice, Part, check_axes, parts_of, relabelled
from .pictures import channels_of, decoded_pictures, grey_values, scale_integers
from .stacks import Stack

if TYPE_CHECKING:
    from ..systems import Grid

Opener = Callable[[Path], AbstractContextManager[list[Stack]]]
_SQUARE = 1e-3  # sides of a cell that differ by less are equal


def read_snapshots(
    path: Path, opener: Opener, choice: Choice, names: tuple[str, ...] | None, colormap: str = "auto"
) -> Snapshots:
    """What a file holds as fields; raises `BadInput`, see `load`."""
    with decoding(path), opener(path) as stacks:
        if not stacks:
            raise BadInput("path", "must hold an array of numbers of two axes or more", path)
        parts = parts_of(relabelled(stacks, choice), choice, names, path)
        for stack, _ in parts.values():
            check_axes(stack)
        first = next(iter(parts.values()))[0]
        _check_together(parts, path)
        coloured = [stack for stack, place in parts.values() if stack.size("S") > 1 and place is None]
        if coloured:
            return _of_colours(next(iter(parts)), first, choice, colormap)
        fields = {name: _filled(name, part, choice) for name, part in parts.items()}
        absolute = all(stack.dtype.kind not in "iu" for stack, _ in parts.values())
        return _stated(Snapshots(fields, source=str(path), absolute=absolute, gaps=choice.gaps), first, choice)


def _check_together(parts: Mapping[str, Part], path: Path) -> None:
    """Raise `BadInput` for fields of which the file holds different numbers of pictures."""
    shapes = {name: {a: stack.size(a) for a in "MTYX"} for name, (stack, _) in parts.items()}
    if len({tuple(each.values()) for each in shapes.values()}) > 1:
        told = ", ".join(f"{name} {tuple(each.values())}" for name, each in shapes.items())
        raise BadInput("fields", "must all have one shape (M, T, H, W)", f"{told} in {path}")


def places_of(stack: Stack, choice: Choice) -> Sequence[int]:
    """Which places of the axis of frames, or of samples, are wanted; raises `BadInput`."""
    letter = lead_of(stack)
    if choice.frames is not None and letter not in stack.axes:
        raise BadInput("frames", "must be left out of what holds one picture", stack.path)
    return _chosen("frames", choice.frames, stack.size(letter), stack)


def trajectories_of(stack: Stack, choice: Choice) -> Sequence[int]:
    """Which samples of several frames each are wanted; raises `BadInput`."""
    several = lead_of(stack) == "T" and "M" in stack.axes
    if choice.trajectory is not None and not several:
        told = f"{stack} in {stack.path}"
        rule = "must be left out of what does not hold samples of several frames each"
        raise BadInput("trajectory", rule, told, "`frames` chooses pictures.")
    return _chosen("trajectory", choice.trajectory, stack.size("M") if several else 1, stack)


def _chosen(argument: str, given: slice | int | None, count: int, stack: Stack) -> Sequence[int]:
    if given is None:
        return range(count)
    try:
        chosen = range(count)[given]
    except IndexError:
        chosen = range(0)
    places = (chosen,) if isinstance(chosen, int) else tuple(sorted(chosen))
    if not places:
        raise BadInput(argument, f"must lie within the {count} of {stack.path}", repr(given))
    return places


def lead_of(stack: Stack) -> str:
    """The axis along which there are pictures: time, or samples where there is none."""
    return "T" if stack.size("T") > 1 or "M" not in stack.axes else "M"


def _parts(part: Part, choice: Choice, keep: str):
    """Blocks (N, H, W) or, with S in `keep`, (N, H, W, S), and how many pictures there are in all."""
    stack, place = part
    lead = lead_of(stack)
    other = "M" if lead == "T" else "T"
    channel = "C" if stack.size("C") > 1 or "S" not in stack.axes else "S"
    fixed = {a: 0 for a in stack.axes if a not in (lead, other, "Y", "X", *keep)}
    if place is not None:
        fixed[channel] = place
    left = [a for a in stack.axes if a not in (lead, *fixed) and a != other]
    order = [0, *(1 + left.index(a) for a in ("Y", "X", *keep))]
    places, samples = places_of(stack, choice), trajectories_of(stack, choice)
    count = len(places) * len(samples)
    if count * stack.size("Y") * stack.size("X") * (stack.size("S") if keep else 1) > MOST_ELEMENTS:
        told = f"{count} pictures of {stack} in {stack.path}"
        rule = f"must be read in parts of at most {MOST_ELEMENTS:.0e} values"
        raise BadInput("path", rule, told, "Pass `frames=0:100`, or, of several trajectories, `trajectory=0`.")

    def blocks():
        for m in samples:
            for block in stack.blocks(lead, places, fixed | ({other: m} if other in stack.axes else {})):
                yield np.transpose(block, order)

    return count, blocks()


def _filled(name: str, part: Part, choice: Choice) -> np.ndarray:
    """A field's values (M, H, W) as float64."""
    stack = part[0]
    count, blocks = _parts(part, choice, "")
    values, done = np.empty((count, stack.size("Y"), stack.size("X"))), 0
    for block in blocks:
        values[done : done + len(block)] = grey_values(block) if stack.grey else scale_integers(name, block)
        done += len(block)
    return values


def _of_colours(name: str, stack: Stack, choice: Choice, colormap: str) -> Snapshots:
    values, palette = decoded_pictures([colours(stack, choice)], colormap, stack.path)
    floats = palette is None and stack.dtype.kind == "f"
    absolute = floats if palette is None else palette.is_absolute
    made = Snapshots({name: values}, source=str(stack.path), absolute=absolute, palette=palette, gaps=choice.gaps)
    return _stated(made, stack, choice, 1 if palette is None else palette.factor)


def colours(stack: Stack, choice: Choice) -> np.ndarray:
    """Pictures (M, H, W), or (M, H, W, 3) where the channels differ, of a stack with an axis of colours or none."""
    check_axes(stack)
    if stack.size("C") > 1:
        parts_of([stack], Choice(), None, stack.path)  # refuses
    keep = "S" if "S" in stack.axes else ""
    _, blocks = _parts((stack, None), choice, keep)
    parts = list(blocks)
    values = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return channels_of(values, last=bool(keep))


def _stated(found: Snapshots, stack: Stack, choice: Choice, factor: int = 1) -> Snapshots:
    """With what the file states of cells, time and borders; raises `BadInput` for cells that are not square."""
    places = places_of(stack, choice)
    apart = {b - a for a, b in itertools.pairwise(places)}
    interval = None if stack.interval is None or not apart else stack.interval * apart.pop()
    dx = None
    if stack.pixel is not None:
        rows, columns = stack.pixel
        if abs(rows - columns) > _SQUARE * columns:
            sides = f"{rows:g} × {columns:g} {stack.unit}".strip()
            raise BadInput("path", "must have square pixels", f"{sides} in {stack.path}", "Resample the pictures.")
        dx = columns * factor
    samples = trajectories_of(stack, choice)
    known = {name: _of_samples(value, samples) for name, value in stack.parameters.items()}
    measures = Measures(dx, stack.unit if dx else "", interval, stack.time_unit if interval else "", known)
    ordered = "T" in stack.axes and len(places) > 1 and lead_of(stack) == "T" and len(samples) == 1
    grid = grid_of(found.shape, dx, stack.boundary) if dx and stack.boundary else None
    return dataclasses.replace(found, grid=grid, measures=measures, ordered=ordered)


def _of_samples(value: float | tuple[float, ...], samples: Sequence[int]) -> float | tuple[float, ...]:
    """A parameter of the samples that are read: one number where all have the same."""
    if not isinstance(value, tuple):
        return value
    chosen = tuple(value[m] for m in samples) if max(samples) < len(value) else value
    return chosen[0] if len(set(chosen)) == 1 else chosen


def grid_of(shape: tuple[int, int], dx: Any, boundary: Any, laplacian: Any = None) -> Grid:
    """The grid that a file states, with the five-point Laplacian where it states none; raises `BadInput`."""
    from ..systems import Grid
    from ..systems.grid import FIVE_POINT

    try:
        dx = float(dx)
    except (TypeError, ValueError) as error:
        raise BadInput("dx", "must be one number", f"{dx!r}") from error
    return Grid(shape, dx, str(boundary), str(laplacian or FIVE_POINT))
