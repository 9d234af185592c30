"""Values and pictures: what cameras, units and programs do to a pattern, and heaps that are not what they seem."""

import numpy as np
from awkward_case import accepted, ends, refused, says, spots

import unstill as us
from unstill.discovery import discover

_RNG = np.random.default_rng(3)
_NOISE = _RNG.normal(0.3, 0.05, (32, 32))
_Y, _X = np.mgrid[:32, :32]
_CHECKER = 0.3 + 0.1 * ((_X + _Y) % 2)
TRUTH = {"Du": 0.16, "Dv": 0.08, "F": 0.035, "k": 0.065}  # of the preset spots


def _inspect(make):
    return lambda _: us.inspect({"v": make()})


def _recover(make, **options):
    return lambda _: us.recover("gray-scott", {"v": make()}, **options)


def v():
    return spots()[1]


def _changed(index, value):
    def make():
        values = v().copy()
        values[index] = value
        return values

    return make


def _without_columns():
    return np.concatenate([v()[:, :20], v()[:, 24:]], 1)


def finds_the_truth(found):
    """Pictures polished to rest tell the parameters to 0.1 % here; 1 % is asked for."""
    assert str(found.status) == "converged", found.message
    for name, value in TRUTH.items():
        np.testing.assert_allclose(found.parameters[name].value, value, rtol=0.01)


def _film():
    """Twenty frames of waves whose phases wander a little from one to the next."""
    phases = np.cumsum(np.random.default_rng(5).normal(0, 0.4, (20, 3)), 0)
    waves = (_X * np.pi / 4, _Y * np.pi / 4, (_X + _Y) * np.pi / 4)
    return np.stack([sum(np.cos(w + p) for w, p in zip(waves, row, strict=True)) + 3 for row in phases])


def _finds_it_after_leaving_out(count):
    def right(found):
        finds_the_truth(found)
        assert f"{count} of {count + 1} pictures are copies" in found.message

    return right


def _holds_the_truth(found):
    """A dead cell takes it off by 1 %, and the intervals know it: within 3 standard deviations."""
    assert str(found.status) == "converged", found.message
    for name, value in TRUTH.items():
        estimate = found.parameters[name]
        assert abs(estimate.value - value) < 3 * estimate.std


def _nothing_is_said(found):
    assert str(found.status) in ("no-fit", "moving", "not-converged"), (found.status, found.message)
    assert all(estimate.std is None for estimate in found.parameters.values())


def _two_parameter_sets(_):
    fields = {name: np.stack([spots()[i], spots(preset="maze")[i]]) for i, name in enumerate("uv")}
    return us.recover("gray-scott", fields)


def _equations_of_noise(_):
    return discover({name: _RNG.normal(size=(32, 32)) for name in "uv"})


VALUES = (
    refused("value-nan", "a NaN", "not finite, and where", _inspect(_changed((5, 7), np.nan)), "v", "row 5, column 7"),
    refused(
        "value-inf", "an infinity", "not finite, and where", _inspect(_changed((5, 7), np.inf)), "v", "row 5, column 7",
    ),
    accepted("constant", "one value everywhere", "`dead`", _recover(lambda: np.full((32, 32), 0.3)), ends("dead")),
    accepted(
        "hot", "one hot pixel", "`inspect` says where", _inspect(_changed((5, 7), 2.0)),
        says("hot or dead pixels", "row 5, column 7"),
    ),
    accepted(
        "dead-column", "one dead column", "`inspect` says so", _inspect(_changed((slice(None), 11), 0.0)),
        says("1 column of one value"),
    ),
    accepted(
        "dead-cell", "one dead cell in a valley (`recover`)", "the truth, 1 % off, within its intervals",
        _recover(_changed((6, 5), 0.0)), _holds_the_truth, long=True,
    ),
    accepted(
        "saturated", "cut off at the brightest tenth", "`inspect` says so",
        _inspect(lambda: np.minimum(v(), np.quantile(v(), 0.9))), says("may be saturated"),
    ),
    accepted(
        "negative-inspect", "negative concentrations (`inspect`)", "it says so", _inspect(lambda: v() - 0.2),
        says("no concentration does"),
    ),
    refused(
        "negative", "negative concentrations (`recover`)", "an amount is not negative", _recover(lambda: v() - 0.2),
        "pictures", "must not be negative",
    ),
    accepted(
        "percent", "v in per cent", "`no-fit`, and that an unknown gain would explain it", _recover(lambda: 100 * v()),
        ends("no-fit", "gain=unknown"), long=True,
    ),
    accepted("denormal", "values of 1e-310", "`dead`, as 0 everywhere", _recover(lambda: 1e-310 * v()), ends("dead")),
    refused("enormous", "values of 1e300", "their squares are infinite", _inspect(lambda: 1e300 * v()), "v", "1e+100"),
    accepted(
        "large", "values of 1e30 (`inspect`)", "looked at as any others", _inspect(lambda: 1e30 * v()),
        ends("converged"),
    ),
)  # fmt: skip

SCENES = (
    accepted(
        "not-square", "24 rows of 40 columns", "the truth to 1 %", _recover(lambda: spots(24, 40)[1]), finds_the_truth,
        long=True,
    ),
    accepted(
        "odd", "31 rows of 33 columns", "the truth to 1 %", _recover(lambda: spots(31, 33)[1]), finds_the_truth,
        long=True,
    ),
    refused("one-row", "a single row", "not a plane", _inspect(lambda: v()[:1]), "pictures", "8 × 8"),
    refused("tiny", "5 × 5 cells", "too few to hold a pattern", _inspect(lambda: v()[:5, :5]), "pictures", "8 × 8"),
    accepted(
        "window", "cut from a larger picture", "`inspect` says that borders do not meet",
        _inspect(lambda: spots(48, 48)[1][3:40, 5:37]), says("do not meet"),
    ),
    accepted(
        "seam-inspect", "four columns cut out (`inspect`)", "it says where", _inspect(_without_columns),
        says("seam between its columns 19 and 20"),
    ),
    accepted(
        "enlarged", "every cell repeated 2 × 2", "`inspect` says so", _inspect(lambda: np.kron(v(), np.ones((2, 2)))),
        says("enlarged 2 times"),
    ),
    accepted(
        "tiled-inspect", "2 × 2 copies of one picture (`inspect`)", "it says so",
        _inspect(lambda: np.tile(v(), (2, 2))), says("after 32 rows", "after 32 columns"),
    ),
    accepted(
        "tiled", "2 × 2 copies of one picture (`recover`)", "the truth to 1 %", _recover(lambda: np.tile(v(), (2, 2))),
        finds_the_truth, long=True,
    ),
    accepted(
        "turned-copies", "a picture turned and mirrored, as four samples", "it counts once; the truth to 1 %",
        _recover(lambda: np.stack([v(), v().T, v()[::-1], np.rot90(v())])), _finds_it_after_leaving_out(3), long=True,
    ),
    accepted(
        "frames-as-samples", "a film given as samples", "`inspect` says so", _inspect(_film),
        says("frames of a film, rather than samples"),
    ),
    accepted(
        "two-sets", "pictures of two parameter sets in one heap", "no number with an interval", _two_parameter_sets,
        _nothing_is_said, long=True,
    ),
    accepted("noise", "nothing but noise (`recover`)", "`dead`", _recover(lambda: _NOISE), ends("dead")),
    accepted("noise-equations", "nothing but noise (`discover`)", "`no-fit`", _equations_of_noise, ends("no-fit")),
    accepted(
        "stripes", "stripes that vary along one axis alone", "`inspect` says so",
        _inspect(lambda: 0.3 + 0.1 * np.cos(_X * np.pi / 4)), says("stripes"),
    ),
    accepted(
        "checkerboard-inspect", "a checkerboard of single cells (`inspect`)", "too coarse", _inspect(lambda: _CHECKER),
        says("is coarse"),
    ),
    accepted(
        "checkerboard", "a checkerboard of single cells (`recover`)", "no parameter is determined",
        _recover(lambda: _CHECKER), ends("unidentifiable", "leaves Du, Dv, F, k free"), long=True,
    ),
    accepted(
        "two-wavelengths", "waves of 16 and of 4 cells", "`inspect` calls the short ones coarse",
        _inspect(lambda: 0.3 + 0.1 * np.cos(_X * np.pi / 8) + 0.1 * np.cos(_Y * np.pi / 2)), says("is coarse"),
    ),
    accepted(
        "shaded", "a gain that rises by a fifth from left to right", "no number with an interval",
        _recover(lambda: v() * (1 + 0.2 * _X / 32)), _nothing_is_said, long=True,
    ),
    refused(
        "fields-first", "one array (2, H, W) of u and v", "two pictures of v, or two fields",
        lambda _: us.recover("gray-scott", spots()), "pictures", "observe='v'",
    ),
    accepted(
        "fields-of-samples", "one array (1, 2, H, W) of u and v", "the truth to 1 %",
        lambda _: us.recover("gray-scott", spots()[None]), finds_the_truth, long=True,
    ),
    accepted(
        "checkerboard-equations", "a checkerboard as one of two fields (`discover`)",
        "says that noise could explain other equations as well", lambda _: discover({"u": spots()[0], "v": _CHECKER}),
        ends("unidentifiable", "which noise could explain as well"),
    ),
    refused(
        "same-twice", "one field under two names (`discover`)", "the two are one",
        lambda _: discover({"u": v(), "v": v()}), "pictures", "twice",
    ),
)  # fmt: skip
