"""Much to score: parts in a folder by any engine, equal to the scores of one machine, whole after every accident."""

import functools
import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

import ganad
from ganad.atomic import locked
from ganad.cli.main import build_app
from ganad.data import iter_table, load_folder
from ganad.data.parts import plan
from ganad.engines import Lost, Processes, Serial
from ganad.errors import InputError
from ganad.scale import Cluster, scoring
from ganad.score_file import ScoreFile

NAMES = [f"f{i}" for i in range(5)]
SOURCE = {"kind": "table", "columns": [{"name": name, "kind": "numeric"} for name in NAMES], "label": None}


def table(n, seed, shift=0.0):
    """Rows of which a twentieth is far away, with their classes."""
    x = np.random.default_rng(seed).normal(shift, 1, (n, 5))
    odd = np.arange(n) % 20 == 0
    x[odd] += 6
    return pa.table(dict(zip(NAMES, x.T)) | {"kind": np.where(odd, "odd", "plain")})


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A calibrated model of such rows without the odd ones."""
    x = np.random.default_rng(0).normal(size=(400, 5))
    detector = ganad.PCAResidual(n_components=2, verbose=0).fit(x, hold_out=0.5, false_alarm_rate=0.05)
    detector.remember_source(SOURCE, NAMES)
    detector.save(path := tmp_path_factory.mktemp("model") / "m.safetensors")
    return path


@pytest.fixture
def tables(tmp_path):
    """Two Parquet files of several row groups and a CSV file in a folder."""
    folder = tmp_path / "tables"
    (folder / "deep").mkdir(parents=True)
    pq.write_table(table(1000, 1), folder / "a.parquet", row_group_size=100)
    pq.write_table(table(500, 2), folder / "deep" / "b.parquet", row_group_size=100)
    pyarrow.csv.write_csv(table(300, 3), folder / "c.csv")
    return folder


def scored(folder):
    """All rows of the parts, in the order of the parts."""
    return pa.concat_tables([pq.read_table(path) for path in sorted(folder.glob("part-*.parquet"))])


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


def test_parts_hold_the_scores_of_one_machine_to_the_bit(model, tmp_path):
    pq.write_table(table(1000, 1), path := tmp_path / "a.parquet", row_group_size=100)
    options = dict(label="kind", normal=("plain",), fdr=0.2)
    came = scoring.score(model, str(path), tmp_path / "out", Serial(), **options, rows=300)
    detector = ganad.load(model)
    with ScoreFile(tmp_path / "whole.parquet", detector, 0.2) as file:
        for part in iter_table(path, SOURCE, label="kind"):
            file.add(part, detector.anomaly_score(part.x), (part.y == "odd").astype(int))
    whole, parts = pq.read_table(tmp_path / "whole.parquet"), scored(tmp_path / "out")
    assert parts.select(whole.column_names).equals(whole)
    assert (came.parts, came.rows, came.selected) == (4, 1000, file.selected) and came.selected > 0
    assert came.warned == file.warned and came.flagged == int((whole["score"].to_numpy() > detector.threshold_).sum())


def test_the_manifest_says_what_every_part_is(model, tables, tmp_path):
    came = scoring.score(model, str(tables), tmp_path / "out", Serial(), rows=300)
    asked, *entries = map(json.loads, (tmp_path / "out" / "manifest.jsonl").read_text().splitlines())
    assert asked["model"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert len(entries) == came.parts == 4 + 1 + 2 and sum(e["rows"] for e in entries) == came.rows == 1800
    for entry in entries:
        assert hashlib.sha256((tmp_path / "out" / entry["part"]).read_bytes()).hexdigest() == entry["sha256"]
    names = scored(tmp_path / "out")["name"].to_pylist()
    assert len(set(names)) == 1800 and {"a.parquet:0", "a.parquet:999", "deep/b.parquet:499", "c.csv:299"} <= set(names)


def killed_once(job, named, mark):
    """Scores a part, or ends its process by SIGKILL the first time that the third part comes."""
    if named[0] == "part-000002.parquet" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return scoring_part(job, named)


scoring_part = scoring.score_part


@pytest.mark.ray
def test_serial_processes_and_ray_write_the_same_files_and_a_killed_worker_changes_none(
    ray_here, model, tables, tmp_path, monkeypatch
):
    run = functools.partial(scoring.score, model, str(tables), label="kind", anomaly=("odd",), fdr=0.3, rows=200)
    run(tmp_path / "serial", Serial())
    run(tmp_path / "processes", Processes(2))
    monkeypatch.setattr(scoring, "score_part", functools.partial(killed_once, mark=tmp_path / "killed"))
    run(tmp_path / "ray", Cluster())
    assert (tmp_path / "killed").exists()
    assert contents(tmp_path / "serial") == contents(tmp_path / "processes") == contents(tmp_path / "ray")


class Stops:
    """An engine that is interrupted after some items."""

    def __init__(self, after):
        self.after = after

    def map(self, function, items):
        for number, item in enumerate(items):
            if number == self.after:
                raise KeyboardInterrupt
            yield item, function(item)


def test_a_stopped_run_goes_on_to_the_files_of_an_unbroken_one(model, tables, tmp_path):
    run = functools.partial(scoring.score, model, str(tables), rows=200)
    run(tmp_path / "whole", Serial())
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", Stops(3))
    with (tmp_path / "broken" / "manifest.jsonl").open("a") as file:
        file.write('{"part": "part-00')  # killed in the middle of a line
    (tmp_path / "broken" / "part-000001.parquet").write_bytes(b"")  # and a part that did not reach the disk
    came = run(tmp_path / "broken", Serial())
    assert came.kept == 2 and contents(tmp_path / "broken") == contents(tmp_path / "whole")


def test_a_changed_source_is_scored_again_and_no_other(model, tables, tmp_path):
    run = functools.partial(scoring.score, model, str(tables), tmp_path / "out", rows=300)
    run(Serial())
    pq.write_table(table(700, 9), tables / "a.parquet", row_group_size=100)
    came = run(Serial())
    assert (came.kept, came.rows) == (3, 1500)
    _, *entries = (tmp_path / "out" / "manifest.jsonl").read_text().splitlines()
    assert len(entries) == len(list((tmp_path / "out").glob("part-*"))) == came.parts


class Vanishing:
    """An engine under which a file vanishes before the third part is scored."""

    def __init__(self, path):
        self.path = path

    def map(self, function, items):
        for number, item in enumerate(items):
            if number == 2:
                self.path.unlink()
            yield item, function(item)


def test_a_part_that_vanishes_is_listed_and_the_others_are_scored(model, tables, tmp_path):
    came = scoring.score(model, str(tables), tmp_path / "out", Vanishing(tables / "a.parquet"), rows=300)
    assert [bad.path for bad in came.unreadable] == [f"{tables / 'a.parquet'} {span}" for span in ("6-8", "9-9")]
    assert all("cannot be read" in bad.reason and "\n" not in bad.reason for bad in came.unreadable)
    assert came.rows == 600 + 800
    again = scoring.score(model, str(tables), tmp_path / "out", Serial(), rows=300)
    assert (again.kept, again.rows) == (5, 1400)  # what is finished stays


def test_a_damaged_table_is_listed_and_the_others_are_scored(model, tables, tmp_path):
    (tables / "a.parquet").write_bytes(b"PAR1 nothing")
    bad = table(10, 4).set_column(0, "f0", pa.array(["x"] * 10))
    pq.write_table(bad, tables / "d.parquet")
    came = scoring.score(model, str(tables), tmp_path / "out", Serial(), rows=300)
    reasons = {os.path.basename(bad.path.split()[0]): bad.reason for bad in came.unreadable}
    assert "cannot be read as a table" in reasons["a.parquet"] and "'f0' is numeric, but row 0" in reasons["d.parquet"]
    assert came.rows == 800


class Lossy(Serial):
    def map(self, function, items):
        for number, item in enumerate(items):
            yield item, Lost("its worker ended") if number == 0 else function(item)


def test_a_part_whose_workers_end_is_listed_and_comes_the_next_time(model, tables, tmp_path):
    came = scoring.score(model, str(tables), tmp_path / "out", Lossy(), rows=300)
    assert [bad.reason for bad in came.unreadable] == ["its worker ended"] and came.rows == 1500
    assert scoring.score(model, str(tables), tmp_path / "out", Serial(), rows=300).rows == 1800


def test_a_disk_that_fills_keeps_what_is_finished(model, tables, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root on Linux may mount a small file system")
    try:
        command = (model, tables, "-o", disk / "out")
        run = functools.partial(scoring.score, model, str(tables), rows=100)
        with pytest.raises(OSError, match=r"No space left on device: '.*(part-0000..\.parquet|manifest\.jsonl)'"):
            run(disk / "out", Serial())
        finished = len((disk / "out" / "manifest.jsonl").read_text().splitlines()) - 1
        assert 2 <= finished < 16
        assert "No space left on device" in refused(*command)
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        came = run(disk / "out", Serial())
        assert came.kept >= finished - 1 and contents(disk / "out") == contents_of(run, tmp_path / "whole")
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def contents_of(run, folder):
    run(folder, Serial())
    return contents(folder)


@pytest.fixture
def pictures(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("good", "odd"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(30):
            pixels = rng.integers(0, 200, (12, 10)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pictures" / name / f"{i}.png")
    (tmp_path / "pictures" / "good" / "broken.png").write_bytes(b"no picture")
    return tmp_path / "pictures"


def test_images_are_scored_as_on_one_machine(pictures, tmp_path):
    samples = load_folder(pictures)
    detector = ganad.AutoEncoder(epochs=1, latent_dim=4, verbose=0, random_state=0).fit(samples.x)
    detector.remember_source(samples.source)
    detector.save(tmp_path / "m")
    came = scoring.score(tmp_path / "m", str(pictures), tmp_path / "out", Serial(), images=25, normal=("good",))
    rows = scored(tmp_path / "out")
    assert rows["name"].to_pylist() == samples.names
    assert np.array_equal(rows["score"].to_numpy(), detector.anomaly_score(samples.x))
    assert rows["label"].to_pylist() == (samples.y == "odd").astype(int).tolist()
    assert (came.parts, came.classes) == (3, {"good", "odd"})
    assert [(bad.path, bad.reason) for bad in came.unreadable] == [(bad.path, bad.reason) for bad in samples.unreadable]


def test_addresses_are_read_as_paths_are(model, tables, pictures, tmp_path):
    scoring.score(model, str(tables), tmp_path / "paths", Serial())
    for scheme in ("file", "memory"):
        if scheme == "memory":
            system = fsspec.filesystem("memory")
            system.put(str(tables), "memory://tables", recursive=True)
        address = f"file://{tables}" if scheme == "file" else "memory://tables"
        scoring.score(model, address, tmp_path / scheme, Serial())
        assert scored(tmp_path / scheme).equals(scored(tmp_path / "paths"))
    recipe = {"kind": "images", "size": [12, 10], "mode": "L"}
    ((part,), _) = plan(f"file://{pictures}", recipe)
    (samples,) = part.read(recipe, None)
    assert np.array_equal(samples.x, load_folder(pictures).x) and len(samples.unreadable) == 1


def ganad_score(*arguments, code=0):
    result = CliRunner().invoke(build_app([]), ["score", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def test_the_command_scores_a_folder_and_goes_on(model, tables, tmp_path):
    command = (model, tables, "-o", tmp_path / "out", "--label", "kind", "--normal", "plain", "--fdr", "0.3")
    said = ganad_score(*command)
    assert "1,800 samples" in said and "selected; on average at most 30 %" in said and "3 parts, 0 of them" in said
    assert "3 parts, 3 of them from before" in ganad_score(*command)
    (tables / "c.csv").write_text("f0\n1\n")
    said = ganad_score(*command, code=3)
    assert "1 input could not be read" in said and "2 parts, 2 of them" in said
    ganad_score(*command, "--skip-bad")


def refused(*arguments):
    said = ganad_score(*arguments, code=2)
    assert said.startswith("ganad: ") and said.count("\n") == 1
    return said


def test_what_cannot_be_is_one_sentence(model, tables, tmp_path):
    out = tmp_path / "out"
    ganad_score(model, tables, "-o", out)
    assert "another model or with other options" in refused(model, tables, "-o", out, "--fdr", "0.3")
    with locked(out / ".lock", "held"):
        assert "another process writes scores here" in refused(model, tables, "-o", out)
    (tmp_path / "other").mkdir()
    pq.write_table(table(3, 0), tmp_path / "other" / "x.parquet")
    assert "holds Parquet files of something else" in refused(model, tables, "-o", tmp_path / "other")
    assert "give -o scores.csv" in refused(model, "digits", "-o", tmp_path / "new")
    assert "give -o scores.csv" in refused(model, tables, "-o", tmp_path / "new", "--report", tmp_path / "r.html")
    assert "fdr=5 must lie between 0 and 1" in refused(model, tables, "-o", tmp_path / "new", "--fdr", "5")
    assert "name a folder outside of it" in refused(model, tables, "-o", tables / "out")
    assert "no such file or folder" in refused(model, tmp_path / "missing", "-o", tmp_path / "new")
    assert "no CSV or Parquet file" in refused(model, model, "-o", tmp_path / "new")
    assert "cannot be" in refused(model, "nowhere://tables", "-o", tmp_path / "new")
    assert "name without an ending" in refused(model, tables / "c.csv", "-o", tmp_path / "s.csv", "--workers", "2")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("line", [b'{"part": "part-0', b"[]", b'{"part": "x"}', b"\xff", b""])
def test_a_damaged_manifest_is_one_sentence_and_its_part_can_be_scored_again(line, model, tables, tmp_path):
    run = functools.partial(scoring.score, model, str(tables), tmp_path / "out", Serial())
    run()
    path, whole = tmp_path / "out" / "manifest.jsonl", contents(tmp_path / "out")
    first, second, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([first, line + b"\n", *rest]))
    said = refused(model, tables, "-o", tmp_path / "out")
    assert f"{path}: line 2 is damaged; remove it, and its part is scored again" in said
    path.write_bytes(b"".join([first, *rest]))
    assert run().kept == 2 and contents(tmp_path / "out") == whole
    path.write_bytes(b"".join([b"\0\n", second, *rest]))
    assert "line 1 is damaged; name another folder" in refused(model, tables, "-o", tmp_path / "out")


def test_a_machine_that_sees_another_model_says_so(model):
    with pytest.raises(InputError, match="every machine must see the same one"):
        scoring.loaded(str(model), "0" * 64)


@pytest.mark.slow
def test_a_part_needs_little_memory_however_long_it_is(model, tmp_path):
    """A worker holds some rows of its part at a time."""
    import resource

    x = np.random.default_rng(0).normal(size=(4_000_000, 5))
    pq.write_table(pa.table(dict(zip(NAMES, x.T))), tmp_path / "t.parquet", row_group_size=500_000)
    del x
    scoring.score(model, str(tmp_path / "t.parquet"), tmp_path / "warm", Serial(), rows=500_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.time()
    scoring.score(model, str(tmp_path / "t.parquet"), tmp_path / "out", Serial(), rows=10_000_000)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 150_000, f"{(after - before) / 1024:.0f} MiB more, {time.time() - start:.0f} s"
