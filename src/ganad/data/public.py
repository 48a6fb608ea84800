"""Public data sets by name: where their files are, what is checked, and the arrays they become."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import tarfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from .fetch import fetch, find
from .folder import load_folder
from .samples import Progress, Samples

MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
#: The four files of MNIST, with the MD5 of the official archives.
MNIST_FILES = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
CIFAR10_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
CIFAR10_MD5 = "c58f30108f718f92721af3b95e74349a"
CIFAR10_CLASSES = "airplane automobile bird cat deer dog frog horse ship truck".split()
KDD_URL = "http://kdd.ics.uci.edu/databases/kddcup99/kddcup.data_10_percent.gz"
KDD_ROWS, KDD_NORMAL = 494_021, 97_278
#: The 41 features in file order; the seven categorical ones are one-hot encoded, 34 + 87 = 121 columns.
KDD_FEATURES = (
    "duration protocol_type service flag src_bytes dst_bytes land wrong_fragment urgent hot num_failed_logins "
    "logged_in num_compromised root_shell su_attempted num_root num_file_creations num_shells num_access_files "
    "num_outbound_cmds is_host_login is_guest_login count srv_count serror_rate srv_serror_rate rerror_rate "
    "srv_rerror_rate same_srv_rate diff_srv_rate srv_diff_host_rate dst_host_count dst_host_srv_count "
    "dst_host_same_srv_rate dst_host_diff_srv_rate dst_host_same_src_port_rate dst_host_srv_diff_host_rate "
    "dst_host_serror_rate dst_host_srv_serror_rate dst_host_rerror_rate dst_host_srv_rerror_rate"
).split()
KDD_CATEGORICAL = "protocol_type service flag land logged_in is_host_login is_guest_login".split()


def digits(split: str = "all", **_: Any) -> Samples:
    """scikit-learn's handwritten digits: 1,797 images of 8 x 8 pixels, shipped with it; they have no split."""
    from sklearn.datasets import load_digits

    data = load_digits()
    x = np.rint(data.images * (255 / 16)).astype(np.uint8)
    return _images(x, data.target, "digit")


def mnist(split: str = "all", *, data_dir: Any = None, progress: Progress | None = None, **_: Any) -> Samples:
    """MNIST: 60,000 training and 10,000 test images of 28 x 28 pixels."""
    parts = {"train": ["train"], "test": ["t10k"], "all": ["train", "t10k"]}[split]
    xs: list[np.ndarray] = []
    ys: list[np.ndarray] = []
    for part in parts:
        for kind, into in (("images-idx3", xs), ("labels-idx1", ys)):
            name = f"{part}-{kind}-ubyte.gz"
            path = fetch(
                "mnist",
                name,
                data_dir,
                url=MNIST_URL + name,
                md5=MNIST_FILES[name],
                other_names=[name.removesuffix(".gz")],
                progress=progress,
            )
            into.append(read_idx(path))
    return _images(np.concatenate(xs), np.concatenate(ys), "mnist")


def read_idx(path: Path) -> np.ndarray:
    """An array of bytes from an IDX file, plain or gzipped; InputError if it is not exactly one."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        zeros, kind, axes = struct.unpack(">HBB", data[:4])
        shape = struct.unpack(f">{axes}I", data[4 : 4 + 4 * axes])
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise InputError(f"{path}: not an IDX file or damaged ({error}); download it again") from error
    size = int(np.prod(shape, dtype=np.int64))
    if zeros or kind != 8 or len(data) != 4 + 4 * axes + size:
        raise InputError(f"{path}: not an IDX file of bytes, or cut short; download it again")
    return np.frombuffer(data, np.uint8, size, 4 + 4 * axes).reshape(shape)


def cifar10(split: str = "all", *, data_dir: Any = None, progress: Progress | None = None, **_: Any) -> Samples:
    """CIFAR-10: 50,000 training and 10,000 test images of 32 x 32 x 3, from the official pickles or from Parquet.

    Parquet copies hold JPEG images, which are lossy; the official archive is preferred where both are.
    """
    parts = {"train": ["train"], "test": ["test"], "all": ["train", "test"]}[split]
    folders, archive = ("cifar10", "cifar-10-batches-py"), "cifar-10-python.tar.gz"
    batches = find((*folders, "cifar10/cifar-10-batches-py"), ["data_batch_1"], data_dir)
    parquet = find(("cifar10_jpeg", "cifar10"), ["train.parquet"], data_dir)
    if batches is None and parquet is not None and find(folders, [archive], data_dir) is None:
        read = [_cifar_parquet(parquet.with_name(f"{p}.parquet"), progress) for p in parts]
    else:
        if batches is None:
            tar = fetch("cifar10", archive, data_dir, url=CIFAR10_URL, md5=CIFAR10_MD5, progress=progress)
            files = _from_tar(tar)
        else:
            files = {p.name: p.read_bytes() for p in batches.parent.iterdir() if "batch" in p.name}
        read = [_cifar_pickles(files, p) for p in parts]
    x = np.concatenate([images for images, _ in read])
    return _images(x, np.array(CIFAR10_CLASSES)[np.concatenate([labels for _, labels in read])], "cifar10")


class _ArraysOnly(pickle.Unpickler):
    """Reads the official batches, which hold dicts of bytes and arrays; any other name in a pickle is refused."""

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
            return {Path(m.name).name: archive.extractfile(m).read() for m in members}  # type: ignore[union-attr]
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: not the CIFAR-10 archive or damaged ({reason}); download it again") from error


def _cifar_pickles(files: dict[str, bytes], part: str) -> tuple[np.ndarray, np.ndarray]:
    names = [f"data_batch_{i}" for i in range(1, 6)] if part == "train" else ["test_batch"]
    xs, ys = [], []
    for name in names:
        if name not in files:
            raise InputError(f"CIFAR-10 batch {name} is missing; unpack the whole archive")
        try:
            batch = _ArraysOnly(io.BytesIO(files[name]), encoding="bytes").load()
            xs.append(np.asarray(batch[b"data"], np.uint8).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
            ys.append(np.asarray(batch[b"labels"], np.int64))
        except (pickle.UnpicklingError, EOFError, KeyError, IndexError, AttributeError, TypeError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"CIFAR-10 batch {name} is damaged ({error}); download it again") from error
    return np.concatenate(xs), np.concatenate(ys)


def _cifar_parquet(path: Path, progress: Progress | None) -> tuple[np.ndarray, np.ndarray]:
    """Images from a Parquet file with a column of encoded images (bytes, or a struct with them) and labels."""
    import pyarrow
    import pyarrow.parquet
    from PIL import Image

    table = pyarrow.parquet.read_table(path)
    cells = next((table[n] for n in ("img", "image") if n in table.column_names), None)
    if cells is None or "label" not in table.column_names:
        raise InputError(f"{path}: needs a column img or image and a column label, has {', '.join(table.column_names)}")
    if pyarrow.types.is_struct(cells.type):
        cells = pyarrow.compute.struct_field(cells, "bytes")
    x = np.empty((len(cells), 32, 32, 3), np.uint8)
    for i, cell in enumerate(cells):
        with Image.open(io.BytesIO(cell.as_py()), formats=("JPEG", "PNG")) as image:
            x[i] = np.asarray(image.convert("RGB"))
        if progress and i % 1000 == 0:
            progress(i, len(x))
    return x, table["label"].to_numpy()


def kddcup99(split: str = "all", *, data_dir: Any = None, progress: Progress | None = None, **_: Any) -> Samples:
    """KDDCUP99, the 10 % file: 494,021 connections, 121 features, the attack's name or "normal" as class.

    34 numeric columns come first, in file order, then the one-hot codes of the seven categorical ones, values in
    alphabetical order over the whole file. In the papers the attacks are the normal class.
    """
    import pyarrow
    import pyarrow.csv

    path = fetch(
        "kddcup99",
        "kddcup.data_10_percent.gz",
        data_dir,
        url=KDD_URL,
        other_names=["kddcup.data_10_percent", "kddcup.data_10_percent_corrected"],
        progress=progress,
    )
    types = {name: pyarrow.string() if name in KDD_CATEGORICAL else pyarrow.float64() for name in KDD_FEATURES}
    try:
        table = pyarrow.csv.read_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(column_names=[*KDD_FEATURES, "label"]),
            convert_options=pyarrow.csv.ConvertOptions(column_types=types),
        )
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: not the KDDCUP99 file or damaged ({error}); download it again") from error
    label = np.char.rstrip(table["label"].to_numpy().astype(str), ".")
    if table.num_rows != KDD_ROWS or int((label == "normal").sum()) != KDD_NORMAL:
        raise InputError(f"{path}: {table.num_rows:,} rows, not the {KDD_ROWS:,} of the 10 % file; download it again")
    numeric = [n for n in KDD_FEATURES if n not in KDD_CATEGORICAL]
    columns, codes = list(numeric), []
    for name in KDD_CATEGORICAL:
        coded = table[name].combine_chunks().dictionary_encode()
        values = coded.dictionary.to_pylist()
        rank = np.argsort(np.argsort(values))
        codes.append(len(columns) + rank[coded.indices.to_numpy()])
        columns += [f"{name}={value}" for value in sorted(values)]
    x = np.zeros((table.num_rows, len(columns)))  # filled in place: stacking parts would need it twice
    for i, name in enumerate(numeric):
        x[:, i] = table[name].to_numpy()
    rows = np.arange(len(x))
    for code in codes:
        x[rows, code] = 1
    return Samples(
        x=x,
        y=label,
        names=[str(i) for i in range(len(label))],
        columns=columns,
        source=_table_source(columns),
    )


def arrhythmia(split: str = "all", *, data_dir: Any = None, **_: Any) -> Samples:
    """UCI arrhythmia as DAGMM and ALAD use it: 452 patients, 274 features, 66 anomalies."""
    from scipy.io import loadmat

    path = fetch("arrhythmia", "arrhythmia.mat", data_dir)
    try:
        data = loadmat(path, variable_names=["X", "y"])
    except Exception as error:  # scipy raises a dozen types for a damaged file
        raise InputError(f"{path}: not a MATLAB file or damaged ({error}); get it again") from error
    if "X" not in data or "y" not in data or data["X"].shape != (452, 274) or data["y"].size != 452:
        raise InputError(f"{path}: not the table of 452 rows and 274 columns with its labels; get it again")
    x, y = data["X"].astype(np.float64), np.where(data["y"].ravel() == 1, "anomaly", "normal")
    columns = [f"f{i}" for i in range(x.shape[1])]
    return Samples(x, y, [str(i) for i in range(len(x))], columns, source=_table_source(columns))


def lsun(
    split: str = "all", *, data_dir: Any = None, size: int = 64, progress: Progress | None = None, **_: Any
) -> Samples:
    """LSUN's scenes as ``size`` x ``size`` x 3, the training images first: ``lsun/train/SCENE`` and ``lsun/val/SCENE``.

    These hold the images, in any subfolders, as the set's own ``data.py export`` writes them; the pixels land in a
    memmap in the cache.
    """
    root = find((), ("lsun",), data_dir)
    if root is None or not ((root / "train").is_dir() and (root / "val").is_dir()):
        raise InputError(
            "no LSUN here: export its databases (github.com/fyu/lsun, python data.py export) to lsun/train/bedroom and "
            "lsun/val/SCENE for ten scenes, in --data-dir or $GANAD_DATA"
        )
    samples = load_folder(root, size=size, mode="RGB", progress=progress)
    part, scene = np.array([name.split("/")[:2] for name in samples.names or []]).T
    samples = replace(samples, y=scene)
    return samples if split == "all" else samples.subset(part == {"train": "train", "test": "val"}[split])


def rings(split: str = "all", *, n: int = 2000, seed: int = 0, **_: Any) -> Samples:
    """Two-dimensional toy: normal points on two rings, anomalies uniform and at least 0.3 away from both.

    The training part is normal; the test part, another draw, has both kinds.
    """
    rng = np.random.default_rng([seed, split == "test"])
    radius = rng.choice([1.0, 2.0], n) + rng.normal(0, 0.05, n)
    angle = rng.uniform(0, 2 * np.pi, n)
    normal = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    cloud = rng.uniform(-3, 3, (4 * n, 2))
    distance = np.abs(np.linalg.norm(cloud, axis=1)[:, None] - [1.0, 2.0]).min(1)
    return _toy(normal, cloud[distance > 0.3][: n // 4], split)


def blob(split: str = "all", *, n: int = 2000, seed: int = 0, **_: Any) -> Samples:
    """The toy of the Fence GAN code: N((20, 20), 3^2 I), anomalies uniform on [0, 40]^2 beyond 3 sigma.

    The training part is normal; the test part, another draw, has both kinds.
    """
    rng = np.random.default_rng([seed, split == "test"])
    cloud = rng.uniform(0, 40, (4 * n, 2))
    far = np.linalg.norm(cloud - 20, axis=1) > 9
    return _toy(rng.normal(20, 3, (n, 2)), cloud[far][: n // 4], split)


def _toy(normal: np.ndarray, anomalies: np.ndarray, split: str) -> Samples:
    anomalies = anomalies[:0] if split == "train" else anomalies
    x = np.concatenate([normal, anomalies])
    y = np.repeat(["normal", "anomaly"], [len(normal), len(anomalies)])
    return Samples(x, y, [str(i) for i in range(len(x))], ["x1", "x2"], source=_table_source(["x1", "x2"]))


def _table_source(columns: list[str]) -> dict[str, Any]:
    return {"kind": "table", "columns": [{"name": c, "kind": "numeric"} for c in columns], "label": None}


def _images(x: np.ndarray, y: np.ndarray, name: str) -> Samples:
    source = {"kind": "images", "size": list(x.shape[1:3]), "mode": "RGB" if x.ndim == 4 else "L"}
    return Samples(x, y, [f"{name}-{i:05d}" for i in range(len(x))], source=source)
