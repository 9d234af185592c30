"""The source of a system's kernels: the templates' loops, with the system's formulas in their slots.

The pointwise functions, all derived from `kinetics` by JAX and written out by `translate`:

    rate      Dᵢ·Lᵢ + Rᵢ(c; θ)                         from c, L = ∇²c, θ
    tangent   its jvp                                  from c, L, ċ, L̇, θ, θ̇
    adjoint   ∂H/∂c, ∂H/∂θ of H = Σᵢ Dᵢ cᵢ Λᵢ + λᵢ Rᵢ   from c, λ, Λ = ∇²λ, θ

H is the pairing ⟨λ, rate⟩ after the symmetric Laplacian has been moved to λ, so that the adjoint step needs no
neighbours of c. Arrays are padded by one ghost column at each side (W + 2), so the inner loop has no index arithmetic
and vectorises.
"""

import dataclasses
import functools
import hashlib
import re
from pathlib import Path

import jax
import jax.numpy as jnp

from ..systems import ReactionDiffusion
from .translate import translate

_TEMPLATES = Path(__file__).parent / "templates"
_CALL = re.compile(r"( *)(\w+)\(.*\)")
_FORWARD = re.compile(r"from \.forward (import .*)")
_ARGUMENTS = re.compile(r"\*(\w+)(?:\([^()]*\))?, ")


@dataclasses.dataclass(frozen=True)
class KernelSpec:
    """All that a kernel's source depends on. `cellwise` names the parameters given per cell."""

    system: type[ReactionDiffusion]
    boundary: str
    dtype: str
    cellwise: tuple[str, ...] = ()
    clip: bool = False


class _Names:
    """Names of scalars in the generated source: c0…, l0… (Laplacians), d… (tangents), a… (adjoints), parameters."""

    def __init__(self, spec: KernelSpec):
        self.fields = range(len(spec.system.fields))
        self.parameters = list(spec.system.parameters())
        self.theta = [f"th_{name}" for name in self.parameters]
        self.cellwise = [self.parameters.index(name) for name in spec.cellwise]
        self.uniform = [i for i in range(len(self.parameters)) if i not in self.cellwise]

    def of(self, prefix: str) -> list[str]:
        return [f"{prefix}{i}" for i in self.fields]


def with_parameters(system: type[ReactionDiffusion], theta) -> ReactionDiffusion:
    """An instance whose parameters are `theta`, in order, unchecked."""
    instance = object.__new__(system)  # traced scalars take the leaves' places; no range check
    for name, value in zip(system.parameters(), theta, strict=True):
        object.__setattr__(instance, name, value)
    return instance


def pointwise(spec: KernelSpec):
    """The four traced functions of scalars: (rate, tangent, adjoint, the tangent where no parameter moves)."""
    C = len(spec.system.fields)

    def as_float(values):
        return [jnp.asarray(value, jnp.float64) for value in values]

    def rate(*q):
        c, laplacian, theta = q[:C], q[C : 2 * C], q[2 * C :]
        system = with_parameters(spec.system, theta)
        spread = zip(system.diffusivities(), laplacian, system.kinetics(*c), strict=True)
        return as_float(D * L + r for D, L, r in spread)

    def tangent(*q):
        n = len(q) // 2
        return jax.jvp(rate, q[:n], q[n:])[1]

    def hamiltonian(*q):
        c, lam, laplacian, theta = q[:C], q[C : 2 * C], q[2 * C : 3 * C], q[3 * C :]
        system = with_parameters(spec.system, theta)
        terms = zip(system.diffusivities(), c, laplacian, lam, system.kinetics(*c), strict=True)
        return jnp.asarray(sum(D * x * L + a * r for D, x, L, a, r in terms), jnp.float64)

    def adjoint(*q):
        wanted = (*range(C), *range(3 * C, len(q)))
        return jax.grad(hamiltonian, wanted)(*q)

    def direction(*q):
        c, moved, laplacian, theta = q[:C], q[C : 2 * C], q[2 * C : 3 * C], q[3 * C :]
        system = with_parameters(spec.system, theta)
        rates = jax.jvp(lambda *fields: as_float(system.kinetics(*fields)), c, moved)[1]
        return as_float(D * L + r for D, L, r in zip(system.diffusivities(), laplacian, rates, strict=True))

    return rate, tangent, adjoint, direction


@dataclasses.dataclass(frozen=True)
class _Slots:
    """What a system puts into a template: `lines` for a call alone on its line, `arguments` for `*call(…), `."""

    lines: dict[str, list[str]]
    arguments: dict[str, list[str]] = dataclasses.field(default_factory=dict)


def fill(template: str, slots: _Slots, holds: set[str]) -> str:
    """The functions of a template, filled in; of the lines that end in `# if WORD` those whose word is in `holds`."""
    text, made = _text(template), []
    for line in text[text.index("\n@njit") :].splitlines():
        code, conditional, word = line.partition("  # if ")
        if conditional and word not in holds:
            continue
        call = _CALL.fullmatch(code)
        if call and call[2] in slots.lines:
            made += [call[1] + one for one in slots.lines[call[2]]]
        else:
            made.append(_ARGUMENTS.sub(lambda found: "".join(f"{one}, " for one in slots.arguments[found[1]]), code))
    return "\n".join(made) + "\n"


@functools.cache
def _text(template: str) -> str:
    return (_TEMPLATES / f"{template}.py").read_text(encoding="utf-8")


def _laplacian(row: str, centre: str) -> str:
    return f"((({row}m[j - 1] + {row}m[j + 1]) + ({row}n[j] + {row}s[j])) - REAL(4.0) * {centre}) * area"


def _edges(names: _Names, boundary: str) -> list[str]:
    """The ghost columns of the rows y."""
    ends = ("W", "1") if boundary == "periodic" else ("1", "W")
    return [f"{y}[0] = {y}[{ends[0]}]; {y}[W + 1] = {y}[{ends[1]}]" for y in names.of("y")]


def _read_parameters(names: _Names, array: str = "p", prefix: str = "th_") -> list[str]:
    return [f"{prefix}{names.parameters[i]} = {array}[{slot}]" for slot, i in enumerate(names.uniform)]


def _neighbours(names: _Names, array: str, prefix: str = "r") -> list[str]:
    """Row i of each field, and the rows before and after it."""
    return [
        f"{prefix}{f}n = {array}[{f}, n]; {prefix}{f}m = {array}[{f}, i]; {prefix}{f}s = {array}[{f}, s]"
        for f in names.fields
    ]


def _cell_rows(names: _Names, row: str, array: str = "q", prefix: str = "q") -> list[str]:
    return [f"{prefix}{slot} = {array}[{slot}, {row}]" for slot in range(len(names.cellwise))]


def _cell_values(names: _Names, prefix: str = "th_", array: str = "q") -> list[str]:
    return [f"{prefix}{names.parameters[i]} = {array}{slot}[j - 1]" for slot, i in enumerate(names.cellwise)]


def _forward(spec: KernelSpec) -> _Slots:
    names = _Names(spec)
    body, outputs = translate(pointwise(spec)[0], [*names.of("c"), *names.of("l"), *names.theta])
    cell = [f"c{f} = r{f}m[j]; l{f} = {_laplacian(f'r{f}', f'c{f}')}" for f in names.fields]
    cell += _cell_values(names) + body
    for f, rate in zip(names.fields, outputs, strict=True):
        clipped = f"ZERO if w{f} < ZERO else (ONE if w{f} > ONE else w{f})" if spec.clip else f"w{f}"
        cell += [f"w{f} = c{f} + h * {rate}", f"y{f}[j] = {clipped}"]
    rows = _neighbours(names, "x") + [f"y{f} = y[{f}, i]" for f in names.fields] + _cell_rows(names, "i")
    lines = {"take_rows": rows, "cell": cell, "close_edges": _edges(names, spec.boundary)}
    return _Slots(lines | {"read_parameters": _read_parameters(names)}, _wavefront(names))


def _wavefront(names: _Names) -> dict[str, list[str]]:
    """The rows that `advance` hands to `line`, and their names there."""
    slots = range(len(names.cellwise))
    views = [f"r{f}n, r{f}m, r{f}s" for f in names.fields]
    return {
        "from_x": [f"x[{f}, up % H], x[{f}, m], x[{f}, down % H]" for f in names.fields],
        "from_ring": [
            ", ".join(f"ring[below, {f}, ({row} + far) % 3]" for row in ("up", "i", "down")) for f in names.fields
        ],
        "to_y": [f"y[{f}, m]" for f in names.fields],
        "to_ring": [f"ring[level - 1, {f}, (i + far) % 3]" for f in names.fields],
        "cellwise": [f"q[{slot}, m]" for slot in slots],
        "rows": [*views, *names.of("y"), *(f"q{slot}" for slot in slots)],
    }


def _adjoint(spec: KernelSpec) -> _Slots:
    names, C = _Names(spec), len(spec.system.fields)
    body, outputs = translate(pointwise(spec)[2], [*names.of("c"), *names.of("a"), *names.of("l"), *names.theta])
    rows = _neighbours(names, "lam") + [f"x{f} = x[{f}, i]; y{f} = out[{f}, i]" for f in names.fields]
    rows += _cell_rows(names, "i") + _cell_rows(names, "i", "gq", "g") + [f"s{i} = ZERO" for i in names.uniform]
    cell = [f"c{f} = x{f}[j]; a{f} = r{f}m[j]; l{f} = {_laplacian(f'r{f}', f'a{f}')}" for f in names.fields]
    cell += _cell_values(names) + body
    cell += [f"y{f}[j] = a{f} + h * {outputs[f]}" for f in names.fields]
    cell += [f"s{i} += {outputs[C + i]}" for i in names.uniform]
    cell += [f"g{slot}[j - 1] += h * {outputs[C + i]}" for slot, i in enumerate(names.cellwise)]
    slopes = [f"gp[{slot}] += h * s{i}" for slot, i in enumerate(names.uniform)]
    lines = {"take_rows": rows, "cell": cell, "add_slopes": slopes, "close_edges": _edges(names, spec.boundary)}
    return _Slots(lines | {"read_parameters": _read_parameters(names)})


def _tangent(spec: KernelSpec) -> _Slots:
    names = _Names(spec)
    dots = [f"dot_{name}" for name in names.theta]
    arguments = [*names.of("c"), *names.of("l"), *names.theta, *names.of("e"), *names.of("k"), *dots]
    body, outputs = translate(pointwise(spec)[1], arguments)
    rows = _neighbours(names, "x") + _neighbours(names, "dx", "z") + [f"y{f} = out[{f}, i]" for f in names.fields]
    rows += _cell_rows(names, "i") + _cell_rows(names, "i", "dq", "dq_")
    cell = [f"c{f} = r{f}m[j]; l{f} = {_laplacian(f'r{f}', f'c{f}')}" for f in names.fields]
    cell += [f"e{f} = z{f}m[j]; k{f} = {_laplacian(f'z{f}', f'e{f}')}" for f in names.fields]
    cell += _cell_values(names) + _cell_values(names, "dot_th_", "dq_") + body
    cell += [f"y{f}[j] = e{f} + h * {outputs[f]}" for f in names.fields]
    lines = {"take_rows": rows, "cell": cell, "close_edges": _edges(names, spec.boundary)}
    lines["read_parameter_tangents"] = _read_parameters(names, "dp", "dot_th_")
    return _Slots(lines | {"read_parameters": _read_parameters(names)})


def _directions(spec: KernelSpec) -> _Slots:
    names = _Names(spec)
    body, outputs = translate(pointwise(spec)[3], [*names.of("c"), *names.of("e"), *names.of("k"), *names.theta])
    rows = _neighbours(names, "dx", "z") + [f"x{f} = x[{f}, i]; y{f} = out[{f}, i]" for f in names.fields]
    rows += _cell_rows(names, "i")
    cell = [f"c{f} = x{f}[j]; e{f} = z{f}m[j]; k{f} = {_laplacian(f'z{f}', f'e{f}')}" for f in names.fields]
    cell += _cell_values(names) + body
    cell += [f"y{f}[j] = e{f} + h * {outputs[f]}" for f in names.fields]
    lines = {"take_rows": rows, "cell": cell, "close_edges": _edges(names, spec.boundary)}
    return _Slots(lines | {"read_parameters": _read_parameters(names)})


_PARTS = {"forward": _forward, "adjoint": _adjoint, "tangent": _tangent, "directions": _directions}


@functools.lru_cache(maxsize=256)
def source(spec: KernelSpec, part: str) -> str:
    """The source of a part: "forward", "adjoint", "tangent" or "directions". The others import their forward steps, so
    that these are compiled once. Raises `translate.Untranslatable`."""
    text = _text("header").replace("What every generated module begins with.", f"Generated for {spec.system.name}.")
    text = text.replace("float64", spec.dtype)
    if steps := _FORWARD.search(_text(part)):
        text += f"\nfrom {module_name(spec, 'forward')} {steps[1]}\n"
    holds = {spec.boundary, "clip"} if spec.clip else {spec.boundary}
    return text + fill(part, _PARTS[part](spec), holds)


def module_name(spec: KernelSpec, part: str) -> str:
    """What the module of a part is called: another name for another source."""
    digest = hashlib.sha256(source(spec, part).encode()).hexdigest()[:16]
    system = "".join(c if c.isalnum() else "_" for c in spec.system.name)
    return f"unstill_kernels_{system}_{part}_{digest}"
