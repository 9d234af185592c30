"""Files that lie, are cut short or hold no data, and good ones beside them: what verbs are tried with."""

import io
import json
import pickle
import struct
import zlib
from pathlib import Path

import jax
import numpy as np

from unstill.flows.arrays import flow_arrays, score_arrays
from unstill.flows.fields import FIELDS
from unstill.flows.flow import Flows
from unstill.flows.networks import MLP
from unstill.flows.score import Normal, Score

_RNG = np.random.default_rng(7)
PLANE = _RNG.standard_normal((40, 2))
SPACE = _RNG.standard_normal((40, 3))
PICTURES = _RNG.random((2, 16, 16))


class Bomb:
    """Unpickling it leaves a file behind: the proof that somebody did."""

    def __reduce__(self):
        return (Path.touch, (Path("unpickled"),))


def npy(values) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=True)
    return stream.getvalue()


def npz(**arrays) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def npz_of(**members: bytes) -> bytes:
    """An archive of raw members."""
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return stream.getvalue()


def header(shape: str, descr: str = "<f8", order: str = "False") -> bytes:
    """An .npy header without values."""
    text = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def png_of(width: int, height: int, pixels: bytes = b"") -> bytes:
    """A PNG that claims a size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


BOMB = np.array([Bomb(), 1.0], object)
WHOLE = npz(x=PLANE)
HOLE = np.where(PLANE > 1.5, np.nan, PLANE)

# name → (content, words that the one line must hold); a content of None is no file at all.
POINTS = {
    "no-such.csv": (None, ["existing file", "no-such.csv"]),
    "no-suffix": (b"1 2\n3 4\n", ["must end in", "no-suffix"]),
    "empty.csv": (b"", ["lines of numbers"]),
    "header-only.csv": (b"x,y\n", ["below the header"]),
    "ragged.csv": (b"x,y\n1,2\n3\n", ["2 columns", "line 3"]),
    "words.csv": (b"x,y\n1,2\n3,four\n", ["must be numbers", "'four' in line 3"]),
    "formula.csv": (b"x,y\n1,2\n=1+1,3\n", ["must be numbers", "'=1+1'"]),
    "nan.csv": (b"x,y\n1,2\n3,nan\n4,1\n", ["must be finite", "point 1, y"]),
    "infinite.csv": (b"x,y\n1,2\n3,1e999\n4,1\n", ["must be finite", "point 1, y"]),
    "latin.csv": (b"temp\xe9rature,y\n1,2\n", ["text in UTF-8"]),
    "utf16.csv": ("x,y\n1,2\n".encode("utf-16-le"), ["text in UTF-8"]),
    "zeros.csv": (b"\x00" * 50, []),
    "constant.csv": (b"x,y\n1,2\n1,3\n1,5\n", ["x = 1 everywhere"]),
    "twice.csv": (b"x,y\n1,2\n2,4\n3,6\n5,10\n", ["variable twice", "x and y"]),
    "same-names.csv": (b"x,x\n1,1\n2,3\n", ["name each"]),
    "wide.csv": (b",".join([b"1"] * 1001) + b"\n", ["at most 1000 columns"]),
    "truncated.npz": (WHOLE[: len(WHOLE) // 2], ["whole .npz"]),
    "rotten.npz": (WHOLE[:200] + b"\xff" + WHOLE[201:], []),
    "no-zip.npz": (b"PK\x03\x04 and so on", ["whole .npz"]),
    "no-arrays.npz": (npz(), ["x of shape (M, D)", "no arrays"]),
    "unequal.npz": (npz(p=PLANE[:, 0], q=PLANE[:5, 1]), ["x of shape (M, D)", "q (5,)"]),
    "numbered.npz": (npz(x=PLANE, names=np.arange(2)), ["array of texts"]),
    "more-names.npz": (npz(x=PLANE, names=np.array(["a", "b", "c"])), ["name each of the 2"]),
    "pickled.npz": (npz(x=BOMB), ["never unpickled"]),
    "pickled.npy": (npy(BOMB), ["never unpickled"]),
    "bare-pickle.npy": (pickle.dumps(Bomb()), ["whole .npy"]),
    "bare-pickle.npz": (pickle.dumps(Bomb()), ["whole .npz"]),
    "truncated.npy": (npy(PLANE)[:-8], ["must be whole"]),
    "cut-header.npy": (b"\x93NUMPY\x01\x00", ["whole .npy"]),
    "boundless.npy": (header("(1000000000000000, 2)"), ["at most"]),
    "negative.npy": (header("(-3, 2)"), ["without negative"]),
    "bomb.npz": (npz_of(x=header("(100000000, 2)") + bytes(10)), ["must be whole"]),
    "nan.npy": (npy(HOLE), ["must be finite"]),
    "one-axis.npy": (npy(PLANE[:, 0]), ["shape (M, D)", "(40,)"]),
    "three-axes.npy": (npy(PICTURES), ["shape (M, D)", "(2, 16, 16)"]),
    "no-points.npy": (npy(np.zeros((0, 2))), ["shape (M, D)", "(0, 2)"]),
    "complex.npy": (npy(PLANE * 1j), ["real numbers", "complex128"]),
    "texts.npy": (npy(np.array([["a", "b"]])), ["real numbers"]),
}

_FIELDS = npz(v=PICTURES)
PICTURE_FILES = {
    "no-such.npz": (None, ["existing file", "no-such.npz"]),
    "notes.txt": (b"hello", ["must end in"]),
    "truncated.npz": (_FIELDS[: len(_FIELDS) // 2], ["whole .npz"]),
    "rotten.npz": (_FIELDS[:300] + b"\xff\xff" + _FIELDS[302:], ["whole .npz"]),
    "no-arrays.npz": (npz(), ["(H, W)", "no arrays"]),
    "pickled.npz": (npz(v=BOMB), []),
    "pickled-picture.npz": (npz(v=np.full((16, 16), Bomb(), object)), ["never unpickled"]),
    "pickled.npy": (npy(np.full((16, 16), Bomb(), object)), ["never unpickled"]),
    "bare-pickle.npy": (pickle.dumps(Bomb()), ["whole .npy"]),
    "truncated.npy": (npy(PICTURES)[:-8], ["must be whole"]),
    "boundless.npy": (header("(1000000, 1000000, 16)"), ["at most"]),
    "nan.npz": (npz(v=np.where(PICTURES > 0.9, np.nan, PICTURES)), ["`v`", "NaN"]),
    "infinite.npz": (npz(v=np.where(PICTURES > 0.9, np.inf, PICTURES)), ["`v`"]),
    "constant.npz": (npz(v=np.ones((16, 16))), ["must vary", "1 everywhere"]),
    "tiny.npz": (npz(v=PICTURES[:, :4, :4]), ["at least 8 × 8", "4 × 4"]),
    "one-axis.npz": (npz(v=PICTURES.ravel()), ["(H, W)", "(512,)"]),
    "four-axes.npz": (npz(v=PICTURES[None]), ["(M, H, W)"]),
    "no-pictures.npz": (npz(v=np.zeros((0, 16, 16))), ["v"]),
    "complex.npz": (npz(v=PICTURES * 1j), ["complex128"]),
    "large-integers.npz": (npz(v=(PICTURES * 100).astype(np.int64)), ["int64"]),
    "negative-dx.npz": (npz(v=PICTURES, dx=-1.0), ["dx`", "-1"]),
    "pickled-dx.npz": (npz(v=PICTURES, dx=BOMB), ["never unpickled"]),
    "boundary.npz": (npz(v=PICTURES, dx=1.0, boundary="open"), ["boundary", "open"]),
    "truncated.png": (png_of(16, 16, bytes(17 * 16))[:40], ["whole .png"]),
    "bomb.png": (png_of(60000, 60000), ["whole .png"]),
    "text.png": (b"not a picture", ["PNG, JPEG or TIFF"]),
    "text.tif": (b"II*\0 not a picture", ["0 series"]),
    "constant.png": (png_of(16, 16, bytes(17 * 16)), ["must vary"]),
}

_JSON = json.dumps({"versions": {"unstill": "0.1.0"}, "config": {}, "verb": "simulate", "seed": 0}).encode()
# Of a run folder: which file is replaced by what.
RUNS = {
    "result-truncated": ("result.json", b'{"system": "gray-'),
    "result-list": ("result.json", b"[1, 2]"),
    "result-empty": ("result.json", b"{}"),
    "result-deep": ("result.json", b"[" * 100_000),
    "result-latin": ("result.json", b'{"system": "\xe9"}'),
    "result-other-system": ("result.json", b'{"system": "my-secret-system", "dx": 1.0, "boundary": "periodic"}'),
    "result-other-types": ("result.json", b'{"system": 5, "parameters": 3, "status": {"a": 1}, "dx": "wide"}'),
    "states-truncated": ("states.npz", _FIELDS[:300]),
    "states-pickled": ("states.npz", npz(u=BOMB, v=BOMB)),
    "states-other-names": ("states.npz", npz(p=PICTURES)),
    "states-missing": ("states.npz", None),
}


# Modules of the user's.
USER_FILES = {
    "raises.py": "1 / 0\n",
    "syntax.py": "def f(:\n",
    "exits.py": "import sys\nsys.exit(5)\n",
    "other.py": "class Other: pass\nnumber = 3\n",
    "half.py": "import unstill as us\nclass Half(us.ReactionDiffusion):\n    name = 'half'\n",
}

# Runs of fits, as another version of Unstill or a careless hand may have left them.

_ROW = {"start": 0, "road": 0, "iteration": 0, "loss": 1.0, "parameters": {"F": 0.03}}
_FIT = {"verb": "fit", "versions": {"unstill": "0.1.0"}, "seed": 0}
FITS = {
    "future-option": ({**_FIT, "config": {"source": "pictures.npz", "warp": 9}}, [_ROW]),
    "no-config": (_FIT, [_ROW]),
    "config-list": ({**_FIT, "config": [1, 2]}, [_ROW]),
    "no-seed": ({**_FIT, "seed": None, "config": {"source": "pictures.npz"}}, [_ROW]),
    "no-source": ({**_FIT, "config": {}}, [_ROW]),
    "source-gone": ({**_FIT, "config": {"source": "gone.npz"}}, [_ROW]),
    "config-types": ({**_FIT, "config": {"source": 5, "batch": "many"}}, [_ROW]),
    "no-log": ({**_FIT, "config": {"source": "{kit}/pictures.npz"}}, []),
    "log-other-keys": ({**_FIT, "config": {"source": "{kit}/pictures.npz"}}, [{"a": 1}]),
    "log-list": ({**_FIT, "config": {"source": "{kit}/pictures.npz"}}, [[1, 2], _ROW]),
    "log-few-keys": ({**_FIT, "config": {"source": "{kit}/pictures.npz"}}, [_ROW]),
}


def some_score(D: int = 2) -> dict[str, np.ndarray]:
    """The arrays of a small score.npz."""
    network = MLP.make(jax.random.key(1), (D + 6, 8, 1))
    score = Score(network, Normal(np.ones(D), np.eye(D)), np.zeros(D), np.ones(D))
    return score_arrays(score, ("x", "y", "z")[:D], "even")


def some_rule() -> dict[str, np.ndarray]:
    """Arrays of a rule of u and v: a polynomial of degree 1."""
    from unstill.rules.arrays import rule_arrays
    from unstill.rules.neighbourhood import Neighbourhood
    from unstill.rules.rule import Rule
    from unstill.rules.terms import Polynomials

    terms = Polynomials(Neighbourhood(("u", "v")), (0.0,) * 4, (1.0,) * 4, 1)
    return rule_arrays(Rule(np.ones((2, len(terms.names))), terms, 0.1))


def some_flows(D: int = 2) -> dict[str, np.ndarray]:
    """The arrays of a small flows.npz: two plain flows."""
    family = FIELDS["plain"]
    field = jax.vmap(lambda key: family.make(key, D, 8))(jax.random.split(jax.random.key(0), 2))
    return flow_arrays(Flows(field, None, np.zeros(D), np.ones(D), np.ones(2), 0.2, ("x", "y", "z")[:D]))


def models(arrays: dict[str, np.ndarray], weight: str) -> dict[str, bytes | None]:
    """Broken forms of a file of networks; `weight` names a matrix in it."""
    whole = npz(**arrays)
    about = json.loads(str(arrays["about"]))

    def told(**other) -> bytes:
        return npz(**{**arrays, "about": np.array(json.dumps({**about, **other}))})

    return {
        "missing": None,
        "truncated": whole[: len(whole) // 2],
        "no-zip": b"score",
        "pickled": npz(**{**arrays, weight: BOMB}),
        "pickled-about": npz(**{**arrays, "about": np.array([Bomb()], object)}),
        "no-about": npz(**{name: a for name, a in arrays.items() if name != "about"}),
        "other-kind": told(kind="other"),
        "no-names": told(names=[]),
        "numbers-as-names": told(names=[1, 2]),
        "more-names": told(names=["x", "y", "z", "w", "q"]),
        "about-no-json": npz(**{**arrays, "about": np.array("{")}),
        "nan": npz(**{**arrays, weight: np.full_like(arrays[weight], np.nan)}),
        "no-weight": npz(**{name: a for name, a in arrays.items() if name != weight}),
        "other-shape": npz(**{**arrays, weight: arrays[weight][..., :-1]}),
        "no-scale": npz(**{name: a for name, a in arrays.items() if name != "scale"}),
        "long-scale": npz(**{**arrays, "scale": np.ones(7)}),
        "zero-scale": npz(**{**arrays, "scale": np.zeros_like(arrays["scale"])}),
    }
