"""What this machine computes with: each fact is tried out, not only looked up."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from .._result import Result, plain
from .._types import Status
from ..systems import GrayScott
from ..systems.grid import Grid
from .simulate import simulate

_PACKAGES = ("unstill", "jax", "jaxlib", "equinox", "numba", "numpy", "scipy", "matplotlib", "av")
AGREEMENT = 1e-12  # of states of order 1 after 50 steps: some hundred roundings of float64


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Doctor(Result):
    """The facts about a machine.

    `versions` by package, JAX's `devices`, whether `float64` is kept, the `engines` that there are and their largest
    `difference` after 50 steps (None where one failed, with its `error`), the engine `chosen` by "auto", the `gpu` that
    kernels are planned for or what is `missing`, `threads` of the native engine, the folder of its `cache`.
    """

    verb: ClassVar = "doctor"

    python: str
    system: str
    versions: Mapping[str, str]
    devices: Sequence[str]
    float64: bool
    engines: Sequence[str]
    difference: float | None
    error: str | None
    chosen: str
    gpu: str | None
    missing: str | None
    threads: int
    cache: str
    seconds: float

    @property
    def agree(self) -> bool:
        """Whether all engines compute the same."""
        return self.difference is not None and self.difference < AGREEMENT

    @property
    def failed(self) -> bool:
        """Whether float64 is not kept, or the engines do not agree."""
        return not (self.float64 and self.agree)

    @property
    def status(self) -> Status:  # pyright: ignore[reportIncompatibleVariableOverride]
        return Status.NO_FIT if self.failed else Status.CONVERGED

    @property
    def message(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return "float64 or an engine fails here" if self.failed else "float64 is kept, and the engines agree"

    def to_dict(self) -> dict[str, Any]:
        facts = plain({field.name: getattr(self, field.name) for field in dataclasses.fields(self)})
        return facts | {"agree": self.agree}

    def headline(self) -> str:
        return self.message

    def table(self) -> list[tuple[str, str]]:
        agree = f"largest difference {self.difference:.1e} after 50 steps" if self.error is None else self.error
        return [
            ("python", f"{self.python} on {self.system}"),
            ("versions", ", ".join(f"{name} {version}" for name, version in self.versions.items())),
            ("devices", ", ".join(self.devices)),
            ("engines", ", ".join(self.engines)),
            ("float64", "yes" if self.float64 else "no: this device rounds to float32"),
            ("engines agree", f"{'yes' if self.agree else 'no'}: {agree}"),
            ("engine chosen", self.chosen),
            ("gpu engine", self.missing or f"yes: {self.gpu}"),
            ("threads", str(self.threads)),
            ("cache", self.cache),
        ]


def doctor() -> Doctor:
    """Examine this machine; takes a few seconds, most of them to compile."""
    import jax

    from .._jax import platform_of
    from .gpu import description, missing
    from .kernels import cache_folder
    from .native import threads

    began, lacks = time.perf_counter(), missing()
    engines = ("native", "xla") if lacks else ("native", "xla", "gpu")
    difference, error = _difference(engines)
    return Doctor(
        python=platform.python_version(),
        system=platform.platform(),
        versions={name: importlib.metadata.version(name) for name in _PACKAGES},
        devices=[str(device) for device in jax.devices()],
        float64=_keeps_float64(),
        engines=engines,
        difference=difference,
        error=error,
        chosen="native" if platform_of(None) == "cpu" else "xla" if lacks else "gpu",
        gpu=None if lacks else description(),
        missing=lacks or None,
        threads=threads(),
        cache=str(cache_folder()),
        seconds=time.perf_counter() - began,
    )


def _keeps_float64() -> bool:
    import jax.numpy as jnp

    from .._jax import enable_x64

    with enable_x64():
        return float(jnp.asarray(1.0) + jnp.asarray(2.0**-50)) != 1.0


def _difference(engines: Sequence[Any]) -> tuple[float | None, str | None]:
    """The largest difference between the engines after 50 steps, or the error of one that failed."""
    try:
        first, *others = (
            simulate(GrayScott(), steps=50, grid=Grid((32, 32)), engine=engine).state for engine in engines
        )
    except Exception as error:  # whatever fails here is the finding
        return None, f"{type(error).__name__}: {error}"
    return max(float(np.abs(first - other).max()) for other in others), None
