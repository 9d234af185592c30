"""The exact score of normal fields."""

import jax
import pytest
from normal_fields import gaussian, standardised

from unstill.field_flows import FieldScore
from unstill.field_flows.local_network import LocalNetwork
from unstill.field_flows.spectral_normal import SpectralNormal


@pytest.fixture(scope="module")
def score() -> FieldScore:
    """The exact one: its network is silent, and the pictures are normal."""
    z = gaussian(400)
    mean, scale = z.mean((0, 2, 3)), z.std((0, 2, 3))
    network = LocalNetwork.make(jax.random.key(0), 2, 4, 1)
    return FieldScore(network, SpectralNormal.of(standardised(z)), mean, scale, ("u", "v"))
