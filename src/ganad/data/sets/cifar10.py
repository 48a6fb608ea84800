"""CIFAR-10, from the official pickles or from Parquet."""

from __future__ import annotations

import io
import pickle
import pickletools
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError
from ..fetch import fetch, find
from ..samples import Progress, Samples, image_set

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
MD5 = "c58f30108f718f92721af3b95e74349a"
_MOST = 2**28  # bytes of all batches, which have 184 million
CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()


def cifar10(split: str = "all", *, data_dir: Any = None, progress: Progress | None = None, **_: Any) -> Samples:
    """50,000 training and 10,000 test images of 32 x 32 x 3, from the official pickles or from Parquet.

    Parquet copies hold JPEG images, which are lossy, so the official archive is preferred if both exist.
    """
    parts = {"train": ["train"], "test": ["test"], "all": ["train", "test"]}[split]
    folders, archive = ("cifar10", "cifar-10-batches-py"), "cifar-10-python.tar.gz"
    batches = find((*folders, "cifar10/cifar-10-batches-py"), ["data_batch_1"], data_dir)
    parquet = find(("cifar10_jpeg", "cifar10"), ["train.parquet"], data_dir)
    if batches is None and parquet is not None and find(folders, [archive], data_dir) is None:
        read = [_from_parquet(parquet.with_name(f"{p}.parquet"), progress) for p in parts]
    else:
        if batches is None:
            tar = fetch("cifar10", archive, data_dir, url=URL, md5=MD5, progress=progress)
            files = _from_tar(tar)
        else:
            files = {p.name: p.read_bytes() for p in batches.parent.iterdir() if "batch" in p.name}
        read = [_from_pickles(files, p) for p in parts]
    x = np.concatenate([images for images, _ in read])
    return image_set(x, np.array(CLASSES)[np.concatenate([labels for _, labels in read])], "cifar10")


class _ArraysOnly(pickle.Unpickler):
    """Reads the official batches, which hold dicts of bytes and arrays, and refuses any other name in a pickle."""

    _ALLOWED = {
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("_codecs", "encode"),
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise InputError(f"a CIFAR-10 batch asks for {module}.{name}, as no official one does; download it again")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _from_tar(path: Path) -> dict[str, bytes]:
    """Contents of the batches in the archive, by name; nothing is written to disk."""
    try:
        with tarfile.open(path) as archive:
            members = [m for m in archive.getmembers() if m.isfile() and "_batch" in m.name]
            if sum(member.size for member in members) > _MOST:
                raise InputError(f"{path}: its batches are larger than CIFAR-10's; download it again")
            return {Path(m.name).name: file.read() for m in members if (file := archive.extractfile(m))}
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: not the CIFAR-10 archive or damaged ({reason}); download it again") from error


def _from_pickles(files: dict[str, bytes], part: str) -> tuple[np.ndarray, np.ndarray]:
    names = [f"data_batch_{i}" for i in range(1, 6)] if part == "train" else ["test_batch"]
    xs, ys = [], []
    for name in names:
        if name not in files:
            raise InputError(f"CIFAR-10 batch {name} is missing; unpack the whole archive")
        try:
            _refuse_memo(files[name])
            batch = _ArraysOnly(io.BytesIO(files[name]), encoding="bytes").load()
            x, y = _checked(batch[b"data"], batch[b"labels"])
            xs.append(x.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
            ys.append(y)
        except InputError:
            raise
        except Exception as error:  # a pickle may raise anything
            raise InputError(f"CIFAR-10 batch {name} is damaged ({error}); download it again") from error
    return np.concatenate(xs), np.concatenate(ys)


def _refuse_memo(data: bytes) -> None:
    """Raise ValueError for a pickle that would exhaust memory by a memo index far beyond its own length."""
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name.endswith("PUT") and isinstance(argument, int) and argument > len(data):
            raise ValueError("a place in the memo beyond the batch's length")


def _checked(pixels: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Pixels ``(n, 3072)`` and labels ``(n,)`` as in the official batches. Raises ValueError for others."""
    x, y = np.asarray(pixels), np.asarray(labels)
    if x.dtype != np.uint8 or x.ndim != 2 or x.shape[1] != 3 * 32 * 32:
        raise ValueError(f"pixels of shape {x.shape} and type {x.dtype}")
    if y.dtype.kind not in "iu" or y.shape != x.shape[:1] or not ((y >= 0) & (y < len(CLASSES))).all():
        raise ValueError("labels that are not one of 0 to 9 for each image")
    return x, y.astype(np.int64)


def _from_parquet(path: Path, progress: Progress | None) -> tuple[np.ndarray, np.ndarray]:
    """Images from a Parquet file with a column of encoded images (bytes, or a struct with them) and labels."""
    import pyarrow
    import pyarrow.compute
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
        cells = next((table[n] for n in ("img", "image") if n in table.column_names), None)
        if cells is None or "label" not in table.column_names:
            names = ", ".join(table.column_names)
            raise InputError(f"{path}: needs a column img or image and a column label, has {names}")
        if pyarrow.types.is_struct(cells.type):
            cells = pyarrow.compute.struct_field(cells, "bytes")
        x = np.empty((len(cells), 3 * 32 * 32), np.uint8)
        for i, cell in enumerate(cells):
            x[i] = _picture(cell.as_py())
            if progress and i % 1000 == 0:
                progress(i, len(x))
        x, y = _checked(x, table["label"].to_numpy())
    except InputError:
        raise
    except Exception as error:  # a picture may fail in as many ways as it has formats
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"{path}: not CIFAR-10 or damaged ({reason:.200}); copy it again") from error
    return x.reshape(-1, 32, 32, 3), y


def _picture(content: bytes) -> np.ndarray:
    """The bytes of one image of 32 x 32 pixels in colour; ValueError for another size, whatever Pillow raises else."""
    from PIL import Image

    with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
        if image.size != (32, 32):
            raise ValueError(f"an image of {image.width} x {image.height} pixels")
        return np.asarray(image.convert("RGB")).reshape(-1)
