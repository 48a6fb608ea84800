"""A fitted detector as one ONNX file, with scaling, score and threshold in the graph. It runs without ganad."""

from __future__ import annotations

import json
import logging
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from . import files
from .atomic import replacing
from .detector import Detector, frozen
from .errors import InputError, MissingExtra
from .photos import Regions
from .photos.graph import PhotoScorer


class _Scorer(nn.Module):
    """The computation of the file: from the user's numbers to score and verdict."""

    def __init__(self, detector: Detector):
        super().__init__()
        self.detector, self.nets = detector, detector.nets_

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        score = self.detector.score_batch(self.detector.input_.to_network(x)).float()
        return score, ~(score <= self.detector.threshold_)  # NaN is no good sign


def export_onnx(detector: Detector, path: str | Path, *, photo_shape: tuple[int, int] | None = None) -> None:
    """Write ``detector`` to an ONNX file.

    Input ``x``: float32, ``(n, d)`` for tables or ``(n, H, W[, C])`` for images in the units of the training data
    (0 to 255 for 8-bit images), any n. Outputs ``score`` ``(n,)`` float32 and ``is_anomaly`` ``(n,)`` bool. The
    metadata entry ``ganad`` holds as JSON what a user of the file needs: class, settings, threshold and versions, kind
    ("table", "images" or "photos"), the columns in their order, and the range of the pixels; null where it is unknown.

    photo_shape: height and width of the photos that a file of ``photos.Regions`` is for; its n is 1, and a third output
    ``map`` ``(rows, columns)`` has the scores of the regions, NaN outside the part that is looked at.

    Raises InputError for a method whose score is no forward pass or cannot be traced and for a ``photo_shape`` that is
    missing or of no use, NotSupported where the regions' detector cannot be exported, MissingExtra without the extra
    ``onnx``.
    """
    if isinstance(detector, Regions):
        check_is_fitted(detector, "inner_")
        if photo_shape is None:
            raise InputError("photos become regions by their size; give it: --photo-size WxH (photo_shape in Python)")
        photo = PhotoScorer(detector, photo_shape)
        zeros = np.zeros((1, *photo.shape), np.float32)
        _export(detector, photo, zeros, None, ["score", "is_anomaly", "map"], path)
        return
    check_is_fitted(detector, "nets_")
    if photo_shape is not None:
        raise InputError(f"a photo's size is for models of photos, and {type(detector).__name__} is none; leave it out")
    if detector.NO_FORWARD_PASS:
        raise InputError(f"{type(detector).__name__} cannot be exported: {detector.NO_FORWARD_PASS}")
    zeros = np.zeros((2, *detector.input_.sample_shape), np.float32)
    shapes = ({0: torch.export.Dim("n", min=1, max=2**20)},)
    _export(detector, _Scorer(detector), zeros, shapes, ["score", "is_anomaly"], path)


def _export(
    detector: Detector, scorer: nn.Module, zeros: np.ndarray, shapes: Any, outputs: list[str], path: str | Path
) -> None:
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtra("export needs the extra onnx: pip install 'ganad[onnx]'") from error
    example = torch.from_numpy(zeros).to(detector.device_)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells everyone that torchvision is not installed
    with frozen(scorer), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        try:
            program = torch.onnx.export(
                scorer.eval(),
                (example,),
                dynamo=True,
                opset_version=20,
                input_names=["x"],
                output_names=outputs,
                dynamic_shapes=shapes,
                verbose=False,
            )
        except Exception as error:  # of any type, because the exporter runs the method's own code
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(
                f"{type(detector).__name__} cannot be exported: torch does not trace it ({reason})"
            ) from error
    assert program is not None
    model = scorer.completed(program.model_proto) if isinstance(scorer, PhotoScorer) else program.model_proto
    threshold = detector.threshold_
    described = {
        "class": type(detector).__name__,
        "settings": detector.get_params(deep=False),
        **_takes(detector),
        "threshold": threshold if math.isfinite(threshold) else None,  # JSON has no infinity
        "versions": files.versions(),
    }
    entry = model.metadata_props.add()
    entry.key, entry.value = "ganad", json.dumps(described, default=str)  # str: for a random state or your own network
    onnx.checker.check_model(model)
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


def _takes(detector: Detector) -> dict[str, Any]:
    """What the file takes: its kind, the columns as they were learnt, and the pixels' range."""
    if not isinstance(detector, Regions) and not detector.input_.is_image:
        columns = getattr(detector, "columns_", None) or detector.input_.names
        return {"kind": "table", "columns": columns and list(columns), "pixels": None}
    read = getattr(detector, "source_", None) is not None  # files are read with 8 bits; arrays have the user's units
    kind = "photos" if isinstance(detector, Regions) else "images"
    return {"kind": kind, "columns": None, "pixels": [0, 255] if read else None}
