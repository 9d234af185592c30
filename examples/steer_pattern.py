"""A network that steers a pattern: it puts out F and k of every cell, the simulator moves the pattern, and the loss of
what comes out trains the network through the simulator.

(a) A convolution sees a mask and keeps the pattern alive inside and dead outside. It is trained on random blobs and
    shown on a letter that it has never seen.
(b) A network of the coordinates gives a pattern a wavelength that it does not have by itself, and a coverage.

Every motion starts from a grown labyrinth, and the loss is a mean over frames on the way: where all is dead the
gradient is 0, so a loss of the last frame alone would not find back from one step too far.

python examples/steer_pattern.py            # draws docs/pictures/layer.png, about a minute on two cores
"""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from matplotlib.figure import Figure

import unstill as us

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "layer.png"
HOME = us.GrayScott(F=0.04, k=0.061)  # a labyrinth, which the untrained network keeps
F_RANGE, K_RANGE = (0.025, 0.055), (0.056, 0.066)  # HOME lies in the middle, death in a corner
LIVELY = (0.18, 0.045)  # about ⟨v⟩ and ⟨v²⟩ of that labyrinth
FRAMES = 8
COVERAGE, WAVELENGTH = 0.35, 16.0  # left alone: about 0.45, and 12 cells


class Steering(eqx.Module):
    """A picture (channels, H, W) → F and k of every cell."""

    layers: list[eqx.nn.Conv2d]

    def __init__(self, channels: int, kernel: int, *, width: int = 24, depth: int = 4, key):
        sizes = [channels, *[width] * (depth - 1), 2]
        self.layers = [
            eqx.nn.Conv2d(a, b, kernel, padding="SAME", padding_mode="CIRCULAR", dtype=jnp.float32, key=k)
            for a, b, k in zip(sizes[:-1], sizes[1:], jax.random.split(key, depth), strict=True)
        ]

    def __call__(self, picture):
        for layer in self.layers[:-1]:
            picture = jax.nn.gelu(layer(picture))
        logits = self.layers[-1](picture)
        return {
            name: low + (high - low) * jax.nn.sigmoid(x)
            for name, (low, high), x in zip("Fk", (F_RANGE, K_RANGE), logits, strict=True)
        }


def frequencies(size: int):
    """|wave vector| of every Fourier mode, in cycles a cell."""
    f = np.fft.fftfreq(size)
    return np.hypot(f[:, None], f[None, :])


def blurred(picture, width: float = 5.0):
    """A Gaussian mean over `width` cells, periodic."""
    transfer = jnp.asarray(np.exp(-2 * (np.pi * width * frequencies(picture.shape[-1])) ** 2), picture.dtype)
    return jnp.fft.ifft2(jnp.fft.fft2(picture) * transfer).real


def mask_loss(v, mask):
    """Local means of v and of v² are a labyrinth's inside the mask and 0 outside. ⟨v²⟩ tells stripes from grey."""
    where = blurred(mask)
    return sum(jnp.mean((blurred(v**n) / level - where) ** 2) for n, level in zip((1, 2), LIVELY, strict=True))


def coverage(v):
    """The share of cells with v > 0.2, with a soft edge."""
    return jnp.mean(jax.nn.sigmoid((v - 0.2) / 0.02))


def power(v):
    return jnp.abs(jnp.fft.fft2(v - jnp.mean(v))) ** 2 + 1e-6


def wavelength(v):
    """1/⟨|f|⟩ in cells; the weights are the power squared, so that overtones hardly count."""
    return jnp.sum(power(v) ** 2) / jnp.sum(power(v) ** 2 * frequencies(len(v)))


def texture_loss(v):
    """The squared error of the coverage, and the share of power outside a ring around the wanted wavelength."""
    octaves = np.log2(np.maximum(frequencies(len(v)), 1e-9) * WAVELENGTH)
    ring = jnp.asarray(np.exp(-0.5 * (octaves / 0.3) ** 2), v.dtype)
    outside = 1 - jnp.sum(power(v) * ring) / jnp.sum(power(v))
    return outside + 30 * (coverage(v) - COVERAGE) ** 2


def blobs(count: int, size: int, rng) -> np.ndarray:
    """Random masks: smooth noise above its median."""
    smooth = np.exp(-2 * (np.pi * size / 8 * frequencies(size)) ** 2)
    noise = np.fft.ifft2(np.fft.fft2(rng.standard_normal((count, size, size))) * smooth).real
    return (noise > np.median(noise, axis=(1, 2), keepdims=True)).astype(np.float32)


def letter(size: int) -> np.ndarray:
    """A U, with strokes wider than a wavelength."""
    mask, n = np.zeros((size, size), np.float32), size // 16
    mask[2 * n : 14 * n, 2 * n : 14 * n] = 1
    mask[2 * n : 10 * n, 6 * n : 10 * n] = 0
    return mask


def coordinates(size: int) -> np.ndarray:
    """Waves along both axes that fit the periodic grid, (channels, H, W)."""
    y, x = np.mgrid[:size, :size] * (2 * np.pi / size)
    waves = [f(n * a) for n in (1, 2, 4) for a in (x, y) for f in (np.sin, np.cos)]
    return np.stack(waves).astype(np.float32)


def train(network, loss, make_batch, iterations: int, rate: float):
    """Adam on loss(network, *make_batch())."""
    optimiser, losses = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(rate)), []
    memory = optimiser.init(eqx.filter(network, eqx.is_array))

    @eqx.filter_jit
    def step(network, memory, *batch):
        value, gradient = eqx.filter_value_and_grad(loss)(network, *batch)
        updates, memory = optimiser.update(gradient, memory)
        return eqx.apply_updates(network, updates), memory, value

    for _ in range(iterations):
        network, memory, value = step(network, memory, *make_batch())
        losses.append(float(value))
    return network, losses


def labyrinths(size: int, samples: int) -> np.ndarray:
    grid = us.Grid((size, size))
    return us.simulate(HOME, grid=grid, init="discs", samples=samples, steps=3000, dtype="float32").state


def steer_by_mask(size: int, iterations: int, steps: int, batch: int = 2):
    """(a): the panels of the figure by title, and the losses."""
    grid, start, rng = us.Grid((size, size)), labyrinths(size, batch + 1), np.random.default_rng(0)

    def film(network, masks, states, steps):  # v, (M, T, H, W)
        simulator = us.Simulator(HOME, grid, steps=steps, save_every=steps // FRAMES)
        return simulator(states, **jax.vmap(network)(masks[:, None]))[:, :, 1]  # F and k are (M, H, W)

    def loss(network, masks):
        per_frame = jax.vmap(mask_loss, (0, None))
        return jnp.mean(jax.vmap(per_frame)(film(network, masks, start[:batch], steps), masks))

    untrained = Steering(1, 5, key=jax.random.key(0))
    network, losses = train(untrained, loss, lambda: (blobs(batch, size, rng),), iterations, rate=1e-3)
    unseen = letter(size)  # and a start that it has not seen
    ends = {
        title: film(n, unseen[None], start[batch:], T)[0, -1] for title, n, T in compared(untrained, network, steps)
    }
    for title, v in ends.items():
        print(f"(a) letter, {title}: loss {float(mask_loss(v, unseen)):.3f}")
    return {"target, never seen": unseen, **network(unseen[None]), **ends}, losses


def steer_texture(size: int, iterations: int, steps: int, batch: int = 2):
    """(b): the panels of the figure by title, and the losses."""
    grid, start, places = us.Grid((size, size)), labyrinths(size, batch + 1), coordinates(size)

    def film(network, states, steps):
        simulator = us.Simulator(HOME, grid, steps=steps, save_every=steps // FRAMES)
        return simulator(states, **network(places))[:, :, 1]  # F and k are (H, W)

    def loss(network):
        return jnp.mean(jax.vmap(jax.vmap(texture_loss))(film(network, start[:batch], steps)))

    untrained = Steering(len(places), 1, key=jax.random.key(1))
    network, losses = train(untrained, loss, tuple, iterations, rate=3e-3)
    ends = {title: film(n, start[batch:], T)[0, -1] for title, n, T in compared(untrained, network, steps)}
    rows = [f"{'':20}cover  wave", f"{'target':20}{COVERAGE:5.2f}{WAVELENGTH:6.1f}"]
    rows += [f"{title:20}{float(coverage(v)):5.2f}{float(wavelength(v)):6.1f}" for title, v in ends.items()]
    print("(b)", *rows, sep="\n    ")
    return {"target": "\n\n".join(rows), **network(places), **ends}, losses


def compared(untrained, network, steps: int):
    """What the figure shows: title, network, horizon."""
    return ("v untrained", untrained, steps), ("v trained", network, steps), ("v after 10 × steps", network, 10 * steps)


def draw(rows, path: Path) -> None:
    """A row a task: target, what the network puts out, what comes of it, and the losses."""
    figure = Figure(figsize=(14, 4.4), layout="constrained")
    for axes, (panels, losses), task in zip(figure.subplots(2, 7), rows, "ab", strict=True):
        for ax, (title, panel) in zip(axes, panels.items(), strict=False):
            ax.set_title(f"({task}) {title}" if ax is axes[0] else title, fontsize=10, loc="left")
            ax.set_axis_off()
            if isinstance(panel, str):
                ax.text(0, 0.5, panel, family="monospace", fontsize=6.5, va="center")
                continue
            limits = {"vmin": 0, "vmax": 0.4} if title.startswith("v") else {}
            image = ax.imshow(np.asarray(panel), cmap="magma" if limits else "viridis", **limits)
            if title in "Fk":
                figure.colorbar(image, ax=ax, shrink=0.7).ax.tick_params(labelsize=7)
        axes[-1].semilogy(losses, color="#1a1a1a", lw=1)
        axes[-1].set_title("loss", fontsize=10, loc="left")
        axes[-1].tick_params(labelsize=7)
    us.save_figure(figure, path)


def main(size: int = 64, iterations: int = 120, steps: int = 1200, picture: Path = PICTURE):
    """Train both networks and draw what they do; returns the losses of (a) and of (b)."""
    rows = [steer_by_mask(size, iterations, steps), steer_texture(size, iterations, steps)]
    draw(rows, picture)
    return [losses for _, losses in rows]


if __name__ == "__main__":
    main()
