"""Tables larger than memory: the same model as from a table in memory, in little memory."""

import logging
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import ganad
from ganad import InputError
from ganad.cli.main import build_app
from ganad.data import large_table, load_table, only_normal
from ganad.data.large_table import is_large, load_large


@pytest.fixture
def path(tmp_path):
    """Numbers, truth values, text and classes in several row groups."""
    rng = np.random.default_rng(0)
    n = 1000
    columns = {
        "a": rng.normal(1e9, 1, n),
        "b": rng.integers(0, 5, n),
        "yes": rng.random(n) < 0.5,
        "colour": rng.choice(["red", " green", "blue"], n, p=[0.9, 0.09, 0.01]),
        "text": [str(v) for v in rng.integers(0, 10**6, n)],  # numbers in a column of text
        "kind": np.where(np.arange(n) % 10 == 0, "odd", "plain"),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet", row_group_size=130)
    return tmp_path / "t.parquet"


def test_it_reads_what_a_table_in_memory_holds(path):
    whole = only_normal(load_table(path, label="kind", drop=["b"]), normal=("plain",))
    large = load_large(path, label="kind", drop=["b"], normal=("plain",))
    assert isinstance(large.x, np.memmap) and np.array_equal(large.x, whole.x)
    assert large.columns == whole.columns and large.source == whole.source


def test_a_second_call_finds_it_and_a_changed_table_is_written_again(path, caplog):
    caplog.set_level(logging.INFO, "ganad")
    first = load_large(path, drop=["kind"])
    assert len(caplog.messages) == 1 and "GB as numbers, written to" in caplog.messages[0]
    assert np.array_equal(load_large(path, drop=["kind"]).x, first.x) and len(caplog.messages) == 1
    pq.write_table(pq.read_table(path).slice(0, 500), path)
    assert len(load_large(path, drop=["kind"]).x) == 500 and len(caplog.messages) == 2


def test_a_row_without_a_class_does_not_train(tmp_path):
    pq.write_table(pa.table({"a": [1.0, 2.0, 3.0], "kind": ["x", None, "x"]}), tmp_path / "t.parquet")
    with pytest.raises(InputError, match="label column 'kind' has 1 empty cells"):
        load_large(tmp_path / "t.parquet", label="kind")


def test_the_command_comes_to_the_model_of_a_table_in_memory(path, tmp_path, monkeypatch):
    for name, limit in (("memory", 2**40), ("mapped", 1)):
        monkeypatch.setattr(large_table, "LARGE", limit)
        assert is_large(path) == (name == "mapped")
        command = ["fit", path, "--label", "kind", "--normal", "plain", "--method", "autoencoder", "--epochs", "2"]
        command += ["--latent-dim", "3", "--random-state", "0", "--scaling", "minmax", "-o", tmp_path / name]
        app = build_app([str(c) for c in command])
        result = CliRunner().invoke(app, [str(c) for c in command])
        assert result.exit_code == 0, result.output
    x = load_table(path, source=ganad.load(tmp_path / "memory").source_).x
    scores = [ganad.load(tmp_path / name).anomaly_score(x) for name in ("memory", "mapped")]
    assert np.array_equal(*scores)


def test_how_dates_are_read_is_part_of_what_is_asked_for(tmp_path):
    days = [f"{i % 28 + 1:02}/{i % 12 + 1:02}/2024" for i in range(100)]
    pq.write_table(pa.table({"day": days, "n": np.arange(100.0)}), tmp_path / "t.parquet")
    load_large(tmp_path / "t.parquet", dates=("elapsed",))
    with pytest.raises(InputError, match="column 'day' has dates"):
        load_large(tmp_path / "t.parquet", dates=("elapsed",), day_first=False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"a": pa.array([1.0] * 999 + [None])}, "column 'a' has 1 missing value"),
        ({"a": pa.array([1.0] * 999 + [np.inf])}, "row 999: infinite"),
        ({"colour": pa.array([f"c{i}" for i in range(1000)])}, "different texts"),
        ({"text": pa.array(["1"] * 999 + ["x"])}, "row"),
    ],
)
def test_it_refuses_what_a_table_in_memory_refuses(path, change, said):
    table = pq.read_table(path)
    for name, column in change.items():
        table = table.set_column(table.column_names.index(name), name, column)
    pq.write_table(table, path, row_group_size=130)
    for read in (load_table, load_large):
        with pytest.raises(InputError, match=said):
            read(path, drop=["kind"])


def test_names_that_do_not_occur_and_a_full_disk_are_refused(path, monkeypatch):
    with pytest.raises(InputError, match="no column 'sort'"):
        load_large(path, label="sort")
    with pytest.raises(InputError, match="no class 'usual'"):
        load_large(path, label="kind", normal=("usual",))
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 1000})())
    with pytest.raises(InputError, match="make room or set XDG_CACHE_HOME"):
        load_large(path, label="kind", normal=("plain",))


def test_a_mapped_table_with_a_gap_is_refused(tmp_path):
    x = np.memmap(tmp_path / "x", np.float64, "w+", shape=(50, 3))
    x[:] = np.random.default_rng(0).normal(size=(50, 3))
    ganad.PCAResidual(n_components=1, verbose=0).fit(x)
    x[40, 1] = np.nan
    with pytest.raises(InputError, match="contains NaN"):
        ganad.PCAResidual(n_components=1).fit(x)


FIT = """
import sys
import ganad
from ganad.cli.main import run
from ganad.data import large_table
from ganad.training import Checkpoint
peak = lambda: int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1e6
ganad.AutoEncoder
before = peak()
try:
    run(sys.argv[1:])
except SystemExit as end:
    assert not end.code
sys.stderr.write(f"{peak() - before:.3f}")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_two_gigabytes_of_a_table_are_fitted_in_about_one(tmp_path):
    rng = np.random.default_rng(0)
    block = pa.table({f"f{i}": rng.normal(size=500_000) for i in range(20)})
    with pq.ParquetWriter(tmp_path / "t.parquet", block.schema) as writer:
        for _ in range(27):
            writer.write_table(block)
    command = ["fit", tmp_path / "t.parquet", "--method", "autoencoder", "--epochs", "1", "--batch-size", "16384"]
    command += ["--latent-dim", "4", "--random-state", "0", "-o", tmp_path / "m"]
    done = subprocess.run([sys.executable, "-c", FIT, *map(str, command)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    gigabytes = float(done.stderr.rsplit("\n", 1)[-1])
    print(f"peak above the imports: {gigabytes:.2f} GB")  # noqa: T201
    assert 0.01 < gigabytes < 1.2


def test_texts_and_categories_are_read_as_in_memory(tmp_path):
    """Words for missing cells that are texts here, numbers as categories, a comma for decimals, dates."""
    n = 400
    columns = {
        "country": ["NA", "DE"] * (n // 2),
        "class": pa.array(["0", "1", "2", "1"] * (n // 4)).dictionary_encode(),
        "comma": [f"{i},5" for i in range(n)],
        "day": [f"2024-01-{1 + i % 28:02}" for i in range(n)],
        "gap": ["-" if i == 7 else "x" for i in range(n)],
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet", row_group_size=130)
    whole = load_table(tmp_path / "t.parquet", dates=("weekday",), unknown="ignore")
    large = load_large(tmp_path / "t.parquet", dates=("weekday",), unknown="ignore")
    assert large.columns == whole.columns and np.array_equal(large.x, whole.x)
    assert large.source == whole.source
    assert {"country=NA", "class=2", "comma", "gap=-"} < set(large.columns)


def test_the_command_passes_on_how_a_large_table_is_to_be_read(path, tmp_path, monkeypatch):
    monkeypatch.setattr(large_table, "LARGE", 1)
    command = ["fit", path, "--label", "kind", "--normal", "plain", "--method", "pca-residual", "-o", tmp_path / "m"]
    refused = {
        "--size 32": "--size is for images",
        "--encoding latin-1": "--encoding is for files of text",
        "--query SELECT": "--query is for databases",
        "--decimal !": "--decimal '!'",
    }
    for more, said in refused.items():
        given = [str(c) for c in command] + more.split()
        result = CliRunner().invoke(build_app(given), given)
        assert result.exit_code == 2 and said in result.stderr, result.output
    given = [str(c) for c in command] + ["--unknown", "ignore"]
    assert CliRunner().invoke(build_app(given), given).exit_code == 0
    assert ganad.load(tmp_path / "m").source_["unknown"] == "ignore"


def test_a_table_without_a_normal_row_and_gaps_to_fill_are_refused(path):
    with pytest.raises(InputError, match="no normal row is left"):
        load_large(path, label="kind", anomaly=("plain", "odd"))
    with pytest.raises(InputError, match="leave --impute out"):
        load_large(path, impute=True)
