"""Founding system B's training of one flow in PyTorch, from its description (arXiv:2509.17990), in its own process.

python torch_flow.py lorenz.npz    # reads epoch counts, one a line; answers wall, cpu, residual, weights after each

The archive holds `z` (M, D), noised held-out points `z_held` with scores `s_held`, `tau`, and the weights of a score
network. Settings: sin/cos encoding of 4 octaves, hidden 64, outputs normalised to mean 0 and variance 1 over the batch,
mean squared Hutchinson estimate with 10 probes, Adam 1e-2, batch 2,048. `residual` is E r²/(E|v|² E|s|²), exactly;
`weights` names the file of the layers, with the normalisation over the held-out points folded into the last one.
"""

import itertools
import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch

BATCH, PROBES, RATE, OCTAVES, HIDDEN = 2048, 10, 1e-2, 4, 64


class Field(torch.nn.Module):
    def __init__(self, dimension):
        super().__init__()
        sizes = (2 * OCTAVES * dimension, HIDDEN, HIDDEN, dimension)
        layers = [torch.nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
        self.layers = torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1], torch.nn.Tanh(), layers[2])

    def raw(self, z):
        waves = [f(z * 2.0**k) for k in range(OCTAVES) for f in (torch.sin, torch.cos)]
        return self.layers(torch.cat(waves, -1))

    def forward(self, z):
        v = self.raw(z)
        return (v - v.mean(0)) / v.std(0)


def make_score(archive, tau):
    depth = sum(name.startswith("s_w") for name in archive)
    layers = [
        (torch.tensor(archive[f"s_w{i}"]).float(), torch.tensor(archive[f"s_b{i}"]).float()) for i in range(depth)
    ]
    root = float(np.sqrt(1 - tau**2))
    ratio = (np.log1p(-(tau**2)) - 2 * np.log(tau)) / 4
    level = [tau, root, np.sin(ratio), np.cos(ratio), np.sin(2 * ratio), np.cos(2 * ratio)]
    level = torch.tensor(level, dtype=torch.float32)
    axes, variances = archive["s_axes"], archive["s_variances"]  # the score of a normal density is −(aC + τ²)⁻¹ z
    linear = torch.tensor(axes / ((1 - tau**2) * variances + tau**2) @ axes.T).float()

    @torch.no_grad()
    def score(z):
        h = torch.cat([z, level.expand(len(z), -1)], 1)
        for i, (W, b) in enumerate(layers):
            h = h @ W.T + b
            h = torch.nn.functional.silu(h) if i < depth - 1 else h
        return -z @ linear - root / tau * h

    return score


def loss(field, score, z):
    z = z.requires_grad_(True)
    v, divergence = field(z), 0.0
    for _ in range(PROBES):
        probe = torch.randn_like(z)
        along = torch.autograd.grad((v * probe).sum(), z, create_graph=True)[0]
        divergence = divergence + (along * probe).sum(1) / PROBES
    return ((divergence + (v * score(z.detach())).sum(1)) ** 2).mean()


def train(clean, score, tau, epochs):
    field = Field(clean.shape[1])
    adam = torch.optim.Adam(field.parameters(), RATE)
    for _ in range(epochs):
        for part in torch.randperm(len(clean)).split(BATCH):
            z = np.sqrt(1 - tau**2) * clean[part] + tau * torch.randn(len(part), clean.shape[1])
            adam.zero_grad()
            loss(field, score, z).backward()
            adam.step()
    return field


def residual(field, z, s):
    with torch.no_grad():
        raw = field.raw(z)
        mean, std = raw.mean(0), raw.std(0)

    def one(z):
        return (field.raw(z[None])[0] - mean) / std

    slopes = torch.func.vmap(torch.func.jacrev(one))(z)
    v = (raw - mean) / std
    r = (slopes.diagonal(dim1=1, dim2=2).sum(1) + (v * s).sum(1)).detach()
    return float((r**2).mean() / ((v**2).sum(1).mean() * (s**2).sum(1).mean()))


def layers(field, z):
    """The weights w0, b0, w1, … of a network whose outputs have mean 0 and variance 1 over z."""
    with torch.no_grad():
        raw = field.raw(z)
        mean, std = raw.mean(0), raw.std(0)
        pairs = [(layer.weight, layer.bias) for layer in field.layers if isinstance(layer, torch.nn.Linear)]
        pairs[-1] = (pairs[-1][0] / std[:, None], (pairs[-1][1] - mean) / std)
    return {
        f"{letter}{i}": a.detach().numpy() for i, pair in enumerate(pairs) for letter, a in zip("wb", pair, strict=True)
    }


def main():
    torch.set_num_threads(int(os.environ.get("UNSTILL_THREADS", "2")))
    archive = dict(np.load(sys.argv[1]))
    tau = float(archive["tau"])
    clean, z, s = (torch.tensor(archive[name]).float() for name in ("z", "z_held", "s_held"))
    score = make_score(archive, tau)
    train(clean[: 2 * BATCH], score, tau, 1)
    for i, line in enumerate(sys.stdin):
        torch.manual_seed(i)
        wall, cpu = time.perf_counter(), time.process_time()
        field = train(clean, score, tau, int(line))
        spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        file = Path(sys.argv[1]).with_name(f"rival_{i}.npz")
        np.savez(file, **layers(field, z))
        print(json.dumps({**spent, "residual": residual(field, z, s), "weights": str(file)}), flush=True)


if __name__ == "__main__":
    main()
