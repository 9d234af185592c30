"""Do fresh-start strategies only want more iterations? The rows of the viability study that roll out from fresh states,
near the truth (±20 %), on spots and labyrinths, with several times the iterations of `--quick`.

python benchmarks/fresh_starts.py OUT.jsonl       # about ten minutes on 2 cores; goes on where it was stopped
"""

import dataclasses
import json
import sys
from pathlib import Path

from unstill.fitting.viability.runner import run_study, table
from unstill.fitting.viability.study import QUICK, REGIMES, ROWS

ITERATIONS = {"adaptive": 150, "adam": 150, "levenberg-marquardt": 30, "cma-es": 30, "hybrid": 30}
NAMES = ("founding (A)", "bptt, power spectrum, adam", "tbptt, radial spectrum, adam", "forward, radial spectrum, LM",
         "CMA-ES, moments")  # fmt: skip


def main() -> None:
    path = Path(sys.argv[1])
    done = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    study = dataclasses.replace(
        QUICK, starts=5, horizon=4_000, distances=(0.2,), iterations=ITERATIONS,
        regimes=[regime for regime in REGIMES if regime.name in ("spots", "labyrinth")],
        rows=[row for row in ROWS if row.name in NAMES],
    )  # fmt: skip

    def keep(line) -> None:
        with path.open("a") as log:
            log.write(json.dumps(line) + "\n")

    for row in table(run_study(study, done, keep)):
        print(f"{row['row']:34s} {row['regime']:10s} {row['success']:5.0%} {row['seconds']:6.1f} s  {row['ends']}")


if __name__ == "__main__":
    main()
