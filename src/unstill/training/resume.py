"""The state of a minimisation as plain arrays: what a resume file holds."""

import jax
import numpy as np

from .._errors import BadInput
from .._jax import enable_x64
from .._types import Status
from .loop import Outcome
from .optimisers import AbstractOptimiser, Variables


def as_arrays(optimiser: AbstractOptimiser, reached: Outcome) -> dict[str, np.ndarray]:
    """Variables, the leaves of the optimiser's state, the count of iterations and the status, by name."""
    leaves = jax.tree.leaves(optimiser.portable(reached.state))
    arrays = {f"x_{name}": np.asarray(value) for name, value in reached.x.items()}
    arrays |= {f"state_{i}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
    return arrays | {"iterations": np.asarray(reached.iterations), "status": np.asarray(str(reached.status))}


def from_arrays(optimiser: AbstractOptimiser, like: Variables, arrays: dict[str, np.ndarray]) -> Outcome:
    """The outcome that `as_arrays` kept, for variables of the names and shapes of `like`; raises `BadInput`."""
    with enable_x64():
        template = optimiser.init(like)
    leaves, structure = jax.tree.flatten(template)
    wanted = {f"x_{name}": np.shape(value) for name, value in like.items()}
    wanted |= {f"state_{i}": np.shape(leaf) for i, leaf in enumerate(leaves)}
    wanted |= {"iterations": (), "status": ()}
    ours = ("x_", "state_", "iterations", "status")
    found = {name: array.shape for name, array in arrays.items() if name.startswith(ours)}
    if found != wanted:
        raise BadInput(
            "resume", "must find the state of the same command", f"{found} in its file of states, not {wanted}"
        )
    x = {name: np.asarray(arrays[f"x_{name}"], float) for name in like}
    kept = [np.asarray(arrays[f"state_{i}"], np.asarray(leaf).dtype) for i, leaf in enumerate(leaves)]
    state = jax.tree.unflatten(structure, kept)
    status = str(arrays["status"])
    if status not in tuple(Status):
        raise BadInput("resume", "must find a known status", repr(status))
    return Outcome(x, state, int(arrays["iterations"]), np.nan, Status(status), "")
