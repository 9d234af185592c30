"""Tests run in float64, with JAX's strict rules on ranks, warnings as errors and shapes checked (pyproject.toml)."""

import hypothesis
import jax
import numpy as np
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture
def rng():
    return np.random.default_rng(20261121)


# No deadline: a busy machine is no failure. The same examples at every run.
hypothesis.settings.register_profile("unstill", deadline=None, derandomize=True)
hypothesis.settings.load_profile("unstill")
