"""The command line: fit, score, report; torch is imported inside the commands, so that help is instant.

Exit codes: 0 done; 2 bad input, with one line that says what; 3 done, but some inputs were unreadable and are
listed; 130 interrupted, with the checkpoint kept.
"""

from __future__ import annotations

import csv
import functools
import importlib.util
import logging
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import __version__
from .errors import InputError, Interrupted, MissingExtra, TrainingDiverged

if TYPE_CHECKING:
    import numpy as np

    from .data import Samples
    from .detector import Detector

app = typer.Typer(
    name="ganad",
    help="Anomaly detection with generative adversarial networks.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def complete_method(beginning: str) -> list[str]:
    """What a shell offers for a method."""
    from .settings import command_names

    return [name for name in command_names() if name.startswith(beginning)]


def complete_suite(beginning: str) -> list[str]:
    """What a shell offers for a table."""
    from .bench import SUITES

    return [name for name in ("all", *SUITES) if name.startswith(beginning)]


DataDir = Annotated[Path | None, typer.Option(help="Folder with the data sets; else $GANAD_DATA, else a cache.")]
Label = Annotated[str | None, typer.Option(help="Column with the class labels (tables).")]
Classes = Annotated[str | None, typer.Option(metavar="A,B", help="Classes that are normal; all others are not.")]
Anomalies = Annotated[str | None, typer.Option(metavar="A,B", help="Classes that are anomalies.")]


def reports_errors(command: Callable[..., None]) -> Callable[..., None]:
    """Turn our exceptions into one line on stderr and an exit code."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except BrokenPipeError:  # of `ganad ... | head`; Click ends without a word
            raise
        except (InputError, TrainingDiverged, MissingExtra, OSError) as error:
            typer.echo(f"ganad: {error}", err=True)
            raise typer.Exit(2) from error
        except Interrupted as stop:
            typer.echo(f"ganad: {stop}", err=True)
            raise typer.Exit(130) from stop
        except KeyboardInterrupt as stop:
            typer.echo("ganad: interrupted; nothing was written", err=True)
            raise typer.Exit(130) from stop

    return wrapped


@app.command(no_args_is_help=True)
@reports_errors
def fit(
    context: typer.Context,
    data: Annotated[str, typer.Argument(help="A folder of images, a CSV or Parquet file, or a data set's name.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The model file to write.")],
    method: Annotated[str, typer.Option(help="See: ganad methods", autocompletion=complete_method)] = "ganomaly",
    preset: Annotated[str | None, typer.Option(help="Published settings, such as mnist.")] = None,
    normal: Classes = None,
    anomaly: Anomalies = None,
    false_alarm_rate: Annotated[
        float | None, typer.Option(help="Hold a fifth of the samples out and set the threshold to keep this rate.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted fit of this model.")] = False,
    label: Label = None,
    drop: Annotated[str | None, typer.Option(metavar="A,B", help="Columns to leave out (tables).")] = None,
    impute: Annotated[bool, typer.Option(help="Fill missing cells: median or most frequent value.")] = False,
    size: Annotated[int | None, typer.Option(help="Side in pixels to which images are resized.")] = None,
    mode: Annotated[str | None, typer.Option(help="L for grey, RGB for colour (images).")] = None,
    log_dir: Annotated[
        Path | None, typer.Option(help="Write for TensorBoard here, in a subfolder of the model's name.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Learn what is normal and save the model, and its losses as JSON lines beside it.

    Every setting of the method is an option too: --epochs 20 --latent-dim 64. They are listed by: ganad methods NAME
    """
    import numpy as np

    from .calibrate import hold_out
    from .data import refill
    from .logs import SHOWN, MetricsFile, TensorBoard

    detector = make_detector(method, preset, context.obj or {})
    check_place(output, "model", data)
    samples = load(data, data_dir, split="train", label=label, drop=_split(drop), impute=impute, size=size, mode=mode)
    samples = only_normal(samples, normal, anomaly)
    checkpoint = output.with_name(output.name + ".ckpt")
    metrics = output.with_name(output.name + ".metrics.jsonl")
    if resume and not checkpoint.is_dir():
        raise InputError(f"{checkpoint}: no checkpoint to resume from; fit without --resume")
    rows, held_out, share = np.arange(len(samples.x)), np.empty(0), None
    if false_alarm_rate is not None:
        if not 0 < false_alarm_rate < 1:
            raise InputError(
                f"--false-alarm-rate {false_alarm_rate:g} must lie between 0 and 1; 0.01 is one in a hundred"
            )
        share = HELD_OUT
        rows, held_out = hold_out(len(samples.x), share, false_alarm_rate)
    samples = refill(samples, rows)  # what an imputed table lacks is filled from the rows that train alone
    log = MetricsFile(metrics)
    watchers: list[Callable[[Detector], None]] = [log]
    if log_dir is not None:
        watchers.append(TensorBoard(log_dir / output.stem, samples.x[rows[:SHOWN]]))

    def on_epoch(detector: Detector) -> None:
        for watch in watchers:
            watch(detector)

    detector.fit(
        samples.x, checkpoint=checkpoint, resume=resume, on_epoch=on_epoch, hold_out=share, alpha=false_alarm_rate
    )
    log(detector)  # also where no epoch was left to train, or the method has none
    detector.remember_source(samples.source, samples.columns)
    detector.save(output)
    remove_checkpoint(checkpoint)
    seconds = sum(_seconds(detector).values())
    typer.echo(f"{type(detector).__name__}: {len(rows):,} normal samples, {seconds:.1f} s of training")
    rule = f"{100 * detector.contamination:g} % of these samples lie above; --false-alarm-rate bounds it for new ones"
    if false_alarm_rate is not None:
        rule = f"at most {100 * false_alarm_rate:g} % false alarms, calibrated on {len(held_out):,} held-out samples"
    typer.echo(f"threshold {detector.threshold_:.6g} ({rule})")
    typer.echo(f"model     {output}")
    typer.echo(f"metrics   {metrics}")
    _end(samples)


@app.command(no_args_is_help=True)
@reports_errors
def score(
    model: Annotated[Path, typer.Argument(help="A model file that ganad fit wrote.")],
    data: Annotated[str, typer.Argument(help="A folder of images, a CSV or Parquet file, or a data set's name.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="scores.csv or scores.parquet.")],
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here too.")] = None,
    normal: Classes = None,
    anomaly: Anomalies = None,
    fdr: Annotated[
        float | None, typer.Option(help="Select samples of which on average at most this share is normal.")
    ] = None,
    label: Label = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Exit with 0 although inputs were unreadable.")] = False,
    split: Annotated[str | None, typer.Option(help="train, test or all (data sets by name).")] = None,
    data_dir: DataDir = None,
) -> None:
    """Score every sample: a row each with name, score and verdict."""
    from . import load as load_model
    from .data import Samples

    check_place(output, "scores", data)
    if report is not None:
        check_place(report, "report", data, model, output)
    detector = load_model(model)
    if fdr is not None and not hasattr(detector, "calibration_"):
        raise InputError(f"{model}: --fdr needs a calibrated model; fit it with --false-alarm-rate")
    parts, classes = [], set[str]()
    with ScoreFile(output, fdr) as file:
        for samples in read_like_training(detector, data, data_dir, label, split):
            scores = detector.anomaly_score(samples.x)
            labels = labels_of(samples, normal, anomaly)
            file.add(samples, scores, detector, labels)
            classes.update([] if samples.y is None else samples.y.astype(str))
            if report is None:  # only the page needs the samples themselves again
                samples = Samples(samples.x[:0], unreadable=samples.unreadable)
            parts.append((samples, scores, labels))
        others = unnamed(classes, normal, anomaly)
    samples, scores, labels = joined(parts)
    flagged = int((scores > detector.threshold_).sum())
    typer.echo(f"{len(scores):,} samples, {flagged:,} anomalies at threshold {detector.threshold_:.6g}")
    if fdr is not None:
        typer.echo(f"{file.selected:,} selected; on average at most {100 * fdr:g} % of them are normal")
    if others:
        typer.echo(f"in neither --normal nor --anomaly, so without label: {', '.join(others)}")
    if labels is not None:
        from sklearn.metrics import average_precision_score, roc_auc_score

        y, s = labels[labels >= 0], scores[labels >= 0]
        typer.echo(f"AUROC {roc_auc_score(y, s):.4f}  AP {average_precision_score(y, s):.4f}")
    typer.echo(f"scores    {output}")
    if report is not None:
        # the page shows every sample, and counts by labels only where every sample has one
        write_report(report, detector, samples, scores, None if others else labels, str(model), data)
        typer.echo(f"report    {report}")
    _end(samples, skip_bad)


@app.command(no_args_is_help=True)
@reports_errors
def export(
    model: Annotated[Path, typer.Argument(help="A model file that ganad fit wrote.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The .onnx file to write.")],
) -> None:
    """Write a model as ONNX, with scaling and threshold inside the graph (extra onnx)."""
    from . import load as load_model
    from .export import export_onnx

    check_place(output, "graph", model)
    export_onnx(load_model(model, device="cpu"), output)
    typer.echo(f"onnx      {output}")


@app.command()
@reports_errors
def methods(
    name: Annotated[
        str | None, typer.Argument(help="A method, for its settings.", autocompletion=complete_method)
    ] = None,
) -> None:
    """List the methods, or the settings of one."""
    from .settings import command_name, describe

    if name is None:
        from .methods import DETECTORS

        for detector in sorted(DETECTORS, key=command_name):
            first = (detector.__doc__ or "").splitlines()[0]
            typer.echo(f"{command_name(detector):20} {first}")
        return
    detector = find_method(name)
    typer.echo(f"{detector.__name__}: {(detector.__doc__ or '').splitlines()[0]}\n")
    for setting in describe(detector):
        typer.echo(f"  --{setting.option:24} {setting.comment} [{setting.kind}, default {setting.default}]")
    for preset, values in detector.PRESETS.items():
        chosen = "  ".join(f"{k}={v}" for k, v in values.items())
        typer.echo(f"\npreset {preset}: {chosen or 'the defaults'}", nl=False)
    typer.echo()


@app.command()
@reports_errors
def datasets() -> None:
    """List the data sets that ganad knows by name."""
    from .data import DATASETS

    for name, entry in DATASETS.items():
        typer.echo(f"{name:12} {entry.description}")


@app.command()
@reports_errors
def doctor() -> None:
    """Print device, precision, threads, versions and missing extras."""
    from . import devices
    from .persist import versions

    device = devices.choose_device()
    precision = str(devices.choose_dtype("auto", device, is_image=True)).removeprefix("torch.")
    rows = versions() | {
        "device": str(device),
        "precision": f"{precision} for images, float32 for tables",
        "cores": str(devices.available_cores()),
        "threads": f"{devices.choose_threads(None, is_image=True)} for images, 1 for tables",
    }
    for key, value in rows.items():
        typer.echo(f"{key:14} {value}")
    for extra, modules in EXTRAS.items():
        missing = [m for m in modules if importlib.util.find_spec(m) is None]
        state = f"missing: pip install 'ganad[{extra}]'" if missing else "installed"
        typer.echo(f"extra {extra:12} {state}")


#: Optional parts and the modules that they need.
EXTRAS = {
    "fast": ["numba"],
    "onnx": ["onnx", "onnxscript", "onnxruntime"],
    "serve": ["fastapi", "fastapi_offline", "prometheus_client", "uvicorn"],
    "tensorboard": ["tensorboard"],
}


@app.command()
@reports_errors
def demo(folder: Annotated[Path, typer.Option(help="Where the report goes.")] = Path("demo")) -> None:
    """Fit on handwritten digits without the 9, score unseen digits, write a report: real data, under a minute."""
    import numpy as np
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import train_test_split

    from . import GANomaly
    from .data import load as load_data

    digits = load_data("digits")
    rows = np.arange(len(digits.x))
    assert digits.y is not None
    train, test = train_test_split(rows, test_size=0.4, random_state=0, stratify=digits.y)
    train = train[digits.y[train] != DEMO_ANOMALY]
    train, held_out = train_test_split(train, test_size=0.2, random_state=0)
    typer.echo(f"GANomaly on {len(train)} digits other than {DEMO_ANOMALY} (8 x 8 pixels, scikit-learn's)")
    detector = GANomaly(**DEMO_SETTINGS).fit(digits.x[train]).calibrate(digits.x[held_out], alpha=0.05)
    unseen = digits.subset(test)
    scores = detector.anomaly_score(unseen.x)
    labels = (digits.y[test] == DEMO_ANOMALY).astype(int)
    auroc = roc_auc_score(labels, scores)
    typer.echo(f"AUROC {auroc:.4f} on {len(test)} unseen digits, {labels.sum()} of them a {DEMO_ANOMALY}")
    false_alarms = (scores[labels == 0] > detector.threshold_).mean()
    typer.echo(f"false alarms {false_alarms:.1%}; calibrated on {len(held_out)} held-out digits to 5 % on average")
    typer.echo("most anomalous:")
    names = unseen.names or [str(i) for i in test]
    for i in np.argsort(-scores)[:8]:
        typer.echo(f"  {names[i]:12} score {scores[i]:.5f}   a {digits.y[test][i]}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.html"
    write_report(path, detector, unseen, scores, labels, "demo", "digits")
    detector.save(folder / "model.safetensors")
    typer.echo(f"model     {folder / 'model.safetensors'}\nreport    {path}")


DEMO_ANOMALY = 9
DEMO_SETTINGS: dict[str, Any] = dict(epochs=60, latent_dim=32, random_state=0)


@app.command(no_args_is_help=True)
@reports_errors
def serve(
    model: Annotated[Path, typer.Argument(help="A model that ganad fit saved.")],
    host: Annotated[
        str, typer.Option(help="Address to listen on; only this machine reaches the default.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    engine: Annotated[str, typer.Option(help="auto, onnx or torch.")] = "auto",
    max_mb: Annotated[float, typer.Option(help="Largest body of a request, in megabytes.")] = 32,
) -> None:
    """Answer requests with scores, and show a page to drop files on."""
    from .serve import Limits
    from .serve import serve as run

    if engine not in ("auto", "onnx", "torch"):
        raise InputError(f"--engine {engine} is not one of auto, onnx, torch")
    if not 0 < max_mb <= 1e6:
        raise InputError(f"--max-mb {max_mb:g} is no size; give megabytes, above 0 and at most a million")
    typer.echo(f"serving {model} on http://{host}:{port}", err=True)
    size = math.ceil(max_mb * 2**20)
    limits = Limits(body_bytes=size, bodies_bytes=max(size, Limits.bodies_bytes))
    run(model, host=host, port=port, engine=engine, limits=limits)  # type: ignore[arg-type]


@app.command(no_args_is_help=True)
@reports_errors
def bench(
    suite: Annotated[
        str,
        typer.Argument(
            help="A table (study-mnist, ... or 'all'), or data of your own: a folder with a subfolder a class, a CSV "
            "or Parquet file.",
            autocompletion=complete_suite,
        ),
    ],
    methods: Annotated[
        str | None, typer.Option(metavar="A,B", help="Only these lines of the table; with a comma: '\"1-NN, PCA\"'.")
    ] = None,
    classes: Annotated[str | None, typer.Option(metavar="A,B", help="Only these classes.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 0, 1, ... of each cell.")] = 3,
    budget: Annotated[
        str, typer.Option(help="smoke, quick or paper (the published training length; on your data the default one).")
    ] = "quick",
    workers: Annotated[int, typer.Option(min=1, help="Processes, of one thread each.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, ...; several workers may share a GPU.")] = "auto",
    hours: Annotated[float | None, typer.Option(help="Begin no trial after this time.")] = None,
    retry: Annotated[bool, typer.Option(help="Try failed trials again.")] = False,
    results: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the rows; what is there is not run again.  [default: benchmarks/results; NAME-bench for "
            "your data]"
        ),
    ] = None,
    label: Label = None,
    normal: Classes = None,
    anomaly: Anomalies = None,
    drop: Annotated[str | None, typer.Option(metavar="A,B", help="Columns to leave out (tables).")] = None,
    impute: Annotated[bool, typer.Option(help="Fill missing cells: median or most frequent value.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Exit with 0 although inputs were unreadable.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Measure a published table again, or which detector suits your data; stopped and started again it goes on.

    On data of your own a fifth of the normal samples and all anomalies test; the other normal samples train.
    """
    from .bench import SUITES, OwnData, Suite, own, ranking, rows, run, tasks, write
    from .bench.grid import path_of
    from .progress import Bar

    if budget not in ("smoke", "quick", "paper"):
        raise InputError(f"--budget {budget} is not one of smoke, quick, paper")
    mine, samples, chosen = None, None, list[str | Suite](SUITES if suite == "all" else [suite])
    if suite not in (*SUITES, "all") and Path(suite).exists():
        where = OwnData(suite, label, _split(normal), _split(anomaly), _split(drop), impute)
        with Bar("reading") as bar:
            samples = where.read(bar.update)
        mine = own.suite(where, samples)
        chosen = [mine]
    elif label or normal or anomaly or drop or impute:
        raise InputError(f"{suite} is a table with classes of its own; the options for your data do not apply to it")
    folder = results or Path(f"{mine.name}-bench" if mine else "benchmarks/results")

    def show(row: dict[str, Any], done: int, total: int) -> None:
        what = f"{row['label']} {row['class'] or ''} seed {row['seed']}"
        outcome = f"AUROC {row['metrics']['auroc']:.3f}" if "metrics" in row else row["error"]
        typer.echo(f"{done}/{total} {what}: {outcome}")
        if mine and (standing := ranking.so_far(mine, rows.read(path_of(mine.name, folder)), budget)):  # type: ignore[arg-type]
            typer.echo(standing)

    end = time.monotonic() + 3600 * hours if hours is not None else None
    try:
        for entry in chosen:
            todo = tasks(
                entry,
                labels=_split(methods) or None,
                classes=_split(classes) or None,
                seeds=seeds,
                budget=budget,  # type: ignore[arg-type]
                data_dir=data_dir,
                device=device,
            )
            run(
                todo,
                folder,
                workers=workers,
                hours=None if end is None else max(0.0, end - time.monotonic()) / 3600,
                retry=retry,
                on_row=show,
            )
    except KeyboardInterrupt as stop:
        raise Interrupted(f"interrupted; {folder} keeps the finished rows, and the same command goes on") from stop
    if mine is None or samples is None:
        return
    places = ranking.ranking(mine, rows.read(path_of(mine.name, folder)), budget)  # type: ignore[arg-type]
    if places:
        typer.echo("\n".join(["", *ranking.printed(places), "", ranking.verdict(places)]))
    for path in write(folder, folder, mine):
        typer.echo(f"wrote {path}")
    _end(samples, skip_bad)


@app.command()
@reports_errors
def tables(
    results: Annotated[Path, typer.Option(help="Folder of the rows.")] = Path("benchmarks/results"),
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for TABLES.md and tables.html.")] = Path(
        "benchmarks"
    ),
) -> None:
    """Print what was measured beside what was published, as Markdown and as a page."""
    from .bench import write

    if not any(results.glob("*.jsonl")):
        raise InputError(f"{results}: no rows in this folder; ganad bench writes them")
    for path in write(results, out):
        typer.echo(f"wrote {path}")


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if show:
        typer.echo(__version__)
        raise typer.Exit


# -- what the commands share ------------------------------------------------------------------------------


def find_method(name: str) -> type[Detector]:
    """The detector called ``name``, whatever its case and dashes; InputError with the nearest names otherwise."""
    import difflib

    from .methods import DETECTORS
    from .settings import command_name

    def plain(text: str) -> str:
        return text.replace("-", "").replace("_", "").lower()

    for detector in DETECTORS:
        if plain(detector.__name__) == plain(name):
            return detector
    names = [command_name(d) for d in DETECTORS]
    near = difflib.get_close_matches(name.lower(), names, 3) or sorted(names)
    raise InputError(f"no method {name!r}; did you mean {', '.join(near)}? (ganad methods lists all)")


def make_detector(method: str, preset: str | None, options: dict[str, str]) -> Detector:
    """A detector with the preset's settings and those given as text."""
    from .settings import parse

    cls = find_method(method)
    settings = parse(cls, options)
    detector = cls.preset(preset, **settings) if preset else cls(**settings)
    detector.check_settings()
    return detector


def check_place(path: Path, what: str, *others: str | Path) -> None:
    """Raise InputError, before any work is done, where ``path`` cannot be written or is one of the ``others``."""
    if not path.parent.is_dir():
        raise InputError(f"{path.parent}: no such folder for the {what}; make it first")
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it for the {what}")
    if path.resolve() in [Path(other).resolve() for other in others]:
        raise InputError(f"{path}: the {what} would take the place of another file of this command; name a new one")


def load(name: str, data_dir: Path | None, **options: Any) -> Samples:
    """Read samples with a progress bar."""
    from . import data
    from .progress import Bar

    given = {k: v for k, v in options.items() if v not in (None, False, ())}
    with Bar("reading") as bar:
        return data.load(name, data_dir=data_dir, progress=bar.update, **given)


def only_normal(samples: Samples, normal: str | None, anomaly: str | None) -> Samples:
    """The samples to train on: those of the normal classes, or all when no class is named."""
    from .data import choose_normal

    if normal is None and anomaly is None:
        return samples
    return samples.subset(choose_normal(samples, normal=_split(normal) or None, anomaly=_split(anomaly) or None))


#: Share of the samples that a false-alarm rate holds out.
HELD_OUT = 0.2


def read_like_training(
    detector: Detector, data: str, data_dir: Path | None, label: str | None, split: str | None
) -> Iterator[Samples]:
    """The samples of ``data`` as the model was trained on them; a table file comes in parts, whatever its size."""
    from .data import TABLES, iter_table

    source = getattr(detector, "source_", None)
    path = Path(data)
    if source and source["kind"] == "table" and path.is_file() and path.suffix.lower() in TABLES:
        yield from iter_table(path, source, label=label)
    else:
        yield load(data, data_dir, label=label, split=split or "test", source=source)


def joined(parts: list[tuple[Samples, np.ndarray, np.ndarray | None]]) -> tuple[Samples, np.ndarray, np.ndarray | None]:
    """All parts as one; labels only if they name both normal samples and anomalies."""
    import numpy as np

    from .data import Samples

    first = parts[0][0]
    scores = np.concatenate([scores for _, scores, _ in parts])
    names = [name for samples, _, _ in parts for name in samples.names or ()]
    x = first.x if len(parts) == 1 else np.concatenate([samples.x for samples, _, _ in parts])
    known = [labels for _, _, labels in parts if labels is not None]
    labels = np.concatenate(known) if len(known) == len(parts) else None
    if labels is not None and not {0, 1} <= set(labels.tolist()):
        labels = None
    return Samples(x, None, names, first.columns, first.unreadable, first.source), scores, labels


def labels_of(samples: Samples, normal: str | None, anomaly: str | None) -> np.ndarray | None:
    """1 for anomalies, 0 for normal samples, -1 for those of a class in neither list where both are given."""
    import numpy as np

    if samples.y is None or (normal is None and anomaly is None):
        return None
    # a part of a table need not hold every class, so an unknown one is no error here
    classes = samples.y.astype(str)
    is_normal, is_anomaly = np.isin(classes, _split(normal)), np.isin(classes, _split(anomaly))
    if normal is None:
        is_normal = ~is_anomaly
    elif anomaly is None:
        is_anomaly = ~is_normal
    return np.where(is_anomaly, 1, np.where(is_normal, 0, -1))


def unnamed(classes: set[str], normal: str | None, anomaly: str | None) -> list[str]:
    """The classes in neither list, where both are given; InputError for a named class that does not occur."""
    import numpy as np

    from .data import Samples, choose_normal

    if normal is None and anomaly is None:
        return []
    y = np.array(sorted(classes)) if classes else None
    choose_normal(Samples(np.empty(0), y), normal=_split(normal), anomaly=_split(anomaly))
    return sorted(classes - {*_split(normal), *_split(anomaly)}) if normal and anomaly else []


class ScoreFile:
    """scores.csv or scores.parquet, written part by part and put in place when it is complete.

    With ``fdr`` the rows wait for the last part, because a selection depends on all p-values.
    """

    def __init__(self, path: Path, fdr: float | None = None):
        if path.suffix not in (".csv", ".parquet"):
            raise InputError(f"{path}: scores are written as .csv or .parquet; use one of these endings")
        if fdr is not None and not 0 < fdr < 1:
            raise InputError(f"--fdr {fdr:g} must lie between 0 and 1")
        self.path, self.temporary = path, path.with_name(f".{path.name}.tmp")
        self.fdr, self.calibrated_on, self.selected = fdr, 0, 0
        self.writer: Any = None
        self.waiting: list[Any] = []

    def __enter__(self) -> ScoreFile:
        return self

    def add(self, samples: Samples, scores: np.ndarray, detector: Detector, labels: np.ndarray | None) -> None:
        """A row a sample: name, score, p-value of a calibrated model, verdict, and the label where it is known."""
        import numpy as np
        import pyarrow

        from . import calibrate

        names = samples.names or [str(i) for i in range(len(scores))]
        columns: dict[str, Any] = {"name": names, "score": scores}
        if hasattr(detector, "calibration_"):
            self.calibrated_on = len(detector.calibration_)
            columns["p_value"] = calibrate.p_values(scores, detector.calibration_)
        columns["verdict"] = np.where(scores > detector.threshold_, "anomaly", "normal")
        if labels is not None:
            columns["label"] = pyarrow.array(labels, mask=labels < 0)
        table = pyarrow.table(columns)
        if self.fdr is None:
            self.write(table)
        else:
            self.waiting.append(table)

    def write(self, table: Any) -> None:
        import pyarrow.compute
        import pyarrow.csv
        import pyarrow.parquet

        is_csv = self.path.suffix == ".csv"
        if is_csv:  # a spreadsheet would run a file's name that looks like a formula
            names = pyarrow.compute.replace_substring_regex(table["name"], r"^([=+\-@\t\r])", r"'\1")
            table = table.set_column(0, "name", names)
        if self.writer is None:
            kind = pyarrow.csv.CSVWriter if is_csv else pyarrow.parquet.ParquetWriter
            self.writer = kind(self.temporary, table.schema)
        self.writer.write_table(table)

    def write_selected(self, fdr: float) -> None:
        """The rows that waited, with the column ``selected``."""
        import warnings

        import pyarrow

        from . import calibrate

        table = pyarrow.concat_tables(self.waiting)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", calibrate.SmallCalibrationSet)
            chosen = calibrate.select(table["p_value"].to_numpy(), fdr, self.calibrated_on)
        for warning in caught:
            typer.echo(f"ganad: {warning.message}", err=True)
        self.selected = int(chosen.sum())
        self.write(table.append_column("selected", pyarrow.array(chosen)))

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        try:
            if kind is None and self.fdr is not None:
                self.write_selected(self.fdr)
        finally:
            if self.writer is not None:
                self.writer.close()
        if kind is None:
            self.temporary.replace(self.path)
        else:
            self.temporary.unlink(missing_ok=True)


def write_report(
    path: Path,
    detector: Detector,
    samples: Samples,
    scores: np.ndarray,
    labels: np.ndarray | None,
    model: str,
    data: str,
) -> None:
    """The HTML page of one scoring run."""
    import numpy as np

    from . import calibrate, report
    from .persist import versions

    is_image = samples.x.ndim > 2
    shown = report.shown(scores, detector.threshold_)
    maps = detector.explain(samples.x[shown]) if is_image else np.empty(0)
    redrawn = optional(lambda: detector.reconstruct(samples.x[shown])) if is_image else None
    codes = optional(lambda: detector.encode(samples.x))
    calibrated = hasattr(detector, "calibration_")
    report.write(
        path,
        scores=scores,
        names=samples.names or [str(i) for i in range(len(scores))],
        threshold=detector.threshold_,
        labels=labels,
        images=samples.x if is_image else None,
        rows=None if is_image else samples.x,
        columns=None if is_image else samples.columns,
        heatmaps={i: part for i, part in zip(shown.tolist(), maps) if part.any()},  # a forest's says nothing
        reconstructions=None if redrawn is None else dict(zip(shown.tolist(), redrawn)),
        p_values=calibrate.p_values(scores, detector.calibration_) if calibrated else None,
        calibration=detector.calibration_ if calibrated else None,
        history=detector.history_,
        settings=detector.get_params(),
        method=type(detector).__name__,
        model_info={"model": model, **{k: v for k, v in versions().items() if k in ("ganad", "torch")}},
        data_info={"data": data},
        codes=codes,
        clusters=None if codes is None else optional(lambda: detector.mixture_.predict(codes)),
        generated=optional(lambda: as_pictures(detector.sample(GENERATED, random_state=0))) if is_image else None,
        unreadable=samples.unreadable,
    )


#: Generated samples in a report.
GENERATED = 16


def optional(make: Callable[[], Any]) -> Any:
    """What a detector makes, or None where its method has no such part."""
    try:
        return make()
    except AttributeError:
        return None


def as_pictures(x: np.ndarray) -> np.ndarray:
    """Drawn images as 8-bit pixels."""
    pixels = x.clip(0, 255).round().astype("uint8")
    return pixels[..., 0] if pixels.ndim == 4 and pixels.shape[-1] == 1 else pixels


def remove_checkpoint(folder: Path) -> None:
    """Delete the checkpoint of a fit that is done."""
    for file in folder.glob("*.safetensors"):
        file.unlink()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _seconds(detector: Detector) -> dict[str, float]:
    """Training time by stage; the clock of a stage runs through its epochs."""
    return {row["stage"]: row["seconds"] for row in detector.history_}


def _split(text: str | None) -> tuple[str, ...]:
    """The parts between commas; a part with a comma stands in double quotes, as in a CSV file."""
    return tuple(part.strip() for part in next(csv.reader([text], skipinitialspace=True))) if text else ()


def _end(samples: Samples, skip_bad: bool = False) -> None:
    """List what could not be read, and say so with the exit code."""
    if not samples.unreadable:
        return
    count = len(samples.unreadable)
    typer.echo(f"{count:,} input{'s' * (count != 1)} could not be read:", err=True)
    for bad in samples.unreadable:
        typer.echo(f"  {bad.path}: {bad.reason}", err=True)
    if not skip_bad:
        raise typer.Exit(3)


def split_settings(arguments: list[str]) -> tuple[list[str], dict[str, str]]:
    """Take a method's settings, ``--name value`` or ``--name=value``, out of the arguments of ``fit``."""
    own = {"--help", "-h", "-o"}
    command = next(c for c in typer.main.get_command(app).commands.values() if c.name == "fit")  # type: ignore[attr-defined]
    for parameter in command.params:
        own.update([*parameter.opts, *parameter.secondary_opts])
    rest, settings = [], {}
    waiting = list(arguments)
    while waiting:
        token = waiting.pop(0)
        name, equals, value = token.partition("=")
        if not token.startswith("--") or name in own or token == "--":
            rest.append(token)
            continue
        if not equals:
            value = waiting.pop(0) if waiting and not waiting[0].startswith("--") else "true"
        settings[name.removeprefix("--")] = value
    return rest, settings


def main() -> None:
    """Entry point of the ``ganad`` command; what the library logs, such as a fit to a part of the data, is shown."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("ganad").setLevel(logging.INFO)
    arguments, settings = sys.argv[1:], dict[str, str]()
    if arguments[:1] == ["fit"]:
        arguments, settings = split_settings(arguments)
    app(args=arguments, obj=settings)


if __name__ == "__main__":
    main()
