"""Compiling, loading and launching, through NVIDIA's own `cuda-bindings`: NVRTC and the driver API, no compiler.

Machine code lies beside the native kernels' in the cache, by a digest of the source, the card and the compiler.
"""

import contextlib
import ctypes
import functools
import hashlib
import importlib.util
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from ..kernels import cache_folder
from .layout import Machine

_OPTIONS = ("--std=c++17", "--extra-device-vectorization")


class CudaError(RuntimeError):
    """A call of the CUDA driver or of NVRTC failed."""


def _bindings():
    from cuda.bindings import driver, nvrtc  # pyright: ignore[reportMissingImports, reportAttributeAccessIssue]

    return driver, nvrtc


def _checked(result) -> Any:
    """What a call returned behind its status; raises `CudaError` for a bad one."""
    status, *values = result
    if int(status) != 0:
        raise CudaError(f"CUDA: {status!s}")
    return values[0] if len(values) == 1 else tuple(values)


def missing(platform: str | None = None) -> str | None:
    """Why this process cannot run fused GPU kernels on arrays of a platform (None: JAX's own), or None where it can."""
    try:
        devices = jax.devices("cuda")
    except RuntimeError:
        return "JAX sees no CUDA device"
    try:
        if importlib.util.find_spec("cuda.bindings.nvrtc") is None:
            raise ModuleNotFoundError
    except ModuleNotFoundError:
        return "cuda-bindings is not installed (pip install 'unstill[cuda13]' or 'unstill[cuda12]')"
    if not devices:
        return "JAX sees no CUDA device"
    return f"the state lives on a {platform}" if platform not in (None, "gpu") else None


@functools.lru_cache(maxsize=8)
def _attributes(ordinal: int) -> tuple[tuple[int, int], Machine]:
    driver, _ = _bindings()
    _checked(driver.cuInit(0))
    device = _checked(driver.cuDeviceGet(ordinal))
    kinds = driver.CUdevice_attribute
    major, minor, processors, shared = (
        int(_checked(driver.cuDeviceGetAttribute(kind, device)))
        for kind in (
            kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR,
            kinds.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
            kinds.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
            kinds.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN,
        )
    )
    memory = int(_checked(driver.cuDeviceTotalMem(device)))
    return (major, minor), Machine(processors, shared, major >= 9, memory)


def machine() -> Machine:
    """The first CUDA device that JAX uses."""
    return _attributes(jax.devices("cuda")[0].local_hardware_id)[1]


def description() -> str:
    """That device in words: name, multiprocessors, memory."""
    found = machine()
    kind = jax.devices("cuda")[0].device_kind
    return f"{kind}, {found.processors} multiprocessors, {found.memory / 2**30:.0f} GiB"


def _cubin(source: str, capability: tuple[int, int]) -> bytes:
    _, nvrtc = _bindings()
    version = _checked(nvrtc.nvrtcVersion())
    options = [f"--gpu-architecture=sm_{capability[0]}{capability[1]}", *_OPTIONS]
    digest = hashlib.sha256(repr((source, options, version)).encode()).hexdigest()[:16]
    path = cache_folder() / "kernels" / f"gpu_{digest}.cubin"
    if path.exists():
        return path.read_bytes()
    code = _compile(source, options)
    with tempfile.NamedTemporaryFile("wb", dir=path.parent, suffix=".tmp", delete=False) as file:
        file.write(code)
    os.replace(file.name, path)
    return code


def _compile(source: str, options: Sequence[str]) -> bytes:
    _, nvrtc = _bindings()
    program = _checked(nvrtc.nvrtcCreateProgram(source.encode(), b"stencil.cu", 0, [], []))
    try:
        (status,) = nvrtc.nvrtcCompileProgram(program, len(options), [option.encode() for option in options])
        if int(status) != 0:
            log = b" " * _checked(nvrtc.nvrtcGetProgramLogSize(program))
            nvrtc.nvrtcGetProgramLog(program, log)
            raise CudaError(f"NVRTC: {status!s}\n{log.decode(errors='replace')}")
        code = b" " * _checked(nvrtc.nvrtcGetCUBINSize(program))
        _checked(nvrtc.nvrtcGetCUBIN(program, code))
        return code
    finally:
        nvrtc.nvrtcDestroyProgram(program)


def launcher(
    source: str,
    entry: str,
    arguments: Sequence,
    *,
    threads: int,
    cluster: int = 1,
    shared: int = 0,
    blocks: int,
    together: bool = False,
    stream: int,
) -> Callable[[], None]:
    """A function that queues one launch of the kernel `entry`, with the values that its `arguments` have at that
    moment; they are ctypes objects. `together`: all blocks run at once, or none.

    The kernel is compiled and loaded for the device that the stream belongs to. Raises `CudaError`.
    """
    driver, _ = _bindings()
    _checked(driver.cuCtxSetCurrent(_checked(driver.cuStreamGetCtx(driver.CUstream(stream)))))
    handle = _loaded(source, entry, shared, int(_checked(driver.cuCtxGetDevice())))
    function = driver.CUfunction(int(handle))  # pyright: ignore[reportArgumentType]
    on = driver.CUstream(stream)
    config = _config(blocks, threads, cluster, shared, together, on) if cluster > 1 or together else None

    addresses = (ctypes.c_void_p * len(arguments))(*map(ctypes.addressof, arguments))
    given = ctypes.addressof(addresses)

    def launch(kept=(addresses, arguments)) -> None:
        if config is None:
            _checked(driver.cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, shared, on, given, 0))
        else:
            _checked(driver.cuLaunchKernelEx(config, function, given, 0))

    return launch


def _config(blocks: int, threads: int, cluster: int, shared: int, together: bool, stream):
    """A launch in clusters of blocks, or of all blocks together."""
    driver, _ = _bindings()
    config, kinds, attributes = driver.CUlaunchConfig(), driver.CUlaunchAttributeID, []
    config.gridDimX, config.gridDimY, config.gridDimZ = blocks, 1, 1
    config.blockDimX, config.blockDimY, config.blockDimZ = threads, 1, 1
    config.sharedMemBytes, config.hStream = shared, stream
    if cluster > 1:
        attributes.append(attribute := driver.CUlaunchAttribute())
        attribute.id, value = kinds.CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION, attribute.value
        value.clusterDim.x, value.clusterDim.y, value.clusterDim.z = cluster, 1, 1
        attribute.value = value
    if together:
        attributes.append(attribute := driver.CUlaunchAttribute())
        attribute.id, value = kinds.CU_LAUNCH_ATTRIBUTE_COOPERATIVE, attribute.value
        value.cooperative = 1
        attribute.value = value
    config.attrs, config.numAttrs = attributes, len(attributes)
    return config


@functools.lru_cache(maxsize=256)
def _loaded(source: str, entry: str, shared: int, ordinal: int):
    driver, _ = _bindings()
    library = _checked(driver.cuLibraryLoadData(_cubin(source, _attributes(ordinal)[0]), [], [], 0, [], [], 0))
    kernel = _checked(driver.cuLibraryGetKernel(library, entry.encode()))
    largest = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    _checked(driver.cuKernelSetAttribute(largest, shared, kernel, driver.CUdevice(ordinal)))
    return kernel


def clear(stream: int, buffer) -> None:
    """Queue the zeroing of a buffer."""
    driver, _ = _bindings()
    size = int(np.prod(buffer.shape)) * np.dtype(buffer.dtype).itemsize
    if size:
        _checked(driver.cuMemsetD8Async(driver.CUdeviceptr(pointer(buffer)), 0, size, driver.CUstream(stream)))


@contextlib.contextmanager
def uninterrupted():
    """Ctrl-C waits until a callback has queued all its launches, and then comes once more: raised amid them it would
    end up inside XLA, as an error of its own."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came = []
    before = signal.signal(signal.SIGINT, lambda *_: came.append(True)) or signal.SIG_DFL
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            threading.Timer(0.05, signal.raise_signal, [signal.SIGINT]).start()


def pointer(buffer) -> int:
    """A device buffer's address."""
    return int(buffer.__cuda_array_interface__["data"][0] or 0) if 0 not in buffer.shape else 0


def stream(context) -> int:
    """The stream that a callback is to queue its launches on."""
    return int(context.stream)
