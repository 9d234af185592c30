"""Right calls of every verb, the folder of inputs that they read, and what watches them refuse wrong ones.

`make_kit` and `watch_refusals` become the fixtures `kit` and `refused` of test modules.
"""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
from broken_files import (
    FITS,
    PICTURE_FILES,
    PICTURES,
    PLANE,
    POINTS,
    RUNS,
    SPACE,
    USER_FILES,
    models,
    npz,
    some_flows,
    some_rule,
    some_score,
)

import unstill as us
from unstill.cli.main import main

START = "Du=.16,Dv=.08,F=.035,k=.06"
# A right call of each verb that needs a source, fast to refuse if anything in it is made wrong.
CALLS = {
    "simulate": "simulate gray-scott --steps 2 --size 16",
    "inspect": "inspect {kit}/pictures.npz",
    "recover": "recover {kit}/pictures.npz --no-film",
    "calibrate": "calibrate gray-scott --preset maze --repeats 5 --size 24 --steps 3000",
    "fit": f"fit {{kit}}/pictures.npz --start {START}",
    "landscape": "landscape gray-scott --along F=.03:.04:2 --set Du=.16,Dv=.08,k=.06 --target {kit}/pictures.npz",
    "compare": "compare {kit}/pictures.npz --loss pixel",
    "viability": "viability --quick",
    "classify": "classify gray-scott --size 16 --time 2000",
    "survey": "survey gray-scott --over F=.03:.04:2 --size 16 --time 2000",
    "atlas": "atlas nearest {kit}/pictures.npz --frames 0:1 --atlas {kit}/atlas",
    "stability": "stability brusselator",
    "continue": "continue {kit}/spot --over F=.034:.036",
    "points": "points ring --count 50",
    "alife": "alife dot --count 2 --samples 2 --size 32",
    "discover": "discover {kit}/plane.npz --library poly1",
    "score": "score {kit}/plane.npz --epochs 1",
    "flow": "flow {kit}/plane.npz --score {kit}/score",
    "lyapunov": "lyapunov {kit}/flow",
    "uniqueness": "uniqueness {kit}/plane.npz --score {kit}/score --flows {kit}/flow",
    "agree": "agree {kit}/held --flows {kit}/rule",
    "animate": "animate gray-scott --size 16 --time 5",
}
RUNNING = {verb: call for verb, call in CALLS.items() if verb != "animate"}  # animate makes a file, not a folder


def make_kit(tmp_path_factory):
    """One folder with everything good and everything broken; no test may change a byte in it."""
    kit = tmp_path_factory.mktemp("kit")
    for name, table in (("points", POINTS), ("pictures", PICTURE_FILES)):
        (kit / name).mkdir()
        for file, (content, _) in table.items():
            if content is not None:
                (kit / name / file).write_bytes(content)
    np.savez(kit / "plane.npz", x=PLANE)
    np.savez(kit / "space.npz", x=SPACE)
    np.savez(kit / "pictures.npz", v=PICTURES)
    for name, folder, arrays, weight in MODELS:
        write_model(kit / folder, name, npz(**arrays))
        for fault, content in models(arrays, weight).items():
            write_model(kit / f"{folder}-{fault}", name, content)
    write_model(kit / "rule", "rule.npz", npz(**some_rule()))
    write_model(kit / "flow-of-three", "flows.npz", npz(**some_flows(3)))
    write_model(kit / "score-of-three", "score.npz", npz(**some_score(3)))
    assert main(["simulate", "--steps", "2", "--size", "16", "--init", "noise", "--quiet", "--out", f"{kit}/run"]) == 0
    shutil.copytree(kit / "run", kit / "held")
    for fault, (file, content) in RUNS.items():
        copy_with(kit / "run", kit / fault, file, content)
    over = {"F": [0.04, 0.06], "k": [0.0585, 0.062]}
    us.survey("gray-scott", preset="pearson", over=over, grid=us.Grid((24, 24)), time=3000).save(kit / "atlas")
    y, x = np.mgrid[:12, :12]
    spot = 0.3 * np.exp(-(((x - 6) ** 2 + (y - 6) ** 2) / 9))
    system = us.GrayScott.make("spots", k=0.066)
    us.simulate(system, np.stack([1 - 2 * spot, spot])[None], steps=6000).save(kit / "spot")
    (kit / "empty").mkdir()
    (kit / "home").mkdir()
    (kit / "home" / "letter.txt").write_text("dear all")
    (kit / "file").write_text("a file")
    for name, text in USER_FILES.items():
        (kit / name).write_text(text)
    for fault, (run, rows) in FITS.items():
        (kit / f"fit-{fault}").mkdir()
        (kit / f"fit-{fault}" / "run.json").write_text(json.dumps(run).replace("{kit}", str(kit)))
        (kit / f"fit-{fault}" / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (kit / "there.gif").write_bytes(b"GIF89a")
    before = photograph(kit)
    yield kit
    assert photograph(kit) == before, "no refusal touches the inputs, or unpickles them"


MODELS = (("score.npz", "score", some_score(), "s_w0"), ("flows.npz", "flow", some_flows(), "v_w0"))


def write_model(folder: Path, name: str, content: bytes | None) -> None:
    folder.mkdir()
    run = {"verb": "flow", "versions": {"unstill": "0"}, "config": {"source": str(folder.parent / "plane.npz")}}
    (folder / "run.json").write_text(json.dumps(run))
    if content is not None:
        (folder / name).write_bytes(content)


def copy_with(source: Path, target: Path, file: str, content: bytes | None) -> None:
    shutil.copytree(source, target)
    (target / file).unlink()
    if content is not None:
        (target / file).write_bytes(content)


def photograph(folder: Path) -> dict:
    """What lies in a folder: every name with size and time of change."""
    return {str(p.relative_to(folder)): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*")}


def watch_refusals(kit, tmp_path, monkeypatch, capsys):
    """Calls the command line and checks what holds of every refusal; returns the one line."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def call(words: str, *more: str, expected=(), out: str | None = "out") -> str:
        words = [word.format(kit=kit) for word in (*words.split(), *more)]
        if out is not None and "--out" not in words and words[0] not in ("systems", "doctor"):
            words += ["--out", out + (".gif" if words[0] == "animate" else "")]
        code = main(words)
        shown, line = capsys.readouterr()
        assert code == 2, f"exit code {code}: {line}"
        assert shown == ""
        assert re.fullmatch(rf"unstill {re.escape(words[0])}: `[^`]+` .+\n", line), line
        assert len(line) < 1000, line
        for word in expected:
            assert word in line
        assert os.listdir(work) == [], "a refusal writes nothing and unpickles nothing"
        return line

    return call
