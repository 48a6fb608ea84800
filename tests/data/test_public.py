"""Data sets by name: counts, columns, damaged files, downloads."""

import gzip
import hashlib
import http.server
import os
import pickle
import struct
import threading

import numpy as np
import pyarrow.parquet
import pytest

from ganad import InputError
from ganad.data import DATASETS, load
from ganad.data.fetch import fetch
from ganad.data.sets import cifar10
from ganad.data.sets.mnist import read_idx


def idx(array: np.ndarray) -> bytes:
    return struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_digits_are_whole_bytes():
    samples = load("digits")
    assert samples.x.shape == (1797, 8, 8)
    assert (samples.x.min(), samples.x.max()) == (0, 255)
    assert samples.source == {"kind": "images", "size": [8, 8], "mode": "L"}


def test_mnist_is_the_official_one(real_data):
    samples = load("mnist", split="train", data_dir=real_data)
    assert samples.x.shape == (60_000, 28, 28)
    # of the unpacked official file, as any copy of it has
    digest = hashlib.sha256(idx(samples.x)).hexdigest()
    assert digest == "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    assert np.bincount(samples.y).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = load("mnist", split="test", data_dir=real_data)
    assert np.bincount(test.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


def test_idx_files_plain_gzipped_and_damaged(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    good = tmp_path / "x-ubyte"
    good.write_bytes(idx(x))
    assert np.array_equal(read_idx(good), x)
    packed = tmp_path / "x.gz"
    packed.write_bytes(gzip.compress(idx(x)))
    assert np.array_equal(read_idx(packed), x)
    for data in (idx(x)[:-1], idx(x) + b"!", b"", b"PNG", idx(x).replace(b"\x08", b"\x0d", 1)):
        good.write_bytes(data)
        with pytest.raises(InputError, match="IDX"):
            read_idx(good)
    packed.write_bytes(gzip.compress(idx(x))[:-5])
    with pytest.raises(InputError, match="damaged"):
        read_idx(packed)


def write_cifar(folder, per_batch=4):
    rng = np.random.default_rng(0)
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        data = rng.integers(0, 256, (per_batch, 3072), dtype=np.uint8)
        batch = {b"data": data, b"labels": rng.integers(0, 10, per_batch).tolist(), b"batch_label": b"x"}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    return data


def test_cifar10_from_the_official_pickles(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    last = write_cifar(folder)
    samples = load("cifar10", data_dir=tmp_path)
    assert samples.x.shape == (24, 32, 32, 3)
    assert np.array_equal(samples.x[-1], last[-1].reshape(3, 32, 32).transpose(1, 2, 0))
    assert set(samples.y) <= set(cifar10.CLASSES)


def test_a_cifar10_batch_that_would_run_code_is_refused(tmp_path):
    class Payload:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    write_cifar(tmp_path)
    (tmp_path / "test_batch").write_bytes(pickle.dumps({b"data": Payload(), b"labels": [1]}, protocol=2))
    with pytest.raises(InputError, match="as no official one does"):
        load("cifar10", data_dir=tmp_path, split="test")
    assert not (tmp_path / "ran").exists()


def test_cifar10_from_parquet(real_data, tmp_path):
    table = pyarrow.parquet.read_table(real_data / "cifar10_jpeg" / "test.parquet").slice(0, 50)
    (tmp_path / "cifar10").mkdir()
    for part in ("train", "test"):
        pyarrow.parquet.write_table(table, tmp_path / "cifar10" / f"{part}.parquet")
    samples = load("cifar10", data_dir=tmp_path)
    assert samples.x.shape == (100, 32, 32, 3)
    assert samples.y[0] == cifar10.CLASSES[table["label"][0].as_py()]


def test_kddcup99_has_its_121_columns(real_data):
    samples = load("kddcup99", data_dir=real_data)
    assert samples.x.shape == (494_021, 121)
    assert (samples.y == "normal").sum() == 97_278
    assert (samples.y == "smurf").sum() == 280_790
    assert samples.columns[:3] == ["duration", "src_bytes", "dst_bytes"]
    assert sum("=" not in c for c in samples.columns) == 34
    assert len([c for c in samples.columns if c.startswith("service=")]) == 66
    one_hot = samples.x[:, 34:]
    assert np.array_equal(one_hot.sum(1), np.full(len(one_hot), 7))


def test_arrhythmia(real_data):
    samples = load("arrhythmia", data_dir=real_data)
    assert samples.x.shape == (452, 274)
    assert (samples.y == "anomaly").sum() == 66


@pytest.mark.parametrize("name", ["rings", "blob"])
def test_toys_are_reproducible_and_separate(name):
    first, second = load(name), load(name)
    assert np.array_equal(first.x, second.x)
    assert set(first.y) == {"normal", "anomaly"}
    train, test = load(name, split="train"), load(name, split="test")
    assert set(train.y) == {"normal"}
    assert not {tuple(row) for row in train.x} & {tuple(row) for row in test.x}


def test_every_known_set_has_a_description():
    assert all(entry.description for entry in DATASETS.values())
    with pytest.raises(InputError, match="known: digits, mnist"):
        load("mnits")


@pytest.fixture
def server(tmp_path):
    """A real server on loopback with one file."""
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "data.bin").write_bytes(b"x" * 5000)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path / "www"))

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}/"
        httpd.shutdown()


def test_a_missing_file_is_downloaded_checked_and_found_again(server, tmp_path):
    md5 = hashlib.md5(b"x" * 5000).hexdigest()
    path = fetch("set", "data.bin", None, url=server + "data.bin", md5=md5)
    assert path.read_bytes() == b"x" * 5000
    assert fetch("set", "data.bin", None, url="http://127.0.0.1:9/never") == path


@pytest.mark.parametrize(("file", "md5", "words"), [("data.bin", "0" * 32, "MD5"), ("gone.bin", None, "404")])
def test_a_failed_download_says_which_file_to_put_where_and_leaves_nothing(server, file, md5, words):
    with pytest.raises(InputError, match=words) as caught:
        fetch("set", "data.bin", None, url=server + file, md5=md5)
    assert "put data.bin into" in str(caught.value)
    assert "--data-dir" in str(caught.value)
    folder = str(caught.value).split("put data.bin into ")[1].split(" or into")[0]
    assert not os.path.isdir(folder) or os.listdir(folder) == []
