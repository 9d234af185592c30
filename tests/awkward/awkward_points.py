"""Heaps of points: units, copies, columns that say nothing or too much, orbits, angles, outliers, names."""

import jax.numpy as jnp
import numpy as np
from awkward_case import accepted, command, ends, refused, ring, turns

import unstill as us
from unstill.discovery import discover

_RNG = np.random.default_rng(4)


def _find(points, library="poly1", **options):
    return lambda _: discover(points() if callable(points) else points, library, **options)


def _named(*names, library="poly2"):
    return lambda _: discover(us.Points(ring(), names), library)


def _copies(found):
    turns()(found)
    assert "500 of 2000 points are copies" in found.message


def _called(*names):
    def right(found):
        turns()(found)
        assert found.variables == names
        assert f"d{names[0]}/dt = " in found.equations.text()

    return right


def _frame():
    import pandas

    return pandas.DataFrame(ring(), columns=["a", "b"])


def _orbit(decay=0.0, count=800):
    t = np.linspace(0, 10 * np.pi, count)
    return np.exp(-decay * t)[:, None] * np.stack([np.cos(t), np.sin(t)], 1)


def _two_clusters():
    return _RNG.normal(0.0, 0.1, (1000, 2)) + np.repeat([[3.0, 0.0], [-3.0, 0.0]], 500, 0)


def _wrapped():
    return np.stack([np.mod(np.cumsum(_RNG.normal(1, 0.1, 2000)), 2 * np.pi), _RNG.normal(size=2000)], 1)


def _is_not_sure(found):
    """With outliers a thousand times as far away, nothing is said of one field alone."""
    assert str(found.status) != "converged", found.message


def _latex_is_escaped(found):
    tex = found.equations.latex()
    assert r"50\%" in tex
    assert r"a\_b" in tex


def _own(**terms):
    library = {"1": lambda x, y: jnp.ones_like(x), "x": lambda x, y: x, "y": lambda x, y: y}
    return _find(ring(), library | terms)


def _by_command(folder):
    np.savetxt(folder / "p.csv", ring(), header="class lambda")
    return command(
        "discover", folder / "p.csv", "--library", "poly1", "--fix", "class:lambda=-1", "--out", folder / "run"
    )


def _went_well(answer):
    assert answer[0] == 0, answer[1]


_SPACE = np.c_[ring(), _RNG.normal(size=1500)]
_SHIFTED = np.array([1e12, 0.0])

POINTS = (
    accepted(
        "copies", "500 of 2,000 points twice", "they count once", _find(np.concatenate([ring(), ring()[:500]])),
        _copies,
    ),
    accepted(
        "units", "units that differ by 10⁹", "the same equations in these units", _find(ring() * [1e9, 1.0]),
        turns((1e9, 1.0)),
    ),
    accepted(
        "units-small", "units that differ by 10⁻⁹", "the same equations in these units",
        _find(ring() * [1e-9, 1.0], "poly2"), turns((1e-9, 1.0)),
    ),
    refused(
        "units-200", "values of 10²⁰⁰", "their powers are infinite", _find(ring() * [1e200, 1.0]), "points",
        "Take another unit",
    ),
    refused(
        "far", "a spread of 1 around 10¹²", "1 and x are one term in floats", _find(ring() + _SHIFTED), "points",
        "Subtract its mean",
    ),
    accepted(
        "far-enough", "a spread of 1 around 10⁹", "the turn, about that place", _find(ring() + _SHIFTED / 1e3), turns(),
    ),
    accepted("half-points", "half precision", "the same equations", _find(ring().astype(np.float16)), turns()),
    accepted(
        "whole-points", "whole numbers", "the same equations", _find(np.round(1000 * ring()).astype(int)), turns(),
    ),
    accepted("frame", "a data frame of pandas", "its columns' names", _find(_frame), _called("a", "b")),
    accepted("jax-points", "an array of JAX", "the same equations", _find(lambda: jnp.asarray(ring())), turns()),
    refused(
        "masked-points", "a masked array", "what lies below the mask is no measurement",
        _find(np.ma.masked_greater(ring(), 1.2)), "points", "masked",
    ),
    refused("complex-points", "complex numbers", "not real", _find(ring() + 0j), "points", "complex128"),
    refused(
        "transposed", "(D, M) for (M, D)", "two points of 200 variables", _find(ring()[:200].T), "points",
        "got 2 points",
    ),
    refused("no-points", "no points at all", "none", _find(ring()[:0]), "points", "(0, 2)"),
    refused(
        "few-points", "fewer points than terms", "how many are needed", _find(ring()[:12], "poly3"), "points",
        "12 points",
    ),
    refused(
        "constant-column", "a constant column", "it says nothing", _find(np.c_[ring(), np.ones(1500)]), "points",
        "z = 1 everywhere",
    ),
    refused(
        "nearly-constant", "a column that is constant to 12 digits", "1 and z are one term in floats",
        _find(np.c_[ring(), 1 + 1e-12 * _RNG.normal(size=1500)]), "points", "z around 1",
    ),
    refused(
        "collinear", "a column that is the sum of two others", "which terms are one",
        _find(np.c_[ring(), ring() @ [1.0, 2.0]]), "library", "collinear: x, y, z",
    ),
    refused(
        "column-twice", "a column that is another in other units", "it says nothing new",
        _find(np.c_[ring(), 2.54 * ring()[:, 0]]), "points", "twice",
    ),
    refused(
        "time-column", "a column of times", "it grows evenly", _find(np.c_[np.arange(1500) * 0.1, ring()]), "points",
        "row number or a time",
    ),
    accepted("orbit", "one orbit in order of time, a limit cycle", "its turn", _find(_orbit()), ends("converged")),
    accepted(
        "transient", "one orbit towards a fixed point", "`not-converged`: not at rest statistically",
        _find(_orbit(0.1)), ends("not-converged", "do not take it as the law"),
    ),
    accepted(
        "two-clusters", "two clusters, between which nothing passes", "`no-fit`", _find(_two_clusters), ends("no-fit"),
    ),
    accepted(
        "wrapped", "an angle that jumps from 2π to 0, undeclared", "`no-fit`", _find(_wrapped, "poly2"), ends("no-fit"),
    ),
    accepted(
        "outliers", "two points a million times as far away", "several fields, none of them preferred",
        _find(np.concatenate([ring(), [[1e6, 1e6], [-1e6, 3e5]]])), _is_not_sure,
    ),
    accepted(
        "keywords", "columns called class and lambda", "names as any others", _named("class", "lambda"),
        _called("class", "lambda"),
    ),
    accepted(
        "keywords-command", "the same by the command line, with a known coefficient", "exit code 0", _by_command,
        _went_well, long=True,
    ),
    refused(
        "name-of-product", "columns called x, y and `x y`", "an equation would read two ways",
        lambda _: discover(us.Points(_SPACE, ("x", "y", "x y")), "poly2"), "names", "twice among the terms",
    ),
    refused(
        "name-of-power", "columns called x and x^2", "the same", _named("x", "x^2"), "names", "twice among the terms",
    ),
    refused("name-of-one", "a column called 1", "the same", _named("1", "x"), "names", "twice among the terms"),
    accepted(
        "name-of-tex", "columns called a_b and 50%", "LaTeX that compiles", _named("a_b", "50%"), _latex_is_escaped,
    ),
    refused(
        "term-arguments", "a term for another number of variables", "which, and why", _own(square=lambda x: x * x),
        "library", "'square', which ends in TypeError",
    ),
    refused(
        "term-shape", "a term that gives two numbers a point", "which, and why",
        _own(both=lambda x, y: jnp.stack([x, y])), "library", "'both'",
    ),
    refused(
        "term-log", "a term that takes the logarithm of negative values", "which", _own(log=lambda x, y: jnp.log(x)),
        "library", "'log'",
    ),
)  # fmt: skip
