"""Systems: facts are complete, values are checked, kinetics vanish where they must."""

import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from registry import ORDINARY, REACTION_DIFFUSION
from unstill._errors import BadInput
from unstill.systems import SYSTEMS, GrayScott, Lorenz, find_system

EVERY = pytest.mark.parametrize("name", SYSTEMS)


@EVERY
def test_facts_are_complete(name):
    cls = SYSTEMS[name]
    assert cls.name == name
    assert len(cls.equations) == len(cls.fields)
    assert re.search(r"\d{4}", cls.citation), "a citation has a year"
    for parameter, info in cls.parameters().items():
        assert info.low <= cls.defaults()[parameter] <= info.high
        assert info.meaning


@EVERY
def test_presets_are_valid(name):
    cls = SYSTEMS[name]
    for preset, values in cls.presets.items():
        made = cls.make(preset)
        assert {k: made.values()[k] for k in values} == dict(values)


@pytest.mark.parametrize("name", REACTION_DIFFUSION)
def test_rest_is_a_uniform_steady_state(name):
    system = REACTION_DIFFUSION[name]()
    rates = system.kinetics(*(jnp.asarray(c, float) for c in system.rest()))
    np.testing.assert_allclose(rates, 0, atol=1e-12)


def test_lorenz_fixed_point():
    # x = y = √(β(ρ−1)), z = ρ − 1: closed form
    root = np.sqrt(8 / 3 * 27)
    np.testing.assert_allclose(Lorenz().drift(jnp.array([root, root, 27.0])), 0, atol=1e-12)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: GrayScott(F=-1.0), ["`F`", "[0, 0.3]", "-1.0"]),
        (lambda: GrayScott(F=float("nan")), ["`F`", "nan"]),
        (lambda: GrayScott.make("mazes"), ["`preset`", "maze"]),
        (lambda: GrayScott.make(G=1.0), ["`set`", "'G'", "Known: Du, Dv, F, k"]),
        (lambda: find_system("gray-scot"), ["`system`", "Did you mean gray-scott"]),
        (lambda: find_system("nowhere.py:X"), ["`system`", "existing file"]),
    ],
)
def test_bad_input_names_argument_rule_value_remedy(make, words):
    with pytest.raises(BadInput) as caught:
        make()
    for word in words:
        assert word in str(caught.value)


def test_a_system_of_the_user(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "import unstill as us\n"
        "class Fisher(us.ReactionDiffusion):\n"
        "    name = 'fisher'\n"
        "    fields = ('u',)\n"
        "    diffusion = {'u': 'D'}\n"
        "    equations = ('∂u/∂t = D ∇²u + r u (1 − u)',)\n"
        "    D: float = us.parameter(0.1, (0, 1))\n"
        "    r: float = us.parameter(0.2, (0, 1))\n"
        "    def kinetics(self, u):\n"
        "        return (self.r * u * (1 - u),)\n"
        "    def rest(self):\n"
        "        return (0.0,)\n"
    )
    system = find_system(f"{file}:Fisher")()
    assert system.kinetics(jnp.array(0.5))[0] == pytest.approx(0.05)
    with pytest.raises(BadInput, match="Fisher"):
        find_system(f"{file}:Fischer")


def test_a_broken_file_is_one_clear_line(tmp_path):
    file = tmp_path / "broken.py"
    file.write_text("import nothing_of_this_name\n")
    with pytest.raises(BadInput, match="cannot be imported: ModuleNotFoundError"):
        find_system(f"{file}:X")


DOCS = Path(__file__).parents[2] / "docs"


@EVERY
def test_every_system_has_a_true_card(name):
    cls, card = SYSTEMS[name], (DOCS / "systems" / f"{name}.md").read_text(encoding="utf-8")
    assert all(f"    {equation}" in card for equation in cls.equations)
    assert cls.citation in card
    for key, default in cls.defaults().items():
        assert re.search(rf"\| `{key}` \|.*\| {default:.5g} \|", card), key
    assert all(f"| `{preset}` |" in card for preset in cls.presets)
    assert (DOCS / "pictures" / f"system-{name}.png").stat().st_size > 2000
    assert f"[card](systems/{name}.md)" in (DOCS / "systems.md").read_text(encoding="utf-8")
    assert f"systems/{name}.md" in (DOCS.parent / "zensical.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_systems_move_one_state_and_many_alike(name, rng):
    system = ORDINARY[name]()
    states = rng.standard_normal((4, len(system.fields)))
    together = system.drift(jnp.asarray(states))
    assert together.shape == states.shape
    np.testing.assert_allclose(together, [system.drift(jnp.asarray(x)) for x in states], rtol=1e-12)
    assert len(system.rest()) == len(system.fields)


MINE = """
import unstill as us
import jax.numpy as jnp
class Mine(us.{base}):
    name = 'mine'
    fields = {fields}
    equations = ('one', 'two')
    {diffusion}
    D: float = {D}
    def {rule}
    def rest(self):
        return {rest}
"""
GOOD = {
    "base": "ReactionDiffusion", "fields": "('u', 'v')", "diffusion": "diffusion = {'u': 'D'}",
    "D": "us.parameter(0.1, (0, 1))", "rule": "kinetics(self, u, v): return u, v", "rest": "0.0, 0.0",
}  # fmt: skip
ORDINARY_RULE = {"base": "OrdinarySystem", "diffusion": "", "rule": "drift(self, x): return x"}
INCOMPLETE = {
    "no diffusion": ({"diffusion": ""}, "must define diffusion"),
    "no kinetics": ({"rule": "kinetic(self, u, v): return u, v"}, "must define kinetics"),
    "no drift": (ORDINARY_RULE | {"rule": "move(self, x): return x"}, "must define drift"),
    "a bare parameter": ({"D": "0.1"}, "us.parameter"),
    "diffusion of no field": ({"diffusion": "diffusion = {'w': 'D'}"}, "w: D"),
    "diffusion by no parameter": ({"diffusion": "diffusion = {'u': 'Du'}"}, "u: Du"),
    "a default out of range": ({"D": "us.parameter(2.0, (0, 1))"}, r"`D` must lie in \[0, 1\]"),
    "too few rates": ({"rule": "kinetics(self, u, v): return (u,)"}, "a rate for each field"),
    "a matrix for a rate": ({"rule": "kinetics(self, u, v): return u, v + jnp.ones((2, 2))"}, "a rate for each field"),
    "an unknown name": ({"rule": "kinetics(self, u, v): return w, v"}, "NameError"),
    "an if on a value": ({"rule": "kinetics(self, u, v): return (u, v) if u > 0 else (v, u)"}, "Write jnp.where"),
    "too few numbers at rest": ({"rest": "(0.0,)"}, "must give 2 numbers"),
    "too long a drift": (ORDINARY_RULE | {"rule": "drift(self, x): return jnp.zeros(3)"}, "a rate for each field"),
}


@pytest.mark.parametrize("fault", [None, "without space", *INCOMPLETE])
def test_a_system_of_the_users_is_checked_when_it_is_read(tmp_path, fault):
    changes, message = {None: ({}, ""), "without space": (ORDINARY_RULE, "")}.get(fault) or INCOMPLETE[fault]
    (tmp_path / "mine.py").write_text(MINE.format(**GOOD | changes))
    if not message:
        assert find_system(f"{tmp_path}/mine.py:Mine").name == "mine"
        return
    with pytest.raises(BadInput, match=message) as refused:
        find_system(f"{tmp_path}/mine.py:Mine")
    assert "\n" not in str(refused.value)
