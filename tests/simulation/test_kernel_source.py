"""The templates of the generated kernels: nothing stays open, and each line belongs to its boundary."""

import ast
import itertools

import pytest

from registry import REACTION_DIFFUSION
from unstill.simulation import BOUNDARIES
from unstill.simulation.kernel_source import KernelSpec, source
from unstill.simulation.templates import slots

PARTS = ("forward", "adjoint", "tangent", "directions")


def names_of(text: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", REACTION_DIFFUSION)
def test_every_slot_is_filled(name, part):
    cls = REACTION_DIFFUSION[name]
    declared = {name for name, value in vars(slots).items() if callable(value) and value.__module__ == slots.__name__}
    assert len(declared) == 11
    some = next(iter(cls.parameters()))
    for boundary, cellwise, clip in itertools.product(BOUNDARIES, ((), (some,)), (False, True)):
        text = source(KernelSpec(cls, boundary, "float32", cellwise, clip), part)
        assert not names_of(text) & declared
        assert "# if" not in text
        assert "np.float64" not in text


@pytest.mark.parametrize("part", PARTS)
def test_the_source_tells_boundaries_clipping_and_precision_apart(part):
    """The cache's key is made of the source."""
    cls = REACTION_DIFFUSION["gray-scott"]
    specs = [
        KernelSpec(cls, boundary, dtype, (), clip)
        for boundary, dtype, clip in itertools.product(BOUNDARIES, ("float32", "float64"), (False, True))
    ]
    assert len({source(spec, part) for spec in specs}) == len(specs)
    assert "% H" in source(specs[0], part)
    assert "max(i - 1, 0)" in source(specs[-1], part)
