"""The command line: one verb a file; a verb is imported only when it is called, so `--help` is instant."""

import importlib
import sys
from collections.abc import Sequence

from .. import __version__
from .._errors import BadInput, UnstillError, nearest
from .._stopping import stoppable, time_limit

VERBS = {
    "simulate": "move patterns: from an initial state, for steps, a time, or until they rest",
    "inspect": "show what a file of pictures holds, and what is suspicious",
    "recover": "find the parameters (and hidden fields) behind pictures of a pattern",
    "calibrate": "measure how often the intervals of recover hold the truth",
    "fit": "fit parameters by gradient, against pictures and a loss",
    "viability": "study when gradients find parameters: strategies, losses, regimes",
    "landscape": "map a loss along one parameter, over a list of sets, or over a section",
    "compare": "measure the pictures of a set against each other, by one or more losses",
    "stability": "uniform states of a system, what grows on them, and their bifurcations",
    "continue": "follow a pattern at rest along a parameter, through folds, and what grows on it",
    "classify": "say in which regime motions are: at rest, slow, oscillating, chaotic, …",
    "survey": "map the regimes of a system over its parameters: an atlas",
    "atlas": "draw an atlas, or find what in it is nearest to a picture",
    "points": "draw a point set: an unordered heap of points",
    "alife": "draw an artificial life heap: pictures of an icon at random places and angles",
    "discover": "find the equations behind a heap of points, or pictures of all fields",
    "score": "learn the score of a heap of points",
    "flow": "learn fields that preserve points, or the local rule behind pictures",
    "lyapunov": "Lyapunov spectra of flows or systems, with a null model",
    "uniqueness": "how far points determine a flow: families compared",
    "agree": "compare learnt dynamics of pictures with the true ones",
    "animate": "film a run folder, or parameter sets side by side",
    "systems": "list the systems: equations, parameters, presets",
    "doctor": "show versions, devices, precision, engines, threads and caches",
}


def _help() -> str:
    verbs = "\n".join(f"  {name:10s} {what}" for name, what in VERBS.items())
    return f"""unstill {__version__}: from still patterns to the dynamics that make them

usage: unstill VERB [arguments]

{verbs}

`unstill VERB --help` shows a verb's arguments. Exit codes: 0 done, 2 bad input,
3 numerical failure (what was reached is kept), 130 interrupted.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; returns the exit code. A user's mistake prints one line on stderr, never a traceback."""
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_help(), end="")
        return 0
    if argv[0] == "--version":
        print(f"unstill {__version__}")
        return 0
    verb, *rest = argv
    try:
        if verb not in VERBS:
            raise BadInput("VERB", "must be a verb", repr(verb), nearest(verb, VERBS))
        return _run(verb, rest)
    except UnstillError as error:
        from .arguments import as_typed

        print(f"unstill {verb}: {as_typed(verb, str(error)) if verb in VERBS else error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        return 0
    except MemoryError as error:
        print(f"unstill {verb}: needs more memory than there is ({error}): take a smaller --size", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"unstill {verb}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"unstill {verb}: interrupted before anything was reached", file=sys.stderr)
        return 130


def _run(verb: str, words: Sequence[str]) -> int:
    from .arguments import parse

    module = importlib.import_module(f".{verb}", __package__)
    given = parse(module.ARGUMENTS, words, prog=f"unstill {verb}", about=module.__doc__ or "")
    with stoppable(), time_limit(getattr(given, "time_limit", None)):
        return module.run(given)


if __name__ == "__main__":
    sys.exit(main())
