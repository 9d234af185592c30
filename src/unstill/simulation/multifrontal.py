"""Direct solves with sparse matrices on a grid: nested dissection, with dense LAPACK blocks.

A matrix of C fields on n cells whose stencil reaches w cells is cut along grid lines: two halves do not see each other
once a line of width w between them is set aside. Eliminating halves before lines, recursively, costs O((C w)³ n^1.5)
operations, nearly all of them in a few dense blocks, which LAPACK does at its full speed.
Method: A. George, SIAM J. Numer. Anal. 10, 345 (1973), doi:10.1137/0710032; I. S. Duff, J. K. Reid, ACM Trans. Math.
Softw. 9, 302 (1983), doi:10.1145/356044.356047.
"""

import dataclasses
import functools

import numpy as np
import scipy.sparse as sp
from scipy.linalg import blas, lapack
from threadpoolctl import ThreadpoolController

from .._errors import BadInput
from ..systems.grid import FIVE_POINT, Grid

LEAF_CELLS = 64  # measured at 128²: smaller blocks pay in Python, larger ones in arithmetic


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread():
    """A context in which BLAS uses one thread: the blocks are small, and idle BLAS threads that spin on a shared
    machine made factorisations seven times slower."""
    return _blas().limit(limits=1, user_api="blas")


@dataclasses.dataclass(eq=False)
class _Front:
    """One block of pivots [start, end) in elimination order, and the later unknowns (`border`) that it touches."""

    start: int
    end: int
    border: np.ndarray
    children: list[int]
    places: list[np.ndarray]  # where each child's border lies in this front
    target: np.ndarray  # flat places in the front of the matrix entries …
    source: np.ndarray  # … and their positions in `data` of the CSR matrix


class SingularMatrix(ArithmeticError):
    """A block of pivots is singular, or not positive definite where that was promised."""


class Elimination:
    """The symbolic half: an order of elimination for one sparsity pattern, reused by every numeric factorisation.

    Unknown (field c, cell i) has the number c·n + i. `reach` is the stencil's radius in cells: 1 for a Jacobian,
    2 for products of two. Lines of that width part stencils of nine points as well as those of five.
    """

    def __init__(self, grid: Grid, pattern: sp.csr_array, reach: int):
        n = grid.shape[0] * grid.shape[1]
        fields = self.fields = pattern.shape[0] // n
        blocks, children = _dissect(grid, reach)
        cells = np.concatenate(blocks)
        self.permutation = (cells[:, None] + n * np.arange(fields)).ravel()
        place = np.empty(n, int)
        place[cells] = np.arange(n)
        numbered = sp.csr_array((np.arange(1, pattern.nnz + 1), pattern.indices, pattern.indptr), pattern.shape)
        rows = numbered[self.permutation][:, self.permutation].tocsr()
        columns = rows.tocsc()
        self.fronts: list[_Front] = []
        self.nnz, start = pattern.nnz, 0
        offsets = _offsets(grid, reach)
        for block, below in zip(blocks, children, strict=True):
            end = start + len(block)
            near = place[_neighbours(grid, block, offsets)]
            parts = [self.fronts[c].border[::fields] // fields for c in below]
            border = np.unique(np.concatenate([near, *parts]))
            border = (border[border >= end][:, None] * fields + np.arange(fields)).ravel()
            span = (start * fields, end * fields)
            everything = np.concatenate([np.arange(*span), border])
            places = [np.searchsorted(everything, self.fronts[c].border) for c in below]
            self.fronts.append(_Front(*span, border, below, places, *_entries(rows, columns, span, everything)))
            start = end


def _dissect(grid: Grid, width: int) -> tuple[list[np.ndarray], list[list[int]]]:
    """Blocks of cells in the order of elimination, and the blocks that feed each."""
    blocks: list[np.ndarray] = []
    children: list[list[int]] = []

    def add(cells: np.ndarray, below: list[int]) -> list[int]:
        if not cells.size:
            return below
        blocks.append(cells.ravel())
        children.append(below)
        return [len(blocks) - 1]

    def cut(box: np.ndarray) -> list[int]:
        if box.size <= max(LEAF_CELLS, 4 * width * width) or max(box.shape) <= 2 * width:
            return add(box, [])
        if box.shape[0] < box.shape[1]:
            box = box.T
        m = (len(box) - width) // 2
        return add(box[m : m + width], cut(box[:m]) + cut(box[m + width :]))

    box = np.arange(grid.shape[0] * grid.shape[1]).reshape(grid.shape)
    if grid.boundary == "periodic" and min(box.shape) > 2 * width:
        inner = cut(box[:-width, :-width])
        add(box[-width:], add(box[:-width, -width:], inner))
    else:
        cut(box)
    return blocks, children


def _offsets(grid: Grid, reach: int) -> list[tuple[int, int]]:
    """Where the stencil of the grid's Laplacian reaches, applied `reach` times: a diamond of five points, a square of
    nine."""
    span = range(-reach, reach + 1)
    diamond = grid.scheme == FIVE_POINT
    return [(a, b) for a in span for b in span if not diamond or abs(a) + abs(b) <= reach]


def _neighbours(grid: Grid, cells: np.ndarray, offsets: list[tuple[int, int]]) -> np.ndarray:
    row, column = np.divmod(cells, grid.shape[1])
    mode = "wrap" if grid.boundary == "periodic" else "clip"
    return np.concatenate([np.ravel_multi_index((row + a, column + b), grid.shape, mode=mode) for a, b in offsets])


def _entries(rows, columns, span, everything):
    """Places in a front of the entries of its pivots' rows and columns."""
    (start, end), size = span, len(everything)

    def collect(matrix):
        low, high = matrix.indptr[start], matrix.indptr[end]
        major = np.repeat(np.arange(end - start), np.diff(matrix.indptr[start : end + 1]))
        return major, matrix.indices[low:high], matrix.data[low:high] - 1

    r, c, source = collect(rows)
    keep = c >= start
    target = r[keep] * size + np.searchsorted(everything, c[keep])
    c2, r2, source2 = collect(columns)
    below = r2 >= end
    target2 = np.searchsorted(everything, r2[below]) * size + c2[below]
    return np.concatenate([target, target2]), np.concatenate([source[keep], source2[below]])


class Factorisation:
    """A = LU by blocks (Cholesky where `symmetric` positive definite is promised); raises `SingularMatrix`.

    Pivots are exchanged inside a block only: a matrix whose leading blocks are nearly singular loses digits, which
    one step of refinement in `solve` gives back.
    """

    def __init__(self, plan: Elimination, matrix: sp.csr_array, *, symmetric: bool = False):
        if matrix.nnz != plan.nnz:
            raise ValueError("the matrix must have the sparsity pattern of the plan")
        self.plan, self.matrix, self.symmetric = plan, matrix, symmetric
        self.blocks: list[tuple] = []
        with one_thread():
            self._factorise()

    def _factorise(self):
        plan, matrix, symmetric = self.plan, self.matrix, self.symmetric
        updates: dict[int, np.ndarray] = {}
        for number, front in enumerate(plan.fronts):
            pivots, size = front.end - front.start, front.end - front.start + len(front.border)
            dense = np.zeros((size, size))
            dense.ravel()[front.target] = matrix.data[front.source]
            for child, place in zip(front.children, front.places, strict=True):
                dense[place[:, None], place] += updates.pop(child)
            eliminate = _cholesky if symmetric else _lu
            block, updates[number] = eliminate(dense, pivots)
            self.blocks.append(block)

    def solve(self, rhs: np.ndarray, *, transposed: bool = False) -> np.ndarray:
        """A⁻¹ rhs, or A⁻ᵀ rhs; `rhs` has shape (C·n,) or (C·n, K)."""
        x = rhs.reshape(len(rhs), -1)[self.plan.permutation]
        with one_thread():
            self._substitute(x, transposed)
        out = np.empty_like(x)
        out[self.plan.permutation] = x
        return out.reshape(rhs.shape)

    def _substitute(self, x: np.ndarray, transposed: bool):
        up, down = _SYMMETRIC if self.symmetric else _TRANSPOSED if transposed else _DIRECT
        for front, block in zip(self.plan.fronts, self.blocks, strict=True):
            x[front.start : front.end], change = up(block, x[front.start : front.end])
            x[front.border] -= change
        for front, block in zip(self.plan.fronts[::-1], self.blocks[::-1], strict=True):
            x[front.start : front.end] = down(block, x[front.start : front.end], x[front.border])


def _cholesky(dense, pivots):
    root, info = lapack.dpotrf(dense[:pivots, :pivots].T, lower=1)
    if info:
        raise SingularMatrix("matrix not positive definite")
    X = blas.dtrsm(1.0, root, dense[pivots:, :pivots].T, lower=1)
    return (root, X), dense[pivots:, pivots:] - X.T @ X


def _lu(dense, pivots):
    lu, exchange, info = lapack.dgetrf(dense[:pivots, :pivots])
    if info:
        raise SingularMatrix("matrix singular")
    right = lapack.dgetrs(lu, exchange, dense[:pivots, pivots:])[0]
    left = lapack.dgetrs(lu, exchange, dense[pivots:, :pivots].T, trans=1)[0].T
    return (lu, exchange, right, left), dense[pivots:, pivots:] - dense[pivots:, :pivots] @ right


def _up_symmetric(block, x):
    y = blas.dtrsm(1.0, block[0], x, lower=1)
    return y, block[1].T @ y


def _down_symmetric(block, x, border):
    return blas.dtrsm(1.0, block[0], x - block[1] @ border, lower=1, trans_a=1)


_SYMMETRIC = (_up_symmetric, _down_symmetric)
_DIRECT = (
    lambda block, x: (lapack.dgetrs(block[0], block[1], x)[0], block[3] @ x),
    lambda block, x, border: x - block[2] @ border,
)
_TRANSPOSED = (
    lambda block, x: (lapack.dgetrs(block[0], block[1], x, trans=1)[0], block[2].T @ x),
    lambda block, x, border: x - block[3].T @ border,
)


@functools.lru_cache(maxsize=8)
def elimination(grid: Grid, fields: int, reach: int) -> Elimination:
    """The plan for the full pattern of `fields` fields coupled within `reach` cells of the grid's stencil."""
    return Elimination(grid, stencil_pattern(grid, fields, reach), reach)


def stencil_pattern(grid: Grid, fields: int, reach: int) -> sp.csr_array:
    """Ones where A = B₁…B_reach of operators of the grid's stencil on `fields` fully coupled fields can be non-zero.

    Raises `BadInput` for a spectral Laplacian, which is not sparse."""
    if grid.scheme == "spectral":
        raise BadInput("laplacian", "must be sparse for what solves for a steady state", grid.scheme)
    n = grid.shape[0] * grid.shape[1]
    offsets = _offsets(grid, 1)
    near = _neighbours(grid, np.arange(n), offsets)
    one = sp.csr_array((np.ones(len(near)), (np.tile(np.arange(n), len(offsets)), near)), (n, n))
    power = one
    for _ in range(reach - 1):
        power = power @ one
    pattern = sp.csr_array(sp.kron(np.ones((fields, fields)), power))
    pattern.sum_duplicates()
    pattern.data[:] = 1.0
    return pattern
