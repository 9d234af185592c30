"""The arguments of every verb, as the command line reads them."""

import importlib

from unstill.cli.arguments import Argument, parse


def arguments_of(verb: str) -> tuple[Argument, ...]:
    return importlib.import_module(f"unstill.cli.{verb}").ARGUMENTS


def run_verb(verb: str, words) -> int:
    """A verb's exit code, its errors as exceptions."""
    module, words = importlib.import_module(f"unstill.cli.{verb}"), [str(word) for word in words]
    return module.run(parse(module.ARGUMENTS, words, prog=f"unstill {verb}", about=""))
