"""A fitted detector as one ONNX file, with scaling, score and threshold in the graph. It runs without ganad."""

from __future__ import annotations

import json
import logging
import math
import warnings
from pathlib import Path

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from . import files
from .atomic import replacing
from .detector import Detector, frozen
from .errors import InputError, MissingExtra


class _Scorer(nn.Module):
    """The computation of the file: from the user's numbers to score and verdict."""

    def __init__(self, detector: Detector):
        super().__init__()
        self.detector, self.nets = detector, detector.nets_

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        score = self.detector.score_batch(self.detector.input_.to_network(x)).float()
        return score, score > self.detector.threshold_


def export_onnx(detector: Detector, path: str | Path) -> None:
    """Write ``detector`` to an ONNX file.

    Input ``x``: float32, ``(n, d)`` for tables or ``(n, H, W[, C])`` for images in the units of the training data
    (0 to 255 for 8-bit images), any n. Outputs ``score`` ``(n,)`` float32 and ``is_anomaly`` ``(n,)`` bool. The
    metadata entry ``ganad`` holds class, settings and threshold as JSON.

    Raises InputError for a method whose score is not a forward pass or cannot be traced, and MissingExtra without the
    extra ``onnx``.
    """
    check_is_fitted(detector, "nets_")
    if detector.NO_FORWARD_PASS:
        raise InputError(f"{type(detector).__name__} cannot be exported: {detector.NO_FORWARD_PASS}")
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtra("export needs the extra onnx: pip install 'ganad[onnx]'") from error
    example = torch.from_numpy(np.zeros((2, *detector.input_.sample_shape), np.float32)).to(detector.device_)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it complains that torchvision is not installed
    with frozen(detector.nets_), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        try:
            program = torch.onnx.export(
                _Scorer(detector).eval(),
                (example,),
                dynamo=True,
                opset_version=20,
                input_names=["x"],
                output_names=["score", "is_anomaly"],
                dynamic_shapes=({0: torch.export.Dim("n", min=1, max=2**20)},),
                verbose=False,
            )
        except Exception as error:  # of any type, because the exporter runs the method's own code
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InputError(
                f"{type(detector).__name__} cannot be exported: torch does not trace it ({reason})"
            ) from error
    assert program is not None
    model = program.model_proto
    threshold = detector.threshold_
    described = {
        "class": type(detector).__name__,
        "settings": detector.get_params(deep=False),
        "threshold": threshold if math.isfinite(threshold) else None,  # JSON has no infinity
        "versions": files.versions(),
    }
    entry = model.metadata_props.add()
    entry.key, entry.value = "ganad", json.dumps(described, default=str)  # str: for a random state or your own network
    onnx.checker.check_model(model)
    with replacing(path) as temporary:
        temporary.write_bytes(model.SerializeToString())
