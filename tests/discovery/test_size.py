"""The size of a question is told before anything is built, in one line with the number."""

import itertools
import math

import pytest

import unstill as us
from unstill._errors import BadInput
from unstill.balance.point_functionals import exponents_to
from unstill.discovery.library import LIBRARIES, find_library
from unstill.discovery.size import term_count


@pytest.mark.parametrize(("degree", "dimension"), [(0, 3), (1, 1), (4, 2), (3, 4)])
def test_exponents_are_all_and_in_order(degree, dimension):
    every = [e for e in itertools.product(range(degree + 1), repeat=dimension) if sum(e) <= degree]
    assert exponents_to(degree, dimension) == tuple(sorted(every, key=lambda e: (sum(e), tuple(-n for n in e))))


def test_fifty_variables_are_listed_at_once():
    # Filtering 3^50 products never ends.
    assert len(exponents_to(2, 50)) == math.comb(52, 2)


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize("variables", ["x", "xyz", "abcdef"])
def test_terms_are_counted_without_building_them(name, variables):
    assert term_count(name, len(variables)) == len(find_library(name, tuple(variables)).terms)


LARGE = {
    "a table that is a picture": (
        (64, 64),
        {"library": "poly2"},
        ["`points`", "137,280 unknowns", "A picture as a table?"],
    ),
    "too few points": ((300, 16), {"library": "poly2"}, ["`points`", "2,448 unknowns", "7,344", "300 points"]),
    "too large a library": ((9000, 16), {"library": "poly2"}, ["`library`", "at most 1,000", "153 terms"]),
    "three heaps": ((300, 16), {"library": "poly2", "heaps": 3}, ["`points`", "2,448"]),
}


@pytest.mark.parametrize("case", LARGE)
def test_what_is_too_large_is_refused_before_the_work(case, rng, monkeypatch):
    shape, options, words = LARGE[case]
    monkeypatch.setattr("unstill.discovery.from_points.find_library", None)  # nothing may be built
    heaps = [rng.standard_normal(shape) for _ in range(options.get("heaps", 1))]
    with pytest.raises(BadInput) as refused:
        us.discover(heaps, options["library"])
    assert all(word in str(refused.value) for word in words), refused.value
    assert "\n" not in str(refused.value)


def test_pictures_of_many_fields_are_refused_before_the_work(rng):
    fields = {f"c{i}": rng.random((8, 8)) for i in range(20)}
    with pytest.raises(BadInput, match="at most 500 terms; got 1,771 in 20 fields"):
        us.discover(fields)
