"""Too little memory: said in a sentence, before the work where its size is known, and afterwards where it is not."""

import gzip
import subprocess
import sys

import numpy as np
import pyarrow.parquet
import pytest
import torch
import typer
from PIL import Image

from ganad import KDE, InputError, NearestNeighbor, memory
from ganad.cli.options import reports_errors
from ganad.data import load, pixel_cache
from ganad.photos import Regions, Tiles

from .samples import small
from .serve.test_foreign_requests import packed_tight, with_small_sizes

READ = """
import resource, sys
import ganad
from ganad.data import load
load(sys.argv[1])  # what is loaded once is loaded
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 60 * 2**20, -1))
try:
    load(sys.argv[2])
except ganad.InputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit and what is used of it are Linux's")
def test_a_table_that_cannot_fit_is_refused_before_it_is_read(tmp_path):
    (tmp_path / "small.csv").write_text("a,b\n1,2\n3,5\n")
    (tmp_path / "large.csv").write_bytes(b"a,b\n" + b"1.5,2.25\n" * 5_000_000)
    command = [sys.executable, "-c", READ, str(tmp_path / "small.csv"), str(tmp_path / "large.csv")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)  # it once waited at its end
    assert "large.csv: a table read whole needs 90 MB of memory, and " in done.stdout
    assert "are free; write it as Parquet" in done.stdout


@pytest.fixture
def hardly_any(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 10**6)


def test_features_of_many_categories_are_counted_before_they_are_made(tmp_path, hardly_any):
    path = tmp_path / "t.csv"
    path.write_text("a\n" + "".join(f"k{i % 90}\n" for i in range(2000)))
    with pytest.raises(
        InputError, match=r"2,000 rows of 90 features needs 1 MB of memory, and 1 MB are free; fit fewer"
    ):
        load(path)


def test_a_parquet_file_that_cannot_fit_is_refused_by_its_footer(tmp_path, hardly_any):
    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"a": np.zeros(100_000)}), path)
    with pytest.raises(InputError, match=r"a table read whole needs 2 MB .*--impute"):
        load(path)


@pytest.mark.parametrize(
    ("cls", "words"), [(NearestNeighbor, "--score-batch-size"), (KDE, "--max-samples")], ids=["neighbours", "kernels"]
)
def test_distances_that_cannot_fit_are_refused(cls, words, hardly_any):
    with pytest.raises(InputError, match=rf"{cls.__name__}: the distances of .* MB of memory.*{words}"):
        small(cls).fit(np.random.default_rng(0).normal(size=(1500, 3)))


def test_regions_that_cannot_fit_are_refused_after_the_first_photo(hardly_any):
    photos = np.zeros((40, 200, 200), np.uint8)
    with pytest.raises(InputError, match=r"Regions: those of 40 photos needs .*--max-regions"):
        Regions(NearestNeighbor(), Tiles(64, 8), verbose=0).fit(photos)


def test_images_that_do_not_fit_on_the_disk_of_the_cache_are_refused(tmp_path, monkeypatch):
    (tmp_path / "x").mkdir()
    for i in range(3):
        Image.fromarray(np.zeros((32, 32), np.uint8)).save(tmp_path / "x" / f"{i}.png")
    monkeypatch.setattr(pixel_cache.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 3000}))
    with pytest.raises(
        InputError, match=r"3 images of 32 x 32 pixels need 0 MB, and 0 MB are free; give a smaller --size"
    ):
        load(tmp_path / "x", cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    "work",
    [
        lambda: np.empty(2**55),
        lambda: torch.empty(2**55),
        lambda: bytearray(2**60),
        lambda: (_ for _ in ()).throw(MemoryError()),
    ],
    ids=["numpy", "torch", "python", "without words"],
)
def test_memory_that_runs_out_is_one_sentence_and_exit_code_2(work, capsys):
    with pytest.raises(typer.Exit) as stop:
        reports_errors(work)()
    said = capsys.readouterr().err
    assert stop.value.exit_code == 2
    assert said.startswith("ganad: not enough memory (") and said.count("\n") == 1
    assert "are free; take fewer or smaller samples" in said and "--batch-size" in said


def test_other_errors_are_none_of_memory():
    def wrong():
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        reports_errors(wrong)()


def group(folder, most, used, cached, old=False):
    folder.mkdir(parents=True, exist_ok=True)
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if old else ("memory.max", "memory.current")
    for name, value in zip(names, (most, used)):
        (folder / name).write_text(f"{value}\n")
    (folder / "memory.stat").write_text(f"anon 5\n{'total_' * old}inactive_file {cached}\nfile 9\n")


def test_the_strictest_of_a_containers_groups_counts(tmp_path):
    named, root = tmp_path / "named", tmp_path / "groups"
    named.write_text("0::/outer/inner\n")
    group(root, "max", 10, 0)
    group(root / "outer", 1000, 700, 100)
    group(root / "outer/inner", 5000, 600, 0)
    assert memory._of_groups(named, root) == 400
    named.write_text("5:cpu:/a\n4:memory,hugetlb:/a\n")
    group(root / "memory/a", 1000, 900, 50, old=True)
    assert memory._of_groups(named, root) == 150
    assert memory._of_groups(tmp_path / "none", root) is None


def test_this_machine_tells_how_much_it_has():
    assert 2**20 < memory.available() < 2**50


GIVEN_BACK = """
import resource, sys
from pathlib import Path
from ganad import InputError
from ganad.data import load
from ganad.serve.limits import Limits
from ganad.serve.parquet_body import parquet_table
from ganad.serve.rejections import Refused

def used(which):
    return int(open("/proc/self/statm").read().split()[which]) * resource.getpagesize()

def refuse_all():
    for path in sys.argv[1:]:
        try:
            parquet_table(Path(path).read_bytes(), ["a", "b"], Limits()) if path.endswith("body") else load(path)
        except (InputError, Refused) as refused:
            assert str(refused).isprintable()
        else:
            sys.exit(f"{path} was read")

resource.setrlimit(resource.RLIMIT_AS, (used(0) + 2**30, -1))
refuse_all()  # what is loaded once is loaded
before = used(1)
for _ in range(3):
    refuse_all()
print(used(1) - before >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_tables_made_to_harm_took_is_given_back(tmp_path):
    """Small files that unfold to gigabytes: refused with a gigabyte at hand, and little stays of three rounds."""
    sink = tmp_path / "folded.parquet"
    cells = pyarrow.DictionaryArray.from_arrays(pyarrow.array(np.zeros(20_000, np.int32)), ["x" * 2**20])
    table = pyarrow.table({"a": np.ones(20_000), "b": cells})
    pyarrow.parquet.write_table(table, sink, store_schema=False)
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2,") + gzip.compress(b"x" * 2**23) * 60)
    (tmp_path / "wide.csv").write_text(",".join(f"c{i}" for i in range(100_000)) + "\n")
    (tmp_path / "body").write_bytes(with_small_sizes(packed_tight(1000, 100_000)))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 5 * 2**20
    command = [sys.executable, "-c", GIVEN_BACK, *map(str, sorted(tmp_path.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) < 50
