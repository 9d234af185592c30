"""Write docs/systems/*.md and the pictures of their presets from the systems themselves, so that cards stay true.

    .venv/bin/python docs/make_pages.py            # all cards, about a minute
    .venv/bin/python docs/make_pages.py gray-scott

Equations, parameters, presets and citations come from the classes; only `USES` and `DETERMINED` are written by hand.
The table of what a steady picture determines is what `recover` said of a 48 × 48 picture of the first preset.
"""

import inspect
import math
import re
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
TIME, _LONG, SPREAD = 500, 60, 0.7  # of exponents; of motions in pictures, and of their starts
_UP = {"lorenz": 2}  # which variable is drawn upwards, if not the second

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
        "The classical chaotic system, and what every method for attractors is tried on first. It steps through the "
        "same `simulate` as every pattern. `recover` takes reaction–diffusion systems only; `discover` takes points."
    ),
    "rossler": (
        "The simplest chaos: one quadratic term, one scroll. Its points lie on almost a surface, which is hard "
        "for methods that estimate densities."
    ),
    "van-der-pol": (
        "The first self-sustained oscillator with a name, of valves, heartbeats and, in its excitable kin, of nerves "
        "(FitzHugh–Nagumo). Its exponents are known, so it tells whether an estimate of chaos is honest."
    ),
    "hopf": (
        "What every oscillation looks like at its birth. Cycle, exponents and the density under noise are known in "
        "closed form: the test bed for what points can and cannot tell about a motion."
    ),
    "double-gyre": (
        "A flow in two closed cells, as in ocean basins. Its density is uniform, so points say nothing about the flow: "
        "whatever tells it from any other divergence-free flow is a prior."
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
# What is known of the systems without space, preset by preset. Van der Pol: μ(1 − ⟨x²⟩) over one period, by SciPy.
EXPONENTS = {
    "lorenz": (
        "0.9056, 0, −14.5723 [Sprott 2003]",
        "roots of the linearised equation: −0.3945 twice, −12.8777",
        "0 and two negative ones, sum −13.6667",
    ),
    "rossler": ("0.0714, 0, −5.3943 [Sprott 2003]", "0 and two negative ones", "0 and two negative ones"),
    "van-der-pol": ("0, −1.0594", "0, −0.1001", "0, −7.3588"),
    "hopf": ("0, −2μ = −2", "0, −2μ = −2", "μ = −0.1 twice"),
    "double-gyre": ("0, 0; neighbours part linearly, and estimates fall as ln(t)/t",),
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
        f"![{'Final states' if spatial else 'Motions'} of the presets of {name}](../pictures/system-{name}.png)",
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
        lines += _use(cls, next(iter(cls.presets)), spatial)
    if name in EXPONENTS:
        lines += ["", "## Lyapunov exponents", "", *_exponents(cls)]
    if name in DETERMINED:
        lines += ["", "## What one steady picture determines", "", *_determined(name)]
    lines += ["", "## Source", "", cls.citation + ".", ""]
    return "\n".join(lines)


def _use(cls, preset: str, spatial: bool) -> list[str]:
    """The preset on the command line and in Python."""
    name, system = cls.name, f'us.{cls.__name__}.make("{preset}")'
    if spatial:
        verb = (
            f"    unstill simulate {name} --preset {preset} --init {_start(name)} --steps {STEPS} --out runs/{preset}"
        )
        return ["", verb, "", "```python", "import unstill as us", "", f"system = {system}", "```"]
    return [
        "",
        f"    unstill simulate {name} --preset {preset} --stepper rk4 --time 50 --save-every 5 --out runs/{name}",
        f"    unstill lyapunov {name} --out runs/{name}-lyapunov",
        "",
        "```python",
        "import unstill as us",
        "",
        f"system = {system}",
        'film = us.simulate(system, time=50, save_every=5, stepper="rk4")  # film.frames: (T, M, D)',
        f"spectrum = us.lyapunov_spectrum(system, film.state, time={TIME}, transient={TIME}, dt={cls.dt:g})",
        "```",
    ]


def _exponents(cls) -> list[str]:
    """Measured as these cards are written, beside what is known."""
    lines = ["| preset | measured | known |", "| --- | --- | --- |"]
    for preset, known in zip(cls.presets, EXPONENTS[cls.name], strict=True):
        system = cls.make(preset)
        states = np.array(system.rest(), float) + 0.1 * np.random.default_rng(0).standard_normal((8, len(cls.fields)))
        found = us.lyapunov_spectrum(system, states, time=TIME, transient=TIME, dt=cls.dt)
        digits = [max(2, min(4, int(-np.log10(s + 1e-9)) + 1)) for s in found.std]
        values = ", ".join(f"{e:.{d}f} ± {s:.{d}f}" for e, s, d in zip(found.exponents, found.std, digits, strict=True))
        values = re.sub(r"-(0[.]0+ )", r"\1", values).replace("-", "−")  # no −0.000
        lines.append(f"| `{preset}` | {values} | {known} |")
    return [
        *lines,
        "",
        f"Means of 8 orbits over a time of {TIME}, after as long a transient, by RK4 steps of {cls.dt:g}.",
    ]


def _caption(cls, spatial: bool) -> str:
    if not spatial:
        axes = f"{cls.fields[0]} against {cls.fields[_UP.get(cls.name, 1)]}"
        return f"*{axes}: six starts near the state of rest over a time of {_LONG} each, dots where they end.*"
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


def orbits_picture(cls: type) -> plt.Figure:
    """One panel a preset, a few motions each."""
    up = _UP.get(cls.name, 1)
    figure, axes = plt.subplots(
        1, len(cls.presets), figsize=(2.7 * len(cls.presets), 2.6), squeeze=False, layout="constrained", dpi=85
    )
    for axis, preset in zip(axes.flat, cls.presets, strict=True):
        system = cls.make(preset)
        start = np.array(system.rest(), float) + SPREAD * np.random.default_rng(1).standard_normal((6, len(cls.fields)))
        film = us.simulate(system, start, time=_LONG, dt=0.01, save_every=2, stepper="rk4")
        assert film.frames is not None
        x, y = film.frames[..., 0], film.frames[..., up]
        axis.plot(x, y, linewidth=0.5, color="#3b1f5f", alpha=0.6)
        axis.plot(x[-1], y[-1], "o", markersize=3, color="#d1495b")
        axis.set(xlabel=cls.fields[0], ylabel=cls.fields[up])
        axis.set_title(preset, fontsize=9)
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
        figure = presets_picture(name, cls) if issubclass(cls, us.ReactionDiffusion) else orbits_picture(cls)
        save(figure, DOCS / "pictures" / f"system-{name}.png")
        print(name)


if __name__ == "__main__":
    main(sys.argv[1:])
