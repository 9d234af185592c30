"""Show what this machine computes with: versions, devices, float64, engines, threads, where caches lie."""

import json

from .arguments import Given, option

ARGUMENTS = (option("json", False, "Print JSON."),)


def run(given: Given) -> int:
    """Print the facts; exit code 3 where float64 or every engine fails."""
    from ..simulation.doctor import doctor

    facts = doctor()
    if given.json:
        print(json.dumps(facts.to_dict(), indent=2))
    else:
        print(facts.summary())
    return 3 if facts.failed else 0
