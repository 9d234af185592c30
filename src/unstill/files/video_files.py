"""GIF and MP4, MOV, AVI as a `Stack` of frames in order. How long a frame is shown is no interval of what it shows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .._errors import BadInput
from .arrays import MOST_ELEMENTS
from .stacks import Stack, needed

# The demuxer is forced: FFmpeg would take a playlist with the suffix of a film and open what it names.
_DEMUXERS = {".mp4": "mov", ".m4v": "mov", ".mov": "mov", ".avi": "avi"}
FILM_SUFFIXES = (".gif", *_DEMUXERS)


@contextlib.contextmanager
def open_gif(path: Path) -> Iterator[list[Stack]]:
    """Frames (T, H, W, 3), each as it is shown, over those before it."""
    from PIL import Image

    with Image.open(path, formats=("GIF",)) as image:
        width, height = image.size
        shape = (int(getattr(image, "n_frames", 1)), height, width, 3)

        def read(key: tuple[Any, ...]) -> np.ndarray:
            wanted = range(shape[0])[key[0]]
            frames = []
            for index in [wanted] if isinstance(wanted, int) else wanted:
                image.seek(index)
                frames.append(np.asarray(image.convert("RGB")))
            return np.stack(frames)[(0 if isinstance(wanted, int) else slice(None), *key[1:])]

        yield [Stack(path, "TYXS", shape, np.dtype(np.uint8), read, grey=True)]


@contextlib.contextmanager
def open_film(path: Path) -> Iterator[list[Stack]]:
    """Frames (T, H, W, 3), decoded once to be counted and then in order, as they are asked for."""
    av = needed("av", path)
    with av.open(str(path), format=_DEMUXERS[path.suffix.lower()]) as container:
        if not container.streams.video:
            raise BadInput("path", "must hold a film", f"no video in {path}")
        stream = container.streams.video[0]
        height, width, stated = stream.height, stream.width, stream.frames
        most = MOST_ELEMENTS // max(1, 3 * height * width)
        count = 0
        for _ in container.decode(stream):
            count += 1
            if count > most:
                raise BadInput("path", f"must hold at most {MOST_ELEMENTS:.0e} values", f"over {most} frames in {path}")
    if count < max(stated, 1):
        rule = "must be whole"
        raise BadInput("path", rule, f"{count} of {max(stated, 1)} frames in {path}", "The file is truncated.")
    frames = _Frames(path, av)
    try:
        shape = (count, height, width, 3)
        yield [Stack(path, "TYXS", shape, np.dtype(np.uint8), lambda key: frames.read(key, count), grey=True)]
    finally:
        frames.close()


class _Frames:
    """The frames of a film, in order; going back begins anew, since seeking is exact in few codecs."""

    def __init__(self, path: Path, av: Any):
        self._path, self._av, self._container = path, av, None
        self._next, self._decoder = 0, iter(())

    def read(self, key: tuple[Any, ...], count: int) -> np.ndarray:
        wanted = range(count)[key[0]]
        pictures = [self._at(i)[key[1:]] for i in ([wanted] if isinstance(wanted, int) else wanted)]
        return pictures[0] if isinstance(wanted, int) else np.stack(pictures)

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None

    def _at(self, index: int) -> np.ndarray:
        if self._container is None or index < self._next:
            self.close()
            self._container = self._av.open(str(self._path), format=_DEMUXERS[self._path.suffix.lower()])
            self._decoder, self._next = self._container.decode(self._container.streams.video[0]), 0
        while True:
            frame = next(self._decoder)
            self._next += 1
            if self._next > index:
                return frame.to_ndarray(format="rgb24")
