"""Show what this machine computes with: versions, devices, float64, engines, threads, where caches lie."""

import dataclasses
import importlib.metadata
import json
import platform

from .configs import option


@dataclasses.dataclass(frozen=True, kw_only=True)
class Config:
    """The configuration of `unstill doctor`."""

    json: bool = option(False, "print JSON")


def run(config: Config) -> int:
    """Print the facts; exit code 3 where float64 or every engine fails."""
    facts = examine()
    if config.json:
        print(json.dumps(facts, indent=2))
    else:
        width = max(map(len, facts))
        for name, value in facts.items():
            print(f"{name:{width}s}  {value}")
    return 0 if facts["float64"] == "yes" and facts["engines agree"].startswith("yes") else 3


def examine() -> dict[str, str]:
    """The facts, each of them tried out and not only looked up."""
    import jax

    from .._jax import platform_of
    from ..simulation.gpu import machine, missing
    from ..simulation.kernels import cache_folder
    from ..simulation.native import threads

    packages = ("unstill", "jax", "jaxlib", "equinox", "numba", "numpy", "scipy", "matplotlib", "av")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    return {
        "python": f"{platform.python_version()} on {platform.platform()}",
        "versions": versions,
        "devices": ", ".join(str(device) for device in jax.devices()),
        "float64": _float64(),
        "engines agree": _engines_agree(),
        "engine chosen": "native" if platform_of(None) == "cpu" else "xla" if missing() else "gpu",
        "gpu engine": missing() or f"yes: {machine()}",
        "threads": str(threads()),
        "cache": str(cache_folder()),
    }


def _float64() -> str:
    import jax.numpy as jnp

    from .._jax import enable_x64

    with enable_x64():
        works = float(jnp.asarray(1.0) + jnp.asarray(2.0**-50)) != 1.0
    return "yes" if works else "no: this device rounds to float32"


def _engines_agree() -> str:
    import numpy as np

    from ..simulation import Grid, simulate
    from ..simulation.gpu import missing
    from ..systems import GrayScott

    try:
        engines = ("native", "xla") if missing() else ("native", "xla", "gpu")
        native, *others = (
            simulate(GrayScott(), steps=50, grid=Grid((32, 32)), engine=engine).state for engine in engines
        )
    except Exception as error:
        return f"no: {type(error).__name__}: {error}"
    difference = max(float(np.abs(native - other).max()) for other in others)
    return f"{'yes' if difference < 1e-12 else 'no'}: largest difference {difference:.1e} after 50 steps"
