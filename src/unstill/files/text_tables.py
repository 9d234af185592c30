"""Tables of numbers as text, `.csv`, as spreadsheets, NumPy and pandas write them; what reads two ways is refused."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .._errors import BadInput
from .arrays import MOST_ELEMENTS, decoding, refuse_disguised

_MOST_VARIABLES = 1000
_COMMENTS = ("#", "%")  # of NumPy, of MATLAB
_ABSENT = ("", "na", "n/a", "null", "none", "-", "?", "#n/a")
_WITH_COMMA = re.compile(r"[+-]?\d*,\d*(?:[eE][+-]?\d+)?")  # one comma, for the decimal point
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")  # which may be a thousand as well
_FORTRAN = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))[dD]([+-]?\d+)")

Line = tuple[int, str]  # its number in the file, and its text


def read_table(file: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """The numbers of a `.csv` (M, D) and the names in its header, none where it has none; raises `BadInput`.

    Commas, semicolons, tabs or white space divide the columns. Semicolons and tabs leave the comma free to be the
    decimal point, which it is where all cells allow no other reading.
    """
    lines, remark = _uncommented(_lines(file))
    if not lines:
        raise BadInput("points", "must hold lines of numbers", file)
    divider = _divider(lines[-1][1])  # of a line of numbers: names may hold anything
    with decoding(file):
        rows = [(number, _cells(line, divider)) for number, line in lines]
    rows = _without_last_column(rows)
    header = not all(map(is_number, _plain_cells(rows[:1])[0][1]))
    if len(rows[0][1]) > _MOST_VARIABLES:
        raise BadInput("points", f"must have at most {_MOST_VARIABLES} columns", f"{len(rows[0][1])} in {file}")
    if header and len(rows) == 1:
        raise BadInput("points", "must hold lines of numbers below the header", file)
    if not header:
        _refuse_numbered(rows, file)
    names = tuple(rows[0][1]) if header else _names_of(remark, divider, len(rows[0][1]))
    _check_names(names, file)
    width, rows = len(rows[0][1]), _plain_cells(rows[int(header) :])
    return np.array([_numbers(file, number, cells, width) for number, cells in rows]), names


def _refuse_numbered(rows: list[tuple[int, list[str]]], file: Path) -> None:
    """Raise `BadInput` for a header 0,1,2 of pandas over numbers that are not whole: it would be read as a point."""
    first, later = rows[0][1], rows[1][1] if len(rows) > 1 else []
    if len(first) > 1 and first == [str(i) for i in range(len(first))] and any("." in cell for cell in later):
        told = f"{','.join(first)[:40]} in line {rows[0][0]} of {file}"
        raise BadInput("points", "must not begin with the numbers of the columns", told, "Name them, or leave it out.")


def is_number(word: str) -> bool:
    """Whether a cell holds a number."""
    return _number(word) is not None


def _lines(file: Path) -> list[Line]:
    """Lines that are not blank, of text in UTF-8, or in UTF-16 with its mark."""
    if file.stat().st_size > 8 * MOST_ELEMENTS:
        raise BadInput("points", f"must hold at most {MOST_ELEMENTS:.0e} values", file)
    with open(file, "rb") as stream:
        wide = stream.read(2) in (b"\xff\xfe", b"\xfe\xff")
    try:
        with open(file, encoding="utf-16" if wide else "utf-8-sig", newline="") as stream:
            lines = [(number, line.rstrip("\r\n")) for number, line in enumerate(stream, 1) if line.strip()]
        if lines and "\0" in lines[0][1]:  # UTF-16 without its mark
            raise UnicodeError("zeros between letters")
        return lines
    except UnicodeError as error:
        refuse_disguised(file, f"must be a whole {file.suffix} file", error)
        raise BadInput("path", "must be text in UTF-8", f"{error} in {file}"[:200], "Save it as UTF-8.") from error


def _uncommented(lines: Sequence[Line]) -> tuple[list[Line], str]:
    """Lines without remarks, and the last remark before them: NumPy writes the names of columns as one."""
    rest = [(number, line) for number, line in lines if not line.lstrip().startswith(_COMMENTS)]
    before = [line for number, line in lines if not rest or number < rest[0][0]]
    return rest, before[-1].lstrip(" \t#%").strip() if before else ""


def _names_of(remark: str, divider: str | None, width: int) -> tuple[str, ...]:
    """A remark's words where they are as many as the columns; a remark of one word over one column is none."""
    words = _cells(remark, divider) if remark else []
    return tuple(words) if len(words) == width > 1 and not all(map(is_number, words)) else ()


def _check_names(names: Sequence[str], file: Path) -> None:
    if names and not all(names):
        place = next(i for i, name in enumerate(names, 1) if not name)
        remedy = "An index of pandas? Write the table with index=False." if place == 1 else "Name it."
        raise BadInput("names", "must name every column", f"none for column {place} of {file}", remedy)


def _divider(line: str) -> str | None:
    """What stands between the columns; `None` for any white space. A single column has commas, too."""
    words = line.split()
    if ";" in line or "\t" in line:
        return ";" if ";" in line else "\t"
    if "," in line and not (len(words) > 1 and all(map(_WITH_COMMA.fullmatch, words))):
        return ","
    return "," if len(words) == 1 else None


def _cells(line: str, divider: str | None) -> list[str]:
    """The cells of one line, quoted or not."""
    if divider is None:
        return [word.strip("\"'") for word in line.split()]
    return [cell.strip() for cell in next(csv.reader([line], delimiter=divider, skipinitialspace=True, strict=True))]


def _without_last_column(rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Some programs end every line by what divides the columns: an empty last column is none."""
    width = len(rows[-1][1])
    ends = [cells[-1] for _, cells in rows if len(cells) == width]
    if width < 2 or any(ends) or len(ends) < len(rows) - 1:
        return rows
    return [(number, cells[: width - 1]) for number, cells in rows]


def _plain_cells(rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Decimal commas as points, where every cell that has a comma can be read so and one can be read so only."""
    commas = [cell for _, cells in rows for cell in cells if "," in cell]
    if not commas or not all(map(_WITH_COMMA.fullmatch, commas)) or all(map(_GROUPED.fullmatch, commas)):
        return rows
    return [(number, [cell.replace(",", ".") for cell in cells]) for number, cells in rows]


def _numbers(file: Path, number: int, cells: list[str], width: int) -> list[float]:
    where = f"line {number} of {file}"
    if len(cells) != width:
        raise BadInput("points", f"must have {width} columns in every line", f"{len(cells)} in {where}", _doubt(cells))
    found = [_number(cell) for cell in cells]
    for place, (value, cell) in enumerate(zip(found, cells, strict=True), 1):
        if value is not None:
            continue
        if cell.lower() in _ABSENT:
            told = f"{cell!r} in column {place}, {where}"
            raise BadInput("points", "must have a number in every cell", told, "Leave lines with missing values out.")
        raise BadInput("points", "must be numbers", f"{cell[:40]!r} in {where}", _doubt([cell]))
    return [value for value in found if value is not None]


def _number(word: str) -> float | None:
    """A cell's number; Fortran's 1.5D-3 is one."""
    if match := _FORTRAN.fullmatch(word):
        word = f"{match[1]}e{match[2]}"
    try:
        return float(word)
    except ValueError:
        return None


def _doubt(cells: Sequence[str]) -> str:
    """What may be meant by cells that are no numbers."""
    text = " ".join(cells)
    if "," in text or re.search(r"\d'\d", text):
        return "Write numbers with a decimal point and without separators of thousands."
    if re.search(r"[A-Za-z]", text):
        return "One line of names may stand above the numbers, and remarks that begin with #."
    return "Decimal commas? Write numbers with a decimal point." if all(c.lstrip("+-").isdigit() for c in cells) else ""
