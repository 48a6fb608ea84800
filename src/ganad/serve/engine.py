"""What computes scores: ONNX Runtime where the score is a forward pass, else torch, which is slower for few samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from ..atomic import scratch
from ..detector import Detector
from ..errors import InputError, MissingExtra
from ..export import export_onnx

Scorer = Callable[[np.ndarray], np.ndarray]
_ROUNDING = 8 * float(np.finfo(np.float32).eps)  # of a score, relative


def make_scorer(detector: Detector, engine: Literal["auto", "onnx", "torch"]) -> tuple[str, Scorer]:
    """The engine's name and ``(n, ...) -> (n,)``.

    One engine answers all requests of a service, so that equal samples get scores that agree to float32's precision.
    Raises InputError or MissingExtra where "onnx" was asked for and cannot be had.
    """
    if engine != "torch":
        try:
            return "onnx", onnx_scorer(detector)
        except (InputError, MissingExtra):
            if engine == "onnx":
                raise
    return "torch", detector.anomaly_score


def onnx_scorer(detector: Detector) -> Scorer:
    """A session on one thread: two requests at a time are two batches, not two halves of one."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtra("the engine onnx needs the extra onnx: pip install 'ganad[onnx]'") from error
    with scratch() as folder:
        path = folder / "model.onnx"
        export_onnx(detector, path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        try:
            session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its kinds of error share no base class
            reason = (str(error).splitlines() or [""])[0]
            raise InputError(f"ONNX Runtime does not take the graph of {type(detector).__name__} ({reason})") from error

    references = np.append(getattr(detector, "calibration_", []), detector.threshold_)
    references = np.unique(references[np.isfinite(references)])

    def score(x: np.ndarray) -> np.ndarray:
        values: np.ndarray = session.run(["score"], {"x": x.astype(np.float32)})[0]
        return _equal_within_rounding(values.astype(np.float64), references)

    return score


def _equal_within_rounding(scores: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Scores ``(n,)`` from 32 bits, equal to a threshold or calibration score of 64 bits where rounding parts them.

    A sample like one of the calibration set has its score. Rounded up it would lie above, and where many samples are
    alike the rate of false alarms would not hold. references: ``(m,)`` in rising order.
    """
    if not len(references):
        return scores
    after = np.searchsorted(references, scores).clip(1, max(1, len(references) - 1))
    low, high = references[after - 1], references[np.minimum(after, len(references) - 1)]
    nearest = np.where(np.abs(scores - low) <= np.abs(high - scores), low, high)
    return np.where(np.abs(scores - nearest) <= _ROUNDING * np.abs(nearest), nearest, scores)
