"""The parallel sampler's passes over the data on a torch device, in float64 as on the CPU."""

from __future__ import annotations

import numpy as np
import torch

from ..devices import choose_device
from ..errors import InputError
from . import niw

_SCORES = 2**24  # entries of the largest intermediate array


class TorchEngine:
    """The engine on a torch device. It computes all quadratic forms, because a GPU gains nothing from skipping some."""

    def __init__(self, x: np.ndarray, device: str):
        self.device = choose_device(device)
        if self.device.type == "mps":
            raise InputError('device="mps" has no float64, which the mixture needs; use device=None or "cuda"')
        self.x = torch.as_tensor(np.ascontiguousarray(x), device=self.device)

    def _put(self, a: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(a, device=self.device)

    def draw(
        self,
        labels: np.ndarray,
        log_w: np.ndarray,
        b: np.ndarray,
        offset: np.ndarray,
        rng: np.random.Generator,
    ) -> np.ndarray:
        generator = torch.Generator(self.device).manual_seed(int(rng.integers(2**63)))
        log_w_, b_, offset_ = self._put(log_w), self._put(b), self._put(offset)
        out = torch.empty(len(self.x), dtype=torch.int64, device=self.device)
        step = max(1, _SCORES // max(self.x.shape[1], len(b)))
        for start in range(0, len(self.x), step):
            x = self.x[start : start + step]
            noise = torch.empty((len(x), len(b)), dtype=x.dtype, device=self.device).exponential_(generator=generator)
            out[start : start + step] = (log_w_ - noise.log() - 0.5 * self._squares(x, b_, offset_)).argmax(1)
        return out.cpu().numpy()

    @staticmethod
    def _squares(x: torch.Tensor, b: torch.Tensor, offset: torch.Tensor) -> torch.Tensor:
        return torch.stack([torch.addmm(-o, x, f.T).square_().sum(1) for f, o in zip(b, offset)], dim=1)

    def quadratic(self, rows: np.ndarray, b: np.ndarray, offset: np.ndarray) -> np.ndarray:
        rows_, b_, offset_ = self._put(rows), self._put(b), self._put(offset)
        step = max(1, _SCORES // self.x.shape[1])
        parts = [self._squares(self.x[rows_[s : s + step]], b_, offset_) for s in range(0, len(rows), step)]
        return torch.cat(parts).cpu().numpy()

    def moments(self, rows: np.ndarray) -> niw.Moments:
        d = self.x.shape[1]
        if len(rows) == 0:
            return niw.Moments(0, np.zeros(d), np.zeros((d, d)))
        x = self.x[self._put(rows)]
        mean = x.mean(0)
        x -= mean
        return niw.Moments(len(rows), mean.cpu().numpy(), (x.T @ x).cpu().numpy())
