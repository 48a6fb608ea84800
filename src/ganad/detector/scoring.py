"""Passing samples through frozen networks, in chunks of one fixed size."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..arrays import chunks
from ..devices import choose_threads, deterministic_kernels, use_threads
from ..display import shown
from ..errors import InputError
from ..progress import passed
from ..seeds import isolated_rng
from .input import InputSpec, on_device


@contextlib.contextmanager
def frozen(nets: nn.Module) -> Iterator[None]:
    """A context with eval mode and without gradients of weights. Gradients with respect to inputs are possible."""
    flags = [(p, p.requires_grad) for p in nets.parameters()]
    modes = [(module, module.training) for module in nets.modules()]
    nets.eval().requires_grad_(False)
    try:
        yield
    finally:
        for p, flag in flags:
            p.requires_grad_(flag)
        for module, training in modes:
            module.training = training


@dataclass(frozen=True)
class Scoring:
    """Applies a function of network inputs to the user's samples.

    All chunks have one size, and the last one is padded. So the kernels, and the bits of a score, do not depend on the
    number of samples.
    """

    nets: nn.Module
    input: InputSpec
    device: torch.device
    chunk: int  #: samples at a time
    threads: int | None  #: CPU threads; None: the default for the kind of input
    bf16: bool = False  #: matrix products in bfloat16, if the user chose it

    def map(self, fn: Callable[[Tensor], Tensor], X: np.ndarray) -> np.ndarray:
        """``fn`` of all samples ``(n, *sample_shape)``: float64 if it gives doubles, else float32."""
        parts = []
        with contextlib.ExitStack() as stack:
            stack.enter_context(use_threads(choose_threads(self.threads, is_image=self.input.is_image)))
            stack.enter_context(deterministic_kernels())
            stack.enter_context(frozen(self.nets))
            stack.enter_context(torch.enable_grad())
            if self.bf16:
                stack.enter_context(torch.autocast(self.device.type, torch.bfloat16))
            for rows in chunks(X, self.chunk):
                if len(rows) < self.chunk:
                    rows = rows[np.minimum(np.arange(self.chunk), len(rows) - 1)]
                x = self.input.to_network(on_device(rows, self.device))
                with isolated_rng(0, self.device):
                    found: Any = fn(x)
                if not isinstance(found, Tensor) or found.shape[:1] != x.shape[:1]:
                    shape = f"one of shape {tuple(found.shape)}" if isinstance(found, Tensor) else shown(found)
                    raise InputError(
                        f"{getattr(fn, '__qualname__', 'scoring')} must return a tensor with one entry a sample, "
                        f"{len(x)} here; it returned {shape}"
                    )
                part = found.detach()
                parts.append((part if part.dtype == torch.float64 else part.float()).cpu().numpy())
                passed(min(len(parts) * self.chunk, len(X)), len(X))
        return np.concatenate(parts)[: len(X)]
