"""Points in files: what is written comes back, whatever the names and numbers; tables as other programs write them."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from unstill._errors import BadInput
from unstill.files.points import load_points, save_points
from unstill.observations.points import Points

NAMES = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=8)
VALUES = st.floats(allow_nan=False, allow_infinity=False)


def heap(names: tuple[str, ...], values: list[float]) -> Points:
    """Points with these names and numbers, and what else is needed for them to be a heap at all."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, len(names)))
    x[0] = np.clip(values[: len(names)], -1e300, 1e300)
    try:
        return Points(x, names)
    except BadInput:  # such as a column that is constant beside one huge number
        assume(False)
        raise


@given(st.lists(NAMES, min_size=1, max_size=4, unique=True), st.lists(VALUES, min_size=4, max_size=4))
@pytest.mark.parametrize("suffix", [".npz", ".csv"])
def test_every_number_and_name_comes_back(tmp_path_factory, suffix, names, values):
    points, file = heap(tuple(names), values), tmp_path_factory.mktemp("heap") / f"p{suffix}"
    try:
        save_points(file, points)
    except BadInput:  # a header cannot hold everything; half a file must not be left
        assert suffix == ".csv"
        assert not file.exists()
        return
    back = load_points(file)
    np.testing.assert_array_equal(back.x, points.x)
    assert back.names == points.names


TABLES = {
    "commas": "x,y\n1,2\n3,5\n",
    "spaces after commas": "x, y\n1, 2\n3, 5\n",
    "semicolons": "x;y\n1;2\n3;5\n",
    "tabs": "x\ty\n1\t2\n3\t5\n",
    "one space": "x y\n1 2\n3 5\n",
    "aligned": "   x      y\n   1.0    2.0\n   3.0    5.0\n",
    "quoted names": '"x","y"\n1,2\n3,5\n',
    "quoted numbers": '"x","y"\n"1","2"\n"3","5"\n',
    "Windows": "x,y\r\n1,2\r\n3,5\r\n",
    "byte order mark": "\ufeffx,y\n1,2\n3,5\n",
    "no last newline": "x,y\n1,2\n3,5",
    "empty lines": "\nx,y\n\n1,2\n\n\n3,5\n\n",
    "exponents": "x,y\n1e0,2E+00\n0.3e1,50e-1\n",
    "signs": "x,y\n+1,2\n3,+5\n",
    "names of units": "x,y\n1.,2.\n3.,5.\n",
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_of_other_programs(tmp_path, kind):
    (tmp_path / "t.csv").write_bytes(TABLES[kind].encode())
    found = load_points(tmp_path / "t.csv")
    np.testing.assert_array_equal(found.x, [[1, 2], [3, 5]])
    assert found.names == ("x", "y")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("1,2\n3,5\n", ("x", "y")),  # no header
        ("temp [°C],p (bar)\n1,2\n3,5\n", ("temp [°C]", "p (bar)")),
        ('"a, b",c\n1,2\n3,5\n', ("a, b", "c")),
        ('"say ""hi""",c\n1,2\n3,5\n', ('say "hi"', "c")),
        ("1e3,y\n1,2\n3,5\n", ("1e3", "y")),  # one word is enough for a header
        ("my column\n1\n3\n", ("my column",)),
        ("a;b,c;d\n1;2;3\n3;5;1\n", ("a", "b,c", "d")),  # the numbers tell what divides
    ],
)
def test_headers(tmp_path, text, names):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    assert load_points(tmp_path / "t.csv").names == names


@pytest.mark.parametrize("names", [("1", "2"), ("nan",), ("inf", "-1e5")])
def test_names_that_would_be_read_as_points_are_not_written(tmp_path, rng, names):
    points = Points(rng.standard_normal((4, len(names))), names)
    with pytest.raises(BadInput, match="must not all be numbers"):
        save_points(tmp_path / "p.csv", points)
    assert list(tmp_path.iterdir()) == []
    save_points(tmp_path / "p.npz", points)
    assert load_points(tmp_path / "p.npz").names == names


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f8", "i1", "u2", "i8", "?"])
def test_dtypes_become_float64_without_loss(tmp_path, dtype):
    x = np.array([[0, 1], [1, 0], [1, 1]]).astype(dtype)
    for suffix, write in ((".npy", np.save), (".npz", lambda file, x: np.savez(file, x=x))):
        write(tmp_path / f"p{suffix}", x)
        found = load_points(tmp_path / f"p{suffix}")
        assert found.x.dtype == np.float64
        np.testing.assert_array_equal(found.x, x.astype(float))


def test_columns_by_name_keep_their_order(tmp_path, rng):
    p, q = rng.standard_normal((2, 6))
    np.savez(tmp_path / "c.npz", q=q, p=p)
    found = load_points(tmp_path / "c.npz")
    assert found.names == ("q", "p")
    np.testing.assert_array_equal(found.x, np.stack([q, p], 1))


def test_fortran_order_and_memory_do_not_matter(tmp_path, rng):
    x = np.asfortranarray(rng.standard_normal((7, 3)))
    np.save(tmp_path / "f.npy", x)
    np.testing.assert_array_equal(load_points(tmp_path / "f.npy").x, x)
    again = Points(x[::-1])
    np.testing.assert_array_equal(again.sorted(), load_points(tmp_path / "f.npy").sorted())


def test_equal_points_make_equal_files(tmp_path, rng):
    points = Points(rng.standard_normal((5, 2)))
    for name in ("a", "b"):
        save_points(tmp_path / f"{name}.npz", points)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("name", ["p.txt", "p", "p.npy"])
def test_other_endings_are_refused(tmp_path, rng, name):
    with pytest.raises(BadInput, match=r"must end in \.npz or \.csv"):
        save_points(tmp_path / name, Points(rng.standard_normal((5, 2))))


def test_a_huge_table_is_refused_before_it_is_read(tmp_path, monkeypatch):
    from unstill.files import text_tables

    monkeypatch.setattr(text_tables, "MOST_ELEMENTS", 10)
    (tmp_path / "t.csv").write_text("1,2\n" * 100)
    with pytest.raises(BadInput, match="at most"):
        load_points(tmp_path / "t.csv")
