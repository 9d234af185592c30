"""List the systems that Unstill knows: equations, parameters with ranges, presets, citations."""

import dataclasses
import json

from .configs import option, positional


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """The configuration of `unstill systems`."""

    system: str = positional("", "show only this system, or file.py:NAME")
    json: bool = option(False, "print JSON")


def run(config: Config) -> int:
    """Print the list; returns the exit code."""
    from ..systems import SYSTEMS, find_system

    systems = [find_system(config.system)] if config.system else list(SYSTEMS.values())
    if config.json:
        print(json.dumps({cls.name: describe(cls) for cls in systems}, indent=2, ensure_ascii=False))
    else:
        print("\n\n".join(_text(describe(cls)) for cls in systems))
    return 0


def describe(cls) -> dict:
    """The facts about a system, as JSON would hold them."""
    defaults = cls.defaults()
    return {
        "name": cls.name,
        "fields": list(cls.fields),
        "equations": list(cls.equations),
        "parameters": {
            name: {
                "default": defaults[name],
                "range": [info.low, info.high],
                "unit": info.unit,
                "meaning": info.meaning,
            }
            for name, info in cls.parameters().items()
        },
        "presets": {name: dict(values) for name, values in cls.presets.items()},
        "citation": cls.citation,
    }


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
