"""How a grid is laid on a GPU: the whole of it in a cluster of blocks, or tile by tile, for each of the three kernels.

Resident: registers hold the fields for all steps. A 128² box of two float32 fields fills one multiprocessor; while
multiprocessors would idle, a box is spread over a cluster of up to 8. Tiled: any grid; a launch does `depth` steps on
tiles with a margin that is computed twice, so memory is passed once for `depth` steps. Standing: tiles that all fit the
machine at once stay in its registers and hand each other their margins every `depth` steps.
"""

import dataclasses
import functools
import math

import numpy as np

from ...systems.grid import Grid
from ..kernel_source import KernelSpec
from .source import Part, Shape

_WARPS, _FEWEST_WARPS = 16, 4  # 512 threads of a multiprocessor leave 128 registers each, whatever block they belong to
_TILE_WARPS = 8  # two tiles a multiprocessor: one loads while the other computes
_TILE_SHARE = 6  # of a tile's smaller side, what a launch may spoil at each edge
_STATE_REGISTERS = 64  # of these, for the fields; the rest is for neighbours and the kinetics
_CLUSTERS = (1, 2, 4, 8)  # 8 blocks is what every GPU with clusters allows
# What a step of standing tiles takes, in ns, as measured on one H100: by itself, for each cell of a multiprocessor, and
# for that part which a thread does only once for all V columns; and what a meeting takes.
_STEP, _CELL, _ROW, _MEETING = 450.0, 0.047, 0.093, 1200.0
_PATCHES: dict[Part, int] = {"forward": 1, "tangent": 2, "adjoint": 2}  # of FIELDS each, in registers


@dataclasses.dataclass(frozen=True)
class Machine:
    """What a plan must know of a GPU: multiprocessors, shared memory of a block in bytes, whether blocks form
    clusters (compute capability 9), device memory in bytes."""

    processors: int
    shared: int
    clusters: bool
    memory: int


@dataclasses.dataclass(frozen=True)
class Plan:
    """A kernel's shape; `depth` steps a launch (of the adjoint: a pass), which spoil `margin` cells of a tile."""

    shape: Shape
    grid: tuple[int, int]
    depth: int
    margin: int
    shared: int

    @property
    def owned(self) -> tuple[int, int]:
        """Rows and columns of a tile's own, as even as whole strips allow; they are right after `depth` steps."""
        (tall, wide), V = self.shape.size, self.shape.columns
        side = -(-self.margin // V) * V
        return _even(self.grid[0], tall - 2 * self.margin, 1), _even(self.grid[1], wide - 2 * side, V)

    @property
    def reaches_neighbours_alone(self) -> bool:
        """Whether every tile, the last ones too, is as wide as the margin of the next."""
        last = (n - (-(-n // own) - 1) * own for n, own in zip(self.grid, self.owned, strict=True))
        return min(last) >= self.margin

    @property
    def blocks(self) -> int:
        """Thread blocks of one sample."""
        tiles = math.prod(-(-n // own) for n, own in zip(self.grid, self.owned, strict=True))
        return 1 if self.shape.resident and self.shape.cluster == 1 else tiles * self.shape.cluster


def _even(cells: int, most: int, unit: int) -> int:
    """The length of parts, all the same, that cover so many cells: a multiple of `unit`, and `most` at most."""
    parts = -(-cells // most)
    return -(-cells // (parts * unit)) * unit


@functools.lru_cache(maxsize=1024)
def plan(spec: KernelSpec, grid: Grid, part: Part, samples: int, machine: Machine) -> Plan:
    """The plan for `samples` of them at once."""
    plans = _resident_plans(spec, grid, part, machine)
    if not plans:
        standing = _standing_plans(spec, grid, samples, machine) if part == "forward" else []
        tiled = _tiled(spec, grid, part, machine)
        return min(standing, key=lambda p: _time_of_a_step(p, samples, machine), default=tiled)
    # Many samples: few large patches, which post little. Few: as many blocks and warps as there are.
    crowded = min(plans, key=lambda p: (p.shape.cluster, p.shape.warps))
    # One depth whatever the number of samples: checkpoints are laid for it, and a tangent's transpose repeats samples.
    spread = [p for p in plans if p.shape.cluster * samples <= machine.processors and p.depth >= crowded.depth]
    chosen = max(spread, key=lambda p: (p.shape.cluster, p.shape.warps), default=crowded)
    return dataclasses.replace(chosen, depth=crowded.depth)


def _resident_plans(spec: KernelSpec, grid: Grid, part: Part, machine: Machine) -> list[Plan]:
    H, W = grid.shape
    if W % 32:
        return []
    plans, V = [], W // 32
    for cluster in _CLUSTERS if machine.clusters else _CLUSTERS[:1]:
        for warps in range(_FEWEST_WARPS, _WARPS + 1):
            rows, rest = divmod(H, cluster * warps)
            if rest or not 1 <= rows <= _most_rows(spec, part, V):
                continue
            shape, shared = _with_shared_memory(spec, part, Shape(V, rows, warps, cluster), machine)
            if shared <= machine.shared // shape.together and (part != "adjoint" or shape.slots >= 1):
                depth = _recorded(spec, shape) if part == "adjoint" else 1 << 30
                plans.append(Plan(shape, grid.shape, depth, 0, shared))
    return plans


def _most_rows(spec: KernelSpec, part: Part, V: int) -> int:
    words = np.dtype(spec.dtype).itemsize // 4
    return _STATE_REGISTERS // (_PATCHES[part] * len(spec.system.fields) * V * words)


def _with_shared_memory(spec: KernelSpec, part: Part, shape: Shape, machine: Machine) -> tuple[Shape, int]:
    """The shape with as many recorded states as fit (adjoint), and the bytes of shared memory it takes."""
    row = len(spec.system.fields) * 32 * shape.columns * np.dtype(spec.dtype).itemsize
    post = shape.warps * 4 * ((2 if part == "tangent" else 1) * row + 8)  # boxes and flags
    if part != "adjoint":
        return shape, post
    state = shape.warps * shape.rows * row
    slots = max(0, (machine.shared // shape.together - post) // state)
    if not shape.resident:  # deeper passes would spoil more of the tile than they save
        slots = min(slots, min(shape.size) // 16)
    return dataclasses.replace(shape, slots=slots), slots * state + post


def _recorded(spec: KernelSpec, shape: Shape) -> int:
    """Steps of one pass of the adjoint: the last state stays in registers, unless clamping needs the one after."""
    return max(1, shape.slots if spec.clip else shape.slots + 1)


def _standing_plans(spec: KernelSpec, grid: Grid, samples: int, machine: Machine) -> list[Plan]:
    plans = []
    for V in (1, 2, 4) if spec.dtype == "float32" else (1, 2):
        for rows in range(1, _most_rows(spec, "forward", V) + 1):
            tile = Shape(V, rows, _TILE_WARPS, 1, resident=False, standing=True, whole=grid.shape[1] % V == 0)
            shape, shared = _with_shared_memory(spec, "forward", tile, machine)
            for depth in range(2, min(shape.size) // 4):
                plan = Plan(shape, grid.shape, depth, depth, shared)
                if samples * plan.blocks <= machine.processors * shape.together and plan.reaches_neighbours_alone:
                    plans.append(plan)
    return plans


def _time_of_a_step(plan: Plan, samples: int, machine: Machine) -> float:
    """Of standing tiles, in ns."""
    tiles_of_a_processor = -(-samples * plan.blocks // machine.processors)
    cells = tiles_of_a_processor * math.prod(plan.shape.size)
    return _STEP + cells * (_CELL + _ROW / plan.shape.columns) + _MEETING / plan.depth


def _tiled(spec: KernelSpec, grid: Grid, part: Part, machine: Machine) -> Plan:
    V, (H, W) = 4 if spec.dtype == "float32" else 2, grid.shape
    rows = max(1, _most_rows(spec, part, V))
    largest = _deepest(spec, part, grid, Shape(V, rows, _TILE_WARPS, resident=False), machine)
    tall, wide = H + 2 * largest.margin, W + 2 * largest.margin  # a small grid needs no large tile
    V = min(V, -(-wide // 32))
    tile = Shape(V, min(rows, -(-tall // _TILE_WARPS)), _TILE_WARPS, resident=False, whole=W % V == 0)
    return _deepest(spec, part, grid, tile, machine)


def _deepest(spec: KernelSpec, part: Part, grid: Grid, shape: Shape, machine: Machine) -> Plan:
    """A tile's plan with as many steps a launch as pay."""
    shape, shared = _with_shared_memory(spec, part, shape, machine)
    depth = _recorded(spec, shape) if part == "adjoint" else max(1, min(shape.size) // _TILE_SHARE)
    return Plan(shape, grid.shape, depth, _margin(spec, part, depth), shared)


def _margin(spec: KernelSpec, part: Part, depth: int) -> int:
    """Cells spoilt from the edge inwards. Going back, λ loses one cell a step, and begins where the last state used is
    still right."""
    if part != "adjoint":
        return depth
    return 2 * depth if spec.clip else depth - 1 + max(1, depth - 1)
