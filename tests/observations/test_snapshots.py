"""Snapshots: a field by its name."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

import unstill as us


def test_a_field_is_given_by_its_name():
    heap = us.Snapshots({"u": np.zeros((2, 4, 4)), "v": np.ones((2, 4, 4))})
    assert heap["v"].shape == (2, 4, 4)
    assert heap["v"].all()


def test_an_unknown_field_is_refused_with_the_known_ones():
    with pytest.raises(us.BadInput, match=r"must name fields of memory; got 'w'.*Known: v"):
        us.Snapshots({"v": np.ones((4, 4))})["w"]


def test_recover_refuses_the_name_of_a_file():
    """In a process of its own: here types are checked at run time, which users do not have."""
    call = "import unstill as us; us.recover('gray-scott', 'a.png')"
    ended = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=False)
    assert "must be pictures, not the name of a file" in ended.stderr.splitlines()[-1]
    assert "BadInput" in ended.stderr.splitlines()[-1]


def test_snapshots_check_themselves(rng):
    found = us.Snapshots({"u": rng.random((3, 6, 7)), "v": rng.random((3, 6, 7)).astype(np.float32)})
    assert found.fields["v"].dtype == np.float64
    assert found.states(["v", "u"]).shape == (3, 2, 6, 7)
    assert list(found.select(["v"]).fields) == ["v"]
    with pytest.raises(us.BadInput, match="Known: u, v"):
        found.select(["w"])
    for fields in (
        {},
        {"v": np.full((4, 4), np.nan)},
        {"v": rng.random((6, 7)) + 1j},
        {"u": rng.random((6, 7)), "v": rng.random((9, 9))},
    ):
        with pytest.raises(us.BadInput):
            us.Snapshots(fields)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.source = "elsewhere"
