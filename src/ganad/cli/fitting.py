"""What ``ganad fit`` does once its options are read: a detector, its samples, the fit, the model file."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import typer

from ..display import shown
from ..errors import InputError, UntrustedFit
from ..progress import Bar, one_clock
from .continuing import Parent, comparison, refuse_known, sets_of, to_continue
from .making import make_detector
from .options import list_unreadable, read
from .photos import PhotoOptions

if TYPE_CHECKING:
    from ..data import Samples
    from ..detector import Detector, NetworkDetector

DEFAULT = "auto"
#: Share of the samples that a false-alarm rate holds out.
HELD_OUT = 0.2


@dataclasses.dataclass
class Asked:
    """What a command asks for, in groups."""

    data: str
    output: Path
    method: str
    preset: str | None
    given: dict[str, str]  #: settings of the method, as text
    classes: tuple[tuple[str, ...], tuple[str, ...]]  #: normal and anomalous ones
    old_classes: tuple[tuple[str, ...], tuple[str, ...]]  #: those of the old data
    false_alarm_rate: float | None
    resume: bool
    parent: Path | None  #: the model to continue
    old_data: str | None
    how: dict[str, Any]  #: how the data are read, old and new ones
    form: dict[str, Any]  #: how training data are read; a model that is continued says it itself
    photos: PhotoOptions
    data_dir: Path | None
    log_dir: Path | None


@one_clock()
def run(asked: Asked) -> None:
    """Fit and save; of several processes that fit together the first one saves and speaks."""
    from ..data.labels import only_normal
    from ..training import joined

    _check(asked)
    parent = _parent(asked) if asked.parent else None
    detector = parent.heir(asked.given) if parent else _new(asked)
    samples = _samples(asked)
    old = asked.old_data and only_normal(_read_old(asked.old_data, asked), *asked.old_classes)
    with joined() as place:
        _fit_and_save(detector, samples, asked, parent)
    if not place.leads:
        return
    if parent:
        sets = sets_of(samples, asked.false_alarm_rate, HELD_OUT, old or None)
        typer.echo(comparison(parent.detector, detector, sets))
    list_unreadable(samples)


def _check(asked: Asked) -> None:
    """Raise InputError for what cannot work, before anything is read."""
    rate = asked.false_alarm_rate
    if rate is not None and not 0 < rate < 1:
        raise InputError(f"--false-alarm-rate {rate:g} must lie between 0 and 1; 0.01 is one in a hundred")


def _new(asked: Asked) -> Detector:
    """A detector that has learnt nothing yet."""
    if asked.old_data is not None:
        raise InputError("--old-data is for --continue; give the model to go on with as well")
    method, given, photos = asked.method, asked.given, asked.photos
    photos.refuse_for_tables(asked.data)
    if method == DEFAULT and asked.preset is None and asked.form["size"] is None:
        method, chosen, photos = photos.chosen(asked.data, asked.how["follow_links"])
        given = chosen | given
    asked.how |= asked.form | dict(own_size=photos.own_size, least=photos.least)
    return photos.of_photos(make_detector(method, asked.preset, given))


def _parent(asked: Asked) -> Parent:
    """The model to continue, which says how its data are read."""
    assert asked.parent is not None
    others = dict(method=asked.method != DEFAULT, preset=asked.preset) | asked.form | dataclasses.asdict(asked.photos)
    refuse_known({f"--{k.replace('_', '-')}": v for k, v in others.items()})
    parent = to_continue(asked.parent)
    asked.how |= dict(source=parent.detector.source_)
    if asked.false_alarm_rate is None:
        asked.false_alarm_rate = getattr(parent.detector, "false_alarm_rate_", None)
    return parent


def _read_old(data: str, asked: Asked) -> Samples:
    """The data of before, like the new ones; the query is the new ones' own where these are no database."""
    from ..data.queries import takes_query

    how = asked.how if takes_query(data) else asked.how | dict(query=None)
    return read(data, asked.data_dir, split="train", **how)


def _samples(asked: Asked) -> Samples:
    """The normal samples; a table larger than memory as a mapped file."""
    from ..data.labels import only_normal
    from ..data.large_table import is_large, load_large
    from ..data.reading import refuse_for_tables
    from ..data.table_options import TableOptions

    if asked.parent or asked.form["impute"] or not is_large(asked.data):
        return only_normal(read(asked.data, asked.data_dir, split="train", **asked.how), *asked.classes)
    normal, anomaly = asked.classes
    said = asked.how | asked.form
    refuse_for_tables(asked.data, {name: said[name] for name in ("size", "mode", "depth")})
    table = {name: said[name] for name in TableOptions.__annotations__ if name in said}
    with Bar("reading") as bar:
        return load_large(asked.data, normal=normal, anomaly=anomaly, progress=bar.update, **table)


def checkpoint_of(output: Path) -> Path:
    return output.with_name(output.name + ".ckpt")


def _fit_and_save(detector: Detector, samples: Samples, asked: Asked, parent: Parent | None) -> None:
    """Fit, or go on with a fit, and write what came of it."""
    import numpy as np

    from ..calibrate import SmallCalibrationSet, hold_out
    from ..data import described
    from ..data.description import reread
    from ..data.image_account import squeezed
    from ..data.table import known_to
    from ..logs import SHOWN, MetricsFile, TensorBoard
    from ..training import Checkpoint, ranks

    output, false_alarm_rate = asked.output, asked.false_alarm_rate
    metrics = output.with_name(output.name + ".metrics.jsonl")
    checkpoint = checkpoint_of(output)
    rows, held_out, share = np.arange(len(samples.x)), np.empty(0), None
    if false_alarm_rate is not None:
        share = HELD_OUT
        rows, held_out = hold_out(len(samples.x), share, false_alarm_rate)
        samples = known_to(samples, rows)  # what is watched and told is as the fit sees it
    leads = ranks().leads
    if leads and parent is None and asked.form["size"] is None and (words := squeezed(samples.source)):
        typer.echo(f"ganad: {words}", err=True)
    if leads:
        _tell_of(checkpoint, asked.resume)
    watchers: list[Callable[[Detector], None]] = [MetricsFile(metrics)] if leads else []
    if asked.log_dir is not None and leads:
        shown = samples.x[rows[:SHOWN]] if isinstance(samples.x, np.ndarray) else np.empty((0, 1))  # photos differ
        watchers.append(TensorBoard(asked.log_dir / output.stem, shown))

    def on_epoch(detector: Detector) -> None:
        for watch in watchers:
            watch(detector)

    began = time.monotonic()
    with warnings.catch_warnings():
        for said in (UntrustedFit, SmallCalibrationSet):  # by a line of the output
            warnings.simplefilter("ignore", said)
        learn = detector.fit if parent is None else cast("NetworkDetector", detector).continue_fit
        learn(
            samples if isinstance(samples.x, np.ndarray) else samples.x,  # photos differ in size
            checkpoint=checkpoint,
            resume=asked.resume,
            on_epoch=on_epoch,
            hold_out=share,
            false_alarm_rate=false_alarm_rate,
        )
    seconds = time.monotonic() - began
    if not leads:
        return
    watchers[0](detector)  # also where no epoch was left to train, or the method has none
    detector.remember_source(samples.source, samples.columns)
    if parent is not None:
        detector.parent_ = parent.sha256
    output = saved(detector, output)
    Checkpoint.remove_folder(checkpoint)
    typer.echo(f"{type(detector).__name__}: {len(rows):,} normal samples, in {_in_words(seconds)}")
    _tell(detector, len(rows), len(held_out), asked)
    typer.echo(f"model     {output}")
    typer.echo(f"metrics   {metrics}")
    for line in described(reread(samples, asked.data) if parent else samples.source):
        typer.echo(line)


def _tell_of(checkpoint: Path, resume: bool) -> None:
    """One line where the user may not expect what becomes of a checkpoint."""
    from ..training import Checkpoint

    kept = Checkpoint.is_kept(checkpoint)
    if resume and not kept:
        typer.echo(f"ganad: {checkpoint}: no checkpoint to resume from; the fit starts from the beginning", err=True)
    if kept and not resume:
        typer.echo(
            f"ganad: there was a checkpoint of an interrupted fit in {checkpoint}; it is replaced (--resume would have "
            "gone on from it)",
            err=True,
        )


def _tell(detector: Detector, trained: int, held_out: int, asked: Asked) -> None:
    """Threshold and self-test."""
    import numpy as np

    from ..calibrate import endless, of_few

    share, unlearnt = f"{100 * detector.contamination:g} %", detector.count_unlearnt(trained)
    rule = f"{share} of {'samples it had not learnt' if unlearnt else 'these samples'} lie above"
    if 0 < unlearnt < 1 / (detector.contamination or 1):
        rule = f"of {unlearnt} samples it had not learnt, too few to show {share}: more new ones lie above"
    rule += "; --false-alarm-rate bounds it for new ones"
    if asked.false_alarm_rate is not None:
        rule = f"at most {100 * asked.false_alarm_rate:g} % false alarms, calibrated on {held_out:,} held-out samples"
    typer.echo(f"threshold {detector.threshold_:.6g} ({rule})")
    if asked.false_alarm_rate is not None and (few := of_few(held_out, asked.false_alarm_rate)):
        typer.echo(f"few       {few}")
    if words := endless(detector.threshold_, getattr(detector, "calibration_", np.empty(0))):
        typer.echo(f"untrusted {words}")
    typer.echo(f"{'self-test' if detector.self_test_.trusted else 'untrusted'} {detector.self_test_}")


def _in_words(seconds: float) -> str:
    """A time of which a person wants to know how long it felt."""
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def saved(detector: Detector, output: Path) -> Path:
    """Where the model is: in ``output``, or where there is room if that cannot be written, for a fit may cost days."""
    try:
        detector.save(output)
        return output
    except OSError as error:
        typer.echo(f"ganad: {shown(str(error), 500)}; the model is written elsewhere, move it", err=True)
        failure = error
    for folder in (Path.cwd(), Path.home(), Path(tempfile.gettempdir())):
        place = folder / f"{output.stem}-{os.getpid()}{output.suffix}"
        with contextlib.suppress(OSError):
            detector.save(place)
            return place
    checkpoint = output.with_name(output.name + ".ckpt")
    raise InputError(
        f"{failure}, nor is there room in the working, home and temporary folders; make room, then fit again with "
        f"--resume, which continues from {checkpoint}"
    ) from failure
