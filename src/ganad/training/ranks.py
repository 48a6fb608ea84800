"""One fit on several processes: each takes a slice of every batch, and all take the same step.

The order of a pass, the random draws and the steps are those of one process, so a checkpoint does not know how many
there were. What is computed between two runs, every process computes for itself, from the same numbers.
"""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.overrides import TorchFunctionMode

from ..errors import InputError

_PATIENCE = datetime.timedelta(minutes=30)  # a process may score, or fit a mixture, while the others wait
_GONE = "another process of this fit ended; fit again with --resume to go on from the checkpoint"


@dataclass(frozen=True)
class Ranks:
    """The place of this process among those of a fit."""

    number: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes and speaks."""
        return self.number == 0

    def share(self, total: int) -> slice:
        """The slice of ``total`` samples that belongs to this process; no two differ by more than one sample."""
        return slice(total * self.number // self.count, total * (self.number + 1) // self.count)

    def add_up(self, tensors: list[Tensor]) -> None:
        """Replace tensors by their sums over all processes, in one exchange. Raises InputError if one has ended."""
        if self.count == 1 or not tensors:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        _exchanged(distributed.all_reduce, flat)
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        torch._foreach_copy_(tensors, [part.view_as(tensor) for part, tensor in zip(parts, tensors)])

    def agreed(self, number: float) -> float:
        """The number of the process that leads."""
        if self.count == 1:
            return number
        told = torch.tensor([number], dtype=torch.float64)
        if distributed.get_backend() == "nccl":
            told = told.cuda()
        _exchanged(distributed.broadcast, told, 0)
        return told.item()


def ranks() -> Ranks:
    """The place of this process among those that ``joined``; alone, the first of one."""
    if distributed.is_available() and distributed.is_initialized():
        return Ranks(distributed.get_rank(), distributed.get_world_size())
    return Ranks()


@contextlib.contextmanager
def joined() -> Iterator[Ranks]:
    """Within: this process is one of those that ``torchrun`` has started, if it has started any.

    nccl joins processes with a GPU each, gloo those without.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield Ranks()
        return
    _take_one_gpu(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=_PATIENCE)
    try:
        yield ranks()
    finally:
        distributed.destroy_process_group()


def _take_one_gpu(number: int) -> None:
    """Show this process the one GPU that is its own, so that "cuda" means that one everywhere."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = shown.split(",") if shown else [str(i) for i in range(torch.cuda.device_count())]
    if len(devices) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"] = devices[number % len(devices)]


def _exchanged(operation: Callable[..., Any], *arguments: Any) -> None:
    try:
        operation(*arguments)
    except RuntimeError as error:  # gloo's and nccl's words for a lost connection
        raise InputError(_GONE) from error


class Slices:
    """Which slice of which whole the batches of the present step are, by their number of samples here."""

    def __init__(self, place: Ranks):
        self.place = place
        self.clear()

    def clear(self) -> None:
        """Begin a step. Until a batch is drawn all processes do the same, and each counts alike."""
        self.weight = 1 / self.place.count  #: of this process in a sum that stands for the mean of the whole batch
        self.known: dict[int, tuple[slice, int]] = {}

    def of(self, index: Tensor, *, leads: bool = True) -> Tensor:
        """The slice of a batch's samples that belongs to this process; ``leads``: the step's losses are its means."""
        share = self.place.share(len(index))
        mine = index[share]
        self.known[len(mine)] = share, len(index)
        if leads:
            self.weight = len(mine) / len(index)
        return mine


class WholeBatch(TorchFunctionMode):
    """Within: random draws for a slice are that slice of a draw for the whole, and batch norm sees the whole batch.

    A draw belongs to a batch if it is for as many samples. All processes therefore draw the same numbers, and their
    generators stay in step. torch.nn.SyncBatchNorm does the second on GPUs alone, and only for modules made of it.
    """

    def __init__(self, slices: Slices):
        super().__init__()
        self.slices = slices

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _SHAPED and "generator" not in kwargs:
            return self._shaped(func, args, kwargs)
        if func in _LIKE or func in _IN_PLACE:
            return self._filled(func, args, kwargs)
        if func is nn.functional.dropout:
            return self._dropout(*args, **kwargs)
        if func is nn.functional.batch_norm:
            return _batch_norm(*args, **kwargs)
        return func(*args, **kwargs)

    def _whole(self, n: int) -> tuple[slice, int]:
        return self.slices.known.get(n, (slice(n), n))

    def _shaped(self, func: Any, args: Any, kwargs: Any) -> Any:
        """torch.randn(n, d) or torch.randn((n, d))."""
        shape = args[0] if len(args) == 1 and not isinstance(args[0], int) else args
        if not shape:
            return func(*args, **kwargs)
        share, total = self._whole(shape[0])
        return func(total, *shape[1:], **kwargs)[share]

    def _filled(self, func: Any, args: Any, kwargs: Any) -> Any:
        """torch.randn_like(x), or x.uniform_(-1, 1)."""
        x, *rest = args
        share, total = self._whole(len(x)) if x.ndim else (slice(1), 1)
        if x.ndim == 0 or total == len(x):
            return func(*args, **kwargs)
        drawn = func(_enlarged(x, total), *rest, **kwargs)[share]
        return drawn if func in _LIKE else x.copy_(drawn)

    def _dropout(self, x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
        share, total = self._whole(len(x))
        if not training or total == len(x):
            return nn.functional.dropout(x, p, training, inplace)
        return x * nn.functional.dropout(torch.ones_like(_enlarged(x, total)), p)[share]


_SHAPED = (torch.randn, torch.rand)
_LIKE = (torch.randn_like, torch.rand_like)
_IN_PLACE = (Tensor.uniform_, Tensor.normal_, Tensor.exponential_)


def _enlarged(x: Tensor, n: int) -> Tensor:
    """Room for ``n`` samples like those of ``x``, in its order in memory, which is the order of the draws."""
    last = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    kept = torch.channels_last if last else torch.contiguous_format
    return torch.empty((n, *x.shape[1:]), dtype=x.dtype, device=x.device, memory_format=kept)


class _Sum(torch.autograd.Function):
    """A sum over all processes; as every process's loss depends on it, so does each part's gradient on all of them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        _exchanged(distributed.all_reduce, total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total: Tensor = _Sum.apply(gradients[0])  # type: ignore[no-untyped-call]
        return total


def _batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """``nn.functional.batch_norm`` with mean and variance of the samples of all processes."""
    if not training:
        return nn.functional.batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    axes = [0, *range(2, x.ndim)]
    shape = [1, -1, *[1] * (x.ndim - 2)]
    here = x.new_tensor([x.numel() / x.shape[1]])
    sums: Tensor = _Sum.apply(torch.cat([x.sum(axes), here]))  # type: ignore[no-untyped-call]
    n = sums[-1].item()
    mean = sums[:-1] / n
    centred = x - mean.view(shape)
    squares: Tensor = _Sum.apply(centred.square().sum(axes))  # type: ignore[no-untyped-call]
    var = squares / n
    if running_mean is not None and running_var is not None:
        # .data, as torch's own kernel does it: a graph made in eval mode before holds these tensors
        running_mean.data.lerp_(mean.detach(), momentum)
        running_var.data.lerp_(var.detach() * n / max(1.0, n - 1), momentum)
    out = centred * (var + eps).rsqrt().view(shape)
    if weight is not None and bias is not None:
        out = out * weight.view(shape) + bias.view(shape)
    return out
