"""Founding system B's score of pictures in PyTorch, from its description (arXiv:2509.17990), in its own process.

python torch_unet.py pictures.npz SECONDS    # answers one line: seconds, steps, numbers, losses by level

The archive holds standardised pictures `z` (M, C, H, W) to learn from and others, `held`. Settings: a U-Net of 16, 32
and 64 channels with circular padding, 100 DDPM levels (β from 1e-4 to .1), v-prediction, Adam 1e-3 with a cosine to 1%,
batches of 16 with turns, uniform levels. Its own scale is the standardised one here, so that a level means the same
share of noise in both codes. What is answered is the mean of (w − ŵ)² over the held-out pictures.
"""

import json
import math
import os
import sys
import time

import numpy as np
import torch
from torch import nn

CHANNELS, BATCH, RATE, LEVELS, LOOKED_AT = (16, 32, 64), 16, 1e-3, 100, (0.05, 0.1, 0.214, 0.5)
TIME = 64  # numbers that tell a level


class Block(nn.Module):
    """Two circular convolutions with group norms, the level added between them, and what came in added at the end."""

    def __init__(self, into, out):
        super().__init__()
        self.first = nn.Conv2d(into, out, 3, padding=1, padding_mode="circular")
        self.second = nn.Conv2d(out, out, 3, padding=1, padding_mode="circular")
        self.norms = nn.ModuleList([nn.GroupNorm(math.gcd(8, into), into), nn.GroupNorm(8, out)])
        self.level = nn.Linear(TIME, out)
        self.skip = nn.Conv2d(into, out, 1) if into != out else nn.Identity()

    def forward(self, x, level):
        h = self.first(nn.functional.silu(self.norms[0](x))) + self.level(level)[:, :, None, None]
        return self.skip(x) + self.second(nn.functional.silu(self.norms[1](h)))


class UNet(nn.Module):
    def __init__(self, fields):
        super().__init__()
        a, b, c = CHANNELS
        self.enter = nn.Conv2d(fields, a, 3, padding=1, padding_mode="circular")
        self.down = nn.ModuleList([Block(a, a), Block(a, b), Block(b, c)])
        self.middle = Block(c, c)
        self.up = nn.ModuleList([Block(c + c, b), Block(b + b, a), Block(a + a, a)])
        self.leave = nn.Conv2d(a, fields, 3, padding=1, padding_mode="circular")
        self.level = nn.Sequential(nn.Linear(TIME, TIME), nn.SiLU(), nn.Linear(TIME, TIME))

    def forward(self, z, n):
        waves = torch.exp(-math.log(1e4) * torch.arange(TIME // 2) / (TIME // 2)) * n[:, None]
        level = self.level(torch.cat([torch.sin(waves), torch.cos(waves)], 1))
        h, kept = self.enter(z), []
        for block in self.down:
            h = block(h, level)
            kept.append(h)
            h = nn.functional.avg_pool2d(h, 2)
        h = self.middle(h, level)
        for block, beside in zip(self.up, reversed(kept), strict=True):
            h = block(torch.cat([nn.functional.interpolate(h, scale_factor=2), beside], 1), level)
        return self.leave(nn.functional.silu(h))


def noised(z, tau, generator=None):
    """z_τ = √a z + τ ε and w = √a ε − τ z."""
    eps, t = torch.randn(z.shape, generator=generator), tau[:, None, None, None]
    root = torch.sqrt(1 - t**2)
    return root * z + t * eps, root * eps - t * z


def turned(z):
    turns = torch.randint(4, (len(z),))
    return torch.cat([torch.rot90(each, int(n), (2, 3)) for each, n in zip(z.split(1), turns, strict=True)])


def train(z, taus, seconds):
    torch.manual_seed(0)
    network, steps, began = UNet(z.shape[1]), 0, time.perf_counter()
    adam = torch.optim.Adam(network.parameters(), RATE)
    while (spent := (time.perf_counter() - began) / seconds) < 1:
        adam.param_groups[0]["lr"] = RATE * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * spent)))
        some, n = turned(z[torch.randint(len(z), (BATCH,))]), torch.randint(LEVELS, (BATCH,))
        moved, wanted = noised(some, taus[n])
        adam.zero_grad()
        ((network(moved, n.float()) - wanted) ** 2).mean().backward()
        adam.step()
        steps += 1
    return network, steps


@torch.no_grad()
def losses(network, held, taus):
    found = {}
    for tau in LOOKED_AT:
        n = int(torch.argmin((taus - tau).abs()))  # its own nearest level
        moved, wanted = noised(held, taus[n].expand(len(held)), torch.Generator().manual_seed(n))
        told = torch.cat([network(each, torch.full((len(each),), float(n))) for each in moved.split(8)])
        found[tau] = float(((told - wanted) ** 2).mean())
    return found


def main():
    torch.set_num_threads(int(os.environ.get("UNSTILL_THREADS", "2")))
    archive, seconds = np.load(sys.argv[1]), float(sys.argv[2])
    z, held = (torch.tensor(archive[name]).float() for name in ("z", "held"))
    taus = torch.sqrt(1 - torch.cumprod(1 - torch.linspace(1e-4, 0.1, LEVELS), 0))
    network, steps = train(z, taus, seconds)
    numbers = sum(p.numel() for p in network.parameters())
    told = {"seconds": seconds, "steps": steps, "numbers": numbers, "losses": losses(network.eval(), held, taus)}
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
