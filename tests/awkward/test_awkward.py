"""Every awkward input is right, or refused in one line with the argument and the cause."""

import importlib.util
from pathlib import Path

import pytest

from cases import CASES
from unstill._errors import BadInput

DOCS = Path(__file__).parents[2] / "docs"


def _marked(case):
    marks = [pytest.mark.xfail(strict=True, reason=case.fault)] if case.fault else []
    return pytest.param(case, id=case.name, marks=marks)


@pytest.mark.parametrize("case", [_marked(case) for case in CASES if not case.long])
def test_right_or_refused_with_its_cause(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _hold(case, tmp_path)


@pytest.mark.parametrize("case", [_marked(case) for case in CASES if case.long])
def test_right_or_refused_after_seconds(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _hold(case, tmp_path)


def _hold(case, tmp_path):
    if case.refused is None:
        case.right(case.act(tmp_path))
        return
    argument, cause = case.refused
    with pytest.raises(BadInput) as refusal:
        case.act(tmp_path)
    said = str(refusal.value)
    assert refusal.value.argument == argument, said
    assert cause in said, said
    assert "\n" not in said
    assert len(said) < 600, said


def test_names_are_ids():
    names = [case.name for case in CASES]
    assert {name for name in names if names.count(name) > 1} == set()
    assert all((case.right is None) != (case.refused is None) for case in CASES)


def test_the_page_is_what_the_collection_says():
    """If this fails: `python docs/make_awkward.py`."""
    spec = importlib.util.spec_from_file_location("make_awkward", DOCS / "make_awkward.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert (DOCS / "awkward.md").read_text(encoding="utf-8") == maker.text()
