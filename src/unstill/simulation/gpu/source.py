"""The CUDA source of one system's kernels: a prelude derived from its kinetics, and the stencil, the same for all.

The pointwise functions are those of the native engine (`kernels.pointwise`), written out in C++ by the same translator.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable
from importlib import resources
from typing import Literal

import jax
import jax.numpy as jnp

from ..kernel_source import KernelSpec, pointwise, with_parameters
from ..polynomial import NotPolynomial, Powers, horner, polynomials
from ..translate import translate

Part = Literal["forward", "tangent", "adjoint"]
ENTRY: dict[Part, str] = {"forward": "forward", "tangent": "forward_tangent", "adjoint": "backward"}


@dataclasses.dataclass(frozen=True)
class Shape:
    """How a grid lies on the machine: the sizes that `stencil.cu` explains."""

    columns: int  # of a thread: V
    rows: int  # of a thread: R
    warps: int
    cluster: int = 1
    resident: bool = True
    slots: int = 0
    standing: bool = False
    whole: bool = True

    @property
    def threads(self) -> int:
        return 32 * self.warps

    @property
    def together(self) -> int:
        """Blocks that share a multiprocessor: 512 threads in all, with 128 registers each."""
        return max(1, 16 // self.warps)

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the tile, or of the whole grid if resident."""
        return self.cluster * self.warps * self.rows, 32 * self.columns


@functools.lru_cache(maxsize=256)
def source(spec: KernelSpec, area: float, dt: float, shape: Shape, part: Part) -> str:
    """The whole source of one part's kernel; raises `Untranslatable`. `area` is 1/dx². Of the time step the source
    knows only whether it is 1, which saves an instruction a cell and field."""
    folder = resources.files("unstill.simulation.gpu")
    files = [folder.joinpath(f"{name}.cu").read_text() for name in ("card", "stencil", part)]
    return "\n".join([_sizes(spec, area, dt == 1, shape, part), _functions(spec, dt == 1, part), *files])


def _sizes(spec: KernelSpec, area: float, unit_step: bool, shape: Shape, part: Part) -> str:
    real = {"float32": "float", "float64": "double"}[spec.dtype]
    strip = shape.columns * (4 if real == "float" else 8)
    parameters, cellwise = len(spec.system.parameters()), len(spec.cellwise)
    whole = {
        "FIELDS": len(spec.system.fields), "PARAMETERS": parameters, "UNIFORM": parameters - cellwise,
        "CELLWISE": cellwise, "V": shape.columns, "R": shape.rows, "WARPS": shape.warps, "CLUSTER": shape.cluster,
        "RESIDENT": int(shape.resident), "STANDING": int(shape.standing), "WHOLE": int(shape.whole),
        "PERIODIC": int(spec.boundary == "periodic"), "CLIP": int(spec.clip),
        "SLOTS": shape.slots, "BLOCKS": shape.together, "UNIT_STEP": int(unit_step), "ALIGN": min(16, strip & -strip),
    }  # fmt: skip
    lines = [f"// {spec.system.name}, {part}", f"typedef {real} REAL;"]
    lines += ["typedef long long Offset;", "typedef unsigned long long Flag;"]
    lines += [f"constexpr int {name} = {value};" for name, value in whole.items()]
    lines += [f"constexpr REAL AREA = {area!r}, ONE = 1, ZERO = 0;"]
    lines += ["struct alignas(ALIGN) Strip { REAL at[V]; };"]
    return "\n".join(lines)


def _traced(spec: KernelSpec):
    """Functions of scalars: (diffusivities(θ), kinetics(c, θ), its tangent, its pullback and the slopes).

    The pullback is Σᵢ λᵢ ∂Rᵢ/∂c; the slopes are ∂H/∂θ of H = Σᵢ Dᵢ cᵢ Λᵢ + λᵢ Rᵢ, as in `kernels`.
    """
    C = len(spec.system.fields)

    def as_float(values):
        return [jnp.asarray(value, jnp.float64) for value in values]

    def diffusivities(*theta):
        return as_float(with_parameters(spec.system, theta).diffusivities())

    def kinetics(*q):
        return as_float(with_parameters(spec.system, q[C:]).kinetics(*q[:C]))

    def work(*q):
        """Σᵢ λᵢ Rᵢ of (c, λ, θ)."""
        return sum(a * r for a, r in zip(q[C : 2 * C], kinetics(*q[:C], *q[2 * C :]), strict=True))

    def adjoint(*q):
        c, lam, laplacian, theta = q[:C], q[C : 2 * C], q[2 * C : 3 * C], q[3 * C :]
        pullback = jax.grad(work, tuple(range(C)))(*c, *lam, *theta)

        def hamiltonian(*theta):
            spread = zip(diffusivities(*theta), c, laplacian, strict=True)
            return sum(D * x * L for D, x, L in spread) + work(*c, *lam, *theta)

        return *pullback, *jax.grad(hamiltonian, tuple(range(len(theta))))(*theta)

    return diffusivities, kinetics, pointwise(spec)[1], adjoint


def _functions(spec: KernelSpec, unit_step: bool, part: Part) -> str:
    C, names = len(spec.system.fields), list(spec.system.parameters())
    diffusivities, kinetics, tangent, adjoint = _traced(spec)
    cellwise = [names.index(name) for name in spec.cellwise]
    uniform = [i for i in range(len(names)) if i not in cellwise]
    theta = {"theta": len(names)}
    blocks = [
        _reader("read_uniform", [f"theta[{i}] = p[{slot}];" for slot, i in enumerate(uniform)], "const REAL* p"),
        _reader(
            "read_cellwise",
            [f"theta[{i}] = q[{slot} * cells];" for slot, i in enumerate(cellwise)],
            "const REAL* q, long long cells",
        ),
        _pointwise("diffusivities", diffusivities, theta, {"D": C}),
        _pointwise("kinetics", kinetics, {"c": C, **theta}, {"out": C}),
        *_local(spec, kinetics, unit_step),
    ]
    if part == "tangent":
        given = {"c": C, "l": C, **theta, "e": C, "k": C, "dtheta": len(names)}
        blocks.append(_pointwise("tangent", tangent, given, {"out": C}))
    if part == "adjoint":
        given = {"c": C, "a": C, "l": C, **theta}
        blocks.append(_pointwise("adjoint", adjoint, given, {"out": C, "slope": len(names)}))
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


def _local(spec: KernelSpec, kinetics: Callable, unit_step: bool) -> list[str]:
    """`fold`, which prepares numbers `k` once, and `local`: own c + h R(c), a step without its neighbours.

    Polynomial kinetics take part of their linear terms into `own` and need `k` alone; others are written as they are.
    """
    fields = list(range(len(spec.system.fields)))
    folded = None if spec.cellwise else _folded(spec, kinetics, unit_step)
    if folded is None:
        step = "out[{0}] = own[{0}] * c[{0}] + " + ("out[{0}];" if unit_step else "h * out[{0}];")
        coefficients, lines = [], ["kinetics(c, theta, out);", *(step.format(f) for f in fields)]
    else:
        coefficients, lines = folded
    sizes = "const REAL (&theta)[PARAMETERS], const REAL (&own)[FIELDS], REAL h"
    return [
        f"constexpr int FOLDED = {max(1, sum(line.startswith('k[') for line in coefficients))};",
        _function(f"fold({sizes}, REAL (&k)[FOLDED])", coefficients),
        _function(f"local(const REAL (&c)[FIELDS], {sizes}, const REAL (&k)[FOLDED], REAL (&out)[FIELDS])", lines),
    ]


def _folded(spec: KernelSpec, kinetics: Callable, unit_step: bool) -> tuple[list[str], list[str]] | None:
    """The lines of `fold` and of `local` for polynomial kinetics; None for others, and where it would take longer."""
    C, P = len(spec.system.fields), len(spec.system.parameters())
    monomials: list[list[Powers]] = []

    def coefficients(*theta):
        found = polynomials(kinetics, C, theta)
        for f, polynomial in enumerate(found):  # each has its own linear term, into which `own` goes
            polynomial.setdefault(_linear(C, f), 0.0)
        monomials[:] = [sorted(polynomial) for polynomial in found]
        return [jnp.asarray(polynomial[m], jnp.float64) for polynomial in found for m in sorted(polynomial)]

    try:
        lines, values = translate(coefficients, [f"theta[{i}]" for i in range(P)], "c++")
    except NotPolynomial:
        return None
    lines, names, given = [f"const auto {line};" for line in lines], [f"c[{f}]" for f in range(C)], iter(values)
    steps, stored = [], 0
    for f in range(C):
        terms = {}
        for powers in monomials[f]:
            value, linear = next(given), powers == _linear(C, f)
            if linear or not unit_step or not value.startswith("REAL("):
                lines.append(f"k[{stored}] = {f'own[{f}] + ' if linear else ''}h * {value};")
                value, stored = f"k[{stored}]", stored + 1
            terms[powers] = value
        steps.append(f"out[{f}] = {horner(terms, names)};")
    # Horner's form of a power of a sum, say, takes more operations than the power: then the kinetics stay as written.
    written = "".join(translate(kinetics, [*names, *(f"theta[{i}]" for i in range(P))], "c++")[0])
    longer = sum(step.count("*") for step in steps) > sum(map(written.count, "*/+-(")) / 2 + C
    return None if longer else (lines, steps)


def _linear(fields: int, f: int) -> Powers:
    return tuple(int(i == f) for i in range(fields))


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
