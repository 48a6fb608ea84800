"""``ganad export``: a model as a file that runs without ganad."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import ModelFile, check_place, reports_errors


@reports_errors
def export(
    model: ModelFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="The .onnx file to write.")],
) -> None:
    """Write a model as an ONNX file.

    The graph contains the scaling and the threshold. It needs the extra onnx.
    """
    from ..export import export_onnx
    from ..loading import load

    check_place(output, "graph", model)
    export_onnx(load(model, device="cpu"), output)
    typer.echo(f"onnx      {output}")
