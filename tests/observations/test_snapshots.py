"""Snapshots: a field by its name."""

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
    with pytest.raises(us.BadInput, match="not the name of a file"):
        us.recover("gray-scott", "a.png")
