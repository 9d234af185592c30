"""The GPU engine without a GPU: kernels compiled by the C++ compiler on `cuda_on_cpu.h`, launches run at once."""

import ctypes
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from unstill.simulation import gpu
from unstill.simulation.gpu import driver
from unstill.simulation.gpu.layout import Machine

HEADER = Path(__file__).with_name("cuda_on_cpu.h")
COMPILER = os.environ.get("CXX") or shutil.which("g++") or shutil.which("c++")
HOPPER = Machine(processors=132, shared=227 * 1024, clusters=True, memory=80 * 2**30)
AMPERE = Machine(processors=108, shared=163 * 1024, clusters=False, memory=40 * 2**30)


@functools.cache
def _library(source: str, entry: str):
    folder = Path(tempfile.gettempdir()) / "unstill-gpu-on-cpu"
    folder.mkdir(exist_ok=True)
    text = (
        f'{source}\nextern "C" void emulate(void** a, int b, int c, int t, int s) {{ run<&{entry}>(a, b, c, t, s); }}\n'
    )
    name = hashlib.sha256((HEADER.read_text() + text).encode()).hexdigest()[:16]
    library = folder / f"{name}.so"
    if not library.exists():
        code, built = folder / f"{name}.{os.getpid()}.cpp", folder / f"{name}.{os.getpid()}.so"
        code.write_text(text)
        flags = ["-std=c++17", "-O1", "-w", "-shared", "-fPIC", "-include", str(HEADER)]
        subprocess.run([str(COMPILER), *flags, str(code), "-o", str(built)], check=True)
        os.replace(built, library)
    return ctypes.CDLL(str(library)).emulate


def _launcher(source, entry, arguments, *, threads, cluster=1, shared=0, blocks, together=False, stream):
    emulate = _library(source, entry)
    addresses = (ctypes.c_void_p * len(arguments))(*map(ctypes.addressof, arguments))

    def launch(kept=(addresses, arguments)):
        emulate(kept[0], blocks, blocks if together else cluster, threads, shared)

    return launch


def _pointer(buffer) -> int:
    return np.asarray(buffer).ctypes.data if 0 not in buffer.shape else 0


def _clear(stream, buffer) -> None:
    np.asarray(buffer)[...] = 0


def install(monkeypatch, machine: Machine = HOPPER) -> None:
    """For one test: kernels run here, on the machine that is named."""
    monkeypatch.setattr(driver, "launcher", _launcher)
    monkeypatch.setattr(driver, "pointer", _pointer)
    monkeypatch.setattr(driver, "clear", _clear)
    monkeypatch.setattr(driver, "stream", lambda context: 0)
    monkeypatch.setattr(gpu, "machine", lambda: machine)
    monkeypatch.setattr(gpu, "missing", lambda platform=None: None)
