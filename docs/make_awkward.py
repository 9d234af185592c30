"""Write docs/awkward.md from the collection of awkward inputs: one definition of a case, for its test and the page.

    .venv/bin/python docs/make_awkward.py

`tests/awkward/test_awkward.py` holds the page to the collection.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAD = """# Awkward inputs

Files, arrays, pictures, points and systems that trouble programs of this kind: {count} of them, each rebuilt in code and
tried at every change (`tests/awkward/`). Either the answer is right, or the input is refused in one line that names the
argument and the cause; nothing is read as something else in silence. `inspect` looks before any method works on a file
([inspect](inspect.md)); which formats are read stands under [files](files.md).

    unstill inspect: `path` must be opaque: what is seen through has no value of its own; got an alpha channel that varies. Flatten it, or name one `channel`.
    unstill discover: `points` must be nearer to the origin: terms of the library cannot be told apart there in double precision; got x around 1e+12, with a spread of 0.722956. Subtract its mean, or leave it out where it hardly varies.

What nobody can tell is not told: a mask that `np.savez` dropped before the file was written, a Zarr chunk that was lost (the
format takes it for its fill value, and `inspect` may call it saturated), decimal commas in a table of one column without a
header, a gain that keeps the sign.

"""  # noqa: E501


def text() -> str:
    """The whole page."""
    sys.path.insert(0, str(ROOT / "tests" / "awkward"))
    from cases import CASES, page

    return HEAD.format(count=len(CASES)) + page()


if __name__ == "__main__":
    (ROOT / "docs" / "awkward.md").write_text(text(), encoding="utf-8")
