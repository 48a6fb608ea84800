"""``ganad export``: a model as a file that runs without ganad."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .options import ModelFile, check_place, reports_errors


@reports_errors
def export(
    model: ModelFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="The .onnx file to write.")],
    photo_size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Width and height of the photos, for a model of their regions.")
    ] = None,
) -> None:
    """Write a model as an ONNX file.

    The graph contains the scaling and the threshold. It needs the extra onnx.
    """
    from ..export import export_onnx
    from ..loading import load

    check_place(output, "graph", model)
    export_onnx(load(model, device="cpu"), output, photo_shape=_shape(photo_size))
    typer.echo(f"onnx      {output}")


def _shape(size: str | None) -> tuple[int, int] | None:
    """Height and width of "WxH"."""
    if size is None:
        return None
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", size)
    if not found:
        raise InputError(f"--photo-size {size}: give width and height in pixels, such as 640x480")
    return int(found[2]), int(found[1])
