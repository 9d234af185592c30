"""Pictures in order → a film file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

_BT709 = 1  # the number of this colour space in FFmpeg's three tables
_SHORTEST = 2.0  # seconds: a shorter film is over before it is seen


def _repeats(count: int, fps: int) -> int:
    """How often each picture is shown, so that few of them last long enough."""
    return max(1, math.ceil(_SHORTEST * fps / count))


def write_mp4(path: Path, canvases: Sequence[np.ndarray], fps: int) -> None:
    """H.264 in yuv420p with its colours marked as BT.709, the index at the front: plays in browsers and slides."""
    import av

    repeats = _repeats(len(canvases), fps)
    with av.open(str(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = None
        for canvas in canvases:
            if stream is None:
                stream = _stream(container, canvas.shape, fps)
            for _ in range(repeats):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(canvas), format="rgb24")
                container.mux(stream.encode(frame.reformat(format="yuv420p", dst_colorspace="ITU709")))
        if stream is not None:
            container.mux(stream.encode())


def write_gif(path: Path, canvases: Sequence[np.ndarray], fps: int) -> None:
    """An endless GIF; its time unit is 1/100 s, so the speed is the nearest that the format knows."""
    from PIL import Image

    # One palette for the whole film, from a moment by which most patterns have formed: a palette a frame flickers.
    palette = Image.fromarray(canvases[len(canvases) // 2]).quantize(256, method=Image.Quantize.MEDIANCUT)
    frames = (Image.fromarray(c).quantize(palette=palette, dither=Image.Dither.NONE) for c in canvases)
    delay = max(20, 10 * round(100 * _repeats(len(canvases), fps) / fps))
    next(frames).save(path, format="GIF", save_all=True, append_images=frames, duration=delay, loop=0, optimize=False)


WRITERS: dict[str, Callable[[Path, Sequence[np.ndarray], int], None]] = {".mp4": write_mp4, ".gif": write_gif}


# x264's macroblock tree reads memory that it never wrote where a film is not a multiple of 64 pixels wide (seen with
# MALLOC_PERTURB_): the same pictures then give other bytes, one time in fifty. Without it files are a little larger.
_OPTIONS = {"crf": "16", "preset": "veryfast", "x264-params": "mbtree=0"}


def _stream(container, shape: tuple[int, ...], fps: int):
    stream = container.add_stream("libx264", rate=Fraction(fps), options=_OPTIONS)
    stream.height, stream.width, stream.pix_fmt = shape[0], shape[1], "yuv420p"
    context = stream.codec_context
    # Without these marks players guess BT.601 or BT.709 by the size, and the hues shift.
    context.colorspace = context.color_primaries = context.color_trc = _BT709
    context.thread_count = 1  # with more, a loaded machine may write other bytes
    return stream
