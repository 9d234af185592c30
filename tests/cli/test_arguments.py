"""The grammar of the command line: NAME=VALUE tokens, ranges, sizes, and parsers of arguments."""

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unstill._arguments import RULES, listed
from unstill._errors import BadInput
from unstill.cli.arguments import assignments, number, option, parse, positional, size
from unstill.cli.tokens import parameter_set, parameter_sets

finite = st.floats(allow_nan=False, allow_infinity=False)
identifier = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,5}", fullmatch=True)


ARGUMENTS = (
    positional("source", ..., "Where from."),
    positional("system", "gray-scott", "Which."),
    assignments("set", "Parameters."),
    option("size", (8, 8), "Cells.", kind="Size"),
    option("save_every", None, "Frames.", kind="Count"),
    option("force", False, "Replace."),
)
DEFAULTS = {"source": "x.npz", "system": "gray-scott", "set": (), "size": (8, 8), "save_every": None, "force": False}


def parsed(*words: str):
    return dict(parse(ARGUMENTS, words, prog="test", about="A test."))


def test_defaults_and_everything_given():
    assert parsed("x.npz") == DEFAULTS
    words = "x.npz lorenz --set a=1 b=2 --set a=3 --size 4x6 --save-every 1e2 --force"
    assert parsed(*words.split()) == {
        "source": "x.npz", "system": "lorenz", "set": (("a=1", "b=2"), ("a=3",)), "size": (4, 6), "save_every": 100,
        "force": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), "source"),
        (("x", "--size", "4x5x6"), "`--size` must be N or ROWSxCOLUMNS"),
        (("x", "--save-every", "0"), "`--save-every` must be a whole number, 1 or more"),
        (("x", "--save", "3"), "--save"),  # no abbreviations: a new option would change their meaning
        (("x", "y", "z"), "z"),
    ],
)
def test_errors_are_one_line(words, expected):
    with pytest.raises(BadInput) as caught:
        parsed(*words)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.dictionaries(identifier, finite, min_size=1, max_size=4), st.sampled_from([" ", ","]))
def test_parameter_sets_round_trip(values, separator):
    text = separator.join(f"{name}={value!r}" for name, value in values.items())
    assert parameter_sets("set", [text.split(" ")]) == [values]
    assert parameter_set("set", text.split(" ")) == values


@given(st.floats(-10, 10), st.floats(-10, 10), st.integers(2, 9))
def test_ranges_have_their_ends_and_count(low, high, n):
    sets = parameter_sets("set", [[f"F={low!r}:{high!r}:{n}", "k=1"]])
    assert len(sets) == n
    assert sets[0] == {"F": low, "k": 1.0}
    assert sets[-1]["F"] == pytest.approx(high, abs=1e-12)


def test_two_ranges_make_a_table():
    sets = parameter_sets("set", [["a=0:1:2", "b=0:2:3"], ["a=5"]])
    assert [(s["a"], s.get("b")) for s in sets] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (5, None)]


@pytest.mark.parametrize(
    "token", ["F", "F=", "=3", "F=x", "F=nan", "F=inf", "F=1:2", "F=1:2:1", "F=1:2:2.5", "F=1:2:3:4", "F=1:nan:3"]
)
def test_bad_tokens_are_named(token):
    with pytest.raises(BadInput) as caught:
        parameter_sets("set", [[token]])
    assert "`set`" in str(caught.value)
    assert repr(token) in str(caught.value)


def test_one_value_a_name_where_no_range_is_meant():
    with pytest.raises(BadInput, match="not a range"):
        parameter_set("fix", ["F=0:1:3"])
    with pytest.raises(BadInput, match="once"):
        parameter_set("fix", ["F=0", "F=1"])


@pytest.mark.parametrize(("text", "value"), [("128", (128, 128)), ("96x128", (96, 128)), ("7X9", (7, 9))])
def test_sizes(text, value):
    assert size(text) == value


@pytest.mark.parametrize(
    ("kind", "text"), [("Number", "x"), ("Number", "nan"), ("Count", "1.5"), ("Count", "-2"), ("Whole", "-1")]
)
def test_numbers_that_are_none(kind, text):
    with pytest.raises(argparse.ArgumentTypeError, match=text):
        number(text, RULES[kind])


def test_names_are_separated_by_commas():
    assert listed("u, v,,") == ("u", "v")
