"""Tests run in float64, with JAX's strict rules on ranks, warnings as errors and shapes checked (pyproject.toml)."""

import os
import tempfile
from pathlib import Path

import hypothesis
import jax
import numpy as np
import pytest

# Most of a test's time goes into compiling programs that run once: LLVM optimises them little. (Read when JAX begins.)
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=1".strip()

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")

# Every call of a verb traces its programs anew: what XLA made of the same ones is kept until this process ends.
_programs = tempfile.TemporaryDirectory(prefix="unstill-programs-")
jax.config.update("jax_compilation_cache_dir", _programs.name)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


def _listed(name: str) -> frozenset[str]:
    """A list that scripts/slow-tests writes."""
    return frozenset(Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines())


SLOW, STUDIES = _listed("slow.txt"), _listed("studies.txt")


def pytest_collection_modifyitems(items):
    for item in items:
        if item.nodeid.partition("[")[0] in SLOW:
            item.add_marker(pytest.mark.slow)
        if item.nodeid in STUDIES:
            item.add_marker(pytest.mark.study)


def pytest_unconfigure():
    _programs.cleanup()


@pytest.fixture
def rng():
    return np.random.default_rng(20261121)


# No deadline: a busy machine is no failure. The same examples at every run.
hypothesis.settings.register_profile("unstill", deadline=None, derandomize=True)
hypothesis.settings.load_profile("unstill")
