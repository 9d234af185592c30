"""`recover("all", …)`: the ranking of systems, its verdict, and Ctrl-C."""

import dataclasses

import numpy as np
import pytest

import unstill as us
from unstill._progress import Memory
from unstill.recovery.result import Recovery
from unstill.recovery.which_system import best_of_all

Y = np.random.default_rng(0).random((1, 8, 8))


def outcome(cls, field, *, left: float, status="converged") -> Recovery:
    """A recovery that leaves this share of the contrast."""
    parameters = {name: us.Estimate.normal(1.0, 0.1) for name in cls.parameters()}
    return Recovery(
        cls(), us.Grid((8, 8)), (field,), "by hand", us.Status(status), "As made.", parameters, {}, {field: 0.0}, 0.0,
        1.0, {field: Y}, Y[:, None], misfit=np.full((1, 8, 8), left),
    )  # fmt: skip


def ranked(lefts: dict, **statuses) -> Recovery:
    def each(cls, renamed):
        (field,) = renamed.fields
        key = f"{cls.name} {field}"
        status = statuses.get(key.replace(" ", "_"), "converged" if key in lefts else "no-fit")
        return outcome(cls, field, left=lefts.get(key, 0.3), status=status)

    return best_of_all(us.Snapshots({"v": Y}), each, Memory())


def test_the_fit_that_leaves_least_is_first_and_all_are_told():
    found = ranked({"gray-scott v": 1e-3, "brusselator u": 1e-2})
    assert [(row["system"], row["field"]) for row in found.ranking[:2]] == [("gray-scott", "v"), ("brusselator", "u")]
    assert len(found.ranking) == 10  # five systems of two fields
    assert found.status == "converged"
    assert found.message.startswith("v of gray-scott fits. ")
    # n log(left²) + P log n, by hand: 64 cells, four parameters
    assert found.ranking[0]["bic"] == pytest.approx(64 * np.log(1e-6) + 4 * np.log(64))


def test_pixels_that_are_not_seen_do_not_count():
    def each(cls, renamed):
        (field,) = renamed.fields
        made = outcome(cls, field, left=1e-3)
        seen, misfit = made.pictures[field].copy(), np.full((1, 8, 8), 1e-3)
        seen[0, :2] = np.nan
        misfit[0, :2] = 0
        return dataclasses.replace(made, pictures={field: seen}, misfit=misfit)

    found = best_of_all(us.Snapshots({"v": Y}), each, Memory())
    assert found.ranking[0]["unexplained"] == pytest.approx(1e-3)
    assert found.ranking[0]["bic"] == pytest.approx(48 * np.log(1e-6) + 4 * np.log(48))


def test_fits_that_cannot_be_told_apart_are_both_named():
    found = ranked({"gray-scott v": 1.0e-3, "brusselator u": 1.01e-3})
    assert "as well as u of brusselator" in found.message


def test_a_refused_fit_is_never_first_however_little_it_leaves():
    found = ranked({"gray-scott v": 1e-2, "schnakenberg u": 1e-9}, schnakenberg_u="no-fit")
    assert found.ranking[0]["system"] == "gray-scott"


def test_where_none_fits_that_is_said():
    found = ranked({})
    assert found.status == "no-fit"
    assert found.message.startswith("None of 10 fields")


def test_an_interrupt_ends_all_of_it():
    calls, kept = [], Memory()

    def each(cls, renamed):
        calls.append(cls.name)
        (field,) = renamed.fields
        return outcome(cls, field, left=0.1, status="interrupted" if len(calls) == 3 else "no-fit")

    found = best_of_all(us.Snapshots({"v": Y}), each, kept)
    assert found.interrupted
    assert len(calls) == 3
    assert len(found.ranking) == len(kept.log()) == 2


@pytest.mark.parametrize("options", [{"fix": {"F": 0.03}}, {"start": {"F": 0.03}}, {"dt": 1.0}])
def test_what_is_of_one_system_only_is_refused(options):
    (name,) = options
    with pytest.raises(us.BadInput, match=f"`{name}` must be left out where every system is tried"):
        us.recover("all", Y[0], **options)
    with pytest.raises(us.BadInput, match="`observe` must name one field"):
        us.recover("all", {"u": Y, "v": Y})


def test_a_picture_of_gray_scott_is_known_among_all():
    """At rest, 24²: no other field of any system is accepted as well."""
    grid = us.Grid((24, 24))
    system = us.GrayScott.make("maze")
    state = us.polish(system, grid, us.simulate(system, grid=grid, init="discs", steps=12_000, seed=4).state[0])[0]
    found = us.recover("all", {"v": state[1]}, grid=grid)
    assert (found.ranking[0]["system"], found.ranking[0]["field"]) == ("gray-scott", "v")
    assert found.status == "converged"
    assert "as well as" not in found.message
    assert found.parameters["F"].value == pytest.approx(0.029, rel=1e-4)
