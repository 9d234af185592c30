"""`discover` on the chaotic systems of the package `dysts`: exact terms, cosines, and never confidently wrong.

Run with the package installed (it is in no extra: it brings much that is not needed here). Points are shuffled, of 500
orbits whose clocks run at different paces; the library is that of the true degree, everything else as it comes.
"""

import time

import jax.numpy as jnp
import numpy as np
import pytest

import unstill as us

pytest.importorskip("dysts")

from attractors import Attractor, attractors, points

SIZES = {"5,000 points": (5_000, 0.0), "10,000 points": (10_000, 0.0), "10,000 points, 1 % noise": (10_000, 0.01)}


def verdict(one: Attractor, x: np.ndarray, *, noise: float = 0.0, seed: int = 1) -> dict:
    """Status, cosine with the truth over the points, and which terms were found, of the first field."""
    rng = np.random.default_rng(seed)
    seen = x + noise * x.std(0) * rng.standard_normal(x.shape)
    began = time.perf_counter()
    found = us.discover(seen, f"poly{one.degree}", seed=0)
    seconds = time.perf_counter() - began
    a, b = (np.asarray(r) / x.std(0) for r in (found.drift(jnp.asarray(x)), one.rates(x)))
    norm = np.sqrt((a**2).sum() * (b**2).sum())
    cosine = float(abs((a * b).sum()) / norm) if norm > 0 else 0.0
    known = one.coefficients != 0
    terms = np.abs(np.asarray(found.coefficients)) > 0
    exact = terms.shape == known.shape and bool((terms == known).all())
    return {
        "name": one.name, "status": str(found.status), "nullity": found.nullity, "cosine": cosine, "exact": exact,
        "false": int((terms & ~known).sum()) if terms.shape == known.shape else -1,
        "missing": int((~terms & known).sum()) if terms.shape == known.shape else -1,
        "seconds": seconds, "message": found.message,
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("equal_phases", [False, True], ids=["mixed phases", "equal phases"])
def test_attractors(benchmark, figure, size, equal_phases):
    count, noise = SIZES[size]
    rows = []

    def run():
        for one in attractors():
            x = points(one, equal_phases=equal_phases)
            if x is not None:
                rows.append(verdict(one, x[:count], noise=noise))
                print(rows[-1], flush=True)

    benchmark.pedantic(run, rounds=1)
    wrong = [row["name"] for row in rows if row["status"] == "converged" and row["cosine"] < 0.95]
    exact = np.mean([row["exact"] for row in rows])
    good = np.mean([row["cosine"] >= 0.99 for row in rows])
    wanted = {"5,000 points": 0.75, "10,000 points": 0.9, "10,000 points, 1 % noise": 0.6}[size]
    phases = "equal" if equal_phases else "mixed"
    how = f"{len(rows)} systems, {phases} phases; confidently wrong: {', '.join(wrong) or 'none'}"
    measured = (
        f"{exact:.0%} exact terms, {good:.0%} cosine ≥ .99, median {np.median([r['seconds'] for r in rows]):.1f} s"
    )
    met = not wrong and (equal_phases or exact >= wanted)
    figure(f"attractors, {size}", f"≥ {wanted:.0%} exact, none wrong", measured, "", how, bool(met))
