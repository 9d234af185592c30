"""What a file is by its first bytes, for errors: most files that cannot be read are whole files with a wrong suffix."""

from pathlib import Path

# First bytes → (what it is, the suffix under which it is read; "" for none).
_STARTS = (
    (b"\x93NUMPY", "an array of NumPy", ".npy"),
    (b"PK\x03\x04", "a ZIP archive", ".npz"),
    (b"PK\x05\x06", "an empty ZIP archive", ""),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture", ".png"),
    (b"\xff\xd8\xff", "a JPEG picture", ".jpg"),
    (b"GIF8", "a GIF", ".gif"),
    (b"II*\0", "a TIFF", ".tif"),
    (b"MM\0*", "a TIFF", ".tif"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", ".h5"),
    (b"CDF\x01", "a NetCDF file", ".nc"),
    (b"CDF\x02", "a NetCDF file", ".nc"),
    (b"MATLAB 5.0", "a MATLAB file", ".mat"),
    (b"%PDF", "a PDF", ""),
    (b"\x1f\x8b", "packed by gzip", ""),
    (b"<!DOCTYPE", "a page of the web", ""),
    (b"<html", "a page of the web", ""),
    (b"version https://git-lfs", "the pointer of Git LFS to a file that was not fetched", ""),
)  # fmt: skip
_ALIKE = ({".jpg", ".jpeg"}, {".tif", ".tiff"}, {".h5", ".hdf5", ".nc", ".mat"})


def disguised(path: Path) -> tuple[str, str] | None:
    """What a file is and the suffix that it should have, where its own is of another format; None where it fits."""
    try:
        with open(path, "rb") as stream:
            head = stream.read(32)
    except OSError:
        return None
    suffix = path.suffix.lower()
    if not head:
        return "empty", ""
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and suffix in (".npy", ".npz"):
        return "a pickle, which is never read", ""
    if head[4:8] == b"ftyp":
        return None if suffix in (".mp4", ".m4v", ".mov") else ("a film", ".mp4")
    if head[:4] == b"RIFF":
        webp = head[8:12] == b"WEBP"
        return ("a WebP picture", "") if webp else None if suffix == ".avi" else ("an AVI film", ".avi")
    for start, what, right in _STARTS:
        if head.startswith(start):
            fits = suffix == right or any({suffix, right} <= group for group in _ALIKE)
            return None if fits else (what, right)
    return None
