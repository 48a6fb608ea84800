"""Much to score: parts of tables or of folders of images, each scored by a worker into a Parquet file of its own.

A part that is done is never scored again. A worker that ends loses the part that it was at, and another scores that.
"""

from __future__ import annotations

import functools
import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow
import pyarrow.parquet

from .. import calibrate
from ..atomic import locked, replacing
from ..data import Samples, Unreadable, labels_of
from ..data.parts import IMAGES, ROWS, Part, plan
from ..data.row_groups import row_batches
from ..data.table_file import first_line
from ..engines import Engine, Lost
from ..errors import InputError
from ..progress import Bar
from ..score_file import table_of
from .manifest import Entry, Manifest, key_of

if TYPE_CHECKING:
    from ..detector import Detector


@dataclass(frozen=True)
class Job:
    """What is the same for all parts; workers get it once."""

    model: str  #: a file that every machine can read
    sha256: str  #: of that file
    folder: str  #: a folder that every machine can write
    label: str | None = None
    normal: tuple[str, ...] = ()
    anomaly: tuple[str, ...] = ()
    fdr: float | None = None

    @property
    def asked(self) -> Entry:
        """What two runs into one folder must agree on."""
        named = {"label": self.label, "normal": list(self.normal), "anomaly": list(self.anomaly)}
        return {"ganad": "scores", "format": 1, "model": self.sha256, "fdr": self.fdr} | named


@dataclass
class Outcome:
    """What came of all parts."""

    rows: int = 0
    flagged: int = 0
    selected: int = 0
    parts: int = 0
    kept: int = 0  #: parts of an earlier run
    threshold: float = 0.0
    classes: set[str] = field(default_factory=set)  #: of the data, where names were given
    warned: list[str] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)


def score(
    model: str | Path,
    data: str,
    folder: str | Path,
    engine: Engine,
    *,
    label: str | None = None,
    normal: tuple[str, ...] = (),
    anomaly: tuple[str, ...] = (),
    fdr: float | None = None,
    follow_links: bool = False,
    rows: int = ROWS,
    images: int = IMAGES,
) -> Outcome:
    """Score a table, a folder of tables or of images, or an address such as s3://bucket/folder, into ``folder``.

    The parts have about ``rows`` rows or ``images`` images each. The same call goes on where an earlier one was
    stopped. A part that cannot be read is listed with the reason, and the others go on. With ``fdr`` a second pass adds
    the column ``selected``, over all parts at once. Raises InputError for a model that does not fit the data, a folder
    of something else or that another process writes, and a share ``fdr`` outside (0, 1).
    """
    if fdr is not None:
        calibrate.check_fdr(fdr)
    folder = Path(folder)
    job = Job(str(model), _sha256(Path(model)), str(folder), label, normal, anomaly, fdr)
    detector = loaded(job.model, job.sha256)
    calibration: np.ndarray | None = getattr(detector, "calibration_", None)
    if fdr is not None and calibration is None:
        raise InputError(f"{model}: a selection needs a calibrated model; fit it with a false-alarm rate")
    recipe = getattr(detector, "source_", None) or {}
    parts, outside = plan(data, recipe, rows=rows, images=images, follow_links=follow_links)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock", f"{folder}: another process writes scores here; wait for it or name another folder"):
        manifest = Manifest(folder, job.asked)
        manifest.open()
        manifest.keep(part.key for part in parts)
        outcome = Outcome(kept=len(manifest.entries), threshold=detector.threshold_, unreadable=outside)
        _score_all(job, parts, manifest, engine, outcome)
        if fdr is not None and calibration is not None:
            _select_all(job, manifest, engine, calibration, outcome)
        return _summed(manifest.close(), outcome)


def _score_all(job: Job, parts: list[Part], manifest: Manifest, engine: Engine, outcome: Outcome) -> None:
    todo = [part for part in parts if key_of(part.key) not in manifest.entries]
    named = list(zip(manifest.free_names(), todo))
    with Bar("scoring") as bar:
        bar.update(0, len(named))
        for done, ((_, part), found) in enumerate(engine.map(functools.partial(score_part, job), named), 1):
            failure = found.reason if isinstance(found, Lost) else found.get("error")
            if failure is not None:
                outcome.unreadable.append(Unreadable(" ".join(filter(None, part.key[:2])), failure))
            elif not isinstance(found, Lost):
                manifest.add(found)
            bar.update(done, len(named))


def _select_all(job: Job, manifest: Manifest, engine: Engine, calibration: np.ndarray, outcome: Outcome) -> None:
    """The second pass: what is selected depends on all p-values, of which the parts have counted the small ones."""
    assert job.fdr is not None
    entries = list(manifest.entries.values())
    total = sum(entry["rows"] for entry in entries)
    counts = np.zeros(len(calibration) + 2, np.int64)  # by rank, p = rank / (m + 1)
    for entry in entries:
        for rank, count in entry["ranks"].items():
            counts[int(rank)] += count
    ranks = np.flatnonzero(counts)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", calibrate.SmallCalibrationSet)
        calibrate.warn_if_small(total, len(calibration), job.fdr)
    outcome.warned = [str(warning.message) for warning in caught]
    limit = calibrate.cutoff(ranks / (len(calibration) + 1), counts[ranks], total, job.fdr)
    todo = [entry for entry in entries if entry.get("limit") != _exact(limit)]
    for _, found in engine.map(functools.partial(select_part, job, limit), todo):
        if isinstance(found, Lost):
            raise InputError(f"{job.folder}: a part could not be selected from ({found.reason}); run it again")
        manifest.add(found)


def _summed(entries: list[Entry], outcome: Outcome) -> Outcome:
    for entry in entries:
        outcome.parts += 1
        outcome.rows += entry["rows"]
        outcome.flagged += entry["flagged"]
        outcome.selected += entry.get("selected", 0)
        outcome.classes.update(entry["classes"])
        outcome.unreadable += [Unreadable(path, reason) for path, reason in entry["unreadable"]]
    return outcome


# -- in the workers ---------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=1)
def loaded(model: str, sha256: str) -> Detector:
    """The detector, loaded once by a worker. Raises InputError where a machine sees another file."""
    from ..loading import load_hashed  # with torch, which takes seconds to import

    detector, found = load_hashed(model)
    if found != sha256:
        raise InputError(f"{model}: another file than where the job was started; every machine must see the same one")
    return detector


def score_part(job: Job, named: tuple[str, Part]) -> Entry:
    """Score a part into its file and say what is in it; an entry with ``error`` if it cannot be read."""
    name, part = named
    detector, path = loaded(job.model, job.sha256), Path(job.folder, named[0])
    entry: Entry = {"part": name, "source": part.key, "rows": 0, "flagged": 0, "classes": [], "unreadable": []}
    writer: Any = None
    try:
        with replacing(path, wait=True) as temporary:  # a worker that was taken for dead may be at it
            try:
                for table, samples in _tables(job, detector, part):
                    writer = writer or pyarrow.parquet.ParquetWriter(temporary, table.schema)
                    writer.write_table(table)
                    _count(entry, table, samples, job, detector)
                if writer is None:
                    raise InputError("no rows")
            finally:
                if writer is not None:
                    writer.close()
    except InputError as error:  # of the part; an OSError is of the place for the scores, and ends the job
        return entry | {"error": str(error)}
    return entry | _of_file(path)


def _tables(job: Job, detector: Detector, part: Part) -> Iterator[tuple[pyarrow.Table, Samples]]:
    """A part's samples, and their rows. Raises InputError where they cannot be read."""
    recipe = getattr(detector, "source_", None) or {}
    try:
        for samples in part.read(recipe, job.label):
            scores = detector.anomaly_score(samples) if len(samples.x) else np.empty(0)
            yield table_of(detector, samples, scores, labels_of(samples, job.normal, job.anomaly)), samples
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"cannot be read ({first_line(error)})") from error


def _count(entry: Entry, table: pyarrow.Table, samples: Samples, job: Job, detector: Detector) -> None:
    entry["rows"] += table.num_rows
    entry["flagged"] += int((table["score"].to_numpy() > detector.threshold_).sum())
    entry["unreadable"] += [[bad.path, bad.reason] for bad in samples.unreadable]
    if (job.normal or job.anomaly) and samples.y is not None:
        entry["classes"] = sorted({*entry["classes"], *samples.y.astype(str).tolist()})
    if job.fdr is not None:
        p = table["p_value"].to_numpy()
        ranks = np.rint(p[p <= job.fdr] * (len(detector.calibration_) + 1)).astype(int)
        known = entry.setdefault("ranks", {})
        for rank, count in zip(*np.unique(ranks, return_counts=True)):
            known[str(rank)] = known.get(str(rank), 0) + int(count)


def select_part(job: Job, limit: float, entry: Entry) -> Entry:
    """Write a part again with the column ``selected``: what has a p-value of at most ``limit``."""
    path = Path(job.folder, entry["part"])
    with pyarrow.parquet.ParquetFile(path) as file, replacing(path, wait=True) as temporary:
        columns = [name for name in file.schema_arrow.names if name != "selected"]
        writer: Any = None
        selected = 0
        try:
            for batch in row_batches(file, 65_536, columns=columns):
                table = pyarrow.Table.from_batches([batch])
                chosen = table["p_value"].to_numpy() <= limit
                selected += int(chosen.sum())
                table = table.append_column("selected", pyarrow.array(chosen))
                writer = writer or pyarrow.parquet.ParquetWriter(temporary, table.schema)
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()
    return entry | _of_file(path) | {"selected": selected, "limit": _exact(limit)}


def _exact(number: float) -> str:
    return float(number).hex()


def _of_file(path: Path) -> Entry:
    return {"bytes": path.stat().st_size, "sha256": _sha256(path)}


def _sha256(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
