"""Write docs/systems/*.md and the pictures of their presets from the systems themselves, so that cards stay true.

    .venv/bin/python docs/make_pages.py            # all cards, under a minute
    .venv/bin/python docs/make_pages.py gray-scott

Equations, parameters, presets and citations come from the classes; only `USES` and `DETERMINED` are written by hand.
The table of what a steady picture determines is what `recover` said of a 48 × 48 picture of the first preset.
"""

import inspect
import math
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

import unstill as us

DOCS = Path(__file__).parent
SIDE, STEPS = 96, 20_000

USES = {
    "gray-scott": (
        "Self-replicating spots, labyrinths, waves and chaos from two numbers: the standard test bed of pattern "
        "formation, artificial life and learnt simulators. The chemistry is an autocatalytic step in a fed, open "
        "reactor. The coefficient 1 of uv² fixes the scale of v and of time, so a steady picture of v carries all four "
        "parameters."
    ),
    "schnakenberg": (
        "The simplest kinetics with a Turing instability, and therefore the usual first example of numerical papers: "
        "growing domains, curved surfaces, convergence tests."
    ),
    "brusselator": (
        "The model in which dissipative structures were first worked out: a Hopf and a Turing instability, and their "
        "interaction, in one pair of equations whose thresholds are known in closed form."
    ),
    "fitzhugh-nagumo": (
        "Excitable media: nerve and heart tissue where only u spreads, Turing labyrinths where v spreads faster, as in "
        "the presets here."
    ),
    "gierer-meinhardt": (
        "Morphogenesis: local self-activation with lateral inhibition, the textbook mechanism for polarity, spacing of "
        "bristles and hydra heads. Note the division by h: kinetics need not be polynomials."
    ),
    "lorenz": (
        "The classical chaotic system. It steps through the same `simulate` as every pattern, and is the first of the "
        "systems without space; `recover` takes reaction–diffusion systems only."
    ),
}
# What `recover` said of a steady 48 × 48 picture of the first preset:
# rows (seen, determined, left free, determined together), and a note.
DETERMINED = {
    "gray-scott": (
        [
            ("v", "Du, Dv, F, k", "–", "–"),
            ("u", "–", "Du, Dv, F, k", "Dv²/Du, F/Du"),
            ("u and v", "Du, Dv, F, k", "–", "–"),
        ],
        "With u alone, multiplying v by any a > 0 changes nothing that is seen: (Du, Dv, F, F + k) → (a²Du, aDv, a²F, "
        "a(F + k)). (F + k)²/F is then determined too, but it is no product of powers and is not listed. One known "
        "number, such as `--fix Du=0.16`, settles the rest.",
    ),
    "schnakenberg": (
        [("u", "Du, Dv, a, b", "–", "–"), ("v", "Du, Dv, a, b", "–", "–"), ("u and v", "Du, Dv, a, b", "–", "–")],
        "The coefficients 1 of u and of u²v fix the scales of both fields and of time.",
    ),
    "brusselator": (
        [("u", "Du, Dv, a, b", "–", "–"), ("v", "Du, Dv, a, b", "–", "–"), ("u and v", "Du, Dv, a, b", "–", "–")],
        "The coefficients 1 of u and of u²v fix the scales of both fields and of time.",
    ),
    "fitzhugh-nagumo": (
        [(seen, "Du, a, b", "Dv, eps", "Dv/eps") for seen in ("u", "v", "u and v")],
        "The v-equation at rest is homogeneous in (Dv, ε): only the ratio is in a steady picture, whichever fields are "
        "seen.",
    ),
    "gierer-meinhardt": (
        [
            ("a", "–", "all", "Da/rho, Dh/rho, mu/rho, nu/rho"),
            ("h", "–", "all", "Da²/rho, Dh/rho, mu²/rho, nu/rho"),
            ("a and h", "Da, Dh, mu, nu, rho", "–", "–"),
        ],
        "The hidden field's scale is free, and takes all five numbers with it; fixing one settles the others.",
    ),
}


def card(name: str, cls: type) -> str:
    spatial = issubclass(cls, us.ReactionDiffusion)
    lines = [
        f"# {name}",
        "",
        "<!-- Written by docs/make_pages.py: change the system's file or that script, not this page. -->",
        "",
        *(f"    {equation}" for equation in cls.equations),
        "",
        inspect.getdoc(cls) or "",
        "",
        USES[name],
        "",
        f"![{'Final states of the presets' if spatial else 'A trajectory'} of {name}](../pictures/system-{name}.png)",
        "",
        _caption(cls, spatial),
        "",
        "## Parameters",
        "",
        "| name | symbol | default | range | unit | meaning |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    defaults = cls.defaults()
    for key, info in cls.parameters().items():
        symbol = info.symbol or key
        lines.append(
            f"| `{key}` | {symbol} | {defaults[key]:.5g} | {info.low:g} to {info.high:g} "
            f"| {info.unit} | {info.meaning} |"
        )
    lines += ["", f"Default time step: {cls.dt:g}" + (" at dx = 1 (scaled by dx² on finer grids)." if spatial else ".")]
    if cls.presets:
        keys = list(cls.parameters())
        lines += ["", "## Presets", "", "| preset | " + " | ".join(f"`{k}`" for k in keys) + " |"]
        lines += ["| --- |" + " --- |" * len(keys)]
        for preset, values in cls.presets.items():
            full = {**defaults, **values}
            lines.append(f"| `{preset}` | " + " | ".join(f"{full[k]:.6g}" for k in keys) + " |")
        first = next(iter(cls.presets))
        lines += [
            "",
            f"    unstill simulate {name} --preset {first} --init {_start(name)} --steps {STEPS} --out runs/{first}",
        ]
        lines += ["", "```python", "import unstill as us", "", f'system = us.{cls.__name__}.make("{first}")', "```"]
    else:
        lines += [
            "",
            "```python",
            "import unstill as us",
            "",
            f"film = us.simulate(us.{cls.__name__}(), steps=5000, save_every=5)",
            "```",
        ]
    if name in DETERMINED:
        lines += ["", "## What one steady picture determines", "", *_determined(name)]
    lines += ["", "## Source", "", cls.citation + ".", ""]
    return "\n".join(lines)


def _caption(cls, spatial: bool) -> str:
    if not spatial:
        return "*x against z from one start near the state of rest, 10,000 steps of 0.005.*"
    field = "v" if "v" in cls.fields else cls.fields[0]
    return (
        f"*{field} after {STEPS:,} steps of {cls.dt:g} on {SIDE} × {SIDE} cells, from "
        f"`--init {_start(cls.name)}`, seed 0. Each panel has its own colour scale.*"
    )


def _start(name: str) -> str:
    return "discs" if name == "gray-scott" else "noise"


def _determined(name: str) -> list[str]:
    rows, note = DETERMINED[name]
    lines = ["| seen | determined | left free | determined together |", "| --- | --- | --- | --- |"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return [*lines, "", note]


def presets_picture(name: str, cls: type) -> plt.Figure:
    """One panel a preset."""
    field = "v" if "v" in cls.fields else cls.fields[0]
    count = len(cls.presets)
    columns = min(4, count)
    rows = math.ceil(count / columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(2.0 * columns, 2.25 * rows), squeeze=False, layout="constrained", dpi=85
    )
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, preset in zip(axes.flat, cls.presets, strict=False):
        run = us.simulate(cls.make(preset), grid=us.Grid((SIDE, SIDE)), init=_start(name), steps=STEPS)
        axis.imshow(run.state[0, cls.fields.index(field)], cmap="magma")
        axis.set_title(preset if str(run.status[0]) != "dead" else f"{preset} (dead)", fontsize=9)
    return figure


def orbit_picture(cls: type) -> plt.Figure:
    film = us.simulate(cls(), steps=10_000, dt=0.005, save_every=1, seed=0)
    assert film.frames is not None
    x, _, z = np.moveaxis(film.frames[:, 0], -1, 0)
    figure, axis = plt.subplots(figsize=(5, 3.6), layout="constrained", dpi=85)
    axis.plot(x, z, linewidth=0.5, color="#3b1f5f")
    axis.set(xlabel="x", ylabel="z")
    axis.spines[["top", "right"]].set_visible(False)
    return figure


def save(figure: plt.Figure, path: Path) -> None:
    """A small PNG: 256 colours are enough for one colour map."""
    figure.canvas.draw()
    picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3])
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    plt.close(figure)


def main(wanted: list[str]) -> None:
    for name, cls in us.SYSTEMS.items():
        if wanted and name not in wanted:
            continue
        (DOCS / "systems" / f"{name}.md").write_text(card(name, cls), encoding="utf-8")
        figure = presets_picture(name, cls) if issubclass(cls, us.ReactionDiffusion) else orbit_picture(cls)
        save(figure, DOCS / "pictures" / f"system-{name}.png")
        print(name)


if __name__ == "__main__":
    main(sys.argv[1:])
