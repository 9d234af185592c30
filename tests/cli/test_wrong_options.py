"""Whatever is wrong with the words of a call, verbs answer alike: exit code 2, one line, nothing written.

By registry: every number, name and NAME=VALUE token that a verb takes, from its configuration; every state that its
`--out` can be in; and a table of what one verb refuses by itself.
"""

import re

import pytest
from wrong_calls import CALLS, RUNNING, START, make_kit, watch_refusals

from unstill._arguments import RULES
from verbs_arguments import arguments_of

kit = pytest.fixture(scope="module")(make_kit)
refused = pytest.fixture(watch_refusals)

ZERO_IS_FINE = {
    ("recover", "dt"), ("calibrate", "noise"), ("lyapunov", "transient"), ("fit", "smoothness"),
    ("fit", "until_change"), ("landscape", "until_change"),
}  # fmt: skip
# What an option rules out of the verb's call, and what it needs beside it.
WITHOUT = {
    **{("simulate", name): " --steps 2" for name in ("time", "steps", "until_drift", "until_change")},
    **{("animate", name): " --time 5" for name in ("time", "steps")},
}
NEGATIVE_IS_FINE = {("recover", "offset"), ("calibrate", "offset")}
WITH = {
    ("discover", "interval"): "--ordered {kit}/plane.npz",
    ("discover", "ordered"): "--interval 1",
    ("flow", "flip"): "--prior symmetry",
    ("flow", "known"): "--prior known",
}
INSTEAD = {("lyapunov", name): "lyapunov lorenz" for name in ("set", "preset")}


EVERY = [(verb, argument) for verb in CALLS for argument in arguments_of(verb)]
NUMBERS = [(verb, a.name) for verb, a in EVERY if a.kind in RULES and not a.switch and not a.choices]
POSITIVE = [(verb, a.name) for verb, a in EVERY if a.kind in ("Number", "Count", "Positive", "NonNegative", "Share")]


@pytest.mark.parametrize("text", ["nan", "inf", "ten", ""])
@pytest.mark.parametrize(("verb", "name"), NUMBERS)
def test_words_for_numbers(refused, verb, name, text):
    flag = "--" + name.replace("_", "-")
    refused(CALLS[verb], flag, text, expected=[f"`{flag}`"])


@pytest.mark.parametrize(("verb", "name"), [p for p in NUMBERS if p not in NEGATIVE_IS_FINE])
def test_negative_numbers(refused, verb, name):
    flag = name.replace("_", "-")
    assert re.search(f"-1|`(--)?{flag}`", refused(called_with(verb, name), f"--{flag}", "-1"))


@pytest.mark.parametrize(("verb", "name"), [p for p in POSITIVE if p not in ZERO_IS_FINE])
def test_zeros(refused, verb, name):
    flag = name.replace("_", "-")
    assert re.search(f"0|`(--)?{flag}`", refused(called_with(verb, name), f"--{flag}", "0"))


def called_with(verb: str, name: str) -> str:
    """The verb's call, fit for one more option."""
    option = (verb, name)
    call = INSTEAD.get(option, CALLS[verb])
    return f"{call.replace(WITHOUT[option], '') if option in WITHOUT else call} {WITH.get(option, '')}"


def words():
    """(verb, option) of every option that takes a name, a choice or a list of them."""
    options = [(verb, a) for verb, a in EVERY if not a.positional and not a.switch]
    return [(v, a.name) for v, a in options if a.name not in ("out", "iterations") and a.kind in ("str", "Names")]


@pytest.mark.parametrize(("verb", "name"), words())
def test_unknown_names(refused, verb, name):
    flag = "--" + name.replace("_", "-")
    refused(called_with(verb, name), flag, "nonsense", expected=["nonsense"])


def assigned():
    """(verb, option) of every option of NAME=VALUE tokens."""
    return [(verb, a.name) for verb, a in EVERY if a.repeated and a.metavar != "RUN"]


BAD_TOKENS = (
    "=1",
    "nonsense=",
    "nonsense=x",
    "nonsense=nan",
    "nonsense=1:2",
    "nonsense=1:2:2",
    "nonsense=1,nonsense=2",
)


@pytest.mark.parametrize("token", BAD_TOKENS)
@pytest.mark.parametrize(("verb", "name"), assigned())
def test_assignments(refused, verb, name, token):
    refused(called_with(verb, name), "--" + name, token, expected=[f"{name}"])


@pytest.mark.parametrize("verb", [*CALLS, "systems", "doctor"])
def test_unknown_options_and_words(refused, verb):
    call = CALLS.get(verb, verb)
    refused(call, "--nonsense", "1", expected=["--nonsense"])
    refused(call, *["more"] * 3, expected=["more"])


@pytest.mark.parametrize(
    "verb",
    [
        v
        for v in CALLS
        if v
        not in ("simulate", "calibrate", "viability", "survey", "stability", "points", "alife", "animate", "landscape")
    ],
)
def test_a_source_is_needed(refused, verb):
    refused(verb, expected=["source"])


# Where the run goes.

OUTS = {
    "a file": ("--out {kit}/file", ["out`", "must be a folder", "file"]),
    "below a file": ("--out {kit}/file/r", ["out`", "writable"]),
    "another's home": ("--out {kit}/home", ["out`", "must not exist yet", "--force"]),
    "another's home by force": ("--out {kit}/home --force", ["out`", "no run.json of Unstill"]),
    "another's home resumed": ("--out {kit}/home --resume", ["out`", "no run.json of Unstill"]),
    "another run": ("--out {kit}/run", ["out`", "must not exist yet", "--force"]),
    "another run resumed": ("--out {kit}/run --resume", ["must repeat the first command", "--force"]),
}


@pytest.mark.parametrize("where", OUTS)
@pytest.mark.parametrize("verb", RUNNING)
def test_places_that_are_taken(refused, verb, where):
    words, expected = OUTS[where]
    refused(RUNNING[verb], *words.split(), out=None, expected=expected)


# What one verb refuses by itself.

ALONE = {
    "simulat": ["`VERB`", "Did you mean simulate"],
    "simulate gray-scott more words": ["more words", "got more words"],
    "simulate --steps 2 --seed": ["`--seed` needs a value"],
    "simulate --steps 2 --boundary open": ["`--boundary` must be periodic or no-flux; got 'open'"],
    "simulate --steps 2 --time 2": ["steps`", "exactly one"],
    "simulate lorenz --steps 2 --size 16": ["size`", "no grid"],
    "simulate lorenz --steps 2 --init discs": ["init`", "near its state of rest"],
    "simulate --steps 2 --init {kit}/run --samples 3": ["samples`", "holds 1 states"],
    "simulate --steps 2 --init {kit}/run --size 32": ["size`", "(16, 16)"],
    "recover {kit}/pictures.npz --system lorenz": ["system`", "lorenz"],
    "recover {kit}/pictures.npz --noise v=-1": ["noise`", "-1"],
    "recover {kit}/pictures.npz --observe v,v": ["observe`", "once"],
    "recover {kit}/empty": ["source`", "run folder or a folder with PNG"],
    "recover {kit}/home": ["source`", "run folder or a folder with PNG"],
    "recover {kit}/run --out {kit}/run --force": ["out`", "source"],
    "fit {kit}/pictures.npz": ["start`", "no Du, Dv, F, k"],
    "fit {kit}/pictures.npz --target gs": ["`--target` is no option", "'gs'", "without an option: unstill fit gs"],
    "fit {kit}/pictures.npz --sart F=1": ["`--sart` is no option", "Did you mean --start?"],
    "fit {kit}/pictures.npz --start F=1:2:3": ["`--start`", "got F=1:2:3"],
    "fit {kit}/pictures.npz --start Du=.1": ["start`", "no Dv, F, k"],
    f"fit {{kit}}/pictures.npz --start {START},Q=1": ["'Q'"],
    f"fit {{kit}}/pictures.npz --start {START} --window 50000": ["window`", "40000"],
    f"fit {{kit}}/pictures.npz --start {START} --from-iteration 3": ["from-iteration`", "existing run"],
    f"fit {{kit}}/pictures.npz --start {START} --loss {{kit}}/other.py:number": ["loss`", "'number'"],
    f"fit {{kit}}/pictures.npz --start {START} --loss {{kit}}/raises.py:f": ["loss`", "ZeroDivisionError"],
    "landscape --along F=.03:.04:2": ["target`"],
    "landscape gray-scot": ["`system`", "Did you mean gray-scott"],
    "landscape --target {kit}/pictures.npz": ["along`"],
    "landscape --along F=.03:.04:2 --target {kit}/pictures.npz": ["set`", "no Du, Dv, k"],
    "landscape --along F=.03:.04:2 F=.03:.05:2 --target {kit}/run": ["along`", "once"],
    "landscape --along F=.03 --target {kit}/run": ["along`", "LOW:HIGH:COUNT"],
    "landscape --along F=.03:9:2 --target {kit}/run": ["`F`", "9"],
    "landscape --along F=.03:.04:2 --target {kit}/run --path {kit}/run": ["path`", "fit"],
    "compare {kit}/pictures.npz --samples 1": ["samples`", "2 to the 2"],
    "compare {kit}/pictures.npz --samples 3": ["samples`", "2 to the 2"],
    "compare {kit}/pictures.npz --loss pixel,pixel": ["loss`", "once"],
    "points lorentz": ["name`", "Did you mean lorenz"],
    "points ring --count 1": ["count`", "at least 2"],
    "alife arow": ["icon`", "Did you mean arrow"],
    "alife {kit}/no-such.png": ["icon`", "must be an existing PNG"],
    "alife {kit}/file": ["icon`", "must be a PNG picture"],
    "alife dot --background white": ["background`", "must be left out"],
    "alife dot --size 64 --icon-size 64": ["icon-size`", "below the 64 pixels"],
    "alife dot --size 64 --icon-size 62": ["icon-size`", "icon's circle"],
    "alife dot --size 64 --count 1000000000": ["count`", "not even the area"],
    "alife dot --size 64 --count 26": ["count`", "fitted into picture 0"],
    "alife dot --samples 1e12": ["samples`", "2e+09 values"],
    "discover {kit}/empty": ["empty"],
    "discover {kit}/no-such.csv": ["`source`", "existing"],
    "discover {kit}/pictures.npz --condition a=1": ["`--condition`", "points only"],
    "discover {kit}/plane.npz,{kit}/space.npz --condition a=1 --condition a=2": ["variables"],
    "discover {kit}/plane.npz --interval 0.1": ["interval`", "--ordered"],
    "discover {kit}/plane.npz --ordered {kit}/space.npz --interval 0.1": ["ordered`"],
    "discover {kit}/plane.npz --library poly9": ["library`", "poly9"],
    "discover {kit}/plane.npz --library {kit}/raises.py:f": ["library`", "ZeroDivisionError"],
    "discover {kit}/plane.npz --fix x:q=1": ["fix`", "q"],
    "discover {kit}/plane.npz --fix q:x=1": ["fix`", "q"],
    "discover {kit}/plane.npz --sign x:y=2": ["sign`", "x:y"],
    "discover {kit}/plane.npz --noise x=-1": ["noise`", "-1"],
    "discover {kit}/plane.npz --covariance x:x=-1": ["covariance`"],
    "score {kit}/plane.npz --hidden 64,x": ["--hidden`", "x"],
    "score {kit}/plane.npz --hidden 0": ["--hidden`", "0"],
    "flow {kit}/plane.npz": ["score`", "kernel"],
    "flow {kit}/plane.npz --field plian": ["`--field`", "Did you mean plain"],
    "flow {kit}/pictures.npz --field kinetic": ["`--field`", "Did you mean kinetics"],
    "flow {kit}/plane.npz --score kernel --tau 1.5": ["tau`", "1.5"],
    "flow {kit}/plane.npz --score {kit}/score --training-free --field plain --prior sparsity": ["training-free`"],
    "flow {kit}/plane.npz --score kernel --prior symmetry": ["flip`"],
    "flow {kit}/plane.npz --score kernel --prior known": ["known`"],
    "flow {kit}/plane.npz --score kernel --known hopf": ["known`", "--prior"],
    "flow {kit}/plane.npz --score kernel --prior known --known hpof": ["`--known`", "'hpof'", "Did you mean hopf"],
    "flow {kit}/plane.npz --score kernel --prior known --known lorenz": ["known`", "variables"],
    "flow {kit}/plane.npz --score kernel --prior sparsity=-1": ["-1"],
    "flow {kit}/plane.npz --score {kit}/flow": ["score.npz"],
    "uniqueness {kit}/plane.npz --flows {kit}/flow": ["score`"],
    "uniqueness {kit}/plane.npz --score {kit}/score": ["flows`"],
    "uniqueness {kit}/plane.npz --score {kit}/score --flows {kit}/flow,{kit}/flow": ["flows`", "different names"],
    "uniqueness {kit}/space.npz --score {kit}/score --flows {kit}/flow": ["score", "points of x, y, z"],
    "uniqueness {kit}/plane.npz --score {kit}/score --flows {kit}/flow-of-three": ["2 variables", "3"],
    "lyapunov lorenz --set Q=1": ["'Q'"],
    "lyapunov lorenz --set rho=900": ["rho`", "900"],
    "lyapunov lorenz --set rho=20:28:2": ["set`", "not a range"],
    "lyapunov lorenz --preset mase": ["preset`", "Known: chaos"],
    "lyapunov lorenz --points {kit}/plane.npz": ["points`", "must be left out"],
    "lyapunov lorenz --size 16": ["size`", "must be left out"],
    "lyapunov lorenz --exponents 2": ["exponents`", "must be left out"],
    "lyapunov gray-scott --models 2": ["models`", "must be left out"],
    "lyapunov gray-scott --size 8 --exponents 999": ["exponents`", "at most"],
    "lyapunov gray-scott --size 16 --time 10": ["time`", "fewer segments"],
    "lyapunov {kit}/run --size 8": ["size`", "must be left out"],
    "lyapunov {kit}/flow --exponents 2": ["exponents`", "must be left out"],
    "lyapunov lorenz --models 2": ["models`", "must be left out"],
    "lyapunov lorenz --time 1": ["time`", "fewer segments"],
    "lyapunov {kit}/flow --set rho=1": ["set`", "run of flows"],
    "lyapunov {kit}/flow --models 3": ["models`", "at most 2"],
    "lyapunov {kit}/flow --points {kit}/space.npz": ["points`", "2 variables", "3"],
    "lyapunov {kit}/score": ["source`"],
    "lyapunov {kit}/no-such-run": ["source`", "run of `unstill flow`", "There is no such folder. Known:"],
    "lyapunov {kit}/plane.npz": ["source`", "It is a file"],
    "classify {kit}/run --size 8": ["size`", "must be left out", "is a run folder"],
    "classify {kit}/run --set F=.03": ["set`", "must be left out", "is a run folder"],
    "classify {kit}/empty": ["source`", "run folder of `simulate`"],
    "classify lorenz": ["source`", "a system in space", "`unstill lyapunov`"],
    "classify gray-scott --time 10": ["time`", "at least 2000 steps"],
    "classify gray-scott --dt 3": ["dt`", "stability limit"],
    "classify gray-scott --init spiral": ["init`"],
    "survey gray-scott": ["over`", "ranges"],
    "survey gray-scott --over F .1:.05:3": ["over`", "rising"],
    "survey gray-scott --over F .1": ["over`", "NAME=LOW:HIGH:COUNT"],
    "survey gray-scott --over g 0:1:3": ["over`", "parameters of gray-scott", "g"],
    "survey gray-scott --over F .1:.2:3 --set F=.1": ["set`", "what varies"],
    "survey gray-scott --over F .1:.2:3 --points 4": ["points`", "left out"],
    "survey gray-scott --over F .1:.2:3 --design sobol": ["points`", "how many"],
    "survey gray-scott --over F .1:.2:3 --workers 2 --cluster tcp://127.0.0.1:9": ["workers`", "left out"],
    "survey lorenz --over rho 1:2:3": ["system`", "reaction–diffusion"],
    "atlas nearest {kit}/pictures.npz --atlas {kit}/run": ["atlas`", "run folder of survey", "no atlas.zarr"],
    "atlas plot {kit}/run": ["source`", "run folder of survey"],
    "atlas plot {kit}/no-such-run": ["source`", "run folder of survey"],
    "atlas draw {kit}/atlas": ["what`", "plot or nearest"],
    "continue {kit}/spot": ["over`", "one parameter"],
    "continue {kit}/spot --over F .05:.03": ["over`", "low < high"],
    "continue {kit}/spot --over F .05:.06": ["over`", "present value of F, 0.035", "0.05 to 0.06"],
    "continue {kit}/spot --over G .05:.06": ["over`", "a parameter of gray-scott"],
    "continue {kit}/spot --over F .03:.04:9": ["over`", "NAME=LOW:HIGH"],
    "continue {kit}/spot --over F=.03:.04 k=.06:.07": ["over`", "one parameter"],
    "continue {kit}/spot --over F .03:.04 --set k=.06": ["set`", "is a run folder"],
    "continue {kit}/spot --over F .03:.04 --sample 1": ["sample`", "below 1"],
    "continue {kit}/run --over F .03:.04": ["source`", "hardly moves"],
    "continue {kit}/pictures.npz --over F .03:.04": ["source`", "all fields of gray-scott, u, v"],
    "continue {kit}/pictures.npz --over F .03:.04 --system lorenz": ["system`", "reaction–diffusion"],
    "stability lorenz": ["system`", "reaction–diffusion"],
    "stability gray-scott --preset mase": ["preset`", "maze"],
    "stability gray-scott --set F=9": ["`F`", "9"],
    "stability gray-scott --set F=.02:.04:3": ["set`", "not a range"],
    "stability gray-scott --over k=.05": ["over`", "NAME=LOW:HIGH", "'k=.05'"],
    "stability gray-scott --over k=.05:.06:3": ["over`", "NAME=LOW:HIGH"],
    "stability gray-scott --over k=.05:.06 k=.05:.07": ["over`", "once"],
    "stability gray-scott --over k=.06:.05": ["over`", "low < high"],
    "stability gray-scott --over k=0:9": ["over`", "[0, 0.3]"],
    "stability gray-scott --over k=0:.1,F=0:.1,Du=0:1": ["over`", "one parameter, or two"],
    "stability gray-scott --box w=0:1": ["box`", "a field of gray-scott"],
    "animate lorenz --time 5": ["source`"],
    "animate {kit}/no-such-run": ["source`", "no such folder"],
    "animate {kit}/empty": ["result.json"],
    "animate no-such-run": ["source`", "run folder, or a system", "There is no such folder. Known:"],
    "animate {kit}/plane.npz": ["source`", "It is a file"],
    "animate {kit}/run --time 5 --set F=.03 k=.05": ["set`", "got F=.03 k=.05"],
    "animate {kit}/run --time 5 --size 16x32": ["size`", "got 16x32"],
    "animate {kit}/run --time 5 --samples 2": ["samples`", "got 2"],
    "animate {kit}/run --time 5 --preset maze": ["preset`", "has its own"],
    "animate {kit}/run --time 5 --field w": ["field`", "w"],
    "animate gray-scott --size 16 --time 5 --steps 5": ["time`", "--steps"],
    "animate gray-scott --size 16 --time 5 --iterations 3": ["iterations`", "no fit"],
    "animate gray-scott --time 5 --out film.avi": ["out`", ".mp4 or .gif"],
    "animate gray-scott --time 5 --out missing/film.gif": ["out`", "existing folder"],
    "animate gray-scott --time 5 --out {kit}/there.gif": ["out`", "--force"],
    "systems gray-scot": ["system`", "Did you mean gray-scott"],
}  # fmt: skip


@pytest.mark.parametrize("call", ALONE)
def test_what_a_verb_refuses_by_itself(refused, call):
    refused(call, expected=ALONE[call])
