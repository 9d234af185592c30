"""The CUDA source of one system's kernels: a prelude derived from its kinetics, and the stencil that is the same for all.

The pointwise functions are those of the native engine (`kernels.pointwise`), written out in C++ by the same translator.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable
from importlib import resources
from typing import Literal

from ..kernels import KernelSpec, pointwise
from ..translate import translate

Part = Literal["forward", "tangent", "adjoint"]
ENTRY: dict[Part, str] = {"forward": "forward", "tangent": "forward_tangent", "adjoint": "backward"}


@dataclasses.dataclass(frozen=True)
class Shape:
    """How a grid lies on the machine: the sizes that `stencil.cu` explains. `edges` are the buffers for a warp's edge
    rows: two, so that one barrier a step suffices, or one where memory is short."""

    columns: int  # of a thread: V
    rows: int  # of a thread: R
    warps: int
    cluster: int = 1
    resident: bool = True
    slots: int = 0
    edges: int = 2

    @property
    def threads(self) -> int:
        return 32 * self.warps

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the tile, or of the whole grid if resident."""
        return self.cluster * self.warps * self.rows, 32 * self.columns


@functools.lru_cache(maxsize=256)
def source(spec: KernelSpec, area: float, shape: Shape, part: Part) -> str:
    """The whole source of one part's kernel; raises `Untranslatable`. `area` is 1/dx²."""
    stencil = resources.files(__package__).joinpath("stencil.cu").read_text()
    return "\n".join([_sizes(spec, area, shape, part), _functions(spec, part), stencil])


def _sizes(spec: KernelSpec, area: float, shape: Shape, part: Part) -> str:
    real = {"float32": "float", "float64": "double"}[spec.dtype]
    strip = shape.columns * (4 if real == "float" else 8)
    parameters, cellwise = len(spec.system.parameters()), len(spec.cellwise)
    whole = {
        "FIELDS": len(spec.system.fields), "PARAMETERS": parameters, "UNIFORM": parameters - cellwise,
        "CELLWISE": cellwise, "V": shape.columns, "R": shape.rows, "WARPS": shape.warps, "CLUSTER": shape.cluster,
        "RESIDENT": int(shape.resident), "PERIODIC": int(spec.boundary == "periodic"), "CLIP": int(spec.clip),
        "SLOTS": shape.slots, "EDGES": shape.edges, "ALIGN": min(16, strip & -strip),
    }  # fmt: skip
    lines = [f"// {spec.system.name}, {part}", f"#define {part.upper()}", f"typedef {real} REAL;"]
    lines += [f"constexpr int {name} = {value};" for name, value in whole.items()]
    lines += [f"constexpr REAL AREA = {area!r}, ONE = 1, ZERO = 0;"]
    return "\n".join(lines)


def _functions(spec: KernelSpec, part: Part) -> str:
    fields, names = len(spec.system.fields), list(spec.system.parameters())
    rate, tangent, adjoint = pointwise(spec)
    cellwise = [names.index(name) for name in spec.cellwise]
    uniform = [i for i in range(len(names)) if i not in cellwise]

    c, theta = {"c": fields, "l": fields}, {"theta": len(names)}
    blocks = [
        _reader("read_uniform", [f"theta[{i}] = p[{slot}];" for slot, i in enumerate(uniform)], "const REAL* p"),
        _reader(
            "read_cellwise",
            [f"theta[{i}] = q[{slot} * cells];" for slot, i in enumerate(cellwise)],
            "const REAL* q, long long cells",
        ),
        _pointwise("rate", rate, {**c, **theta}, {"out": fields}),
    ]
    if part == "tangent":
        given = {**c, **theta, "e": fields, "k": fields, "dtheta": len(names)}
        blocks.append(_pointwise("tangent", tangent, given, {"out": fields}))
    if part == "adjoint":
        given = {"c": fields, "a": fields, "l": fields, **theta}
        blocks.append(_pointwise("adjoint", adjoint, given, {"out": fields, "slope": len(names)}))
        blocks.append(
            _function(
                "add_uniform(double* gp, const double (&totals)[PARAMETERS], REAL h)",
                [f"gp[{slot}] += h * totals[{i}];" for slot, i in enumerate(uniform)],
            )
        )
        blocks.append(
            _function(
                "add_cellwise(REAL* gq, long long cells, const REAL (&slope)[PARAMETERS], REAL h)",
                [f"gq[{slot} * cells] += h * slope[{i}];" for slot, i in enumerate(cellwise)],
            )
        )
    return "\n".join(blocks)


def _function(head: str, body: Iterable[str]) -> str:
    return "\n    ".join([f"__device__ __forceinline__ void {head} {{", *body]) + "\n}"


def _reader(name: str, body: Iterable[str], source: str) -> str:
    head = f"{name}(REAL (&theta)[PARAMETERS], {source})"
    return _function(head, body)


def _pointwise(name: str, function: Callable, given: dict[str, int], out: dict[str, int]) -> str:
    arguments = [f"{array}[{i}]" for array, size in given.items() for i in range(size)]
    lines, results = translate(function, arguments, "c++")
    targets = [f"{array}[{i}]" for array, size in out.items() for i in range(size)]
    body = [f"const auto {line};" for line in lines]
    body += [f"{target} = {result};" for target, result in zip(targets, results, strict=True)]
    inputs = [f"const REAL (&{array})[{size}]" for array, size in given.items()]
    outputs = [f"REAL (&{array})[{size}]" for array, size in out.items()]
    return _function(f"{name}({', '.join([*inputs, *outputs])})", body)
