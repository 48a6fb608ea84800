"""Images of every readable kind, and files damaged in twenty ways."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, side: int = 24) -> np.ndarray:
    """A smooth grey picture with structure."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    return (127 + 120 * np.sin(6 * x + rng.uniform(0, 6)) * np.cos(5 * y + rng.uniform(0, 6))).astype(np.uint8)


def encoded(kind: str, seed: int = 0) -> bytes:
    """A picture as the bytes of a file."""
    out = io.BytesIO()
    Image.fromarray(picture(seed)).save(out, kind)
    return out.getvalue()


def bomb() -> bytes:
    """A small PNG that claims 30,000 x 30,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def bad_crc() -> bytes:
    data = bytearray(encoded("PNG"))
    data[data.index(b"IDAT") + 8] ^= 0xFF
    return bytes(data)


def tiff_floats(low: float, high: float) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.linspace(low, high, 576, dtype=np.float32).reshape(24, 24)).save(out, "TIFF")
    return out.getvalue()


def gif() -> bytes:
    return encoded("GIF")


png, jpeg = encoded("PNG"), encoded("JPEG")

#: Name of the file -> its bytes, a link's target, or None for a folder.
DAMAGED = {
    "truncated-half.jpg": jpeg[: len(jpeg) // 2],
    "truncated-99.jpg": jpeg[: int(len(jpeg) * 0.99)],
    "truncated-half.png": png[: len(png) // 2],
    "truncated-99.png": png[: int(len(png) * 0.9)],
    "zero.png": b"",
    "zero.jpg": b"",
    "text.png": b"this is not an image\n",
    "html.jpg": b"<html><body>404</body></html>",
    "header.png": png[:33],
    "header.jpg": jpeg[:20],
    "crc.png": bad_crc(),
    "bomb.png": bomb(),
    "dangling.png": Path("nowhere-at-all.png"),
    "folder.png": None,
    "gif-in-disguise.png": gif(),
    "random.jpg": bytes(np.random.default_rng(0).integers(0, 256, 500, dtype=np.uint8)),
    "wild-float.tif": tiff_floats(-5, 900),
    "half.tif": encoded("TIFF")[:60],
    "half.webp": encoded("WEBP")[:40],
    "half.bmp": encoded("BMP")[:80],
}


def write_damaged(folder: Path, name: str, suffix: str) -> None:
    """One damaged input, its name made unique by ``suffix``."""
    content = DAMAGED[name]
    path = folder / f"{Path(name).stem}-{suffix}{Path(name).suffix}"
    if content is None:
        path.mkdir()
    elif isinstance(content, Path):
        path.symlink_to(content)
    else:
        path.write_bytes(content)
