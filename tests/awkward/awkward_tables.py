"""Text: points and pictures as spreadsheets, NumPy and pandas write them."""

import numpy as np
from awkward_case import WAVE, accepted, holds, refused, ring

import unstill as us

_POINTS = np.round(ring()[:40], 6)


def _text(numbers, divider=",", cell=repr, ending=""):
    return "\n".join(divider.join(cell(float(value)) for value in row) + ending for row in numbers) + "\n"


def _comma(value):
    return f"{value:.6f}".replace(".", ",")


def _points(text, encoding="utf-8"):
    def act(folder):
        (folder / "x.csv").write_bytes(text.encode(encoding))
        return us.load_points(folder / "x.csv")

    return act


def _picture(text):
    def act(folder):
        (folder / "x.csv").write_text(text, encoding="utf-8")
        return us.load(folder / "x.csv")

    return act


def _are(*names, values=_POINTS, tolerance=1e-12):
    def right(found):
        assert found.names == names
        np.testing.assert_allclose(found.x, values, rtol=tolerance)

    return right


_XY, _PLAIN = _are("x", "y"), _text(_POINTS)
_NUMBERED = _text(np.column_stack([np.arange(len(_POINTS)), _POINTS]), cell=lambda v: f"{v:g}")
_CELLS = np.round(WAVE, 5)

TABLES = (
    accepted("semicolons", "semicolons", "the same points", _points("x;y\n" + _text(_POINTS, ";")), _XY),
    accepted(
        "decimal-comma", "decimal commas between semicolons", "the same points",
        _points("x;y\n" + _text(_POINTS, ";", _comma)), _XY,
    ),
    accepted(
        "decimal-comma-tabs", "decimal commas between tabs", "the same points",
        _points("x\ty\n" + _text(_POINTS, "\t", _comma)), _XY,
    ),
    accepted(
        "decimal-comma-spaces", "decimal commas between spaces", "the same points",
        _points("x y\n" + _text(_POINTS, " ", _comma)), _XY,
    ),
    refused(
        "decimal-comma-alone", "decimal commas in one column", "each would be two columns",
        _points("x\n" + _text(_POINTS[:, :1], cell=lambda v: _comma(abs(v)))), "points", "Decimal commas",
    ),
    refused(
        "thousands", "thousands with commas, quoted", "a number or several, nobody says",
        _points("x,y\n" + '"1,257.30","2,000.00"\n"3,257.10","1,000.50"\n'), "points", "separators of thousands",
    ),
    refused(
        "comma-or-thousand", "`1,234;5,678` throughout", "a decimal comma or a thousand",
        _points("x;y\n1,234;5,678\n2,345;6,789\n"), "points", "separators of thousands",
    ),
    accepted(
        "fortran-exponents", "exponents of Fortran, 1.5D-01", "the same points",
        _points("x,y\n" + _text(_POINTS, cell=lambda v: f"{v:.9e}".replace("e", "D"))), _XY,
    ),
    accepted(
        "bom", "a mark of byte order before the header", "no part of the name", _points("x,y\n" + _PLAIN, "utf-8-sig"),
        _XY,
    ),
    accepted(
        "utf-16", "UTF-16, as Excel's Unicode text", "the same points",
        _points("x\ty\n" + _text(_POINTS, "\t"), "utf-16"), _XY,
    ),
    refused("latin-1", "Latin-1 in the header", "not UTF-8", _points("größe,y\n" + _PLAIN, "latin-1"), "path", "UTF-8"),
    accepted(
        "old-line-ends", "lines that end in a carriage return alone", "the same points",
        _points(("x,y\n" + _PLAIN).replace("\n", "\r")), _XY,
    ),
    accepted(
        "savetxt", "`# x y`, as np.savetxt writes a header", "the names are x and y",
        _points("# x y\n" + _text(_POINTS, " ")), _XY,
    ),
    accepted(
        "remarks", "remarks above the header", "passed over", _points("# measured\n% by hand\nx,y\n" + _PLAIN), _XY,
    ),
    refused(
        "two-headers", "a line of units below the names", "not numbers", _points("x,y\nmm,mm\n" + _PLAIN), "points",
        "'mm' in line 2",
    ),
    refused(
        "index", "an index column of pandas", "it has no name", _points(",x,y\n" + _NUMBERED), "names", "index=False",
    ),
    refused(
        "numbered", "an index column without a header", "it grows evenly", _points(_NUMBERED), "points",
        "row number or a time",
    ),
    refused(
        "column-numbers", "a header 0,1 of pandas", "it would be a point", _points("0,1\n" + _PLAIN), "points",
        "numbers of the columns",
    ),
    refused("missing", "an empty cell", "where it is", _points("x,y\n1.5,\n" + _PLAIN), "points", "column 2, line 2"),
    refused(
        "absent", "NA for a missing value", "where it is", _points("x,y\n1.5,NA\n" + _PLAIN), "points",
        "'NA' in column 2",
    ),
    refused(
        "nan", "nan for a missing value", "not finite, and where", _points("x,y\n1.5,nan\n" + _PLAIN), "points",
        "point 0, y",
    ),
    accepted(
        "trailing-comma", "a comma at the end of every line", "no further column",
        _points("x,y,\n" + _text(_POINTS, ending=",")), _XY,
    ),
    refused(
        "header-again", "two files put together, header and all", "not numbers",
        _points("x,y\n" + _PLAIN + "x,y\n" + _PLAIN), "points", "'x' in line 42",
    ),
    refused(
        "words", "a column of words", "not numbers", _points("x,y,who\n" + _text(_POINTS, ending=",me")), "points",
        "'me'",
    ),
    refused("name-twice", "two columns of one name", "each once", _points("x,x\n" + _PLAIN), "names", "once"),
    accepted(
        "quoted-name", "a name with a comma, in quotes", "one name", _points('"x, mm",y\n' + _PLAIN),
        _are("x, mm", "y"),
    ),
    accepted(
        "csv-picture", "a picture with decimal commas and semicolons", "the same picture",
        _picture(_text(_CELLS, ";", _comma)), holds(_CELLS),
    ),
    accepted(
        "csv-remark", "a picture under a remark", "the same picture", _picture("# my field\n" + _text(_CELLS)),
        holds(_CELLS),
    ),
    refused(
        "csv-column-numbers", "a picture under the numbers of its columns", "they would be its first row",
        _picture(",".join(map(str, range(32))) + "\n" + _text(_CELLS)), "path", "numbers of the columns",
    ),
    refused(
        "csv-row-numbers", "a picture beside the numbers of its rows", "they would be its first column",
        _picture("\n".join(f"{i},{line}" for i, line in enumerate(_text(_CELLS).splitlines(), 1))), "path",
        "first column",
    ),
    refused(
        "csv-long", "a picture as a list of x, y, value", "not a picture",
        _picture("x,y,v\n" + "\n".join(f"{j},{i},{_CELLS[i, j]}" for i in range(24) for j in range(32))), "path",
        "without a header",
    ),
)  # fmt: skip
