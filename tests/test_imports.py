"""The house: arrows between rooms point one way, and light imports stay light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "unstill"
# A room may import rooms of lower rank, and its own.
RANK = {
    "_types": 0, "_errors": 0, "_files": 0, "_jax": 0, "_arguments": 0, "_numbers": 0, "_progress": 0, "_result": 0,
    "_stopping": 0,
    "systems": 1, "observations": 2, "simulation": 3,
    "balance": 4, "analysis": 4, "training": 4,
    "atlas": 5, "recovery": 5, "discovery": 5, "fitting": 6, "flows": 7, "rules": 7, "field_flows": 8, "files": 9,
    "icons": 10, "tracking": 10,
    "plotting": 11, "cli": 12,
}  # fmt: skip

ARRAYS = {"numpy", "jax", "jaxlib", "scipy", "numba", "equinox", "optax", "diffrax"}


def _imports(path: Path):
    """Rooms that a module imports relatively, wherever the statement stands."""
    package = path.relative_to(SOURCE).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom) or node.level == 0:
            continue
        base = package[: len(package) - (node.level - 1)]
        full = (*base, *(node.module.split(".") if node.module else ()))
        if full:
            yield full[0]
        else:
            yield from (alias.name for alias in node.names if alias.name in RANK)


@pytest.mark.parametrize("path", sorted(p for room in RANK for p in SOURCE.glob(f"{room}/**/*.py")), ids=str)
def test_arrows_point_downwards(path):
    room = path.relative_to(SOURCE).parts[0]
    for target in _imports(path):
        assert target == room or RANK[target] < RANK[room], f"{path.name} of {room} imports {target}"


def test_rooms_say_what_they_offer_and_only_the_house_has_private_files():
    """A file `_x.py` is what every room uses and no user imports: it stands at the top alone."""
    for room in (path for path in SOURCE.rglob("*") if path.is_dir() and path.name != "__pycache__"):
        text = (room / "__init__.py").read_text()
        assert "__all__" in text or "import" not in text, room.name
        assert room == SOURCE or not [p.name for p in room.glob("_*.py") if not p.name.startswith("__")], room.name


def _loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


@pytest.mark.parametrize("path", sorted((SOURCE / "cli").rglob("*.py")), ids=lambda path: path.name)
def test_the_command_line_computes_nothing(path):
    """It parses, prints and maps exit codes: what needs arrays is a function that Python users can call, too."""
    named = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            named |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            named.add((node.module or "").partition(".")[0])
    assert not named & ARRAYS


def test_importing_unstill_is_light():
    loaded = _loaded_after("import unstill; unstill.recover; unstill.simulate; unstill.load")
    assert not loaded & {"matplotlib", "imageio", "av", "dask", "h5py", "fastapi"}


def test_help_imports_no_array_library():
    assert not _loaded_after("from unstill.cli.main import main; main([])") & {"numpy", "jax", "argparse", "rich"}
