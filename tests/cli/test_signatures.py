"""One definition for one argument: what the command line reads off a signature is what the function takes."""

import importlib
import inspect
import typing

import numpy as np
import pytest

from unstill._arguments import RULES, Rule
from unstill._errors import BadInput
from unstill.cli.signatures import meanings, signature
from unstill.observations import Points
from unstill.systems import GrayScott

POINTS = Points(np.random.default_rng(0).standard_normal((30, 2)))
FUNCTIONS = {
    "simulation.simulate:simulate": {"dynamics": "gray-scott"},
    "simulation.filming:film": {"dynamics": "gray-scott", "state": np.zeros((1, 2, 8, 8))},
    "files.loading:load": {"path": "x.npy"},
    "recovery.recover:recover": {"system": "gray-scott", "pictures": {}},
    "discovery.discover:discover": {"points": np.zeros((9, 2))},
    "discovery.point_sets:draw_points": {"name": "ring"},
    "icons.draw:draw_icons": {"icon": "dot"},
    "flows.learn_score:learn_score": {"points": POINTS},
    "flows.learn_flow:learn_flow": {"points": POINTS},
    "rules.learn_rule:learn_rule": {"pictures": {"u": np.zeros((9, 32, 32))}},
    "flows.exponents:lyapunov": {"dynamics": "lorenz"},
    "flows.uniqueness:uniqueness": {"points": POINTS, "score": None, "flows": {}},
    "atlas.classify:classify": {"dynamics": "gray-scott"},
    "atlas.survey:survey": {"system": "gray-scott", "over": {"F": [0.03, 0.04]}},
    "analysis.stability:stability": {"system": "gray-scott"},
    "analysis.continue_branch:continue_branch": {"dynamics": "gray-scott", "over": {"F": [0.03, 0.04]}},
    "analysis.agreement:agree": {"pictures": {}, "flows": {}, "truth": GrayScott()},
    "fitting.viability.viability:viability": {},
    "fitting.compare:compare": {"pictures": np.zeros((2, 8, 8))},
    "fitting.landscape:landscape": {"system": "gray-scott", "pictures": np.zeros((2, 8, 8))},
    "fitting.fit:fit": {"system": "gray-scott", "pictures": np.zeros((2, 8, 8))},
}  # a right first part of a call
every_function = pytest.mark.parametrize("name", FUNCTIONS)


def function_of(name: str):
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(f"unstill.{module}"), function)


@every_function
def test_what_is_read_as_text_is_the_signature_itself(name):
    parameters = inspect.signature(function_of(name)).parameters
    assert [each for each, *_ in signature(name)] == list(parameters)
    for argument, kind, default in signature(name):
        found = parameters[argument]
        if default is not ... and not callable(found.default):
            assert found.default == default, argument
        if kind in RULES:
            parts = (found.annotation, *typing.get_args(found.annotation))
            rules = [each for part in parts for each in typing.get_args(part)]
            assert RULES[kind] in [each for each in rules if isinstance(each, Rule)] or isinstance(
                found.annotation, str
            )


@every_function
def test_every_argument_is_documented(name):
    told = meanings(name)
    assert [argument for argument, *_ in signature(name)] == list(told)
    assert all(meaning.endswith((".", ").")) for meaning in told.values())


@every_function
def test_every_rule_is_held_in_python_under_the_arguments_own_name(name):
    function = function_of(name)
    for argument, kind, _ in signature(name):
        if kind in RULES:
            for wrong in ((-1,) if RULES[kind].low > -1 else ()) + (float("nan"), "ten"):
                with pytest.raises(BadInput, match=f"`{argument}` must be"):
                    function(**FUNCTIONS[name], **{argument: wrong})
