"""What a user says of a file that does not say it: axes, channel, trajectory, frames, which array is which."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from .._errors import BadInput, nearest
from .stacks import LEAST_CELLS, LETTERS, TOLD, Stack

Part = tuple[Stack, int | None]  # an array, and the place in its axis of fields or colours
_CONVENTION = {1: ("v",), 2: ("u", "v"), 3: ("u", "v", "w")}
_EXAMPLES = {2: ("YX", "XY"), 3: ("TYX", "MYX", "CYX"), 4: ("TCYX", "MCYX", "CTYX"), 5: ("TCZYX", "MTCYX")}


@dataclasses.dataclass(frozen=True)
class Choice:
    """The options, checked as far as that needs no file; with `gaps`, NaN are pixels that are not seen."""

    axes: str = ""
    channel: str = ""
    frames: slice | int | None = None
    trajectory: slice | int | None = None
    fields: Mapping[str, str] = dataclasses.field(default_factory=dict)
    gaps: bool = dataclasses.field(default=False, kw_only=True)

    @classmethod
    def of(
        cls, axes: Any, channel: Any, frames: Any, fields: Any, trajectory: Any = None, gaps: bool = False
    ) -> Choice:
        """From what a call gave; raises `BadInput`."""
        if channel not in (None, "") and fields:
            raise BadInput("channel", "must be left out where `fields` are given", repr(channel))
        told = "" if channel is None else str(channel).strip()
        places = {name: _places(name, given) for name, given in (("frames", frames), ("trajectory", trajectory))}
        return cls(_axes(axes), told, fields=_fields(fields), gaps=gaps, **places)

    @property
    def given(self) -> str:
        """The name of an option that tells how to read, and was given, or ""."""
        options = [each.name for each in dataclasses.fields(self) if not each.kw_only]
        return next((name for name in options if getattr(self, name) not in ("", None, {})), "")

    def refuse(self, why: str) -> None:
        """Raise `BadInput` for a source that needs no such options."""
        if self.given:
            raise BadInput(self.given, f"must be left out: {why}", repr(getattr(self, self.given)))


def _axes(axes: Any) -> str:
    letters = "" if axes is None else str(axes).strip().upper()
    if axes is not None and (
        set(letters) - LETTERS.keys() or len(set(letters)) < len(letters) or not {"Y", "X"} <= set(letters)
    ):
        rule = f"must name Y, X and others of {TOLD}, each once, in the file's order"
        raise BadInput("axes", rule, repr(axes), "For example TCYX.")
    return letters


def _places(argument: str, given: Any) -> slice | int | None:
    """`7`, `10:`, `:50`, `0:100:5` or a slice."""
    if given is None or isinstance(given, slice):
        return given
    try:
        numbers = [int(word) if word.strip() else None for word in str(given).split(":")]
        if len(numbers) > 3 or (len(numbers) == 1 and numbers[0] is None) or numbers[2:] == [0]:
            raise ValueError
    except ValueError:
        rule = "must be a place, or START:STOP or START:STOP:STEP, from 0 on"
        raise BadInput(argument, rule, repr(given), "For example 10:50.") from None
    return numbers[0] if len(numbers) == 1 else slice(*numbers)


def _fields(fields: Any) -> dict[str, str]:
    """`u=0,v=1`, `u=/run/a`, or a mapping."""
    if fields is None:
        return {}
    remedy = "For example u=0,v=1."
    if isinstance(fields, Mapping):
        pairs = [(str(name), str(place)) for name, place in fields.items()]
    else:
        words = [word.strip() for word in str(fields).split(",")]
        if not all("=" in word for word in words):
            raise BadInput("fields", "must be NAME=CHANNEL or NAME=ARRAY, divided by commas", repr(fields), remedy)
        pairs = [(name.strip(), place.strip()) for name, _, place in (word.partition("=") for word in words)]
    names = [name for name, _ in pairs]
    if not pairs or not all(name and place for name, place in pairs) or len(set(names)) < len(names):
        raise BadInput("fields", "must name each field once, with its place", repr(fields), remedy)
    return dict(pairs)


def relabelled(stacks: Sequence[Stack], choice: Choice) -> list[Stack]:
    """The arrays with the axes that the user names, where they have so many; raises `BadInput` where none has."""
    if not choice.axes:
        return list(stacks)
    fit = [len(stack.shape) == len(choice.axes) for stack in stacks]
    if not any(fit):
        shapes = ", ".join(str(stack.shape) for stack in stacks[:4])
        raise BadInput("axes", "must have one letter for each axis of the file", f"{choice.axes!r} for {shapes}")
    return [
        dataclasses.replace(stack, axes=choice.axes, convention=True) if fits else stack
        for stack, fits in zip(stacks, fit, strict=True)
    ]


def parts_of(stacks: Sequence[Stack], choice: Choice, names: tuple[str, ...] | None, source: Any) -> dict[str, Part]:
    """Which array, and which of its channels, is which field; raises `BadInput` where that is not said."""
    if choice.fields:
        return {name: _place(stacks, place, source) for name, place in choice.fields.items()}
    if choice.channel:
        stack = _only(stacks, "channel", source)
        return {_one_name(names, stack): (stack, channel_of(stack, choice.channel, "channel"))}
    if len(stacks) > 1:
        return _by_name(stacks, names, source)
    (stack,) = stacks
    if stack.size("C") == 1:
        return {_one_name(names, stack): (stack, None)}
    labels = _labels(stack, names)
    parts = {label: (stack, i) for i, label in enumerate(labels)}
    return {name: parts[name] for name in _known(names or labels, parts, source)}


def _place(stacks: Sequence[Stack], place: str, source: Any) -> Part:
    """An array by its path or the end of it, or a channel of the only array."""
    bare = place.strip("/")
    found = [s for s in stacks if s.name and (s.name == bare or s.name.endswith(f"/{bare}"))]
    exact = [s for s in found if s.name == bare] or found
    if len(exact) == 1:
        return exact[0], None
    return _one_channel(_only(stacks, "fields", source, place), place)


def _one_channel(stack: Stack, place: str) -> Part:
    return stack, channel_of(stack, place, "fields")


def _only(stacks: Sequence[Stack], argument: str, source: Any, place: str = "") -> Stack:
    several = [stack for stack in stacks if {"C", "S"} & set(stack.axes)] or stacks
    if len(several) > 1:
        listed = f"{f'{place} of ' if place else ''}{source}, which holds {_listed(stacks)}"
        first = several[0].name
        raise BadInput(argument, "must name one array", listed, f"Pass `fields=v={first}`.")
    return several[0]


def channel_of(stack: Stack, place: str, argument: str) -> int:
    """A channel's place, by number or name; raises `BadInput`."""
    letter = "C" if stack.size("C") > 1 or "S" not in stack.axes else "S"
    count = stack.size(letter)
    if place in stack.channels:
        return stack.channels.index(place)
    if letter not in stack.axes:
        rule = (
            "must name arrays of the file" if argument == "fields" else "must be left out: there is no axis of channels"
        )
        raise BadInput(argument, rule, f"{place!r} for {stack} in {stack.path}")
    if not place.isdecimal() or int(place) >= count:
        known = f" or {', '.join(stack.channels)}" if stack.channels else ""
        raise BadInput(argument, f"must be a channel from 0 to {count - 1}{known}", f"{place!r} for {stack.path}")
    return int(place)


def _by_name(stacks: Sequence[Stack], names: tuple[str, ...] | None, source: Any) -> dict[str, Part]:
    """Each array as the field of its name."""
    leaves = [stack.name.rpartition("/")[2] for stack in stacks]
    labels = [leaf if leaves.count(leaf) == 1 else stack.name for leaf, stack in zip(leaves, stacks, strict=True)]
    parts: dict[str, Part] = {label: (stack, None) for label, stack in zip(labels, stacks, strict=True)}
    chosen = {name: parts[name] for name in _known(names or tuple(labels), parts, source)}
    sizes = {(stack.size("Y"), stack.size("X")) for stack, _ in chosen.values()}
    if len(sizes) > 1 or any(stack.size("C") > 1 for stack, _ in chosen.values()):
        rule = "must say which arrays are the fields: they differ in shape"
        raise BadInput("fields", rule, f"{_listed(stacks)} in {source}", f"Pass `fields=v={stacks[0].name}`.")
    return chosen


def _known(names: Sequence[str], parts: Mapping[str, Part], source: Any) -> Sequence[str]:
    for name in names:
        if name not in parts:
            remedy = f"{nearest(name, parts)} `fields={name}=…` names one."
            raise BadInput("observe", f"must name arrays of {source}", repr(name), remedy)
    return names


def _labels(stack: Stack, names: tuple[str, ...] | None) -> tuple[str, ...]:
    """Names of the fields along C."""
    count = stack.size("C")
    if stack.channels:
        return stack.channels
    if names and len(names) == count:
        return names
    if stack.convention and count in _CONVENTION:
        return _CONVENTION[count]
    if stack.convention:
        remedy = "Pass one name a field, or, where its axes are others, `axes=MYXC`, say."
        raise BadInput("observe", f"must name the {count} fields of the state", names, remedy)
    rule = f"must say which of the {count} channels is the field"
    raise BadInput("channel", rule, f"{stack} in {stack.path}", "Pass `channel=0`, or `fields=u=0,v=1`.")


def _one_name(names: tuple[str, ...] | None, stack: Stack) -> str:
    """The name of the only field: what the user says where the file says nothing."""
    own = stack.name.rpartition("/")[2]
    if names and len(names) > 1:
        what = f"an array {stack}, which holds one field," if stack.axes else "pictures, which hold one field,"
        remedy = "Save the fields as named arrays in one .npz, or as (M, C, H, W); or name the axes, as `axes=CYX`."
        raise BadInput("observe", f"must name one field for {what} in {stack.path}", ",".join(names), remedy)
    if names and own and names[0] != own:
        raise BadInput(
            "observe",
            f"must name arrays of {stack.path}",
            repr(names[0]),
            f"Known: {own}. Pass `fields={names[0]}={own}`.",
        )
    return names[0] if names else own or "v"


def _listed(stacks: Sequence[Stack]) -> str:
    more = f", … {len(stacks) - 6} more" if len(stacks) > 6 else ""
    return ", ".join(f"{stack.name} {stack.shape}" for stack in stacks[:6]) + more


def check_axes(stack: Stack) -> None:
    """Raise `BadInput` for axes that nobody has named, or that no picture has."""
    shape = stack.shape
    if len(shape) < 2:
        raise BadInput("state", "must have the shape (H, W), (M, H, W) or (M, C, H, W)", f"shape {shape}")
    if "?" in stack.axes or not {"Y", "X"} <= set(stack.axes):
        short = len(shape) == 3 and shape[-1] < LEAST_CELLS
        last = len(shape) == 3 and not short and shape[0] == shape[1]
        examples = ("YXC", "YXS", "YXT") if short else ("YXT", "YXM") if last else _EXAMPLES.get(len(shape), ("TCYX",))
        rule = f"must be named, of {TOLD}: neither the file nor its shape tells them"
        remedy = f"Pass {' or '.join(f'`axes={each}`' for each in examples)}."
        raise BadInput("axes", rule, f"shape {shape} in {stack.path}", remedy)
    if stack.size("Z") > 1:
        free = next(letter for letter in "TM" if letter not in stack.axes or stack.size(letter) == 1)
        other = "".join(free if a == "Z" else a for a in stack.axes if a != free)
        rule = "must have no depth: patterns of three dimensions are not supported"
        remedy = f"Pass `axes={other}` where the {stack.size('Z')} planes are {LETTERS[free]}."
        raise BadInput("axes", rule, f"{stack} in {stack.path}", remedy)
