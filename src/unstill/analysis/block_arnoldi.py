"""Eigenvalues of largest modulus of a large operator, with a block of vectors at a time, which solves share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Complex, Float

_ROUNDS, _BETWEEN = 60, 3  # blocks at most, and from one look at the Ritz pairs to the next: a look costs two blocks
_MOST, _KEPT = 144, 72  # vectors of the space; Ritz pairs that are looked at, and that a restart keeps
_LOST = 1e-14  # of a vector's square: what is left of it is mostly round-off

Times = Callable[[Float[np.ndarray, "N B"]], Float[np.ndarray, "N B"]]
# How many of the eigenvalues (by falling modulus, with their residuals) must be found; `None`: more rounds are needed.
Judge = Callable[[Complex[np.ndarray, " K"], Float[np.ndarray, " K"]], int | None]


def largest(
    times: Times, begin: Float[np.ndarray, "N B"], block: int, enough: Judge, close: float, least: int = 1
) -> tuple[Complex[np.ndarray, " K"], Complex[np.ndarray, "N K"], bool]:
    """Eigenvalues of largest modulus that were found, their vectors, and whether these are `enough`.

    Arnoldi's method with blocks and thick restarts: the residuals of the leading Ritz pairs widen the space, which is
    cut down to them when it is full (K. Wu, H. Simon, SIAM J. Matrix Anal. Appl. 22, 602 (2000); Y. Saad, Numerical
    Methods for Large Eigenvalue Problems (2nd ed.), section 6.5). A block also finds copies of an eigenvalue, up to as
    many as it has vectors.

    Args:
        times: The operator on several vectors at once.
        begin: Vectors to begin with, (N, B); known eigenvectors are kept.
        block: Vectors to add in a round.
        enough: How many of the Ritz values, by falling modulus, must be found.
        close: Largest residual of a pair that is found, in units of its modulus.
        least: Rounds at least.
    """
    space = _Space(times, _orthonormal(begin, begin[:, :0]))
    most = max(_MOST, begin.shape[1] + 3 * block)
    for round_ in range(_ROUNDS + 1):
        if round_ % _BETWEEN and space.V.shape[1] + block <= most and space.widen(space.newest):
            continue
        values, small, residuals = space.pairs()
        sizes = np.linalg.norm(residuals, axis=0)
        found = sizes <= close * np.abs(values)
        count = int(np.argmin(np.append(found, False)))
        needed = enough(values, sizes) if round_ >= least else None
        done = needed is not None and count >= needed
        if done or space.full or round_ >= _ROUNDS:
            break
        if space.V.shape[1] + block > most:
            space.cut(small)
            continue
        if not space.widen(_real(residuals[:, ~found][:, :block])[:, :block]):
            break
    return values[found], space.V @ small[:, found], done


class _Space:
    """An orthonormal basis V, its image A V, and VᵀA V."""

    def __init__(self, times: Times, V: Float[np.ndarray, "N K"]):
        self._times, self.V, self._image = times, V, times(V)
        self._small = V.T @ self._image
        self.newest = V[:, :0]  # images of the last block

    @property
    def full(self) -> bool:
        """Whether it is everything."""
        return self.V.shape[1] >= len(self.V)

    def pairs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The leading Ritz values, their vectors in the basis, and their residuals (N, K)."""
        values, small = np.linalg.eig(self._small)
        order = np.argsort(-np.abs(values), kind="stable")[:_KEPT]
        values, small = values[order].astype(complex), small[:, order].astype(complex)
        even, odd, n = np.real(small), np.imag(small), small.shape[1]
        turned = np.abs(odd).max(0) > 0
        image, base = (X @ np.hstack([even, odd[:, turned]]) for X in (self._image, self.V))
        residuals, vectors = image[:, :n].astype(complex), base[:, :n].astype(complex)
        residuals[:, turned] += 1j * image[:, n:]
        vectors[:, turned] += 1j * base[:, n:]
        return values, small, residuals - vectors * values

    def widen(self, new: Float[np.ndarray, "N B"]) -> bool:
        """Take vectors in; whether any was new."""
        new = _orthonormal(new, self.V) if new.shape[1] else new
        image = self._times(new) if new.shape[1] else new
        self._small = np.block([[self._small, self.V.T @ image], [new.T @ self._image, new.T @ image]])
        self.newest = image
        self.V, self._image = np.hstack([self.V, new]), np.hstack([self._image, image])
        return new.shape[1] > 0

    def cut(self, small: Complex[np.ndarray, "K L"]) -> None:
        """Keep what Ritz vectors span."""
        kept, self.newest = np.linalg.qr(_real(small))[0], self.newest[:, :0]
        self.V, self._image, self._small = self.V @ kept, self._image @ kept, kept.T @ self._small @ kept


def _real(vectors: Complex[np.ndarray, "N K"]) -> Float[np.ndarray, "N L"]:
    """Real vectors that span complex ones, in their order, with one of each conjugate pair."""
    parts = []
    for i, each in enumerate(vectors.T):
        turned = np.abs(each.imag).max(initial=0) > 0
        if turned and i and np.array_equal(each.conj(), vectors[:, i - 1]):
            continue
        parts += [each.real, each.imag] if turned else [each.real]
    return np.stack(parts, 1) if parts else np.real(vectors)


def _orthonormal(new: Float[np.ndarray, "N B"], against: Float[np.ndarray, "N K"]) -> Float[np.ndarray, "N L"]:
    """An orthonormal basis of vectors without their part in a space; what is round-off of another is left out."""
    new = new / np.maximum(np.linalg.norm(new, axis=0), 1e-300)
    for _ in range(3):
        new = new - against @ (against.T @ new)
        squares, turn = np.linalg.eigh(new.T @ new)  # of few vectors: ten times as fast as an SVD of long ones
        kept = squares > _LOST
        new = new @ (turn[:, kept] / np.sqrt(squares[kept]))
    return new
