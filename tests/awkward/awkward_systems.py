"""Systems of the user's, parameters, ranges, grids and initial states."""

import numpy as np
from awkward_case import accepted, command, refused

import unstill as us

_HEAD = "import math\nimport numpy as np\nimport jax.numpy as jnp\nimport unstill as us\n"
_IN_SPACE = '''
class Mine(us.ReactionDiffusion):
    """A system of the user's."""
    name = "mine"
    fields = ("u", "v")
    diffusion = {"u": "Du", "v": "Dv"}
    equations = ("u' = …", "v' = …")
    dt = 0.5
    Du: float = us.parameter(0.16, (0, 1))
    Dv: float = us.parameter(0.08, (0, 1))
    F: float = us.parameter(0.035, RANGE)

    def kinetics(self, u, v):
        return RATES

    def rest(self):
        return REST
'''
_WITHOUT_SPACE = '''
class Mine(us.OrdinarySystem):
    """A system of the user's: a turn."""
    name = "mine"
    fields = ("x", "y")
    equations = ("x' = −y", "y' = x")
    dt = 0.01
    k: float = us.parameter(1.0, (0, 10))

    def drift(self, state):
        DRIFT

    def rest(self):
        return 1.0, 0.0
'''
_SMALL = us.Grid((16, 16))


def _space(rates="-u + self.F, -v", rest="1.0, 0.0", range="(0, 1)", steps=50):
    text = _IN_SPACE.replace("RATES", rates).replace("REST", rest).replace("RANGE", range)

    def act(folder):
        (folder / "mine.py").write_text(_HEAD + text, encoding="utf-8")
        return us.simulate(f"{folder}/mine.py:Mine", grid=_SMALL, steps=steps)

    return act


def _ordinary(drift):
    def act(folder):
        (folder / "mine.py").write_text(_HEAD + _WITHOUT_SPACE.replace("DRIFT", drift), encoding="utf-8")
        return us.simulate(f"{folder}/mine.py:Mine", np.array([[1.0, 0.0], [0.0, 2.0]]), steps=100)

    return act


def _turned_by_one(found):
    """Explicit Euler of step h spirals outwards: (1 + h²)^(n/2) of the radius and n·atan(h) of the angle, exactly."""
    h, n = 0.01, 100
    grown, angle = (1 + h * h) ** (n / 2), n * np.arctan(h)
    turn = grown * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(found.state, np.array([[1.0, 0.0], [0.0, 2.0]]) @ turn, rtol=1e-12)


def _blown_up(found):
    assert "blow-up" in found.message, found.message


def _start(values):
    return lambda _: us.simulate("gray-scott", values, steps=20)


def _simulate(*words):
    """By the command line, which checks what Python's types would."""
    return lambda folder: command("simulate", "gray-scott", "--steps", "5", "--out", folder / "run", *words)


def _refuses(cause):
    def right(answer):
        code, said = answer
        assert code == 2, said
        assert cause in said, said
        assert said.count("\n") == 1

    return right


_STATE = np.ones((1, 2, 16, 16))

SYSTEMS = (
    accepted(
        "one-state", "a drift written for one state, moved for two", "each by itself",
        _ordinary("x, y = state; return jnp.stack([-y, x])"), _turned_by_one,
    ),
    accepted(
        "many-states", "a drift written for any number of states", "the same",
        _ordinary("return jnp.stack([-state[..., 1], state[..., 0]], -1)"), _turned_by_one,
    ),
    refused(
        "tuple", "a drift that returns a tuple", "one array is needed", _ordinary("x, y = state; return -y, x"),
        "system", "a tuple",
    ),
    refused(
        "short-drift", "a drift of one number for two variables", "its shape", _ordinary("return state[..., :1]"),
        "system", "shape (1,)",
    ),
    refused(
        "numpy-drift", "a drift in NumPy", "write it in jax.numpy",
        _ordinary("return np.stack([-state[..., 1], state[..., 0]], -1)"), "system", "jax.numpy",
    ),
    refused(
        "root-of-negative", "the root of a negative number at rest", "which rate, and where",
        _space("jnp.sqrt(u - 2), -v"), "system", "du/dt not finite at u = 1",
    ),
    accepted(
        "root-later", "a root whose argument becomes negative on the way", "`blow-up`",
        _space("jnp.sqrt(v) - u, -1.0 + 0 * v"), _blown_up,
    ),
    refused(
        "quotient", "a division by zero at rest", "which rate, and where", _space("1 / v, -v"), "system",
        "du/dt not finite",
    ),
    accepted("explosion", "a field that grows without bound", "`blow-up`", _space("u * u, -v", steps=500), _blown_up),
    refused("complex-rates", "complex rates", "not real", _space("u * 1j, -v"), "system", "complex"),
    refused(
        "one-rate", "kinetics that return one rate for two fields", "not a tuple", _space("-u"), "system",
        "not a tuple of 2",
    ),
    refused("three-rates", "three rates for two fields", "how many", _space("-u, -v, -v"), "system", "for 2 fields"),
    refused("math", "kinetics by math.exp", "write it in jax.numpy", _space("math.exp(u), -v"), "system", "jax.numpy"),
    refused("if", "an `if` on a field", "write jnp.where", _space("(-u if u > 0 else u), -v"), "system", "jnp.where"),
    refused(
        "rest-text", "a state of rest in letters", "numbers are needed", _space(rest="'a', 'b'"), "system",
        "must give 2 numbers",
    ),
    refused("range-upside-down", "a range (1, 0)", "low ≤ high", _space(range="(1, 0)"), "system", "low ≤ high"),
    refused(
        "range-nan", "a range that ends in NaN", "the same", _space(range="(0, float('nan'))"), "system", "low ≤ high",
    ),
    refused(
        "range-without-default", "a default outside its range", "which, and the range", _space(range="(0.5, 1)"), "F",
        "[0.5, 1]",
    ),
    refused("parameter-nan", "F = NaN", "outside its range", lambda _: us.GrayScott(F=float("nan")), "F", "nan"),
    refused(
        "over-upside-down", "a range to look along upside down", "low < high",
        lambda _: us.stability("gray-scott", over={"F": (0.06, 0.03)}), "over", "low < high",
    ),
    accepted(
        "parameter-text", "`--set F=x`", "refused with exit code 2", _simulate("--set", "F=x"), _refuses("NAME=NUMBER"),
    ),
    accepted(
        "dx-pair", "`--dx 1,2`", "refused with exit code 2: one number", _simulate("--dx", "1,2"), _refuses("number"),
    ),
    accepted(
        "volume", "`--size 16x16x16`", "refused with exit code 2: a plane is needed", _simulate("--size", "16x16x16"),
        _refuses("size"),
    ),
    refused("dx-zero", "dx of 0", "must be positive", lambda _: us.Grid((16, 16), 0.0), "dx", "positive"),
    accepted(
        "dt-large", "a step beyond the limit of stability, by the command line",
        "refused with exit code 2 and the limit", _simulate("--dt", "50"), _refuses("stability limit"),
    ),
    refused("start-nan", "an initial state of NaN", "not finite", _start(_STATE * np.nan), "state", "finite"),
    refused(
        "start-flat", "an initial state (H, W)", "the axes that are needed", _start(_STATE[0, 0]), "state",
        "(M, 2, H, W)",
    ),
    refused(
        "start-masked", "a masked initial state", "what lies below the mask is no value",
        _start(np.ma.masked_greater(_STATE, 0.5)), "state", "masked",
    ),
    refused(
        "start-complex", "a complex initial state", "not real", _start(_STATE + 0j), "state", "complex"),
    accepted("start-large", "an initial state of 1e30", "`blow-up`", _start(_STATE * 1e30), _blown_up),
)  # fmt: skip
