"""The arguments of every verb, as the command line reads them."""

import dataclasses
import importlib

from unstill.cli import configs
from unstill.cli.arguments import Argument, parse

_KINDS = {configs.number: "Number", configs.count: "Count", configs.whole: "Whole", configs.positive: "Positive",
          configs.names: "Names", configs.size: "Size", None: "str"}  # fmt: skip


def arguments_of(verb: str) -> tuple[Argument, ...]:
    module = importlib.import_module(f"unstill.cli.{verb}")
    if hasattr(module, "ARGUMENTS"):
        return module.ARGUMENTS
    return tuple(map(_argument, dataclasses.fields(module.Config)))


def _argument(field) -> Argument:
    told = field.metadata["argparse"]
    default = ... if field.default is dataclasses.MISSING else field.default
    return Argument(
        field.name, default, field.metadata["help"], kind=_KINDS.get(told.get("type"), "Widths"),
        choices=told.get("choices"), positional=bool(field.metadata.get("positional")),
        repeated=told.get("action") == "append",
    )  # fmt: skip


def run_verb(verb: str, words) -> int:
    """A verb's exit code, its errors as exceptions."""
    module, words = importlib.import_module(f"unstill.cli.{verb}"), [str(word) for word in words]
    if hasattr(module, "Config"):
        return module.run(configs.parse(module.Config, words, prog=f"unstill {verb}", about=""))
    return module.run(parse(module.ARGUMENTS, words, prog=f"unstill {verb}", about=""))
