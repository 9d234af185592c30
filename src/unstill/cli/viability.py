"""When do gradients through a simulation find its parameters? Strategies × losses × regimes × distance of the start.

unstill viability --quick --out runs/v      # within an hour on 2 cores
unstill viability --out runs/v              # a night; --resume goes on
"""

import csv
import dataclasses
import sys
import time as clock
from typing import Any

from .common import RunOptions, begin, claim_folder, finish, plain, progress_bar, say
from .configs import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config(RunOptions):
    """The configuration of `unstill viability`."""

    quick: bool = option(False, "10 starts a cell, 48², horizon 8,000, few iterations: within an hour")


def run(config: Config) -> int:
    """Run the study, write the run folder; returns the exit code."""
    from ..files.runs import read_log
    from ..fitting.viability import FULL, QUICK, founding_at_its_size, study_viability, table, verify_chaos

    study = dataclasses.replace(QUICK if config.quick else FULL, seed=config.seed)
    total = study.fits
    folder = claim_folder(config)
    done = read_log(folder.path) if folder.resumed else []
    begin(folder, "viability", config, study=_described(study))
    started, count = clock.perf_counter(), [len(done)]
    with progress_bar(config, "fits") as progress:

        def record(line: dict[str, Any]) -> None:
            folder.append_log(plain(line))
            count[0] += 1
            progress(count[0], total)

        try:
            lines = study_viability(study, done, record)
        except KeyboardInterrupt:
            print(
                f"unstill viability: interrupted after {count[0]} of {total} fits; --resume goes on", file=sys.stderr
            )  # fmt: skip
            return 130
    chaos = verify_chaos(study)
    founding = founding_at_its_size(pictures=16 if config.quick else 512, iterations=3 if config.quick else 200)
    rows = table(lines)
    result = plain(
        {
            "study": _described(study), "fits": len(lines), "table": rows, "chaos": chaos, "founding": founding,
            "seconds": clock.perf_counter() - started,
        }
    )  # fmt: skip
    _write(config, folder, study, rows, result)
    return 0


def _described(study) -> dict[str, Any]:
    return plain(dataclasses.asdict(study))


def _write(config: Config, folder, study, rows, result) -> None:
    from ..plotting import save_figure
    from ..plotting.viability import plot_viability

    with open(folder / "table.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["strategy", "regime", "distance", "starts", "success", "median steps", "median s", "ends"])
        for row in rows:
            ends = ", ".join(f"{n} {end}" for end, n in row["ends"].items())
            writer.writerow([*(row[k] for k in ("row", "regime", "distance", "starts", "success", "steps")),
                             round(row["seconds"], 2), ends])  # fmt: skip
    regimes = [regime.name for regime in study.regimes]
    save_figure(plot_viability(rows, [row.name for row in study.rows], regimes), folder / "viability.png")
    folder.write_result(result)
    say(config, *_lines(rows, study), f"{folder.path}: {result['fits']} fits in {result['seconds'] / 60:.0f} min")
    finish(config, result)


def _lines(rows, study) -> list[str]:
    """Success in per cent by row and regime, the far starts."""
    regimes = [regime.name for regime in study.regimes]
    far = max(study.distances)
    found = {(row["row"], row["regime"]): row["success"] for row in rows if row["distance"] == far}
    lines = [f"success from ±{100 * far:.0f} %".ljust(40) + "".join(f"{name:>13s}" for name in regimes)]
    for row in study.rows:
        cells = [found.get((row.name, name)) for name in regimes]
        lines.append(row.name.ljust(40) + "".join("            —" if c is None else f"{c:13.0%}" for c in cells))
    return lines
