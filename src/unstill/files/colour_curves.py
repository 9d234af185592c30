"""Curves in RGB: the nearest point on one, and the one that a cloud of colours lies on."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra, minimum_spanning_tree
from scipy.spatial import cKDTree

from .pictures import LUMINANCE

_LEVELS = 32  # of a channel: colours in one cell of the cube are one node of the graph
_NODES = 1500
_KNOTS = 128
_WIDTHS = (0.064, 0.032, 0.016, 0.008, 0.004)  # of the smoothing, as parts of the curve's length
_ROUNDS = 3
_ROUNDING = 1e-3  # of colours of 8 bits
_PARTS = 32
_CLOSED = 0.15


@dataclasses.dataclass(frozen=True)
class Curve:
    """Points (N, 3) in RGB with their values (N,), which rise, and straight lines between them."""

    points: Float[np.ndarray, "N 3"]
    position: Float[np.ndarray, " N"]

    @functools.cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.points)

    def project(self, colours: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
        """The value of the nearest point of the curve, and the distance to it, for each colour."""
        unique, back = _unique(colours)
        best = self._tree.query(unique)[1]
        values, distances = self.position[best], np.full(len(unique), np.inf)
        for start in (np.maximum(best - 1, 0), np.minimum(best, len(self.points) - 2)):
            a, along = self.points[start], self.points[start + 1] - self.points[start]
            length2 = np.sum(along**2, 1)
            share = np.clip(np.sum((unique - a) * along, 1) / np.where(length2 > 0, length2, 1), 0, 1)
            distance = np.linalg.norm(unique - a - share[:, None] * along, axis=1)
            value = self.position[start] + share * (self.position[start + 1] - self.position[start])
            values, distances = np.where(distance < distances, (value, distance), (values, distances))
        return values[back], distances[back]

    @property
    def closed(self) -> bool:
        """Whether it ends where it began."""
        return float(np.linalg.norm(self.points[0] - self.points[-1])) < _CLOSED

    def at(self, values: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n 3"]:
        """The colours of values."""
        return np.stack([np.interp(values, self.position, self.points[:, c]) for c in range(3)], -1)

    def bias(self, colours: Float[np.ndarray, "n 3"]) -> float:
        """How far colours of like values lie beside the curve in the mean: rms over parts, the noise's share out."""
        t, _ = self.project(colours)
        beside = colours - self.at(t)
        parts = np.array_split(np.argsort(t, kind="stable"), _PARTS)
        squares = [np.sum(beside[p].mean(0) ** 2) - np.sum(beside[p].var(0)) / len(p) for p in parts if len(p) > 1]
        return float(np.sqrt(max(np.mean(squares), 0.0))) if squares else 0.0


def _unique(colours: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Colours once each, and where each stands: pictures of 8 bits hold few."""
    key = np.round(colours * 65535).astype(np.int64) @ np.array([1 << 32, 1 << 16, 1])
    _, first, back = np.unique(key, return_index=True, return_inverse=True)
    return colours[first], back


def find_curve(colours: Float[np.ndarray, "n 3"]) -> Curve:
    """The curve through a cloud of colours, by arc length from its darker end (0) to its brighter one (1).

    Order comes from the longest way through the cloud's neighbourhood graph, the curve from local lines through the
    colours along it. They begin wide and narrow down as long as colours lie beside the curve in the mean: a curve that
    were free to be as near as it can would wind through the noise.
    """
    curve = _ordered(colours)
    for width in _WIDTHS:
        curve = _smoothed(curve, colours, width)
        _, distance = curve.project(colours)
        if curve.bias(colours) <= max(_ROUNDING, 0.25 * float(np.sqrt(np.mean(distance**2)))):
            break
    if (curve.points[0] - curve.points[-1]) @ LUMINANCE > 0:
        return Curve(curve.points[::-1].copy(), 1 - curve.position[::-1])
    return curve


def _ordered(colours: np.ndarray) -> Curve:
    """A rough curve: nodes of the cloud by their distance through it from one of its two ends."""
    cell = np.minimum((colours * _LEVELS).astype(np.int64), _LEVELS - 1) @ np.array([_LEVELS**2, _LEVELS, 1])
    _, back, count = np.unique(cell, return_inverse=True, return_counts=True)
    nodes = np.stack([np.bincount(back, colours[:, c]) / count for c in range(3)], 1)
    nodes = nodes[np.argsort(-count, kind="stable")[:_NODES]]
    if len(nodes) < 3:
        nodes = np.concatenate([nodes, nodes + 1e-6, nodes + 2e-6])
    graph = _graph(nodes)
    end = int(np.argmax(dijkstra(graph, directed=False, indices=0)))
    t = dijkstra(graph, directed=False, indices=end)
    order = np.argsort(t, kind="stable")
    return _by_length(_means(t[order], nodes[order]))


def _graph(nodes: np.ndarray) -> csr_matrix:
    """Each node with its next neighbours, and the shortest edges that hold all of them together."""
    apart = np.linalg.norm(nodes[:, None] - nodes[None], axis=2)
    tree = minimum_spanning_tree(csr_matrix(apart)).toarray()
    near = np.where(apart < 2.5 / _LEVELS, apart, 0)
    return csr_matrix(np.maximum(near, np.maximum(tree, tree.T)))


def _means(t: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """Mean colours of nodes in parts of like length, (n, 3)."""
    part = np.floor((t - t[0]) / (1.5 / _LEVELS)).astype(np.int64)
    _, back, count = np.unique(part, return_inverse=True, return_counts=True)
    means = np.stack([np.bincount(back, nodes[:, c]) / count for c in range(3)], 1)
    return np.concatenate([nodes[:1], means, nodes[-1:]])


def _by_length(points: np.ndarray) -> Curve:
    step = np.linalg.norm(np.diff(points, axis=0), axis=1)
    keep = np.concatenate([[True], step > 1e-9])
    length = np.concatenate([[0.0], np.cumsum(step)])[keep]
    return Curve(points[keep], length / length[-1])


def _smoothed(curve: Curve, colours: np.ndarray, width: float) -> Curve:
    """Local lines through the colours, by their places on the curve, a few times over (a principal curve)."""
    for _ in range(_ROUNDS):
        t, _ = curve.project(colours)
        at = np.unique(np.quantile(t, np.linspace(0, 1, _KNOTS)))
        if len(at) < 2:
            return curve
        curve = _by_length(_local_lines(t, colours, at, width))
    return curve


def _local_lines(t: np.ndarray, colours: np.ndarray, at: np.ndarray, width: float) -> np.ndarray:
    apart = t[None] - at[:, None]
    weight = np.exp(-0.5 * (apart / width) ** 2)
    total = weight.sum(1)
    mean_t = (weight * apart).sum(1) / total
    mean = weight @ colours / total[:, None]
    spread = (weight * (apart - mean_t[:, None]) ** 2).sum(1)
    slope = (weight * (apart - mean_t[:, None])) @ colours / np.maximum(spread, 1e-3 * width**2 * total)[:, None]
    return np.clip(mean - slope * mean_t[:, None], 0, 1)
