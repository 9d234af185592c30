"""`discover` on pictures of every reaction–diffusion system and kind of library: exactly the true terms, no others."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import unstill as us
from unstill import BadInput
from unstill.discovery import discover_pictures
from unstill.discovery.field_library import laplacian
from unstill.observations import Ordered
from unstill.systems import SYSTEMS

# A quotient is no term of a built-in library.
GIERER_MEINHARDT = {
    "1": lambda a, h: np.ones_like(a + h), "a": lambda a, h: a, "h": lambda a, h: h, "a^2": lambda a, h: a**2,
    "a h": lambda a, h: a * h, "a^2/h": lambda a, h: a**2 / h, "h^2/a": lambda a, h: h**2 / a,
}  # fmt: skip


def schnakenberg(Du, Dv, a, b):
    return {"lap u": Du, "1": a, "u": -1, "u^2 v": 1}, {"lap v": Dv, "1": b, "u^2 v": -1}


def brusselator(Du, Dv, a, b):
    return {"lap u": Du, "1": a, "u": -(b + 1), "u^2 v": 1}, {"lap v": Dv, "u": b, "u^2 v": -1}


def fitzhugh_nagumo(Du, Dv, eps, a, b):
    assert b == 0
    return {"lap u": Du, "u": 1, "u^3": -1, "v": -1}, {"lap v": Dv, "u": eps, "v": -eps * a}


def gierer_meinhardt(Da, Dh, mu, nu, rho):
    return {"lap a": Da, "a^2/h": 1, "a": -mu, "1": rho}, {"lap h": Dh, "a^2": 1, "h": -nu}


# system, library, the true equations written by hand, boundary
AT_REST = [
    ("schnakenberg", "poly3", schnakenberg, "no-flux"), ("brusselator", "poly3", brusselator, "periodic"),
    ("fitzhugh-nagumo", "poly3", fitzhugh_nagumo, "no-flux"),
    ("gierer-meinhardt", GIERER_MEINHARDT, gierer_meinhardt, "periodic"),
]  # fmt: skip


def equations(found):
    """The coefficients that are not zero, by term, an equation each."""
    terms = found.equations.library.names
    return [{terms[j]: row[j] for j in np.flatnonzero(row)} for row in found.coefficients]


@pytest.mark.parametrize(("name", "library", "written", "boundary"), AT_REST, ids=[row[0] for row in AT_REST])
def test_one_picture_at_rest_of_every_system(name, library, written, boundary):
    """At rest each field's pace is free, so every equation is that with diffusion 1."""
    grid = us.Grid((48, 48), 1.0, boundary)
    state = us.simulate(name, grid=grid, init="noise", steps=20_000, seed=1).state
    found = discover_pictures(dict(zip(SYSTEMS[name].fields, state[0], strict=True)), library, grid=grid)
    for field, mine, true in zip(
        SYSTEMS[name].fields, equations(found), written(**SYSTEMS[name].defaults()), strict=True
    ):
        pace = true[f"lap {field}"]
        assert mine == pytest.approx({term: value / pace for term, value in true.items()}, rel=0.01)


def moved(rates, states, grid, dt=0.01):
    """One explicit Euler step of hand-written rates: two frames in order."""
    return np.stack([states, states + dt * np.stack(rates(laplacian(grid, states), *states))])


def smooth(rng, count, shape=(48, 48)):
    return np.stack([gaussian_filter(rng.standard_normal(shape), 2, mode="wrap") * 5 for _ in range(count)])


def one_field(L, u):
    return [0.7 * L[0] + u - u**3]


def three_fields(L, u, v, w):
    """Rock, paper, scissors."""
    return [
        0.5 * L[0] + u - u * u - 2 * u * v, 0.4 * L[1] + v - v * v - 2 * v * w, 0.3 * L[2] + w - w * w - 2 * w * u
    ]  # fmt: skip


def crossed(L, u, v):
    return [0.5 * L[0] + 0.2 * L[1] + u - u**3 - v, 0.3 * L[1] - 0.1 * L[0] + 2 * u - v]


ORDERED = [
    (one_field, "u", {}, [{"lap u": 0.7, "u": 1, "u^3": -1}], "no-flux"),
    (three_fields, "uvw", {"library": "poly2"}, [
        {"lap u": 0.5, "u": 1, "u^2": -1, "u v": -2}, {"lap v": 0.4, "v": 1, "v^2": -1, "v w": -2},
        {"lap w": 0.3, "w": 1, "w^2": -1, "u w": -2},
    ], "no-flux"),
    (crossed, "uv", {"cross": True}, [
        {"lap u": 0.5, "lap v": 0.2, "u": 1, "u^3": -1, "v": -1}, {"lap v": 0.3, "lap u": -0.1, "u": 2, "v": -1},
    ], "periodic"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rates", "names", "options", "truth", "boundary"), ORDERED, ids=[row[0].__name__ for row in ORDERED]
)
def test_two_frames_of_one_two_and_three_fields(rates, names, options, truth, boundary, rng):
    grid, states = us.Grid((48, 48), 1.0, boundary), smooth(rng, len(names))
    frames = moved(rates, states, grid)
    found = discover_pictures(
        dict(zip(names, states, strict=True)), grid=grid, ordered=Ordered(frames, 0.01), **options
    )
    for mine, true in zip(equations(found), truth, strict=True):
        assert mine == pytest.approx(true, rel=1e-3)


def test_missing_cross_diffusion_is_told(rng):
    """Without the term that is needed a part of the rates stays open, and the message says how much."""
    grid, states = us.Grid((48, 48)), smooth(rng, 2)
    frames = Ordered(moved(crossed, states, grid), 0.01)
    found, whole = (
        discover_pictures(dict(zip("uv", states, strict=True)), ordered=frames, cross=c) for c in (False, True)
    )
    assert found.misfit > 1e-3
    assert whole.misfit < 1e-6
    assert f"{found.misfit:.2g} of the rates stays open" in found.message


def test_many_terms_are_searched_by_exchange(rng):
    """Three fields and all cubic terms are too many for all subsets."""
    grid, states = us.Grid((48, 48)), smooth(rng, 3)
    frames = Ordered(moved(three_fields, states, grid), 0.01)
    found = discover_pictures(dict(zip("uvw", states, strict=True)), "poly3", ordered=frames)
    for mine, true in zip(equations(found), ORDERED[1][3], strict=True):
        assert mine == pytest.approx(true, rel=1e-3)


def test_library_with_a_pole_is_refused(rng):
    states = smooth(rng, 2)
    states[1, 0, 0] = 0.0
    with pytest.raises(BadInput, match="a\\^2/h"):
        discover_pictures(dict(zip("ah", states, strict=True)), GIERER_MEINHARDT)
