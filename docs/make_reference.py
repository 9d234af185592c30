"""Write docs/reference.md from signatures and docstrings: one definition of an argument, for shell, Python and page.

    .venv/bin/python docs/make_reference.py

`tests/test_docs.py` holds the page to the code.
"""

import ast
import inspect
import re
from pathlib import Path

import unstill as us
from unstill._arguments import RULES
from unstill.cli.signatures import meanings, signature

PAGE = Path(__file__).parent / "reference.md"
# Functions by what they are for.
FUNCTIONS = {
    "Move": ("simulate",),
    "Look at pictures": ("inspect",),
    "Find": ("recover", "fit", "discover"),
    "Look before a fit": ("landscape", "compare", "viability"),
    "Map regimes": ("classify", "survey"),
    "Learn": ("learn_score", "learn_flow", "learn_rule", "learn_field_score", "learn_field_flow", "langevin"),
    "Judge": ("calibrate", "stability", "continue_branch", "lyapunov", "uniqueness", "agree", "track"),
    "Try out": ("draw_points", "draw_icons", "doctor"),
    "Read and write": (
        "load", "save", "load_trajectory", "load_points", "save_points", "load_score", "load_flow",
    ),
    "Show": ("animate", "plot_states", "plot_recovery", "save_figure"),
    "Build upon": (
        "rollout", "initial_state", "polish", "growth_rates", "lyapunov_spectrum", "leading_exponent",
        "pattern_statistics", "find_system", "parameter", "find_loss", "time_limit",
    ),
}  # fmt: skip
LIKE = {"leading_exponent"}  # whose docstring says that its arguments are another function's
RESULTS = (
    "Trajectory", "Inspection", "Recovery", "Fit", "Discovery", "Landscape", "Comparison", "Viability",
    "Classification", "Atlas", "Neighbours", "LearntScore", "LearntFlows",
    "LearntRule", "LearntFieldScore", "LearntFieldFlow", "Stability", "PatternBranch", "Lyapunov", "Uniqueness",
    "Tracking", "DrawnPoints", "DrawnIcons", "Doctor",
)  # fmt: skip
_DEFAULT = re.compile(r" ?\(default: ([^()]*(?:\([^()]*\))?[^()]*)\)")


def page() -> str:
    """The whole page."""
    parts = [
        "# Reference",
        "Made from the signatures and docstrings by `docs/make_reference.py`; `help(us.recover)` shows the same. "
        "Every verb checks its arguments before it computes, and raises `BadInput` with the argument, the rule, the "
        "value and a remedy. `progress(done, total, entry)` is called as work goes on; `resume` takes a "
        "`Checkpoint(folder)`, which keeps what is reached and from which the same call goes on. Shapes: M samples, "
        "C fields, H × W cells, D variables, T times.",
    ]
    for purpose, functions in FUNCTIONS.items():
        parts.append(f"## {purpose}")
        parts += [_function(name) for name in functions]
    parts += ["## Results", _shape_of_results(), *map(_result, RESULTS)]
    return "\n\n".join(parts) + "\n"


def _function(name: str) -> str:
    """One function: what it does, a line an argument, what it returns and raises."""
    told = inspect.getdoc(getattr(us, name)) or ""
    about, _, rest = told.partition("\nArgs:\n")
    after = re.split(r"\n(?=\S)", rest, maxsplit=1)
    after = after[1] if len(after) > 1 else ""
    bullets = "" if name in LIKE else "\n".join(_bullet(name, *each) for each in _arguments(name))
    bullets = f"Arguments:\n\n{bullets}" if bullets else ""  # else a list before them would go on
    return "\n\n".join(part for part in (f"### us.{name}", _paragraphs(about), bullets, _paragraphs(after)) if part)


def _place(name: str) -> str:
    """A public function as `cli.signatures` finds it: "room.file:name"."""
    module = inspect.getmodule(inspect.unwrap(getattr(us, name)))
    package = ".__init__" if hasattr(module, "__path__") else ""
    return f"{module.__name__.removeprefix('unstill.')}{package}:{name}"


def _arguments(name: str) -> list[tuple[str, str, str]]:
    """Name, kind and meaning of every argument, `**options` last; a `KeyError` where one is not documented."""
    told = meanings(_place(name))
    kinds = {argument: kind for argument, kind, _ in signature(_place(name))}
    return [(argument, kinds.get(argument, ""), told[argument]) for argument in {**kinds, **told}]


def _bullet(name: str, argument: str, kind: str, meaning: str) -> str:
    """A line of its own: the kind, the default as the signature has it or as the docstring explains a `None`."""
    default = inspect.signature(getattr(us, name)).parameters[argument].default
    said = _DEFAULT.search(meaning)
    shown = said[1] if said else f"`{default!r}`" if isinstance(default, (str, int, float)) else "none"
    facts = "; ".join(
        part
        for part in (_words(kind), "" if default is inspect.Parameter.empty and not said else f"default: {shown}")
        if part
    )
    return f"- `{argument}`{f' ({facts})' if facts else ''}: {_DEFAULT.sub('', meaning)}"


def _words(kind: str) -> str:
    """A kind of argument in words, where the meaning does not tell it."""
    if kind.startswith("Literal["):
        return " or ".join(f"`{each}`" for each in ast.literal_eval(f"({kind[8:-1]},)"))
    if kind in RULES:
        text = RULES[kind].text.removeprefix("must be ")
        return "a positive number" if text == "positive" else text
    return {"bool": "yes or no", "Names": "names, in a sequence or one text", "Values": "numbers by name"}.get(kind, "")


def _shape_of_results() -> str:
    from unstill._result import Result

    return _paragraphs(
        "Every verb's result has `status`, `message` and `seconds`; `summary()`, a table as text; `to_dict()`, exactly "
        "`result.json`; `arrays()` by file; `plot()`; `save(folder)`, the run folder of the command line; `failed` and "
        f"`interrupted`. {inspect.getdoc(Result)}"
    )


def _result(name: str) -> str:
    return f"### us.{name}\n\n{_paragraphs(inspect.getdoc(getattr(us, name)) or '')}"


def _paragraphs(text: str) -> str:
    """Text with each paragraph, and each item of a list, on one line, as Markdown wants it."""
    blocks = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join("\n".join(" ".join(part.split()) for part in re.split(r"\n(?=- )", block)) for block in blocks)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
