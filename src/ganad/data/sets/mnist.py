"""MNIST, from the four official IDX files."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ..fetch import fetch
from ..samples import Progress, Samples, image_set

URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
#: The four files, with the MD5 of the official archives.
FILES = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
_MOST = 2**26  # bytes, unpacked; the largest of the four has 47 million


def mnist(split: str = "all", *, data_dir: Any = None, progress: Progress | None = None, **_: Any) -> Samples:
    """60,000 training and 10,000 test images of 28 x 28 pixels; InputError for a missing or damaged file."""

    def read(part: str, kind: str) -> np.ndarray:
        name = f"{part}-{kind}-ubyte.gz"
        plain = [name.removesuffix(".gz")]
        path = fetch("mnist", name, data_dir, url=URL + name, md5=FILES[name], other_names=plain, progress=progress)
        return read_idx(path)

    parts = {"train": ["train"], "test": ["t10k"], "all": ["train", "t10k"]}[split]
    pairs = [(read(part, "images-idx3"), read(part, "labels-idx1")) for part in parts]
    return image_set(np.concatenate([x for x, _ in pairs]), np.concatenate([y for _, y in pairs]), "mnist")


def read_idx(path: Path) -> np.ndarray:
    """An array of bytes from an IDX file, plain or gzipped; InputError if it is not exactly one."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            data = file.read(_MOST + 1)
        zeros, kind, axes = struct.unpack(">HBB", data[:4])
        shape = struct.unpack(f">{axes}I", data[4 : 4 + 4 * axes])
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise InputError(f"{path}: not an IDX file or damaged ({error}); download it again") from error
    size = math.prod(shape)
    if zeros or kind != 8 or axes not in (1, 3) or len(data) > _MOST or len(data) != 4 + 4 * axes + size:
        raise InputError(f"{path}: not an IDX file of bytes, or cut short; download it again")
    return np.frombuffer(data, np.uint8, size, 4 + 4 * axes).reshape(shape)
