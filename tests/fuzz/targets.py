"""The readers of foreign bytes: each a function of some bytes and an empty folder, with a corpus of its own.

A target returns or raises InputError, or Refused in the service. Whatever else gets out is a bug, and so is more than
``MEMORY`` bytes or ``SECONDS``.
"""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import signal
import tarfile
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch import nn

import ganad
from ganad import AutoEncoder, InputError
from ganad.bench import rows
from ganad.data import load, load_photos, load_table, read_mask
from ganad.data.sets import cifar10, kddcup99, mnist, ocan
from ganad.data.table import iter_table
from ganad.nets import backbone_weights, onnx_maps
from ganad.serve import Limits
from ganad.serve.bodies import parse
from ganad.serve.rejections import Refused

from ..samples import normal, small
from . import mutations

CORPUS = Path(__file__).parent / "corpus"
MEMORY = 2**30  #: bytes of addresses that a reader may take
SECONDS = 60


@dataclass(frozen=True)
class Target:
    """A reader, how its bytes are made wrong, and how often the quick run tries."""

    name: str
    read: Callable[[bytes, Path], Any]
    mutate: mutations.Mutate = mutations.some_bytes
    words: Sequence[bytes] = ()
    tries: int = 60

    def seeds(self) -> list[bytes]:
        """The files of the corpus: whole ones, and those that once did harm."""
        folders = [CORPUS / name for name in (self.name, SHARED.get(self.name, "")) if name]
        return [file.read_bytes() for folder in folders if folder.is_dir() for file in sorted(folder.iterdir())]

    def attempt(self, data: bytes, folder: Path) -> None:
        """Read, within bounds; whatever but a refusal gets out."""
        with bounded(), warnings.catch_warnings(), contextlib.suppress(InputError, Refused):
            warnings.simplefilter("ignore")
            self.read(data, folder)

    def one(self, random: Random) -> bytes:
        """A seed made wrong."""
        return self.mutate(random.choice(self.seeds()), random, self.words)


@contextlib.contextmanager
def bounded() -> Iterator[None]:
    """Within: no more than MEMORY bytes of addresses beside those in use, nor more than SECONDS."""
    try:
        import resource
    except ImportError:  # another system than POSIX
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = (
        int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if Path("/proc").exists() else 0
    )
    is_main = threading.current_thread() is threading.main_thread()
    try:
        if used:
            resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, before[1]))
        if is_main:
            signal.signal(signal.SIGALRM, _late)
            signal.alarm(SECONDS)
        yield
    finally:
        if is_main:
            signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_AS, before)


def _late(*_: object) -> None:
    raise AssertionError(f"a reader took more than {SECONDS} s")


def _in(name: str, read: Callable[[Path], Any]) -> Callable[[bytes, Path], Any]:
    """A reader of files, as one of bytes."""

    def of_bytes(data: bytes, folder: Path) -> Any:
        (folder / name).write_bytes(data)
        return read(folder / name)

    return of_bytes


# -- readers -----------------------------------------------------------------------------------------------


def _model(path: Path) -> None:
    model = ganad.load(path, device="cpu")
    scores = model.anomaly_score(np.zeros((2, *model.input_.sample_shape), np.float32))
    assert np.isfinite(scores).all(), "scores that are not finite"


def _checkpoint(data: bytes, folder: Path) -> None:
    place = folder / "c"
    place.mkdir(exist_ok=True)
    for file in place.iterdir():
        file.unlink()
    (place / "current.safetensors").write_bytes(data)
    with contextlib.suppress(ganad.errors.TrainingDiverged):  # a forged weight may be of any size
        fit_of_the_checkpoint().fit(normal("table")[:60], checkpoint=place, resume=True)


def fit_of_the_checkpoint() -> AutoEncoder:
    return small(AutoEncoder, epochs=2, batch_size=30)


def _pictures(path: Path) -> None:
    load(path, cache=path.parent / "cache")
    list(load_photos(path, workers=1).x)


def _tar(path: Path) -> None:
    cifar10._from_pickles(cifar10._from_tar(path), "test")


def _scored_table(path: Path) -> None:
    for samples in iter_table(path, source_of_the_corpus()):
        assert np.isfinite(samples.x).all()


def _table(path: Path) -> None:
    samples = load_table(path)
    assert samples.x.shape == (len(samples.x), len(samples.columns or ()))


@cache
def source_of_the_corpus() -> dict[str, Any]:
    return load_table(next((CORPUS / "csv").glob("plain*"))).source or {}


@cache
def _served(kind: str) -> Any:
    if kind == "images":
        return small(AutoEncoder).fit(normal("images")[:40])
    samples = load_table(next((CORPUS / "csv").glob("plain*")))
    model = small(AutoEncoder).fit(samples.x)
    model.remember_source(samples.source or {}, samples.columns)
    return model


def _body(content_type: str, kind: str = "table") -> Callable[[bytes, Path], Any]:
    limits = Limits(body_bytes=2**20, bodies_bytes=2**26, samples=500, pixels=10**6)

    def read(data: bytes, folder: Path) -> None:
        samples = parse(data, content_type, _served(kind), limits)
        assert len(samples.x) == len(samples.names or ()) and len(samples.x) <= limits.samples

    return read


def _backbone(path: Path) -> None:
    network: Any = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    backbone_weights.read(network, path)


def _onnx(path: Path) -> None:
    onnx_maps.read(path, None, True)


_TABLE = (
    b",",
    b";",
    b"\t",
    b'"',
    b"\r",
    b"\n\n",
    b"\xff",
    b"\x00",
    b"NA",
    b"nan",
    b"inf",
    b"1e999",
    b"1,5",
    b"2024-02-30",
)
_PICKLE = (
    b"N",
    b".",
    b"(",
    b"}",
    b"cposix\nsystem\n",
    b"\x8c\x05numpy",
    b"R",
    b"b",
    b"q\x00",
    b"\x80\x02",
    b"r\xff\xff\xff\x7f",
)

TARGETS = {
    target.name: target
    for target in (
        Target("model", _in("m.safetensors", _model), mutations.resealed, tries=60),
        Target("checkpoint", _checkpoint, mutations.resealed, tries=25),
        Target("idx", _in("x.idx", mnist.read_idx)),
        Target("idx-gz", _in("x.gz", mnist.read_idx)),
        Target("cifar", lambda data, _: cifar10._from_pickles({"test_batch": data}, "test"), words=_PICKLE),
        Target("cifar-tar", _in("x.tar.gz", _tar), tries=30),
        Target("cifar-parquet", _in("x.parquet", lambda path: cifar10._from_parquet(path, None))),
        Target("npy", _in("x.npy", ocan._array)),
        Target("kdd", _in("x", lambda path: kddcup99._encoded(kddcup99._read(path))), words=_TABLE, tries=30),
        Target("csv", _in("x.csv", _table), words=_TABLE),
        Target("csv-scored", _in("x.csv", _scored_table), words=_TABLE),
        Target("parquet", _in("x.parquet", _table)),
        Target("images", _in("x.png", _pictures), mutations.images),
        Target("masks", _in("x.png", lambda path: read_mask(path, (8, 8))), mutations.images),
        Target("backbone", _in("x.pth", _backbone), words=_PICKLE),
        Target("backbone-safe", _in("x.safetensors", _backbone)),
        Target("backbone-onnx", _in("x.onnx", _onnx)),
        Target("results", _in("x.jsonl", rows.read), mutations.json_text),
        Target("body-json", _body("application/json"), mutations.json_text),
        Target("body-csv", _body("text/csv"), words=_TABLE),
        Target("body-parquet", _body("application/vnd.apache.parquet")),
        Target("body-image", _body("image/png", "images"), mutations.images),
    )
}
SHARED = {"csv-scored": "csv", "body-csv": "csv", "masks": "images", "body-image": "images", "body-parquet": "parquet"}


# -- the whole files of the corpus ---------------------------------------------------------------------------


def write_corpus() -> None:
    """Write one small whole file or more for each target; what is there already stays."""
    rng = np.random.default_rng(0)
    for name, content in _whole_files(rng):
        place = CORPUS / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.write_bytes(content)


def _whole_files(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    yield from _models()
    pixels = rng.integers(0, 256, (2, 4, 4), np.uint8)
    idx = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in pixels.shape) + pixels.tobytes()
    yield "idx/plain", idx
    import gzip

    yield "idx-gz/plain", gzip.compress(idx, mtime=0)
    batch = pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": [3]}, protocol=2)
    yield "cifar/plain", batch
    yield "cifar-tar/plain", _tarred({"cifar-10-batches-py/test_batch": batch})
    yield from _tables()
    yield "kdd/plain", _kdd()
    yield "npy/plain", _bytes(lambda file: np.save(file, np.arange(6.0).reshape(2, 3)))
    yield from _pictures_of(rng)
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    yield "backbone/plain", _bytes(lambda file: torch.save(network.state_dict(), file))
    import safetensors.torch

    yield "backbone-safe/plain", safetensors.torch.save(network.state_dict())
    yield "backbone-onnx/plain", _onnx_file()
    row = {"suite": "a", "label": "b", "class": "0", "seed": 1, "budget": "quick", "preset": None, "settings": {}}
    row |= {"metrics": {"auroc": 0.5}, "parameters": {"epochs": 1}}
    yield "results/plain", (json.dumps(row) + "\n").encode()
    body = {"rows": [{"width": 1.5, "height": 2, "colour": "x"}, {"width": 1, "height": None, "colour": "y"}]}
    yield "body-json/objects", json.dumps(body).encode()
    yield "body-json/lists", b"[[1, 2.5, 0, 1], [3, 4, 1, 0]]"


def _onnx_file() -> bytes:
    from onnx import TensorProto, helper, numpy_helper

    pool = helper.make_node("AveragePool", ["x"], ["mean"], kernel_shape=[32, 32], strides=[32, 32])
    nodes = [pool, helper.make_node("Mul", ["mean", "w"], ["map"])]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, "H", "W"])
    made = helper.make_tensor_value_info("map", TensorProto.FLOAT, None)
    weights = numpy_helper.from_array(np.ones((3, 1, 1), np.float32), "w")
    graph = helper.make_graph(nodes, "g", [given], [made], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def _models() -> Iterator[tuple[str, bytes]]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for cls in (AutoEncoder, ganad.KDE, ganad.GMM, ganad.VAE):
            path = Path(folder) / f"{cls.__name__}.safetensors"
            small(cls).fit(normal("table")[:40]).save(path)
            yield f"model/{cls.__name__}", path.read_bytes()
        fit_of_the_checkpoint().fit(normal("table")[:60], checkpoint=Path(folder) / "c")
        for file in (Path(folder) / "c").glob("*.safetensors"):
            yield f"checkpoint/{file.stem}", file.read_bytes()


def _tables() -> Iterator[tuple[str, bytes]]:
    import pyarrow
    import pyarrow.parquet

    lines = [f"{i % 7}.5,{i % 5},{'xy'[i % 2]}" for i in range(12)]
    yield "csv/plain", "\n".join(["width,height,colour", *lines, ""]).encode()
    yield "csv/semicolons", "\n".join(["width;height;colour", *(line.replace(",", ";") for line in lines)]).encode()
    yield "csv/quoted", b'width,height,colour\r\n1,2,"x"\r\n3,4,"y"\r\n'
    columns = {"width": [1.5, 2.5, 3.5], "height": [1, 2, 3], "colour": ["x", "y", "x"]}
    table = pyarrow.table(columns)
    for codec in ("none", "snappy", "zstd"):
        yield (
            f"parquet/{codec}",
            _bytes(lambda file, codec=codec: pyarrow.parquet.write_table(table, file, compression=codec)),
        )
    png = _picture("PNG", np.zeros((32, 32, 3), np.uint8))
    photos = pyarrow.table({"img": [{"bytes": png}], "label": [3]})
    yield "cifar-parquet/plain", _bytes(lambda file: pyarrow.parquet.write_table(photos, file))


def _kdd() -> bytes:
    cells = ["tcp" if name in kddcup99.CATEGORICAL else "1" for name in kddcup99.FEATURES]
    return "\n".join([",".join([*cells, "normal."])] * 2).encode()


def _pictures_of(rng: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    grey = rng.integers(0, 256, (8, 8), np.uint8)
    for kind in ("PNG", "JPEG", "BMP", "TIFF", "WEBP"):
        yield f"images/{kind.lower()}", _picture(kind, np.stack([grey] * 3, 2))
    yield "images/grey16", _picture("PNG", grey.astype(np.uint16) * 250)
    yield (
        "images/exif",
        _picture("JPEG", grey, exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"),
    )


def _picture(kind: str, pixels: np.ndarray, **options: Any) -> bytes:
    from PIL import Image

    return _bytes(lambda file: Image.fromarray(pixels).save(file, kind, **options))


def _tarred(files: dict[str, bytes]) -> bytes:
    def write(out: io.BytesIO) -> None:
        with tarfile.open(fileobj=out, mode="w:gz") as archive:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))

    return _bytes(write)


def _bytes(write: Callable[[io.BytesIO], Any]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


if __name__ == "__main__":
    write_corpus()
