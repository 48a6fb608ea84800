"""What parts cost: rows and images a second for 1 and 2 workers, here and on Ray, and a simulated cluster that fails.

    python benchmarks/scale.py                  # measures, about 20 minutes on two quiet cores
    python benchmarks/scale.py --simulate 1000  # three simulated nodes, so many parts, killed workers, a lost node
    python benchmarks/scale.py --write          # docs/scale.md's figures and plot from the rows that are there

A table of 20 columns scored by a small autoencoder, and photos of 64 x 64 pixels in JPEG by GANomaly at 32 x 32: the
first is bound by reading, the second by decoding and convolutions. One thread a worker. Rates are of whole jobs, the
start included, and depend on what else the machine does (its load is in the row); samples a core second are counted in
processor time of the workers and do not. "First" is the time from the call to the first part. Needs the extras scale
and figures.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_worker_niceness", "0")  # 15 by default, which other work on the machine would outrun

import numpy as np
import pyarrow
import pyarrow.parquet
from PIL import Image

import ganad
from ganad.bench.machine import commit, peak_mb
from ganad.data.samples import image_source
from ganad.engines import Engine, Processes, Serial
from ganad.scale import Cluster, cluster, scoring

RESULTS = Path(__file__).parent / "results" / "scale.json"
PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
PLOT = PAGE.parent / "assets" / "scale.svg"

COLUMNS, SIDE = 20, 64
ENGINES: dict[str, Callable[[], Engine]] = {
    "local, 1": Serial,
    "local, 2": lambda: Processes(2),
    "Ray, 1": lambda: Cluster(workers=1),
    "Ray, 2": lambda: Cluster(workers=2),
}

Row = dict[str, Any]


def table_job(folder: Path, rows: int, parts: int) -> tuple[Path, str, Row]:
    """A model, a Parquet file of so many row groups, and how it is cut."""
    rng = np.random.default_rng(0)
    names = [f"f{i}" for i in range(COLUMNS)]
    x = rng.normal(size=(4000, COLUMNS))
    model = ganad.AutoEncoder(epochs=2, latent_dim=5, random_state=0, verbose=0, threads=1).fit(x)
    columns = [{"name": name, "kind": "numeric"} for name in names]
    model.remember_source({"kind": "table", "columns": columns, "label": None}, names)
    model.save(folder / "table.safetensors")
    size = rows // parts
    block = pyarrow.table(dict(zip(names, rng.normal(size=(COLUMNS, size)))))
    with pyarrow.parquet.ParquetWriter(folder / "t.parquet", block.schema) as writer:
        for _ in range(parts):
            writer.write_table(block)
    return folder / "table.safetensors", str(folder / "t.parquet"), dict(rows=size)


def image_job(folder: Path, images: int, parts: int) -> tuple[Path, str, Row]:
    """A model, a folder of photos, and how it is cut."""
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    smooth = rng.integers(0, 256, (64, 8, 8, 3)).astype(np.uint8)
    for i in range(images):
        photo = Image.fromarray(smooth[i % 64]).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        photo.save(folder / "images" / f"{i:06d}.jpg", quality=90)
    x = rng.integers(0, 256, (128, 32, 32, 3)).astype(np.uint8)
    model = ganad.GANomaly(epochs=1, latent_dim=50, width=32, random_state=0, verbose=0, threads=1).fit(x)
    model.remember_source(image_source(32, 32, "RGB"))
    model.save(folder / "images.safetensors")
    return folder / "images.safetensors", str(folder / "images"), dict(images=images // parts)


class Watched:
    """An engine with a clock, whose workers tell their peak memory and the processor time of their parts."""

    def __init__(self, engine: Engine):
        self.engine = engine
        self.times: list[float] = []
        self.peak = self.cpu = 0.0

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        for item, (result, peak, seconds) in self.engine.map(WithCost(function), items):
            self.times.append(time.perf_counter())
            self.peak = max(self.peak, peak)
            self.cpu += seconds
            yield item, result


class WithCost:
    """A function that returns the peak memory of its process, and the processor time it took, as well."""

    def __init__(self, function: Callable[[Any], Any]):
        self.function = function

    def __call__(self, item: Any) -> tuple[Any, float, float]:
        start = time.process_time()
        result = self.function(item)
        return result, peak_mb() or 0.0, time.process_time() - start


def measured(job: tuple[Path, str, Row], name: str, out: Path) -> Row:
    """One run of a job by an engine."""
    model, data, cut = job
    engine = Watched(ENGINES[name]())
    load = os.getloadavg()[0]
    start = time.perf_counter()
    came = scoring.score(model, data, out, engine, **cut)
    seconds = time.perf_counter() - start
    return {
        "engine": name,
        "samples": came.rows,
        "parts": came.parts,
        "seconds": round(seconds, 2),
        "first_s": round(engine.times[0] - start, 2),
        "per_s": round(came.rows / seconds, 1),
        "per_core_s": round(came.rows / engine.cpu, 1),
        "peak_mb": round(engine.peak),
        "load_before": round(load, 1),
        "sha256": content(out),
    }


def content(out: Path, files: str = "part-*") -> str:
    """One hash of the files in a folder."""
    digest = hashlib.sha256()
    for path in sorted(out.glob(files)):
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def nothing(item: int) -> int:
    """A part without work."""
    return item


def overhead(parts: int = 1000) -> float:
    """Milliseconds that Ray takes for a part without work, one worker, after its start."""
    times = [time.perf_counter() for _ in Cluster(workers=1).map(nothing, range(parts))]
    return round(1000 * (times[-1] - times[0]) / (parts - 1), 2)


def measure(found: Row, rows: int, images: int, parts: int, save: Callable[[], None]) -> None:
    """All engines on both jobs, those that have no row yet; they must write the same files."""
    found |= {"commit": commit(), "cores": os.cpu_count()}
    with tempfile.TemporaryDirectory() as folder:
        for kind, make, n in (("table", table_job, rows), ("images", image_job, images)):
            known: list[Row] = found.setdefault(kind, [])
            todo = [name for name in ENGINES if name not in [row["engine"] for row in known]]
            job = make(Path(folder), n, parts) if todo else None
            for name in todo:
                assert job is not None
                known.append(measured(job, name, Path(folder, f"{kind} {name}")))
                print(kind, json.dumps(known[-1]), flush=True)
                save()
            assert len({row["sha256"] for row in known}) == 1, "engines differ"
    if "ray_part_ms" not in found:
        found["ray_part_ms"] = overhead()


class Failing:
    """Scores parts in a cluster where some workers are killed, some are slow, and a part is never at fault twice."""

    def __init__(self, function: Callable[[Any], Any], folder: str, killed: float, slow: float):
        self.function, self.folder, self.killed, self.slow = function, folder, killed, slow

    def __call__(self, item: Any) -> Any:
        name = item[0]
        drawn = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 16**8
        mark = Path(self.folder) / name
        if drawn < self.killed and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if drawn > 1 - self.slow:
            time.sleep(2)
        return self.function(item)


class Cracking:
    """An engine on a simulated cluster that loses a node when half of the parts are scored."""

    def __init__(self, lose: Callable[[], None], total: int, folder: str, killed: float, slow: float):
        self.lose, self.total, self.how = lose, total, (folder, killed, slow)

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        failing = Failing(function, *self.how)
        for number, pair in enumerate(Cluster().map(failing, items)):
            if number == self.total // 2:
                self.lose()
            yield pair


def simulate(parts: int, rows: int, *, killed: float = 0.03, slow: float = 0.01, nodes: int = 3) -> Row:
    """Score parts on simulated nodes of this machine while workers are killed and a node goes; equal to a quiet run?"""
    ray = cluster.imported()
    from ray.cluster_utils import Cluster as Simulated

    room = dict(object_store_memory=100 * 2**20, include_dashboard=False)
    with tempfile.TemporaryDirectory() as folder:
        model, data, cut = table_job(Path(folder), rows, parts)
        scoring.score(model, data, Path(folder, "quiet"), Serial(), **cut)
        simulated = Simulated(initialize_head=True, head_node_args=room | dict(num_cpus=1))
        others = [simulated.add_node(num_cpus=1, object_store_memory=100 * 2**20) for _ in range(nodes - 1)]
        ray.init(address=simulated.address, log_to_driver=False, logging_level="ERROR")
        (marks := Path(folder, "marks")).mkdir()
        start = time.perf_counter()
        try:
            lose = lambda: simulated.remove_node(others[0], allow_graceful=False)  # noqa: E731
            engine = Cracking(lose, parts, str(marks), killed, slow)
            came = scoring.score(model, data, Path(folder, "cracked"), engine, **cut)
        finally:
            ray.shutdown()
            simulated.shutdown()
        return {
            "nodes": nodes,
            "parts": came.parts,
            "rows": came.rows,
            "killed": len(list(marks.iterdir())),
            "lost_nodes": 1,
            "unreadable": len(came.unreadable),
            "seconds": round(time.perf_counter() - start, 1),
            "equal": content(Path(folder, "quiet"), "*.*") == content(Path(folder, "cracked"), "*.*"),
        }


# -- the page ---------------------------------------------------------------------------------------------


def draw(found: Row) -> None:
    """Rates by engine, as SVG."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "ganad"
    figure, axes = pyplot.subplots(1, 2, figsize=(8, 3))
    for ax, (kind, unit) in zip(axes, (("table", "rows"), ("images", "images"))):
        names = [row["engine"] for row in found[kind]]
        ax.bar(names, [row["per_s"] for row in found[kind]], color=["#1f6feb", "#1f6feb", "#d4572a", "#d4572a"])
        ax.set_title(f"{unit} a second, start included")
        ax.tick_params(axis="x", labelsize=8)
        ax.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(PLOT, metadata={"Date": None})


def tables(found: Row) -> str:
    """The measured figures and what they say of large jobs, as Markdown."""
    lines = [f"Measured on {found['cores']} cores at revision {found['commit']}.", ""]
    for kind, unit in (("table", "rows"), ("images", "images")):
        lines += [
            f"| {unit} | {unit} a second | {unit} a core second | first part, s | peak of a worker, MiB |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {row['engine']} | {row['per_s']:,.0f} | {row['per_core_s']:,.0f} | {row['first_s']:.1f} "
            f"| {row['peak_mb']:,} |"
            for row in found[kind]
        ]
        loads = [row["load_before"] for row in found[kind]]
        lines += ["", f"Other work on the machine as each began: load {min(loads):g} to {max(loads):g}.", ""]
    if "ray_part_ms" in found:
        lines += [f"Ray takes {found['ray_part_ms']:g} ms for a part without work.", ""]
    if run := found.get("simulated"):
        lines += [
            f"Simulated: {run['parts']:,} parts on {run['nodes']} nodes of this machine; {run['killed']} workers were "
            f"killed with SIGKILL and one node was removed midway. {run['seconds']:,.0f} s; the files are "
            f"{'equal' if run['equal'] else 'NOT equal'} to those of a quiet run, to the bit.",
            "",
        ]
    return "\n".join([*lines, *plan(found)])


def plan(found: Row) -> list[str]:
    """Hours, reads and cost of two large jobs from the rate of one worker."""
    one = {
        kind: next(r for r in found[kind] if r["engine"] == "local, 1")["per_core_s"] for kind in ("table", "images")
    }
    jobs = (
        ("10,000,000,000 rows", 1e10, one["table"], COLUMNS * 8 / 1e12, 500_000),
        ("1,000,000,000 images", 1e9, one["images"], 2.2e3 / 1e12, 4096),
    )
    lines = [
        "| job | core hours | hours on 64 cores | on 1,024 | parts | read, TB | network on 1,024, Gbit/s |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, n, rate, terabytes, part in jobs:
        hours = n / rate / 3600
        network = n * terabytes * 8e3 / (hours * 3600 / 1024)
        lines.append(
            f"| {name} | {hours:,.0f} | {hours / 64:,.1f} | {hours / 1024:,.2f} | {n / part:,.0f} "
            f"| {n * terabytes:,.1f} | {network:,.1f} |"
        )
    return lines


def write(found: Row) -> None:
    """Put figures and plot into the documentation."""
    draw(found)
    before, _, rest = PAGE.read_text("utf-8").partition("<!-- measured -->\n")
    _, mark, after = rest.partition("<!-- end -->")
    assert mark, f"{PAGE} has no marks"
    PAGE.write_text(f"{before}<!-- measured -->\n{tables(found)}\n{mark}{after}", encoding="utf-8")


def save(found: Row, path: Path) -> None:
    """Keep what is measured; the same command goes on from there."""
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--images", type=int, default=2_000)
    parser.add_argument("--parts", type=int, default=20)
    parser.add_argument("--simulate", type=int, metavar="PARTS")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--output", type=Path, default=RESULTS)
    given = parser.parse_args()
    found: Row = json.loads(given.output.read_text("utf-8")) if given.output.exists() else {}
    if given.simulate:
        found["simulated"] = simulate(given.simulate, 1000 * given.simulate)
        print(json.dumps(found["simulated"]))
    elif not given.write:
        measure(found, given.rows, given.images, given.parts, lambda: save(found, given.output))
    save(found, given.output)
    if given.write:
        write(found)


if __name__ == "__main__":
    main()
