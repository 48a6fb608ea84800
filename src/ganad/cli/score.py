"""``ganad score``: a row a sample, and a report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..display import shown
from ..errors import InputError, Interrupted
from ..progress import one_clock
from .layouts import Tested, tested
from .options import (
    Address,
    Anomalies,
    Classes,
    Data,
    DataDir,
    DayFirst,
    Decimal,
    Depth,
    Encoding,
    EngineName,
    FollowLinks,
    GpusPerWorker,
    Label,
    Missing,
    ModelFile,
    Query,
    SkipBad,
    Thousands,
    Unknown,
    Workers,
    check_place,
    engine_of,
    list_unreadable,
    read,
    reports_errors,
    split,
)
from .scan import Scan, scan, show_places

if TYPE_CHECKING:
    import numpy as np

    from ..data import Samples
    from ..detector import Detector
    from ..engines import Engine
    from ..score_file import ScoreFile

    Part = tuple[Samples, np.ndarray, np.ndarray | None]

_LISTED = 20  # rows or columns that a line names


@reports_errors
def score(
    model: ModelFile,
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", help="scores.csv, scores.parquet, or a folder for parts.")],
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here as well.")] = None,
    normal: Classes = None,
    anomaly: Anomalies = None,
    fdr: Annotated[
        float | None, typer.Option(help="Select samples of which on average at most this share is normal.")
    ] = None,
    label: Label = None,
    skip_bad: SkipBad = False,
    split_: Annotated[str | None, typer.Option("--split", help="train, test or all (data sets by name).")] = None,
    data_dir: DataDir = None,
    follow_links: FollowLinks = False,
    query: Query = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    missing: Missing = None,
    day_first: DayFirst = None,
    unknown: Unknown = None,
    encoding: Encoding = None,
    depth: Depth = None,
    masks: Annotated[
        Path | None,
        typer.Option(help="A folder with KIND/NAME.png or KIND/NAME_mask.png, white where the defect is (images)."),
    ] = None,
    engine: EngineName = "local",
    workers: Workers = None,
    address: Address = None,
    gpus_per_worker: GpusPerWorker = 0.0,
) -> None:
    """Score every sample: a row each with name, score and verdict.

    An output without an ending is a folder: the data are then scored in parts, by several workers where --workers or
    --engine ray asks for them, and the same command goes on where it was stopped. DATA may then be a folder of tables,
    or an address such as s3://bucket/folder.
    """
    where = engine_of(engine, workers, address, gpus_per_worker)
    if output.is_dir() or not output.suffix:
        whole = (report, split_, masks, query, decimal, thousands, missing, day_first, unknown, encoding, depth)
        if any(value is not None for value in whole):
            raise InputError(f"{output}: a report, a split, masks and ways to read need one file; give -o scores.csv")
        asked = dict(label=label, normal=split(normal), anomaly=split(anomaly), fdr=fdr, follow_links=follow_links)
        score_parts(model, data, output, where, skip_bad=skip_bad, **asked)
        return
    if workers is not None or engine != "local":
        raise InputError(f"{output}: several workers write a folder of parts; give -o and a name without an ending")
    from ..data.catalog import DATASETS
    from ..loading import load
    from ..score_file import ScoreFile

    if split_ is not None and (data not in DATASETS or Path(data).exists()):
        raise InputError(f"{data}: --split is for data sets by name, and this is none; leave it out")
    if split_ in ("train", "test") and not DATASETS[data].has_split:
        raise InputError(f"{data}: the set is not split into train and test; leave --split out")
    check_place(output, "scores", data)
    if report is not None:
        check_place(report, "report", data, model, output)
    detector = load(model)
    if fdr is not None and not hasattr(detector, "calibration_"):
        raise InputError(f"{model}: --fdr needs a calibrated model; fit it with --false-alarm-rate")
    own_size = (getattr(detector, "source_", None) or {}).get("kind") == "photos"
    what = tested(data, normal, anomaly, masks, own_size)
    written = dict(decimal=decimal, thousands=thousands, missing=split(missing), day_first=day_first)
    table = dict(label=label, query=query, unknown=unknown, encoding=encoding) | written
    images = dict(follow_links=follow_links, depth=depth)
    parts = read_like_training(detector, what.data, data_dir, split_, images, table)
    with ScoreFile(output, detector, fdr) as file:
        found = _scored(detector, parts, file, what, split(anomaly), keep=report is not None)
    _tell(found, file, detector.threshold_)
    typer.echo(f"scores    {output}")
    if report is not None:
        _report(found, detector, report, what.masks, {"model": str(model), "data": data})
    list_unreadable(found.samples, skip_bad)


@dataclass
class _Found:
    """What was scored, and what came of it."""

    samples: Samples
    scores: np.ndarray
    labels: np.ndarray | None
    others: list[str]  #: classes that are neither normal nor anomalous
    places: list[dict[str, Any]]  #: figures by kind of defect
    lacks: str  #: what labels that are known do not name, so that there are no figures: "normal", "an anomaly" or ""
    unseen: Unseen
    unmasked: list[str]  #: which photos with a defect have no mask, in sentences
    far: int  #: photos that are much smaller or larger than those learnt


@one_clock()
def _scored(
    detector: Detector, parts: Iterator[Samples], file: ScoreFile, what: Tested, anomaly: tuple[str, ...], keep: bool
) -> _Found:
    """Score the parts into the file; the samples themselves are only kept where ``keep`` asks for them."""
    from ..data import Photos, Samples
    from ..data.image_account import count_far
    from ..data.labels import labels_of, unnamed
    from ..data.photos import without_mask

    done, classes, named = [], set[str](), (split(what.normal), anomaly)
    unseen, seen, kinds, far = Unseen(), None, None, 0
    unmasked: list[str] = []
    for samples in parts:
        samples = without(samples, what.data, what.masks)
        unseen.add(samples)
        if isinstance(samples.x, Photos):
            far += count_far(samples.x, getattr(detector, "source_", None) or {})
        seen = scan(detector, samples, what.masks)
        labels = labels_of(samples, *named)
        unmasked += without_mask(samples.y, seen.masks, labels) if seen.masks else ()
        if labels is None and seen.defective is not None:
            labels = seen.defective.astype(int)
        file.add(samples, seen.scores, labels, seen.regions)
        kinds = samples.y
        classes.update([] if samples.y is None else samples.y.astype(str))
        kept = samples if keep else Samples(samples.x[:0], unreadable=samples.unreadable)
        done.append((kept, seen.scores, labels))
    others = unnamed(classes, *named)
    samples, scores, labels = joined(done)
    lacks = _lacking([labels for *_, labels in done])
    places = _places(seen, kinds, scores, labels)
    return _Found(samples, scores, labels, others, places, lacks, unseen, unmasked, far)


def _tell(found: _Found, file: ScoreFile, threshold: float) -> None:
    for words in (*file.warned, *found.unseen.lines(), *found.unmasked):
        typer.echo(f"ganad: {words}", err=True)
    if found.far:
        photos = f"{found.far:,} photo{' is' if found.far == 1 else 's are'}"
        typer.echo(f"ganad: {photos} less than half or more than twice as large as those learnt", err=True)
    flagged = int((found.scores > threshold).sum())
    typer.echo(f"{len(found.scores):,} samples, {flagged:,} anomalies at threshold {threshold:.6g}")
    if file.fdr is not None:
        typer.echo(f"{file.selected:,} selected; on average at most {100 * file.fdr:g} % of them are normal")
    if found.others:
        typer.echo(f"in neither --normal nor --anomaly, so without label: {', '.join(found.others)}")
    if found.lacks:
        typer.echo(f"no figures: by mask or class no sample is {found.lacks}, so there is nothing to compare with")
    if found.places:
        show_places(found.places)
    else:
        _show_areas(found.scores, found.labels)


def _lacking(labels: list[np.ndarray | None]) -> str:
    """What the labels of all parts do not name; "" where they name both, or nobody gave any."""
    known = [set(part.tolist()) for part in labels if part is not None]
    found = set().union(*known)
    if len(known) < len(labels) or {0, 1} <= found:
        return ""
    return "an anomaly" if 0 in found else "normal"


def _report(found: _Found, detector: Detector, path: Path, masks: Path | None, facts: dict[str, str]) -> None:
    from ..reporting import report

    # the page shows every sample, and counts by labels only where every sample has one
    labels = None if found.labels is None or (found.labels < 0).any() else found.labels
    more = dict(masks=masks, places=found.places, facts=facts)
    report(detector, found.samples, path, scores=found.scores, labels=labels, **more)  # type: ignore[arg-type]
    typer.echo(f"report    {path}")


def score_parts(model: Path, data: str, folder: Path, engine: Engine, *, skip_bad: bool, **asked: Any) -> None:
    """Score the parts that are missing in ``folder``, and say what came of all."""
    from ..data.catalog import DATASETS
    from ..data.labels import unnamed
    from ..scale import scoring

    if data in DATASETS and not Path(data).exists():
        raise InputError(f"{data} is a data set by name, which is scored at once; give -o scores.csv")
    if folder.is_file() or not folder.parent.is_dir():
        raise InputError(f"{folder}: no place for a folder; make {folder.parent} first, or name another")
    if folder.resolve().is_relative_to(Path(data).resolve()):
        raise InputError(f"{folder} lies in {data}, whose files are scored; name a folder outside of it")
    try:
        came = scoring.score(model, data, folder, engine, **asked)
    except KeyboardInterrupt as stop:
        raise Interrupted(f"interrupted; {folder} keeps the finished parts, and the same command goes on") from stop
    for words in came.warned:
        typer.echo(f"ganad: {words}", err=True)
    typer.echo(f"{came.rows:,} samples, {came.flagged:,} anomalies at threshold {came.threshold:.6g}")
    if asked["fdr"] is not None:
        typer.echo(f"{came.selected:,} selected; on average at most {100 * asked['fdr']:g} % of them are normal")
    if others := unnamed(came.classes, asked["normal"], asked["anomaly"]):
        typer.echo(f"in neither --normal nor --anomaly, so without label: {', '.join(others)}")
    typer.echo(f"scores    {folder}: {came.parts:,} parts, {came.kept:,} of them from before")
    list_unreadable(came, skip_bad)


def _show_areas(scores: np.ndarray, labels: np.ndarray | None) -> None:
    if labels is None:
        return
    from ..metrics import auroc, average_precision
    from ..reporting import drawable

    y, s = labels[labels >= 0], drawable(scores[labels >= 0])
    typer.echo(f"AUROC {auroc(y, s):.4f}  AP {average_precision(y, s):.4f}")


def _places(
    seen: Scan | None, kinds: np.ndarray | None, scores: np.ndarray, labels: np.ndarray | None
) -> list[dict[str, Any]]:
    """Figures by kind of defect, where masks say where defects are."""
    from ..metrics import by_kind

    if seen is None or seen.pixels is None or labels is None or (labels < 0).any():
        return []
    return by_kind(None if kinds is None else kinds.astype(str).tolist(), labels, scores, seen.pixels)


def without(samples: Samples, data: str, masks: Path | None) -> Samples:
    """The samples that are no masks themselves, where the folder of masks is inside that of the data."""
    import numpy as np

    if masks is None or samples.names is None or not masks.resolve().is_relative_to(Path(data).resolve()):
        return samples
    inside = masks.resolve().relative_to(Path(data).resolve()).as_posix() + "/"
    return samples.subset(np.array([not name.startswith(inside) for name in samples.names]))


def read_like_training(
    detector: Detector,
    data: str,
    data_dir: Path | None,
    split: str | None,
    images: dict[str, Any],
    table: dict[str, Any],
) -> Iterator[Samples]:
    """The samples of ``data`` as the model was trained on them; a table comes in parts, whatever its size."""
    from ..data import is_table, iter_table

    source = getattr(detector, "source_", None)
    if source and source["kind"] == "table" and is_table(data):
        if images["depth"] is not None:
            raise InputError(f"{data}: --depth is for images, and this is a table; leave it out")
        yield from iter_table(data, source, **table)
    else:
        yield read(data, data_dir, split=split or "test", source=source, **images, **table)


class Unseen:
    """What new data hold that training did not, said once."""

    def __init__(self) -> None:
        self.ignored: list[str] = []
        self.cells: list[tuple[str, str, str, bool]] = []
        self.n = 0

    def add(self, samples: Samples) -> None:
        """A part of the data."""
        self.ignored, self.n = samples.ignored, self.n + len(samples.unseen)
        names = samples.names or ()
        for cell in samples.unseen[: _LISTED - len(self.cells)]:
            self.cells.append((names[cell.row], cell.column, cell.value, cell.is_anomaly))

    def lines(self) -> Iterator[str]:
        """Sentences for a person."""
        if self.ignored:
            more = f" and {len(self.ignored) - _LISTED} more" if len(self.ignored) > _LISTED else ""
            yield f"columns that the model does not know are left aside: {_named(self.ignored[:_LISTED])}{more}"
        if self.cells:
            what = "makes its row an anomaly" if self.cells[0][3] else "is read as the usual one"
            yield f"{self.n:,} text{'s' * (self.n != 1)} did not occur in training; each {what} (--unknown):"
            for row, column, value, _ in self.cells:
                yield f"  row {row}, column {_named([column])}: {_named([value])}"
            if self.n > len(self.cells):
                yield f"  and {self.n - len(self.cells):,} more"


def _named(names: list[str]) -> str:
    return ", ".join(shown(repr(name)) for name in names)


def joined(parts: list[Part]) -> Part:
    """All parts as one; labels only if they name both normal samples and anomalies."""
    import numpy as np

    from ..data import Samples

    first = parts[0][0]
    scores = np.concatenate([scores for _, scores, _ in parts])
    names = [name for samples, _, _ in parts for name in samples.names or ()]
    x = first.x if len(parts) == 1 else np.concatenate([samples.x for samples, _, _ in parts])
    known = [labels for _, _, labels in parts if labels is not None]
    labels = np.concatenate(known) if len(known) == len(parts) else None
    if labels is not None and not {0, 1} <= set(labels.tolist()):
        labels = None
    return Samples(x, None, names, first.columns, first.unreadable, first.source), scores, labels
