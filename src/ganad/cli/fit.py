"""``ganad fit``: learn what is normal and save the model."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from .. import registry, settings
from ..errors import InputError
from . import on_cluster
from .continuing import Continue, OldData, to_continue
from .fitting import DEFAULT, Asked, checkpoint_of, run
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
    Depth,
    Drop,
    Encoding,
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
    reports_errors,
    split,
)
from .photos import (
    AugmentOption,
    BackboneOption,
    CellsOption,
    ChooseOption,
    CropOption,
    EmbedOption,
    LayersOption,
    MaskOutOption,
    MaxRegions,
    PhotoOptions,
    PoolOption,
    TilesOption,
    WhitenOption,
    WholeOption,
)

SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the method; repeatable.")
]
FalseAlarmRate = Annotated[
    float | None, typer.Option(help="Hold a fifth of the samples out and set the threshold to keep this rate.")
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue an interrupted fit of this model, if there is one.")]
LogDir = Annotated[Path | None, typer.Option(help="Write for TensorBoard here, in a subfolder of the model's name.")]


def fit_for(arguments: list[str]) -> Callable[..., None]:
    """``fit`` with the settings of the method that its ``arguments`` choose as options, parsed by their own types.

    A setting that has the name of an option of ``fit`` itself is given by ``--set name=value``. Raises InputError for
    an unknown method, and for an option that neither ``fit`` nor the method has.
    """
    name = next(reversed(values_of("--method", arguments)), None)
    model = next(reversed(values_of("--continue", arguments)), None)
    if name is None and {"--help", "-h"} & set(arguments):
        return fit  # without the seconds that it takes to import a method
    cls = (
        registry.get((name or DEFAULT).partition(":")[0]) if model is None else type(to_continue(Path(model)).detector)
    )
    signature = inspect.signature(fit, eval_str=True)
    own = _own_options()
    extra = [s for s in settings.describe(cls) if f"--{s.option}" not in own and not s.is_object]
    known = own | {option for setting in extra for option in (f"--{setting.option}", f"--no-{setting.option}")}
    for token in arguments:
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


def _own_options() -> set[str]:
    """The options of ``fit`` itself, as Typer makes them."""
    app = typer.Typer(add_completion=False)
    app.command()(fit)
    parameters = typer.main.get_command(app).params
    return {"--help", *(option for p in parameters for option in (*p.opts, *p.secondary_opts))}


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
    set_: SetOption = None,
    normal: Classes = None,
    anomaly: Anomalies = None,
    false_alarm_rate: FalseAlarmRate = None,
    resume: Resume = False,
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
    encoding: Encoding = None,
    size: Annotated[int | None, typer.Option(help="Side in pixels to which images are resized.")] = None,
    mode: Annotated[str | None, typer.Option(help="L for grey, RGB for colour (images).")] = None,
    depth: Depth = None,
    tiles: TilesOption = None,
    backbone: BackboneOption = None,
    pool: PoolOption = None,
    max_regions: MaxRegions = None,
    whole: WholeOption = False,
    layers: LayersOption = None,
    cells: CellsOption = None,
    embed_backbone: EmbedOption = False,
    crop: CropOption = None,
    mask_out: MaskOutOption = None,
    augment: AugmentOption = None,
    choose: ChooseOption = None,
    whiten: WhitenOption = None,
    log_dir: LogDir = None,
    data_dir: DataDir = None,
    follow_links: FollowLinks = False,
    engine: EngineName = "local",
    workers: Workers = None,
    address: Address = None,
    gpus_per_worker: GpusPerWorker = 0.0,
) -> None:
    """Learn what is normal, and save the model.

    Its losses are saved as JSON lines beside it. With --engine ray, or under torchrun, several workers share every
    batch and come to the same model as one.

    Every setting of the method is an option as well: --epochs 20 --latent-dim 64. See: ganad methods NAME
    """
    if engine == "local" and workers is not None:
        raise InputError(f"--workers {workers} is for a cluster; add --engine ray, or start with torchrun -m ganad fit")
    if engine != "local":
        on_cluster.fit(engine_of(engine, workers, address, gpus_per_worker), checkpoint_of(output))
        return
    engine_of(engine, None, address, gpus_per_worker)  # refuses what belongs to a cluster
    data, classes = training_folder(data, split(normal), split(anomaly))
    check_place(output, "model", data, *filter(None, [continue_]))
    written = dict(decimal=decimal, thousands=thousands, missing=split(missing), day_first=day_first, encoding=encoding)
    asked = Asked(
        data=data,
        output=output,
        method=method,
        preset=preset,
        given=(context.obj or {}) | dict(_named(text) for text in set_ or ()),
        classes=classes,
        old_classes=(split(normal), split(anomaly)),
        false_alarm_rate=false_alarm_rate,
        resume=resume,
        parent=continue_,
        old_data=old_data,
        how=written | dict(label=label, query=query, unknown=unknown, follow_links=follow_links, depth=depth),
        form=dict(drop=split(drop), impute=impute, dates=split(dates), size=size, mode=mode),
        photos=PhotoOptions(
            tiles=tiles,
            backbone=backbone,
            layers=layers,
            whole=whole,
            cells=cells,
            pool=pool,
            max_regions=max_regions,
            choose=choose,
            whiten=whiten,
            augment=augment,
            crop=crop,
            mask_out=mask_out,
            embed_backbone=embed_backbone,
        ),
        data_dir=data_dir,
        log_dir=log_dir,
    )
    run(asked)


def _named(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InputError(f"--set {text}: give a setting and its value, such as --set epochs=20")
    return name.strip().replace("_", "-"), value.strip()
