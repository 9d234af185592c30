"""List the systems that Unstill knows: equations, parameters with ranges, presets, citations."""

import json

from .arguments import Given, option, positional

ARGUMENTS = (
    positional("system", "", "show only this system, or file.py:NAME"),
    option("json", False, "Print JSON."),
)


def run(given: Given) -> int:
    """Print the list; returns the exit code."""
    from ..systems import SYSTEMS, describe, find_system

    systems = [find_system(given.system)] if given.system else list(SYSTEMS.values())
    if given.json:
        print(json.dumps({cls.name: describe(cls) for cls in systems}, indent=2, ensure_ascii=False))
    else:
        print("\n\n".join(_text(describe(cls)) for cls in systems))
    return 0


def _text(facts: dict) -> str:
    lines = [facts["name"], *(f"    {equation}" for equation in facts["equations"])]
    for name, p in facts["parameters"].items():
        low, high = p["range"]
        lines.append(f"  {name:8s} {p['default']:<8.4g} in [{low:g}, {high:g}]  {p['meaning']} ({p['unit']})")
    for name, values in facts["presets"].items():
        lines.append(f"  --preset {name:18s} " + " ".join(f"{key}={value:.6g}" for key, value in values.items()))
    if facts["citation"]:
        lines.append(f"  {facts['citation']}")
    return "\n".join(lines)
