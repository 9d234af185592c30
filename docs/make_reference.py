"""Write docs/reference.md from signatures and docstrings: one definition of an argument, for shell, Python and page.

    .venv/bin/python docs/make_reference.py

`tests/test_docs.py` holds the page to the code.
"""

import inspect
import re
from pathlib import Path

import unstill as us
from unstill.cli.signatures import meanings, signature

PAGE = Path(__file__).parent / "reference.md"
# Verbs by what they are for: the function as the command line finds it.
VERBS = {
    "Move": ("simulation.simulate:simulate",),
    "Find": ("recovery.recover:recover", "discovery.discover:discover"),
    "Learn": ("flows.learn_score:learn_score", "flows.learn_flow:learn_flow", "rules.learn_rule:learn_rule"),
    "Judge": ("flows.exponents:lyapunov", "flows.uniqueness:uniqueness", "analysis.agreement:agree"),
    "Try out": ("discovery.point_sets:draw_points",),
}
RESULTS = (
    "Trajectory",
    "Recovery",
    "Discovery",
    "LearntScore",
    "LearntFlows",
    "LearntRule",
    "Lyapunov",
    "Uniqueness",
    "DrawnPoints",
)
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
    for purpose, functions in VERBS.items():
        parts.append(f"## {purpose}")
        parts += [_verb(function) for function in functions]
    parts += ["## Results", _shape_of_results(), *map(_result, RESULTS)]
    return "\n\n".join(parts) + "\n"


def _verb(function: str) -> str:
    name = function.partition(":")[2]
    told = inspect.getdoc(getattr(us, name)) or ""
    about, _, rest = told.partition("\nArgs:\n")
    after = re.split(r"\n(?=\S)", rest, maxsplit=1)
    rows = ["| argument | default | meaning |", "| --- | --- | --- |"]
    rows += [_row(argument, default, meanings(function)[argument]) for argument, _, default in signature(function)]
    closing = _paragraphs(after[1]) if len(after) > 1 else ""
    return "\n\n".join(part for part in (f"### us.{name}", _paragraphs(about), "\n".join(rows), closing) if part)


def _row(argument: str, default: object, meaning: str) -> str:
    """A line of a table: the default as the signature has it, or as the docstring explains a `None`."""
    said = _DEFAULT.search(meaning)
    shown = "–" if default is ... else said[1] if said else f"`{default!r}`" if default not in (None, ()) else "none"
    return f"| `{argument}` | {shown} | {_DEFAULT.sub('', meaning).replace('|', '&#124;')} |"


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
    """Text with each paragraph on one line, as Markdown wants it."""
    return "\n\n".join(" ".join(block.split()) for block in re.split(r"\n\s*\n", text.strip()))


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
