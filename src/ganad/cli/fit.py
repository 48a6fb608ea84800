"""``ganad fit``: learn what is normal and save the model."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import itertools
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from .. import registry, settings
from ..display import shown
from ..errors import InputError, UntrustedFit
from . import on_cluster
from .continuing import Continue, OldData, comparison, prepared, sets_of, to_continue
from .layouts import training_folder
from .options import (
    Address,
    Anomalies,
    Classes,
    Data,
    DataDir,
    Dates,
    DayFirst,
    Decimal,
    Drop,
    EngineName,
    FollowLinks,
    GpusPerWorker,
    Impute,
    Label,
    Missing,
    Query,
    Thousands,
    Unknown,
    Workers,
    check_place,
    complete_method,
    engine_of,
    list_unreadable,
    read,
    reports_errors,
    split,
)
from .photos import (
    AugmentOption,
    BackboneOption,
    ChooseOption,
    CropOption,
    EmbedOption,
    MaskOutOption,
    MaxRegions,
    PhotoOptions,
    PoolOption,
    TilesOption,
    WholeOption,
)

if TYPE_CHECKING:
    from ..data import Samples
    from ..detector import Detector, NetworkDetector

DEFAULT = "auto"
#: Share of the samples that a false-alarm rate holds out.
HELD_OUT = 0.2


def fit_for(arguments: list[str]) -> Callable[..., None]:
    """``fit`` with the settings of the method that ``arguments`` choose as options, parsed by their own types.

    A setting that has the name of an option of ``fit`` itself is given by ``--set name=value``. Raises InputError for
    an unknown method, and for an option that neither ``fit`` nor the method has.
    """
    name = next(reversed(values_of("--method", arguments)), None)
    model = next(reversed(values_of("--continue", arguments)), None)
    if name is None and {"--help", "-h"} & set(arguments):
        return fit  # without the seconds that it takes to import a method
    cls = registry.get((name or DEFAULT).partition(":")[0]) if model is None else type(to_continue(Path(model)))
    signature = inspect.signature(fit, eval_str=True)
    own = {o for p in signature.parameters.values() for o in _options(p)} | {"--help", "--set", "--output", "--log-dir"}
    extra = [s for s in settings.describe(cls) if f"--{s.option}" not in own and not s.is_object]
    known = own | {option for setting in extra for option in (f"--{setting.option}", f"--no-{setting.option}")}
    for token in arguments[arguments.index("fit") + 1 :]:  # what stands before it is for all commands
        option = token.partition("=")[0]
        if option.startswith("--") and option not in known:
            settings.parse(cls, {option.removeprefix("--"): ""})  # refuses it in its words

    @functools.wraps(fit)
    def with_settings(context: typer.Context, **given: Any) -> None:
        context.obj = {s.option: str(value) for s in extra if (value := given.pop(s.name)) is not None}
        fit(context, **given)

    parameters = [*signature.parameters.values(), *(_parameter(s, registry.name_of(cls)) for s in extra)]
    with_settings.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_settings.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_settings


def values_of(option: str, arguments: list[str]) -> list[str]:
    """The values of ``--option value`` and ``--option=value`` among arguments that are not parsed yet."""
    after = [b for a, b in itertools.pairwise(arguments) if a == option]
    return after + [token.partition("=")[2] for token in arguments if token.startswith(f"{option}=")]


def _options(parameter: inspect.Parameter) -> list[str]:
    name = parameter.name.strip("_").replace("_", "-")
    return [f"--{name}", f"--no-{name}"]


def _parameter(setting: settings.Setting, method: str) -> inspect.Parameter:
    """A setting as a parameter of a command: text, so that the setting's own parser reads it, or a flag."""
    kind = bool | None if setting.kind == "true or false" else str | None
    option = typer.Option(
        f"--{setting.option}/--no-{setting.option}" if kind == bool | None else f"--{setting.option}",
        help=f"{setting.comment} [default: {setting.default}]",
        metavar=None if kind == bool | None else "VALUE",
        rich_help_panel=f"Settings of {method}",
        show_default=False,
    )
    annotation = Annotated[kind, option]  # type: ignore[valid-type]
    return inspect.Parameter(setting.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


@reports_errors
def fit(
    context: typer.Context,
    data: Data,
    output: Annotated[Path, typer.Option("--output", "-o", help="The model file to write.")],
    method: Annotated[str, typer.Option(help="See: ganad methods", autocompletion=complete_method)] = DEFAULT,
    preset: Annotated[str | None, typer.Option(help="Published settings, such as mnist.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the method; repeatable.")
    ] = None,
    normal: Classes = None,
    anomaly: Anomalies = None,
    false_alarm_rate: Annotated[
        float | None, typer.Option(help="Hold a fifth of the samples out and set the threshold to keep this rate.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted fit of this model.")] = False,
    continue_: Continue = None,
    old_data: OldData = None,
    label: Label = None,
    drop: Drop = None,
    impute: Impute = False,
    query: Query = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    missing: Missing = None,
    dates: Dates = None,
    day_first: DayFirst = None,
    unknown: Unknown = None,
    size: Annotated[int | None, typer.Option(help="Side in pixels to which images are resized.")] = None,
    mode: Annotated[str | None, typer.Option(help="L for grey, RGB for colour (images).")] = None,
    tiles: TilesOption = None,
    backbone: BackboneOption = None,
    pool: PoolOption = None,
    max_regions: MaxRegions = None,
    whole: WholeOption = False,
    embed_backbone: EmbedOption = False,
    crop: CropOption = None,
    mask_out: MaskOutOption = None,
    augment: AugmentOption = None,
    choose: ChooseOption = None,
    log_dir: Annotated[
        Path | None, typer.Option(help="Write for TensorBoard here, in a subfolder of the model's name.")
    ] = None,
    data_dir: DataDir = None,
    follow_links: FollowLinks = False,
    engine: EngineName = "local",
    workers: Workers = None,
    address: Address = None,
    gpus_per_worker: GpusPerWorker = 0.0,
) -> None:
    """Learn what is normal, and save the model.

    Its losses are saved as JSON lines beside it.
    With --engine ray, or under torchrun, several workers share every batch and come to the same model as one.

    Every setting of the method is an option as well: --epochs 20 --latent-dim 64. See: ganad methods NAME
    """
    from ..data.labels import only_normal
    from ..data.large_table import is_large, load_large
    from ..progress import Bar
    from ..training import joined

    if engine == "local" and workers is not None:
        raise InputError(f"--workers {workers} is for a cluster; add --engine ray, or start with torchrun -m ganad fit")
    if engine != "local":
        on_cluster.fit(engine_of(engine, workers, address, gpus_per_worker), _checkpoint_of(output))
        return
    engine_of(engine, None, address, gpus_per_worker)  # refuses what belongs to a cluster
    given = (context.obj or {}) | dict(_named(text) for text in set_ or ())
    data = training_folder(data, normal or anomaly)
    photos = PhotoOptions(tiles, backbone, pool, max_regions, whole, embed_backbone, crop, mask_out, augment, choose)
    check_place(output, "model", data, *filter(None, [continue_]))
    if false_alarm_rate is not None and not 0 < false_alarm_rate < 1:
        raise InputError(f"--false-alarm-rate {false_alarm_rate:g} must lie between 0 and 1; 0.01 is one in a hundred")
    if resume and not _checkpoint_of(output).is_dir():
        raise InputError(f"{_checkpoint_of(output)}: no checkpoint to resume from; fit without --resume")
    written = dict(decimal=decimal, thousands=thousands, missing=split(missing), day_first=day_first)
    how: dict[str, Any] = written | dict(label=label, query=query, unknown=unknown, follow_links=follow_links)
    form = dict(drop=split(drop), impute=impute, dates=split(dates), size=size, mode=mode)
    detector: Detector
    if continue_ is None:
        if old_data is not None:
            raise InputError("--old-data is for --continue; give the model to go on with as well")
        if method == DEFAULT and preset is None and size is None:
            method, settings_, photos = photos.chosen(data, follow_links)
            given = settings_ | given
        detector = photos.of_photos(make_detector(method, preset, given))
        how |= form | dict(own_size=photos.own_size)
    else:
        chosen = dict(method=method != DEFAULT, preset=preset) | form | dataclasses.asdict(photos)
        detector = prepared(continue_, given, {f"--{k.replace('_', '-')}": v for k, v in chosen.items()})
        how |= dict(source=detector.source_)
        if false_alarm_rate is None:
            false_alarm_rate = getattr(detector, "false_alarm_rate_", None)
    classes = split(normal), split(anomaly)
    if continue_ is None and is_large(data) and not impute:
        with Bar("reading") as bar:
            named = dict(drop=split(drop), normal=classes[0], anomaly=classes[1])
            samples = load_large(data, label=label, **named, progress=bar.update)
    else:
        samples = only_normal(read(data, data_dir, split="train", **how), *classes)
    old = None if old_data is None else only_normal(read(old_data, data_dir, split="train", **how), *classes)
    with joined() as place:
        _fit_and_save(
            detector,
            samples,
            output,
            resume=resume,
            false_alarm_rate=false_alarm_rate,
            log_dir=log_dir,
            parent=continue_,
        )
    if not place.leads:
        return
    if continue_ is not None:
        from ..loading import load

        sets = sets_of(samples, false_alarm_rate, HELD_OUT, old)
        typer.echo(comparison(load(continue_), detector, sets))
    list_unreadable(samples)


def _checkpoint_of(output: Path) -> Path:
    return output.with_name(output.name + ".ckpt")


def _fit_and_save(
    detector: Detector,
    samples: Samples,
    output: Path,
    *,
    resume: bool,
    false_alarm_rate: float | None,
    log_dir: Path | None,
    parent: Path | None = None,
) -> None:
    """Fit, or go on with the fit of the model ``parent``, and write what came of it."""
    import numpy as np

    from ..calibrate import hold_out
    from ..data import described, refill
    from ..files import sha256_of
    from ..logs import SHOWN, MetricsFile, TensorBoard
    from ..training import Checkpoint, ranks

    metrics = output.with_name(output.name + ".metrics.jsonl")
    checkpoint = _checkpoint_of(output)
    rows, held_out, share = np.arange(len(samples.x)), np.empty(0), None
    if false_alarm_rate is not None:
        share = HELD_OUT
        rows, held_out = hold_out(len(samples.x), share, false_alarm_rate)
    samples = refill(samples, rows)  # what an imputed table lacks is filled from the rows that train alone
    leads = ranks().leads
    watchers: list[Callable[[Detector], None]] = [MetricsFile(metrics)] if leads else []
    if log_dir is not None and leads:
        shown = samples.x[rows[:SHOWN]] if isinstance(samples.x, np.ndarray) else np.empty((0, 1))  # photos differ
        watchers.append(TensorBoard(log_dir / output.stem, shown))

    def on_epoch(detector: Detector) -> None:
        for watch in watchers:
            watch(detector)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrustedFit)  # a line of the output says it
        learn = detector.fit if parent is None else cast("NetworkDetector", detector).continue_fit
        learn(
            samples if isinstance(samples.x, np.ndarray) else samples.x,  # photos differ in size
            checkpoint=checkpoint,
            resume=resume,
            on_epoch=on_epoch,
            hold_out=share,
            false_alarm_rate=false_alarm_rate,
        )
    if not leads:
        return
    watchers[0](detector)  # also where no epoch was left to train, or the method has none
    detector.remember_source(samples.source, samples.columns)
    if parent is not None:
        detector.parent_ = sha256_of(parent)
    output = _saved(detector, output)
    Checkpoint.remove_folder(checkpoint)
    seconds = sum({row["stage"]: row["seconds"] for row in detector.history_}.values())  # a stage's clock runs on
    typer.echo(f"{type(detector).__name__}: {len(rows):,} normal samples, {seconds:.1f} s of training")
    rule = f"{100 * detector.contamination:g} % of these samples lie above; --false-alarm-rate bounds it for new ones"
    if false_alarm_rate is not None:
        rule = f"at most {100 * false_alarm_rate:g} % false alarms, calibrated on {len(held_out):,} held-out samples"
    typer.echo(f"threshold {detector.threshold_:.6g} ({rule})")
    if hasattr(detector, "self_test_"):  # photos, which are judged by their regions, have none
        trusted = detector.self_test_.trusted
        typer.echo(f"{'self-test' if trusted else 'untrusted'} {detector.self_test_}")
    typer.echo(f"model     {output}")
    typer.echo(f"metrics   {metrics}")
    for line in described(samples.source):
        typer.echo(line)


def _saved(detector: Detector, output: Path) -> Path:
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


def make_detector(method: str, preset: str | None, options: dict[str, str]) -> Detector:
    """A detector with the preset's settings and those given as text.

    method: a name, or "ensemble:igmm-gan,nearest-neighbor" for a detector that is made of others. Settings of those
    have their names before a dot: ``{"igmm-gan.epochs": "5"}``.
    """
    kind, colon, inner = method.partition(":")
    cls = registry.get(kind)
    chosen = settings.parse(cls, {k: v for k, v in options.items() if "." not in k})
    theirs = {k: v for k, v in options.items() if "." in k}
    if colon:
        chosen |= _made_of(cls, split(inner), theirs)
    elif theirs:
        raise InputError(f"--set {next(iter(theirs))}: {method} is not made of other methods that have settings")
    detector = cls.preset(preset, **chosen) if preset else cls(**chosen)
    detector.check_settings()
    return detector


def _made_of(cls: type[Detector], names: Iterable[str], options: dict[str, str]) -> dict[str, Any]:
    """The setting that holds the detectors ``names``, with their settings as text."""
    from ..ensemble import Combined

    if not issubclass(cls, Combined):
        raise InputError(f"{registry.name_of(cls)} is not made of other methods; ensemble:A,B is")
    own: dict[str, dict[str, str]] = {name: {} for name in names}
    for option, text in options.items():
        member, _, setting = option.partition(".")
        if member not in own:
            raise InputError(f"--set {option}={text}: {member} is not one of {', '.join(own)}")
        own[member][setting] = text
    return cls.made_of([make_detector(name, None, own[name]) for name in names])


def _named(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text}: give a setting and its value, such as --set epochs=20")
    return name.strip().replace("_", "-"), value.strip()
