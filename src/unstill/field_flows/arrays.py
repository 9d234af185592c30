"""Scores of pictures and flows on them as named arrays, with a line of JSON: what their files hold. Never a pickle."""

from __future__ import annotations

import json
from typing import Any

import jax
import numpy as np

from ..flows.schedule import check_level
from .convolution import ConvolutionFlow
from .field_score import FieldScore
from .flow import AbstractFieldFlow
from .local_flow import LAYERS, LocalFlow
from .local_network import LocalNetwork
from .spectral_normal import SpectralNormal

FIELD_SCORE_FILE, FIELD_FLOW_FILE = "field-score.npz", "field-flow.npz"


def field_score_arrays(score: FieldScore) -> dict[str, np.ndarray]:
    """The arrays of `field-score.npz`: the network's weights with the normalisation that belongs to them."""
    facts = {"kind": "field-score", "names": list(score.fields), "conservative": score.conservative}
    return {"about": np.array(json.dumps(facts))} | score_parts(score)


def score_parts(score: FieldScore) -> dict[str, np.ndarray]:
    """A score's numbers, for the files of flows that are built on it too."""
    vectors = {"mean": np.asarray(score.mean), "scale": np.asarray(score.scale)}
    normal = {"variances": np.asarray(score.normal.variances), "axes": np.asarray(score.normal.axes)}
    return vectors | normal | score.network.arrays()


def field_score_of(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> FieldScore:
    """From what was kept; raises `KeyError`, `ValueError` or `TypeError` for anything else."""
    names = tuple(about["names"])
    normal = SpectralNormal(*(np.asarray(arrays[name], np.float64) for name in ("variances", "axes")))
    network = LocalNetwork.of({name: np.asarray(a, np.float32) for name, a in arrays.items() if name.startswith("n_")})
    mean, scale = (np.asarray(arrays[name], np.float64) for name in ("mean", "scale"))
    C = len(names)
    if mean.shape != (C,) or scale.shape != (C,) or not (scale > 0).all():
        raise ValueError("no normalisation of these fields")
    if normal.axes.shape != (len(normal.variances), C, C) or normal.variances.shape[1:] != (C,):
        raise ValueError("no spectrum of these fields")
    conservative = bool(about["conservative"])
    if network.last.shape[0] != (1 if conservative else C) or network.first.shape[1] != C:
        raise ValueError("arrays do not fit together")
    return FieldScore(network, normal, mean, scale, names, conservative)


def field_flow_arrays(flow: AbstractFieldFlow) -> dict[str, np.ndarray]:
    """The arrays of `field-flow.npz`: the kernel or the weights, and the score that belongs to them."""
    facts = {"kind": "field-flow", "names": list(flow.fields), "family": flow.name, "tau": flow.tau}
    facts |= {"conservative": flow.score.conservative}
    own: dict[str, np.ndarray] = {}
    if isinstance(flow, ConvolutionFlow):
        own["kernel"] = np.asarray(flow.kernel)
    if isinstance(flow, LocalFlow):
        facts |= {"radius": flow.radius, "isotropic": flow.isotropic}
        own = {f"weights_{i}": np.asarray(each) for i, each in enumerate(flow.weights)}
        own |= {"pace": np.asarray(flow.pace), "stiffness": np.asarray(flow.stiffness)}
    return {"about": np.array(json.dumps(facts))} | own | score_parts(flow.score)


def field_flow_of(about: dict[str, Any], arrays: dict[str, np.ndarray]) -> AbstractFieldFlow:
    """From what was kept; raises `KeyError`, `ValueError` or `TypeError` for anything else."""
    score, tau = field_score_of(about, arrays), check_level(float(about["tau"]))
    if about["family"] == LocalFlow.name:
        return _local_flow_of(score, tau, about, arrays)
    kernel = np.asarray(arrays["kernel"], np.float64)
    C, side = len(score.fields), kernel.shape[-1]
    if about["family"] != ConvolutionFlow.name or kernel.shape != (C, C, side, side) or side % 2 == 0:
        raise ValueError("no kernel of these fields")
    return ConvolutionFlow(score, tau, kernel)


def _local_flow_of(score: FieldScore, tau: float, about: dict[str, Any], arrays: dict[str, np.ndarray]) -> LocalFlow:
    weights = tuple(np.asarray(arrays[f"weights_{i}"], np.float32) for i in range(LAYERS + 1))
    pace, stiffness = (np.asarray(arrays[name], np.float32) for name in ("pace", "stiffness"))
    radius, isotropic = int(about["radius"]), bool(about["isotropic"])
    if not 0 <= radius < len(weights[0]):  # each cell further sees one mean more at least
        raise ValueError("a radius that is not that of the weights")
    template = LocalFlow.make(
        score, jax.random.key(0), width=len(weights[1]), radius=radius, isotropic=isotropic, tau=tau
    )
    if [w.shape for w in weights] != [w.shape for w in template.weights] or pace.shape or stiffness.shape:
        raise ValueError("layers do not fit together")
    if not (np.isfinite(stiffness) and stiffness > 0 and np.isfinite(pace) and pace):
        raise ValueError("no pace")
    return LocalFlow(score, tau, weights, pace, stiffness, radius, isotropic)
