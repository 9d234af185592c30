"""Systems: facts are complete, values are checked, kinetics vanish where they must."""

import re

import jax.numpy as jnp
import numpy as np
import pytest

from registry import REACTION_DIFFUSION
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
