"""Options, the table of figures at the end, and where data lie. A missed figure is told and fails nothing."""

import dataclasses
import json
import os
import platform
import tempfile
from collections.abc import Callable
from pathlib import Path

import jax
import pytest

from timing import Lap

jax.config.update("jax_enable_x64", True)
os.environ.setdefault("UNSTILL_THREADS", "2")


@dataclasses.dataclass(frozen=True)
class Figure:
    """One line of the table; `met` is None where nothing was promised or nothing could be measured."""

    figure: str
    wanted: str
    measured: str
    rival: str
    how: str
    met: bool | None

    def row(self) -> str:
        verdict = {True: "met", False: "**missed**", None: ""}[self.met]
        return f"| {self.figure} | {self.wanted} | {self.measured} | {self.rival} | {self.how} | {verdict} |"


FIGURES = pytest.StashKey[list[Figure]]()


def pytest_addoption(parser):
    group = parser.getgroup("unstill benchmarks")
    group.addoption("--slow", action="store_true", help="also run the long recoveries (noise, moving regimes)")
    group.addoption("--bench-data", metavar="DIR", help="where simulated pictures are kept between runs")
    group.addoption("--results", metavar="FILE", help="also write the table of figures as JSON, e.g. results.json")
    group.addoption("--preset", action="append", help="only this preset in test_recover.py; may be repeated")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: only with --slow")
    config.stash[FIGURES] = []


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--slow"):
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="needs --slow"))
    presets = config.getoption("--preset")
    if presets:
        items[:] = [
            i for i in items if not hasattr(i, "callspec") or i.callspec.params.get("preset", presets[0]) in presets
        ]


def _preset(item) -> str | None:
    return item.callspec.params.get("preset")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """What failed or was skipped gets a line of the table too."""
    report = yield
    if report.failed or (report.skipped and report.when in ("setup", "call")):
        reason = call.excinfo.exconly().splitlines()[-1][:160] if call.excinfo else ""
        outcome = "failed" if report.failed else "not run"
        item.config.stash[FIGURES].append(Figure(item.name, "", outcome, "", reason, False if report.failed else None))
    return report


@pytest.fixture
def figure(request, benchmark) -> Callable[..., None]:
    """figure(name, wanted, measured, rival="", how="", met=None, **numbers): a line of the table, told at once (a long
    run may be stopped) and at the end; numbers are kept."""

    def add(name, wanted, measured, rival="", how="", met=None, **numbers):
        row = Figure(name, wanted, measured, rival, how, met)
        request.config.stash[FIGURES].append(row)
        request.config.pluginmanager.get_plugin("terminalreporter").write_line(f"\n{row.row()}")
        told = {key: dataclasses.asdict(x) if isinstance(x, Lap) else x for key, x in numbers.items()}
        benchmark.extra_info[name] = {"wanted": wanted, "measured": measured, "met": met, **told}

    return add


@pytest.fixture(scope="session")
def data_folder(request) -> Path:
    chosen = request.config.getoption("--bench-data")
    folder = Path(chosen) if chosen else Path(tempfile.gettempdir()) / "unstill-bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _machine() -> dict[str, str]:
    import numba
    import numpy as np

    cpu = next(
        (line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    load = " ".join(f"{x:.1f}" for x in os.getloadavg())
    versions = (
        f"Python {platform.python_version()}, JAX {jax.__version__}, Numba {numba.__version__}, NumPy {np.__version__}"
    )
    return {"machine": f"{cpu}, {os.cpu_count()} cores", "versions": versions, "load at the end": load}


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def pytest_terminal_summary(terminalreporter, config):
    figures = config.stash[FIGURES]
    if not figures:
        return
    terminalreporter.section("figures, as measured")
    machine = _machine()
    for name, value in machine.items():
        terminalreporter.line(f"{name}: {value}")
    terminalreporter.line("\n| figure | wanted | measured | rival | how | |\n|---|---|---|---|---|---|")
    for figure in figures:
        terminalreporter.line(figure.row())
    target = config.getoption("--results")
    if target:
        content = {**machine, "figures": [dataclasses.asdict(figure) for figure in figures]}
        Path(target).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
