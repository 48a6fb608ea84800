"""Data made to harm: names that a terminal obeys, links that lead out, pickles and tables that ask for memory."""

import gzip
import io
import os
import pickle
import sys
import tarfile

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
from PIL import Image

from ganad import AutoEncoder, InputError
from ganad.bench import rows
from ganad.cli.options import list_unreadable
from ganad.data import load
from ganad.data.sets import arrhythmia
from ganad.data.sets.cifar10 import _from_parquet, _from_pickles, _from_tar
from ganad.data.sets.mnist import read_idx
from ganad.data.sets.ocan import _array
from ganad.data.text_file import MAX_COLUMNS
from ganad.score_file import ScoreFile

from ..samples import small

ESCAPE = "\x1b]0;owned\x07\x1b[2J\nganad: all fine\n"


def pictures(folder, *names):
    folder.mkdir(exist_ok=True)
    for i, name in enumerate(names):
        Image.fromarray(np.full((8, 8), i, np.uint8)).save(os.path.join(os.fsencode(folder), os.fsencode(name)), "PNG")


def test_an_unreadable_images_name_does_not_reach_the_terminal(tmp_path, capsys):
    pictures(tmp_path / "x", "a.png")
    (tmp_path / "x" / f"{ESCAPE}.png").write_text("no image")
    samples = load(tmp_path / "x", cache=tmp_path / "cache")
    list_unreadable(samples, skip_bad=True)
    said = capsys.readouterr().err
    assert "owned" in said
    assert all(line.isprintable() for line in said.splitlines())
    assert len(said.splitlines()) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no names that are not Unicode")
def test_a_name_that_is_not_unicode_gets_a_score(tmp_path):
    folder = tmp_path / "x"
    pictures(folder, "a.png", os.fsdecode(b"M\xfcller.png"), f"{ESCAPE}.png")
    samples = load(folder, cache=tmp_path / "cache")
    model = small(AutoEncoder).fit(samples.x)
    for ending in ("csv", "parquet"):
        with ScoreFile(tmp_path / f"scores.{ending}", model) as file:
            file.add(samples, model.anomaly_score(samples.x))
    names = pyarrow.csv.read_csv(tmp_path / "scores.csv")["name"].to_pylist()
    assert "M\\udcfcller.png" in names
    assert all(name.isprintable() for name in names)


def test_links_that_lead_out_of_a_folder_are_followed_only_when_asked(tmp_path):
    pictures(tmp_path / "x", "a.png", "b.png")
    pictures(tmp_path / "elsewhere", "secret.png")
    (tmp_path / "x" / "folder").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "x" / "up").symlink_to(tmp_path)
    (tmp_path / "x" / "file.png").symlink_to(tmp_path / "elsewhere" / "secret.png")
    (tmp_path / "x" / "inside.png").symlink_to(tmp_path / "x" / "a.png")
    samples = load(tmp_path / "x", cache=tmp_path / "cache")
    assert samples.names == ["a.png", "b.png", "inside.png"]
    assert sorted(bad.path for bad in samples.unreadable) == ["file.png", "folder", "up"]
    assert all("--follow-links" in bad.reason for bad in samples.unreadable)
    all_of_it = load(tmp_path / "x", cache=tmp_path / "cache", follow_links=True)
    assert {"file.png", "folder/secret.png"} <= set(all_of_it.names)
    (tmp_path / "y").mkdir()
    (tmp_path / "y" / "folder").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="--follow-links"):
        load(tmp_path / "y", cache=tmp_path / "cache")
    (tmp_path / "z").symlink_to(tmp_path / "elsewhere")  # the folder itself may be a link
    assert load(tmp_path / "z", cache=tmp_path / "cache").names == ["secret.png"]


def test_a_csv_file_of_too_many_columns_is_refused_at_once(tmp_path):
    path = tmp_path / "wide.csv"
    n = MAX_COLUMNS + 1
    path.write_text("\n".join([",".join(f"c{i}" for i in range(n)), *[",".join(["1"] * n)] * 6]))
    with pytest.raises(InputError, match=f"more than {MAX_COLUMNS:,} columns"):
        load(path)


PIXELS = np.zeros((2, 3072), np.uint8)


@pytest.mark.parametrize(
    "batch",
    [
        pickle.dumps({b"data": PIXELS, b"labels": [0, 99]}),
        pickle.dumps({b"data": PIXELS, b"labels": [0, -1]}),
        pickle.dumps({b"data": PIXELS, b"labels": [0]}),
        pickle.dumps({b"data": PIXELS, b"labels": [0.5, 1]}),
        pickle.dumps({b"data": PIXELS * np.nan, b"labels": [0, 1]}),
        pickle.dumps({b"data": PIXELS[:, :5], b"labels": [0, 1]}),
        pickle.dumps([1, 2]),
        b"\x80\x02Nr\xff\xff\xff\x7f.",  # None, put at place 2^31 - 1 of the memo
        b"\x80\x02Np99999999999\n.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7fN.",
        b"\x80\x02\x8b\xff\xff\xff\x7f.",
        b"",
    ],
    ids=list("abcdefghijkl"),
)
def test_a_cifar_batch_that_is_none_is_refused(batch):
    with pytest.raises(InputError, match="is damaged"):
        _from_pickles({"test_batch": batch}, "test")


def test_a_cifar_batch_is_read():
    x, y = _from_pickles({"test_batch": pickle.dumps({b"data": PIXELS, b"labels": [0, 9]}, protocol=2)}, "test")
    assert x.shape == (2, 32, 32, 3)
    assert y.tolist() == [0, 9]


def test_an_archive_unpacks_no_further_than_the_largest_of_the_set(tmp_path, monkeypatch):
    monkeypatch.setattr("ganad.data.sets.mnist._MOST", 1000)
    for name, write in (("x.gz", gzip.open), ("x.idx", open)):
        with write(tmp_path / name, "wb") as file:
            file.write(b"\0\0\x08\x01" + (2000).to_bytes(4, "big") + bytes(2000))
        with pytest.raises(InputError, match="not an IDX file of bytes"):
            read_idx(tmp_path / name)
    monkeypatch.setattr("ganad.data.sets.cifar10._MOST", 1000)
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        entry = tarfile.TarInfo("test_batch")
        entry.size = 2000
        archive.addfile(entry, io.BytesIO(bytes(2000)))
    with pytest.raises(InputError, match="larger than CIFAR-10's"):
        _from_tar(tmp_path / "x.tar")


def test_axes_whose_product_overflows_are_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"\0\0\x08\x04" + (2**16).to_bytes(4, "big") * 4)  # 2**64 bytes, or 0 in 64 bits
    with pytest.raises(InputError, match="not an IDX file of bytes"):
        read_idx(tmp_path / "x")


def test_an_array_whose_header_asks_for_memory_is_refused(tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,), }"
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(InputError, match="not a NumPy array or damaged"):
        _array(tmp_path / "x.npy")


@pytest.mark.parametrize("label", [[99], [None], ["x"], [0.5]])
def test_a_parquet_copy_of_cifar_holds_labels_and_images_as_they_are(tmp_path, label):
    png = io.BytesIO()
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(png, "PNG")
    table = pyarrow.table({"img": [{"bytes": png.getvalue()}], "label": label})
    pyarrow.parquet.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(InputError, match="not CIFAR-10 or damaged"):
        _from_parquet(tmp_path / "x.parquet", None)


@pytest.mark.parametrize("line", [b"\xff\n", b"[1]\n", b"[" * 100_000 + b"\n"])
def test_a_results_file_that_is_none_is_refused_with_the_line(tmp_path, line):
    (tmp_path / "rows.jsonl").write_bytes(b"{}\n" + line)
    with pytest.raises(InputError, match="line 2"):
        rows.read(tmp_path / "rows.jsonl")


def test_a_matlab_file_that_is_not_the_known_one_never_meets_its_reader(tmp_path, monkeypatch):
    """One byte of a small whole file, changed, ended the process with SIGSEGV."""
    monkeypatch.setattr("scipy.io.loadmat", lambda *a, **k: pytest.fail("it was read"))
    (tmp_path / "x.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    with pytest.raises(InputError, match="not the file with SHA-256"):
        arrhythmia.read(tmp_path / "x.mat")
