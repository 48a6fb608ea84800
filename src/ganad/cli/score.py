"""``ganad score``: a row a sample, and a report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError, Interrupted
from .options import (
    Address,
    Anomalies,
    Classes,
    Data,
    DataDir,
    EngineName,
    FollowLinks,
    GpusPerWorker,
    Label,
    ModelFile,
    SkipBad,
    Workers,
    check_place,
    engine_of,
    list_unreadable,
    read,
    reports_errors,
    split,
)

if TYPE_CHECKING:
    import numpy as np

    from ..data import Samples
    from ..detector import Detector
    from ..engines import Engine

    Part = tuple[Samples, np.ndarray, np.ndarray | None]


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
        if report is not None or split_ is not None:
            raise InputError(f"{output}: a report or a split needs all samples at once; give -o scores.csv")
        asked = dict(label=label, normal=split(normal), anomaly=split(anomaly), fdr=fdr, follow_links=follow_links)
        score_parts(model, data, output, where, skip_bad=skip_bad, **asked)
        return
    if workers is not None or engine != "local":
        raise InputError(f"{output}: several workers write a folder of parts; give -o and a name without an ending")
    from ..data import Samples
    from ..data.labels import labels_of, unnamed
    from ..loading import load
    from ..score_file import ScoreFile

    check_place(output, "scores", data)
    if report is not None:
        check_place(report, "report", data, model, output)
    detector = load(model)
    if fdr is not None and not hasattr(detector, "calibration_"):
        raise InputError(f"{model}: --fdr needs a calibrated model; fit it with --false-alarm-rate")
    parts, classes, named = [], set[str](), (split(normal), split(anomaly))
    with ScoreFile(output, detector, fdr) as file:
        for samples in read_like_training(detector, data, data_dir, label, split_, follow_links):
            scores = detector.anomaly_score(samples.x)
            labels = labels_of(samples, *named)
            file.add(samples, scores, labels)
            classes.update([] if samples.y is None else samples.y.astype(str))
            if report is None:  # only the page needs the samples themselves again
                samples = Samples(samples.x[:0], unreadable=samples.unreadable)
            parts.append((samples, scores, labels))
        others = unnamed(classes, *named)
    for words in file.warned:
        typer.echo(f"ganad: {words}", err=True)
    samples, scores, labels = joined(parts)
    flagged = int((scores > detector.threshold_).sum())
    typer.echo(f"{len(scores):,} samples, {flagged:,} anomalies at threshold {detector.threshold_:.6g}")
    if fdr is not None:
        typer.echo(f"{file.selected:,} selected; on average at most {100 * fdr:g} % of them are normal")
    if others:
        typer.echo(f"in neither --normal nor --anomaly, so without label: {', '.join(others)}")
    _show_areas(scores, labels)
    typer.echo(f"scores    {output}")
    if report is not None:
        from ..reporting import report as write_report

        # the page shows every sample, and counts by labels only where every sample has one
        known = None if others else labels
        facts = {"model": str(model), "data": data}
        write_report(detector, samples, report, scores=scores, labels=known, facts=facts)
        typer.echo(f"report    {report}")
    list_unreadable(samples, skip_bad)


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

    y, s = labels[labels >= 0], scores[labels >= 0]
    typer.echo(f"AUROC {auroc(y, s):.4f}  AP {average_precision(y, s):.4f}")


def read_like_training(
    detector: Detector,
    data: str,
    data_dir: Path | None,
    label: str | None,
    split: str | None,
    follow_links: bool = False,
) -> Iterator[Samples]:
    """The samples of ``data`` as the model was trained on them; a table file comes in parts, whatever its size."""
    from ..data import TABLES, iter_table

    source = getattr(detector, "source_", None)
    path = Path(data)
    if source and source["kind"] == "table" and path.is_file() and path.suffix.lower() in TABLES:
        yield from iter_table(path, source, label=label)
    else:
        yield read(data, data_dir, label=label, split=split or "test", source=source, follow_links=follow_links)


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
