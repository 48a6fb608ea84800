"""``ganad fit``: learn what is normal and save the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import click
import typer
from typer.core import TyperCommand, TyperOption

from .. import registry, settings
from ..errors import InputError
from .options import (
    Anomalies,
    Classes,
    Data,
    DataDir,
    Drop,
    Impute,
    Label,
    check_place,
    complete_method,
    list_unreadable,
    read,
    reports_errors,
    split,
)

if TYPE_CHECKING:
    from ..data import Samples
    from ..detector import Detector

DEFAULT = "ganomaly"
#: Share of the samples that a false-alarm rate holds out.
HELD_OUT = 0.2
_GIVEN = "ganad.settings"  # of the context: option -> text


class FitCommand(TyperCommand):
    """Takes the settings of the chosen method as options, parsed by their own types.

    A setting that has the name of an option of ``fit`` itself is given by ``--set name=value``.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        name = _value_of("--method", args)
        wants_help = "--help" in args or "-h" in args
        if not (ctx.resilient_parsing or (wants_help and name is None)):
            reports_errors(lambda: self._add_settings(name or DEFAULT))()
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            cls = registry.get(name or DEFAULT)
            reports_errors(lambda: _refuse(cls, error.option_name))()
            raise

    def _add_settings(self, name: str) -> None:
        cls = registry.get(name)
        own = {option for p in self.params for option in (*p.opts, *p.secondary_opts)}
        for setting in settings.describe(cls):
            option = f"--{setting.option}"
            if option not in own:
                self.params.append(_as_option(setting, registry.name_of(cls)))


def _value_of(option: str, args: list[str]) -> str | None:
    """The value of ``--option value`` or ``--option=value`` among arguments that are not parsed yet."""
    for i, token in enumerate(args):
        if token == option and i + 1 < len(args):
            return args[i + 1]
        if token.startswith(f"{option}="):
            return token.partition("=")[2]
    return None


def _as_option(setting: settings.Setting, method: str) -> TyperOption:
    is_flag = setting.kind == "true or false"

    def keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
        if value is not None:
            ctx.meta.setdefault(_GIVEN, {})[setting.option] = str(value).lower() if is_flag else value

    return TyperOption(
        param_decls=[f"--{setting.option}/--no-{setting.option}" if is_flag else f"--{setting.option}"],
        type=click.BOOL if is_flag else click.STRING,
        is_flag=is_flag,
        default=None,
        expose_value=False,
        callback=keep,
        metavar=None if is_flag else setting.kind.upper() if " " not in setting.kind else "VALUE",
        help=f"{setting.comment} [default: {setting.default}]",
        rich_help_panel=f"Settings of {method}",
    )


def _refuse(cls: type[Detector], option: str) -> None:
    """Raise InputError for an option that neither ``fit`` nor the method has."""
    settings.parse(cls, {option.removeprefix("--"): ""})


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
    label: Label = None,
    drop: Drop = None,
    impute: Impute = False,
    size: Annotated[int | None, typer.Option(help="Side in pixels to which images are resized.")] = None,
    mode: Annotated[str | None, typer.Option(help="L for grey, RGB for colour (images).")] = None,
    log_dir: Annotated[
        Path | None, typer.Option(help="Write for TensorBoard here, in a subfolder of the model's name.")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Learn what is normal and save the model, and its losses as JSON lines beside it.

    Every setting of the method is an option as well: --epochs 20 --latent-dim 64. They are listed by: ganad methods NAME
    """
    from ..data.labels import only_normal

    given = context.meta.get(_GIVEN, {}) | dict(_named(text) for text in set_ or ())
    detector = make_detector(method, preset, given)
    check_place(output, "model", data)
    if false_alarm_rate is not None and not 0 < false_alarm_rate < 1:
        raise InputError(f"--false-alarm-rate {false_alarm_rate:g} must lie between 0 and 1; 0.01 is one in a hundred")
    samples = read(data, data_dir, split="train", label=label, drop=split(drop), impute=impute, size=size, mode=mode)
    samples = only_normal(samples, split(normal), split(anomaly))
    _fit_and_save(detector, samples, output, resume=resume, false_alarm_rate=false_alarm_rate, log_dir=log_dir)
    list_unreadable(samples)


def _fit_and_save(
    detector: Detector,
    samples: Samples,
    output: Path,
    *,
    resume: bool,
    false_alarm_rate: float | None,
    log_dir: Path | None,
) -> None:
    import numpy as np

    from ..calibrate import hold_out
    from ..data import refill
    from ..logs import SHOWN, MetricsFile, TensorBoard
    from ..training import Checkpoint

    checkpoint = output.with_name(output.name + ".ckpt")
    metrics = output.with_name(output.name + ".metrics.jsonl")
    if resume and not checkpoint.is_dir():
        raise InputError(f"{checkpoint}: no checkpoint to resume from; fit without --resume")
    rows, held_out, share = np.arange(len(samples.x)), np.empty(0), None
    if false_alarm_rate is not None:
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
        samples.x,
        checkpoint=checkpoint,
        resume=resume,
        on_epoch=on_epoch,
        hold_out=share,
        false_alarm_rate=false_alarm_rate,
    )
    log(detector)  # also where no epoch was left to train, or the method has none
    detector.remember_source(samples.source, samples.columns)
    detector.save(output)
    Checkpoint.remove_folder(checkpoint)
    seconds = sum({row["stage"]: row["seconds"] for row in detector.history_}.values())  # a stage's clock runs on
    typer.echo(f"{type(detector).__name__}: {len(rows):,} normal samples, {seconds:.1f} s of training")
    rule = f"{100 * detector.contamination:g} % of these samples lie above; --false-alarm-rate bounds it for new ones"
    if false_alarm_rate is not None:
        rule = f"at most {100 * false_alarm_rate:g} % false alarms, calibrated on {len(held_out):,} held-out samples"
    typer.echo(f"threshold {detector.threshold_:.6g} ({rule})")
    typer.echo(f"model     {output}")
    typer.echo(f"metrics   {metrics}")


def make_detector(method: str, preset: str | None, options: dict[str, str]) -> Detector:
    """A detector with the preset's settings and those given as text."""
    cls = registry.get(method)
    chosen = settings.parse(cls, options)
    detector = cls.preset(preset, **chosen) if preset else cls(**chosen)
    detector.check_settings()
    return detector


def _named(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text}: give a setting and its value, such as --set epochs=20")
    return name.strip().replace("_", "-"), value.strip()
