"""Logs of a fit: metrics as JSON lines, and event files for TensorBoard (extra ``tensorboard``).

Both are callables for ``fit(X, on_epoch=...)``. They read the detector after every epoch and change nothing in it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import MissingExtra

if TYPE_CHECKING:
    from .detector import Detector

_LOG = logging.getLogger("ganad")
SHOWN = 8  #: input and reconstruction pairs; twice as many generated samples


class MetricsFile:
    """``history_`` as a file, with one JSON object per line and epoch, written when the epoch ends.

    The first call writes all rows anew. The ``history_`` of a resumed fit holds the rows before the interruption, so
    lines are neither repeated nor lost. If the file cannot be written, training goes on: one log line says so, and the
    next call writes all rows anew.
    """

    def __init__(self, path: str | Path):
        self.path, self.mode, self.written, self.failed = Path(path), "w", 0, False

    def __call__(self, detector: Detector) -> None:
        try:
            with open(self.path, self.mode, encoding="utf-8") as file:
                file.writelines(json.dumps(row) + "\n" for row in detector.history_[self.written :])
        except OSError as error:
            if not self.failed:
                _LOG.warning("%s cannot be written (%s); training goes on and tries again", self.path, error.strerror)
            self.mode, self.written, self.failed = "w", 0, True
        else:
            self.mode, self.written, self.failed = "a", len(detector.history_), False


class TensorBoard:
    """Losses as scalars, and generated samples and reconstructions as pictures, in the folder ``log_dir`` of one fit.

    X: the training data. The first images are shown next to their reconstruction, if the method reconstructs.
    The step is the number of the row in ``history_``, which grows through all stages. A fit that begins again in the
    folder, or is resumed, hides the later steps of an earlier fit.

    Raises MissingExtra without the extra ``tensorboard``, and OSError for a folder that cannot be made.
    """

    def __init__(self, log_dir: str | Path, X: Any):
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtra("logging needs the extra tensorboard: pip install 'ganad[tensorboard]'") from error
        Path(log_dir).mkdir(parents=True, exist_ok=True)
        self.x = np.array(X[:SHOWN])
        # torch gives this class no types
        self.open: Callable[[int], Any] = lambda step: SummaryWriter(str(log_dir), purge_step=step)
        self.writer: Any = None

    def __call__(self, detector: Detector) -> None:
        row, step = detector.history_[-1], len(detector.history_)
        self.writer = self.writer or self.open(step)
        for name, value in row.items():
            if name not in ("stage", "epoch"):
                self.writer.add_scalar(f"{row['stage']}/{name}", value, step)
        for name, images in self.pictures(detector).items():
            self.writer.add_images(name, images, step, dataformats="NHWC")
        self.writer.flush()

    def pictures(self, detector: Detector) -> dict[str, np.ndarray]:
        """Images by name, uint8 ``(n, H, W, 1 or 3)``, to draw in rows of eight; empty for tables."""
        drawn: dict[str, np.ndarray] = {}
        if self.x.ndim < 3:
            return drawn
        if detector.supports("sample"):
            drawn["generated"] = self.eight_bit(detector.sample(2 * SHOWN, random_state=0))
        # a search for each image would cost more than the epoch
        if detector.supports("reconstruct") and not detector.NO_FORWARD_PASS:
            pairs = np.concatenate([self.x, detector.reconstruct(self.x)])
            drawn["input and reconstruction"] = self.eight_bit(pairs)
        return drawn

    def eight_bit(self, images: np.ndarray) -> np.ndarray:
        """Images in the units of the training data as 8-bit pixels."""
        low, high = (0, 255) if self.x.dtype == np.uint8 else (self.x.min(), self.x.max())
        pixels = (255 * ((images - low) / max(high - low, 1e-12)).clip(0, 1)).round().astype(np.uint8)
        pixels = pixels[..., None] if pixels.ndim == 3 else pixels
        return pixels[..., : 3 if pixels.shape[-1] > 2 else 1]
