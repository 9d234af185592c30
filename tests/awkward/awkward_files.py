"""Files of pictures: PNG, JPEG, TIFF, GIF and films that say more, or something else, than their numbers."""

import struct

import numpy as np
import tifffile
from awkward_case import BYTES, GREY, WAVE, accepted, holds, refused
from matplotlib import colormaps
from PIL import Image

import unstill as us

_HALF_CLEAR = np.where(BYTES > 180, 255, 0).astype(np.uint8)
_FALLING = np.stack([np.arange(256)[::-1] * 257] * 3).astype(np.uint16)  # a palette of grey, white first


def _png(image, name="x.png", **options):
    def act(folder):
        image().save(folder / name, **options)
        return us.load(folder / name)

    return act


def _grey():
    return Image.fromarray(BYTES)


def _with_alpha(alpha):
    return lambda: Image.merge("LA", [_grey(), Image.fromarray(alpha)])


def _palette():
    image = _grey().convert("P")
    image.putpalette([level for i in range(256) for level in (255 - i,) * 3])
    return image


def _turned(name, kind, **options):
    """A camera held upright: stored on its side, with a mark that says so."""
    exif = Image.Exif()
    exif[274] = 6
    return _png(_grey, name, format=kind, exif=exif, **options)


def _interlaced(folder):
    """Adam7 by hand, as Pillow does not write it: the pixels of seven passes, one after another."""
    import zlib

    passes = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
    raw = b"".join(b"\0" + row.tobytes() for y, x, dy, dx in passes for row in BYTES[y::dy, x::dx])

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", BYTES.shape[1], BYTES.shape[0], 8, 0, 0, 0, 1)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    (folder / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + parts)
    return us.load(folder / "x.png")


def _cut(name, share, **options):
    def act(folder):
        _grey().save(folder / name, **options)
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: int(share * len(whole))])
        return us.load(folder / name)

    return act


def _tiff(values, name="x.tif", reading=None, **options):
    def act(folder):
        tifffile.imwrite(folder / name, values, **options)
        return us.load(folder / name, **(reading or {}))

    return act


def _white_by_lzw(folder):
    """Pillow writes black at 0: the tag is changed by hand."""
    _grey().save(folder / "x.tif", compression="tiff_lzw")
    content = bytearray((folder / "x.tif").read_bytes())
    place = content.index(struct.pack("<HHI", 262, 3, 1))
    content[place + 8 : place + 10] = b"\0\0"
    (folder / "x.tif").write_bytes(content)
    return us.load(folder / "x.tif")


def _two_sizes(folder):
    with tifffile.TiffWriter(folder / "x.tif") as file:
        file.write(BYTES)
        file.write(BYTES[:12])
    return us.load(folder / "x.tif")


def _states_half_a_micrometre(found):
    holds(np.stack([GREY] * 3))(found)
    assert (found.measures.dx, found.measures.unit, found.ordered) == (0.5, "µm", True)


def _ome(rows, unit):
    told = {"axes": "TYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": rows, "PhysicalSizeYUnit": unit}
    return _tiff(np.stack([BYTES] * 3), "x.ome.tif", metadata=told | {"PhysicalSizeXUnit": "µm"})


def _hyperstack(**reading):
    values = np.stack([[BYTES, 255 - BYTES]] * 3).astype(np.uint16)[:, None]
    told = {"axes": "TZCYX", "unit": "micron"}
    return _tiff(values, reading=reading, imagej=True, metadata=told, resolution=(2, 2))


def _second_channel(found):
    holds((255 - BYTES) / 65535 * np.ones((3, 1, 1)))(found)
    assert found.ordered
    assert found.measures.dx == 0.5


def _gif(folder):
    """Two frames, each with the palette of its own colours."""
    first, second = (Image.fromarray(np.stack([each] * 3, -1)).quantize(64) for each in (BYTES, 255 - BYTES))
    first.save(folder / "x.gif", save_all=True, append_images=[second], optimize=False)
    return us.load(folder / "x.gif")


def _film(folder, height=23, width=31):
    import av

    with av.open(str(folder / "x.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=5, options={"qp": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p"
        for shift in range(3):
            frame = np.repeat(np.roll(BYTES, shift, 1)[:height, :width, None], 3, -1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())
    return us.load(folder / "x.mp4")


def _renamed(name, write):
    def act(folder):
        write(folder / "x")
        (folder / "x").rename(folder / name)
        return us.load(folder / name)

    return act


def _folder(**pictures):
    def act(folder):
        place = folder / "mes images é"
        place.mkdir()
        for i, (name, image) in enumerate(pictures.items()):
            Image.fromarray(image).save(place / f"{i} ü {name.replace('_', '.')}")
        (place / "notes.txt").write_text("no picture")
        (place / "older.png").mkdir()
        return us.load(place)

    return act


_RAW = BYTES.astype(np.uint16)
_LAST = np.where(BYTES < 120, -9999, WAVE).astype(np.float32)
_VIRIDIS = (colormaps["viridis"](np.arange(256))[:, :3].T * 65535).astype(np.uint16)

PICTURES = (
    accepted(
        "png-palette", "a PNG whose palette runs from white to black", "the colours that are shown", _png(_palette),
        holds(1 - GREY),
    ),
    accepted(
        "png-16", "a 16-bit PNG", "value / 65535", _png(lambda: Image.fromarray(_RAW * 200)), holds(_RAW * 200 / 65535),
    ),
    accepted("png-1", "a PNG of 1 bit", "0 and 1", _png(lambda: Image.fromarray(BYTES > 180)), holds(BYTES > 180)),
    accepted("png-interlaced", "an interlaced PNG", "the same picture", _interlaced, holds(GREY)),
    accepted(
        "png-opaque", "an alpha channel that is full everywhere", "the grey values", _png(_with_alpha(BYTES * 0 + 255)),
        holds(GREY),
    ),
    refused(
        "png-alpha", "a PNG that is clear in places", "what is seen through has no value",
        _png(_with_alpha(_HALF_CLEAR)), "path", "opaque",
    ),
    refused(
        "png-clear-level", "a PNG one of whose levels is clear", "the same", _png(_grey, transparency=int(BYTES[0, 0])),
        "path", "opaque",
    ),
    refused(
        "png-animated", "an animated PNG", "only its first frame would be read",
        _png(_grey, save_all=True, append_images=[Image.fromarray(BYTES[::-1].copy())]), "path", "animation",
    ),
    accepted("png-turned", "a PNG that EXIF turns", "as viewers show it", _turned("x.png", "PNG"), holds(GREY[::-1].T)),
    accepted(
        "jpeg-turned", "a JPEG that EXIF turns", "as viewers show it, within JPEG's rounding",
        _turned("x.jpg", "JPEG", quality=100), holds(GREY[::-1].T, 0.02),
    ),
    accepted(
        "jpeg-cmyk", "a JPEG in CMYK", "as RGB",
        _png(lambda: Image.merge("CMYK", [Image.new("L", BYTES.T.shape)] * 3 + [_grey()]), "x.jpg", quality=100),
        holds(1 - GREY, 0.02),
    ),
    refused("png-cut", "a PNG that ends early", "not whole", _cut("x.png", 0.8), "path", "truncated"),
    refused("jpeg-cut", "a JPEG that ends early", "not whole", _cut("x.jpg", 0.8), "path", "truncated"),
    refused("tiff-cut", "a TIFF that ends early", "not whole", _cut("x.tif", 0.8), "path", "whole"),
    refused("png-empty", "a file of no bytes", "empty", _cut("x.png", 0), "path", "empty"),
    refused(
        "gif-as-png", "a GIF called .png", "it says so", _renamed("x.png", lambda p: _grey().save(p, "GIF")), "path",
        "a GIF",
    ),
    refused(
        "webp-as-png", "a WebP picture called .png", "it says so", _renamed("x.png", lambda p: _grey().save(p, "WEBP")),
        "path", "WebP",
    ),
    accepted(
        "png-as-jpg", "a PNG called .jpg", "the first bytes decide",
        _renamed("x.jpg", lambda p: _grey().save(p, "PNG")), holds(GREY),
    ),
    accepted(
        "tiff-white", "a TIFF with white at 0", "black is 0", _tiff(BYTES, photometric="miniswhite"), holds(1 - GREY),
    ),
    accepted("tiff-white-lzw", "the same, compressed", "black is 0", _white_by_lzw, holds(1 - GREY)),
    accepted(
        "tiff-1", "a TIFF of 1 bit with white at 0", "0 and 1", _tiff(BYTES > 180, photometric="miniswhite"),
        holds(BYTES <= 180),
    ),
    refused(
        "tiff-white-float", "floats with white at 0", "1 − v or −v, nobody says",
        _tiff(WAVE.astype("f4"), photometric="miniswhite"), "path", "white at 0",
    ),
    accepted(
        "tiff-palette", "a TIFF with a palette of grey, white first", "the colours, not their numbers",
        _tiff(BYTES, photometric="palette", colormap=_FALLING), holds(1 - GREY),
    ),
    accepted(
        "tiff-palette-colour", "a TIFF with the palette viridis", "places on viridis, to half a level",
        _tiff(BYTES, photometric="palette", colormap=_VIRIDIS), holds(GREY, 0.002),
    ),
    refused(
        "tiff-cmyk", "a TIFF in CMYK", "its fourth channel is no alpha",
        _tiff(np.stack([BYTES] * 4, -1), photometric="separated"), "path", "SEPARATED",
    ),
    accepted(
        "tiff-turned", "a TIFF whose rows run upwards and columns across", "as viewers show it",
        _tiff(BYTES, extratags=[(274, 3, 1, 6, True)]), holds(GREY[::-1].T),
    ),
    accepted(
        "tiff-turned-lzw", "the same, compressed", "as viewers show it",
        _turned("x.tif", "TIFF", compression="tiff_lzw"), holds(GREY[::-1].T),
    ),
    refused(
        "tiff-no-data", "a GeoTIFF with −9999 for cells without data", "they have no value",
        _tiff(_LAST, extratags=[(42113, 2, 0, "-9999", True)]), "path", "without data",
    ),
    refused("tiff-two-sizes", "a TIFF with pages of two sizes", "not one shape", _two_sizes, "path", "one shape"),
    accepted("tiff-trailing-one", "a TIFF (H, W, 1)", "one picture", _tiff(BYTES[..., None]), holds(GREY)),
    accepted(
        "tiff-big", "a BigTIFF, big-endian, in single precision", "the same values",
        _tiff(WAVE.astype("f4"), bigtiff=True, byteorder=">"), holds(WAVE.astype("f4")),
    ),
    refused(
        "imagej-channels", "an ImageJ hyperstack of two channels", "which is the field, nobody says", _hyperstack(),
        "channel", "2 channels",
    ),
    accepted(
        "imagej-channel", "the same, channel 1 named", "its frames in order, pixels of 0.5 µm", _hyperstack(channel=1),
        _second_channel,
    ),
    accepted(
        "ome", "OME that states 0.5 µm by 500 nm", "square pixels of 0.5 µm", _ome(500.0, "nm"),
        _states_half_a_micrometre,
    ),
    refused("ome-units", "OME that states 0.5 µm by 0.5 nm", "not square", _ome(0.5, "nm"), "path", "square pixels"),
    accepted(
        "gif-palettes", "a GIF with a palette for each frame", "the colours that are shown", _gif,
        holds(np.stack([GREY, 1 - GREY])),
    ),
    accepted(
        "mp4-odd", "an MP4 of odd height and width", "all pixels, to the 2 levels of its colour space", _film,
        holds(np.stack([np.roll(GREY, s, 1)[:23, :31] for s in range(3)]), 0.015),
    ),
    accepted(
        "folder", "a folder with spaces and letters beyond ASCII, a text and a folder called .png in it",
        "its pictures", _folder(a_png=BYTES, b_png=BYTES[::-1].copy()), holds(np.stack([GREY, GREY[::-1]])),
    ),
    refused(
        "folder-depths", "pictures of 8 and of 16 bits in one folder", "their levels do not mean the same",
        _folder(a_png=BYTES, b_png=_RAW * 200), "path", "one depth",
    ),
    refused(
        "folder-shapes", "pictures of two sizes in one folder", "not one shape",
        _folder(a_png=BYTES, b_png=BYTES[:12].copy()), "path", "one shape",
    ),
)  # fmt: skip
