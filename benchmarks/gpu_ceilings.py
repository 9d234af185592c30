"""What one card can do, measured, and what Gray–Scott asks of it: the floor under any engine's time.

    python benchmarks/gpu_ceilings.py

Counted for one cell (u and v) and one step of c + D·(sum of 4 neighbours − 4 c) + R, dt = 1, constants folded
(see `advance` in gray_scott.cu); an addition, a product and a fused multiply-add are one FP32 instruction each:

    two sums of four neighbours                    3 + 3 additions
    wu = a − v²;  u' = u wu + F + Du Su            3 fused multiply-adds
    wv = b + u v; v' = v wv + Dv Sv                2 fused multiply-adds, 1 product
    together                                       12

A neighbour pair along a diagonal is shared by two cells (right and lower of one, upper and left of the next), so a sum
takes 2 additions where such pairs are kept: 10 instructions, plus the pairs across the edges of a thread's tile. We
know of no way below 10, and have no proof that there is none. One step a pass over global memory reads and writes two
fields of 4 bytes: 16 bytes. A grid that fits in the L2 cache (1024²: 17 MB with both buffers) may beat that limit,
which is of device memory.

As compiled by nvcc 13.0 for sm_90 (inner loop, a cell and step). A scheduler issues one instruction a cycle of whatever
kind, so it is all of them that count against the issue limit:

    resident, 8 × 8 cells a thread       10.47 FP32, 12.47 in all (0.5 shuffles); 247 registers, no spills
    resident, 8 × 8, two steps           10.47 FP32, 11.47 in all;                244 registers, no spills
    resident, 4 × 8 cells a thread       10.69 FP32, 13.16 in all (1 shuffle);    128 registers, no spills
    resident, 4 × 8, two steps           10.69 FP32, 12.13 in all;                128 registers, no spills
    one step a pass                      12 FP32, 28 in all, edges and set-up counted; 64 registers, no spills
"""

import ctypes
import statistics
from typing import Any

from gpu_rivals import called, library, seconds

FP32_DIRECT, FP32_SHARED_PAIRS, BYTES = 12, 10, 16  # a cell and step
HAND_WRITTEN_INSTRUCTIONS = 734 / 64  # of all kinds, a cell and step: the plan with the fewest
BUFFER, COPIES = 1 << 30, 20
FMA_ROUNDS, FMA_A_ROUND = 16_000, 128  # about 20 ms: long against a launch, and enough for the clock to settle
LOAD_ROUNDS, LOADS_A_ROUND = 16_000, 8


def _timed(launch, repeats: int = 5) -> float:
    """Seconds, median after a warm-up."""

    def run():
        launch()
        called("device_wait", None)

    run()
    return statistics.median(seconds(run) for _ in range(repeats))


class _Memory:
    """Bytes on the device for the length of a `with`."""

    def __init__(self, size: int):
        self.size, self.address = size, ctypes.c_void_p()

    def __enter__(self) -> ctypes.c_void_p:
        called("device_malloc", ctypes.byref(self.address), self.size)
        return self.address

    def __exit__(self, *_) -> None:
        called("device_free", self.address)


def _declare() -> None:
    found = library()
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    found.device_malloc.argtypes = [ctypes.POINTER(pointer), ctypes.c_size_t]
    found.device_free.argtypes = [pointer]
    found.device_read.argtypes = [pointer, pointer, ctypes.c_size_t]
    found.device_facts.argtypes = [ctypes.c_char_p, integer, ctypes.POINTER(integer), ctypes.POINTER(integer)]
    found.ceiling_copy.argtypes = [pointer, pointer, ctypes.c_size_t, integer, pointer]
    found.ceiling_fma.argtypes = [pointer, pointer, integer, integer, pointer]
    found.ceiling_shared.argtypes = [pointer, integer, integer, pointer]


def measure() -> dict[str, Any]:
    """The card's name and rates, and the limits that follow for Gray–Scott in ns a cell and step."""
    _declare()
    name, processors, cache = ctypes.create_string_buffer(256), ctypes.c_int(), ctypes.c_int()
    called("device_facts", name, len(name), ctypes.byref(processors), ctypes.byref(cache))
    count = processors.value

    with _Memory(BUFFER) as x, _Memory(BUFFER) as y:

        def copies(driver: int):
            for _ in range(COPIES):
                called("ceiling_copy", x, y, BUFFER, driver, None)

        copy = {
            how: 2 * BUFFER * COPIES / _timed(lambda driver=driver: copies(driver))
            for how, driver in (("kernel", 0), ("driver", 1))
        }
    with _Memory(256) as sink, _Memory(256) as took:
        # 8 blocks of 256 threads fill a multiprocessor's 2048 places, so all run at once.
        wall = _timed(lambda: called("ceiling_fma", sink, took, 8 * count, FMA_ROUNDS, None))
        fma = 8 * count * 256 * FMA_ROUNDS * FMA_A_ROUND / wall
        ticks = (ctypes.c_longlong * 2)()
        called("device_read", ticks, took, ctypes.sizeof(ticks))
        clock = ticks[0] / ticks[1] * 1e9
        wall = _timed(lambda: called("ceiling_shared", sink, 2 * count, LOAD_ROUNDS, None))
        shared = 2 * count * 1024 * LOAD_ROUNDS * LOADS_A_ROUND * 16 / wall
    lanes = 128 * count * clock
    return {
        "device": name.value.decode(),
        "multiprocessors": count,
        "L2 cache, bytes": cache.value,
        "clock under load, Hz": clock,
        "copy by kernel, bytes/s read and written": copy["kernel"],
        "copy by driver, bytes/s read and written": copy["driver"],
        "FP32 fused multiply-adds/s": fma,
        "the same over 128 a cycle and multiprocessor": fma / lanes,
        "shared memory, bytes/s": shared,
        "the same over 128 bytes a cycle and multiprocessor": shared / lanes,
        "limit: 12 FP32 instructions, ns": FP32_DIRECT / fma * 1e9,
        "limit: 10 FP32 instructions, ns": FP32_SHARED_PAIRS / fma * 1e9,
        "limit: the hand-written kernel's instructions, ns": HAND_WRITTEN_INSTRUCTIONS / lanes * 1e9,
        "limit: one step a pass, ns": BYTES / max(copy.values()) * 1e9,
        "limit: 10 FP32 instructions on one multiprocessor (batch 1), ns": FP32_SHARED_PAIRS * count / fma * 1e9,
    }


def show(found: dict[str, Any]) -> None:
    for name, value in found.items():
        print(f"{name:68} {value:.4g}" if isinstance(value, float) else f"{name:68} {value}")


if __name__ == "__main__":
    show(measure())
