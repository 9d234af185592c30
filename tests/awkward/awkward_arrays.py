"""Arrays: byte order, layout, dtype, masks, axes that stand elsewhere or are missing."""

import numpy as np
from awkward_case import BYTES, GREY, WAVE, H, W, accepted, holds, refused, says

import unstill as us
from unstill.observations.task import check


def _look(values):
    return lambda _: us.inspect({"v": values}).pictures


def _recovery(values):
    """The checks of `recover` alone: what it would work on."""
    return lambda _: check("gray-scott", {"v": values})


def _pictures_are(expected):
    def right(task):
        np.testing.assert_array_equal(task.pictures["v"], expected[None])
        assert task.pictures["v"].dtype == np.float64

    return right


def _saved(name, values):
    def act(folder):
        np.save(folder / name, values)
        return us.load(folder / name)

    return act


def _many(name, **arrays):
    def act(folder):
        np.savez(folder / name, **arrays)
        return us.load(folder / name)

    return act


def _named_axes(folder):
    np.save(folder / "x.npy", WAVE[..., None])
    return us.load(folder / "x.npy", axes="YXC")


def _gain_unknown(found):
    assert not found.pictures.absolute


_MASKED = np.ma.masked_greater(WAVE, 0.45)

ARRAYS = (
    accepted("big-endian", "floats in big-endian order", "the same values", _look(WAVE.astype(">f8")), holds(WAVE)),
    accepted("fortran", "an array by columns", "the same values", _look(np.asfortranarray(WAVE)), holds(WAVE)),
    accepted(
        "view", "a view with negative strides", "the same values", _look(WAVE[::-1, ::-1]), holds(WAVE[::-1, ::-1]),
    ),
    accepted(
        "float16", "half precision", "the rounded values, as float64", _recovery(WAVE.astype(np.float16)),
        _pictures_are(WAVE.astype(np.float16)),
    ),
    accepted(
        "stretched-uint16", "16-bit levels stretched over the whole range, in a mapping",
        "values up to an unknown gain and offset, as from a file",
        lambda _: us.inspect({"v": np.round((WAVE - WAVE.min()) / np.ptp(WAVE) * 65535).astype(np.uint16)}),
        _gain_unknown,
    ),
    accepted(
        "bool", "true and false", "0 and 1; `inspect` says that there are 2 levels",
        lambda _: us.inspect({"v": WAVE > 0.3}), says("2 levels only"),
    ),
    accepted(
        "no-mask", "a masked array in which nothing is masked", "the same values", _look(np.ma.array(WAVE)),
        holds(WAVE),
    ),
    refused(
        "masked", "a masked array (`inspect`)", "what lies below the mask is no measurement", _look(_MASKED), "v",
        "masked",
    ),
    refused("masked-recover", "a masked array (`recover`)", "the same", _recovery(_MASKED), "v", "masked"),
    refused("complex", "complex numbers (`recover`)", "not real", _recovery(WAVE + 1j), "v", "complex128"),
    refused("objects", "an array of Python objects", "not numbers", _recovery(WAVE.astype(object)), "v", "object"),
    refused("texts", "numbers as texts", "not numbers", _recovery(WAVE.astype(str)), "v", "dtype <U"),
    refused("dates", "dates", "not numbers", _recovery(BYTES.astype("M8[s]")), "v", "datetime64"),
    refused(
        "records", "an array of records", "not numbers", _recovery(np.zeros((H, W), [("a", "f4")])), "v",
        "('a', '<f4')",
    ),
    refused("ragged", "lists of unequal lengths", "no array", _recovery([[1.0, 2.0], [3.0]]), "v", "array of numbers"),
    refused(
        "channels-last", "(H, W, 3) where (M, H, W) is meant", "it would be H pictures of 3 columns",
        _recovery(np.stack([WAVE] * 3, -1)), "v", "not channels",
    ),
    refused(
        "trailing-one", "a trailing axis of one, (H, W, 1)", "the same", _look(WAVE[..., None]), "v", "not channels",
    ),
    accepted("leading-one", "a leading axis of one, (1, H, W)", "one picture", _look(WAVE[None]), holds(WAVE)),
    refused(
        "four-axes", "(1, 1, H, W) under one name", "not (M, H, W)", _look(WAVE[None, None]), "v", "(1, 1, 24, 32)",
    ),
    refused("zero-d", "one number", "no picture", _look(np.array(1.0)), "v", "shape ()"),
    refused(
        "empty", "no picture at all, (0, H, W)", "no values", _recovery(np.zeros((0, H, W))), "pictures", "hold values",
    ),
    refused("flat", "a picture as one long axis", "not (H, W)", _recovery(WAVE.ravel()), "pictures", "(M, H, W)"),
    refused(
        "npy-channels-last", "`.npy` (H, W, 2)", "nobody says what the last axis is",
        _saved("x.npy", np.stack([WAVE, 1 - WAVE], -1)), "axes", "YXC",
    ),
    accepted("npy-named-axes", "`.npy` (H, W, 1), axes told as YXC", "one picture", _named_axes, holds(WAVE)),
    refused(
        "npz-channels-last", "`.npz` (H, W, 3)", "it would be H pictures of 3 columns",
        _many("x.npz", v=np.stack([WAVE] * 3, -1)), "v", "not channels",
    ),
    accepted(
        "npy-channels-first", "`.npy` (2, H, W)", "two pictures of one field, as documented",
        _saved("x.npy", np.stack([WAVE, 1 - WAVE])), holds(np.stack([WAVE, 1 - WAVE])),
    ),
    accepted("npy-bytes", "`.npy` of bytes", "value / 255, gain unknown", _saved("x.npy", BYTES), holds(GREY)),
    refused(
        "npz-int64", "`.npz` of 64-bit integers", "nobody says what they mean", _many("x.npz", v=BYTES.astype(int)),
        "v", "int64",
    ),
    refused(
        "dx-two", "a `.npz` whose dx is two numbers", "cells are square", _many("x.npz", v=WAVE, dx=[0.5, 0.25]), "dx",
        "one number",
    ),
)  # fmt: skip
