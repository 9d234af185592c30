"""Whatever is wrong with a file, verbs answer alike: exit code 2, one line that names the argument, nothing written.

Every broken file with one verb that reads such files, and every verb with a few of them.
"""

import pytest
from broken_files import FITS, PICTURE_FILES, POINTS, RUNS, models, some_score
from wrong_calls import START, make_kit, watch_refusals

kit = pytest.fixture(scope="module")(make_kit)
refused = pytest.fixture(watch_refusals)

READS_POINTS = {
    "score": "score {}",
    "discover": "discover {}",
    "discover --ordered": "discover {{kit}}/plane.npz --interval 0.1 --ordered {}",
    "discover, two": "discover {{kit}}/plane.npz,{} --condition a=1 --condition a=2",
    "flow": "flow {} --score kernel",
    "lyapunov": "lyapunov {{kit}}/flow --points {}",
    "uniqueness": "uniqueness {} --score {{kit}}/score --flows {{kit}}/flow",
}
READS_PICTURES = {
    "recover": "recover {}",
    "inspect": "inspect {}",
    "fit": f"fit {{}} --start {START}",
    "landscape": "landscape --along F=.03:.04:2 --set Du=.16,Dv=.08,k=.06 --target {}",
    "compare": "compare {}",
    "simulate": "simulate --steps 2 --init {}",
    "animate": "animate --time 2 --init {}",
    "atlas": "atlas nearest {} --atlas {{kit}}/atlas",
}


def pairs(readers, files, some):
    """Every file with the first reader, and some files with each."""
    first, *others = readers
    return [(first, file) for file in files] + [(reader, file) for reader in others for file in some]


SOME_POINTS = ("no-such.csv", "truncated.npz", "pickled.npz", "nan.npy", "one-axis.npy", "no-points.npy", "twice.csv")


@pytest.mark.parametrize(("reader", "file"), pairs(READS_POINTS, POINTS, SOME_POINTS))
def test_broken_points(refused, reader, file):
    pictures = reader == "score" and file == "three-axes.npy"  # which it takes too, but not so few
    expected = ["`source`", "at least 20 pictures"] if pictures else POINTS[file][1]
    refused(READS_POINTS[reader].format(f"{{kit}}/points/{file}"), expected=expected)


SOME_PICTURES = ("no-such.npz", "truncated.npz", "pickled-picture.npz", "nan.npz", "one-axis.npz", "truncated.png")


@pytest.mark.parametrize(("reader", "file"), pairs(READS_PICTURES, PICTURE_FILES, SOME_PICTURES))
def test_broken_pictures(refused, reader, file):
    asks_for_u_first = reader in ("simulate", "animate")
    expected = () if asks_for_u_first else PICTURE_FILES[file][1]
    refused(READS_PICTURES[reader].format(f"{{kit}}/pictures/{file}"), expected=expected)


READS_MODELS = {
    "score": {
        "flow": "flow {{kit}}/plane.npz --score {}",
        "uniqueness": "uniqueness {{kit}}/plane.npz --flows {{kit}}/flow --score {}",
    },
    "flow": {
        "lyapunov": "lyapunov {} --points {{kit}}/plane.npz",
        "uniqueness": "uniqueness {{kit}}/plane.npz --score {{kit}}/score --flows {}",
        "flow --known": "flow {{kit}}/plane.npz --score kernel --prior known --known {}",
    },
}
SOME_FAULTS = ("missing", "truncated", "of-three")


FAULTS = [*models(some_score(), "s_w0"), "of-three"]
OF_MODELS = [(kind, *pair) for kind, readers in READS_MODELS.items() for pair in pairs(readers, FAULTS, SOME_FAULTS)]


@pytest.mark.parametrize(("kind", "reader", "fault"), OF_MODELS)
def test_broken_networks(refused, kind, reader, fault):
    refused(READS_MODELS[kind][reader].format(f"{{kit}}/{kind}-{fault}"))


READS_RUNS = {
    "animate": "animate {}",
    "continue": "continue {} --over F=.03:.04",
    **{n: call for n, call in READS_PICTURES.items() if n != "animate"},
}
NOT_READ = ("result-empty", "result-list", "result-other-system")  # by verbs that take nothing but the fields


@pytest.mark.parametrize(("reader", "fault"), pairs(READS_RUNS, RUNS, [f for f in RUNS if f not in NOT_READ]))
def test_broken_run_folders(refused, reader, fault):
    if reader in ("compare", "inspect") and fault == "states-other-names":
        pytest.skip("pictures are compared, and inspected, under any name")
    refused(READS_RUNS[reader].format(f"{{kit}}/{fault}"))


WRONG_SYSTEMS = {
    "gray-scot": ["Did you mean gray-scott"],
    "{kit}/no_such.py:Mine": ["existing file"],
    "{kit}/raises.py:Mine": ["ZeroDivisionError"],
    "{kit}/syntax.py:Mine": ["SyntaxError"],
    "{kit}/exits.py:Mine": ["SystemExit"],
    "{kit}/other.py:Mine": ["'Mine'"],
    "{kit}/other.py:Other": ["'Other'"],
    "{kit}/other.py:number": ["'number'"],
    "{kit}/other.py:": [],
    "{kit}/half.py:Half": ["Half"],
}
TAKES_SYSTEM = {
    "simulate": "simulate {} --steps 2",
    "recover": "recover {{kit}}/pictures.npz --system {}",
    "fit": f"fit {{{{kit}}}}/pictures.npz --start {START} --system {{}}",
    "landscape": "landscape {} --along F=.03:.04:2 --target {{kit}}/pictures.npz",
    "lyapunov": "lyapunov {}",
    "flow": "flow {{kit}}/plane.npz --score kernel --prior known --known {}",
    "animate": "animate {} --time 2",
    "systems": "systems {}",
    "calibrate": "calibrate {}",
    "stability": "stability {}",
    "classify": "classify {}",
    "survey": "survey {} --over F=.03:.04:2",
    "continue": "continue {{kit}}/pictures.npz --over F=.03:.04 --system {}",
}


@pytest.mark.parametrize(("reader", "system"), pairs(TAKES_SYSTEM, WRONG_SYSTEMS, WRONG_SYSTEMS))
def test_wrong_systems(refused, reader, system):
    refused(
        TAKES_SYSTEM[reader].format(system.replace("{kit}", "{{kit}}")).replace("{{kit}}", "{kit}"),
        expected=WRONG_SYSTEMS[system],
    )


@pytest.mark.parametrize("fault", FITS)
def test_broken_fits_are_not_filmed(refused, fault):
    refused(f"animate {{kit}}/fit-{fault}")


@pytest.mark.parametrize("fault", ["no-log", "log-other-keys", "log-list"])
def test_broken_fits_are_no_paths(refused, fault):
    refused(f"landscape --along F=.03:.04:2 --target {{kit}}/run --path {{kit}}/fit-{fault}")
