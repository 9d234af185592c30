"""`Rule`: the dynamics of a cell and its neighbours, ∂c_a/∂t = Σ_j θ_aj B_j, a `Dynamics` on grids of any size."""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._errors import BadInput
from .terms import AbstractTerms

_NUDGE = 1e-4  # of a standardised feature, in the difference quotient of a diffusivity


class Rule(eqx.Module):
    """Coefficients θ of the terms B of a cell's features; `dx` and boundary are the terms'."""

    coefficients: Float[Array | np.ndarray, "C J"]
    terms: AbstractTerms = eqx.field(static=True)
    dt: float = eqx.field(static=True)  # a time step that is stable, in the rule's units of time

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields, in the order of axis C."""
        return self.terms.neighbourhood.fields

    def drift(self, state: Float[Array, "*B C H W"]) -> Float[Array, "*B C H W"]:
        """dc/dt at every cell; the grid may have any size."""
        state = jnp.asarray(state)
        return jnp.einsum("aj,...jyx->...ayx", jnp.asarray(self.coefficients, state.dtype), self.terms(state))

    def on_host(self, state: Float[np.ndarray, "*B C H W"]) -> Float[np.ndarray, "*B C H W"]:
        """`drift` in NumPy, one picture at a time."""
        if state.ndim == 3:
            return np.einsum("aj,jyx->ayx", np.asarray(self.coefficients), self.terms(state))
        return np.array([self.on_host(c) for c in state])

    def __call__(self, state: Any) -> Any:
        """dc/dt of states (M, C, H, W) or (C, H, W): NumPy, JAX or PyTorch in, the same out. Raises `BadInput`."""
        if np.ndim(state) not in (3, 4) or state.shape[-3] != len(self.fields):
            rule = f"must have shape (M, {len(self.fields)}, H, W) with fields {', '.join(self.fields)}"
            raise BadInput("state", rule, tuple(np.shape(state)))
        if min(state.shape[-2:]) < 3:
            raise BadInput("state", "must have 3 cells a side or more", tuple(state.shape))
        if isinstance(state, jax.Array):
            return self.drift(state)
        if isinstance(state, np.ndarray):
            return self.on_host(state.astype(np.float64)).astype(state.dtype if state.dtype.kind == "f" else float)
        import torch  # pyright: ignore[reportMissingImports]

        found = self.on_host(state.detach().cpu().numpy().astype(np.float64))
        return torch.as_tensor(found, dtype=state.dtype, device=state.device)

    def kinetics(self, values: np.ndarray) -> np.ndarray:
        """The rates of uniform fields of these values, (C, …) both: the rule without its neighbours."""
        flat = np.asarray(values, np.float64).reshape(len(self.fields), -1)
        features = np.zeros((len(self.terms.mean), flat.shape[1], 1))
        features[: len(flat)] = flat[..., None]
        rates = np.einsum("aj,jyx->ayx", np.asarray(self.coefficients), self.terms.of_features(features))
        return rates.reshape(np.shape(values))

    def diffusivities(self, pictures: Float[np.ndarray, "M C H W"]) -> Float[np.ndarray, " C"]:
        """The mean of ∂f_a/∂(∇²c_a) over pictures; 0 where the rule does not see the Laplacian."""
        names, found = self.terms.neighbourhood.names, []
        for a, field in enumerate(self.fields):
            if f"lap {field}" not in names:
                found.append(0.0)
                continue
            i = names.index(f"lap {field}")
            features = self.terms.neighbourhood.features(pictures)
            step = _NUDGE * self.terms.scale[i]
            nudge = np.zeros(features.shape[-3])
            nudge[i] = step
            ends = [self.terms.of_features(features + s * nudge[:, None, None]) for s in (1, -1)]
            slope = np.asarray(self.coefficients)[a] @ (ends[0] - ends[1]).mean((0, 2, 3)) / (2 * step)
            found.append(float(slope))
        return np.array(found)
