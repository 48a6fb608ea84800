"""Device, number format and threads of computations."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator

import torch

from .errors import InputError


def choose_device(name: str = "auto") -> torch.device:
    """The device to compute on; ``"auto"`` takes a CUDA GPU if there is one, else the CPU.

    Raises InputError for a name that torch does not know and for a missing device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise InputError(f'device={name!r} cannot be used here ({reason}); try "cpu" or "auto"') from error
    return device


@functools.cache
def has_fast_bf16(device_type: str) -> bool:
    """Whether the hardware has fast matrix products in bfloat16."""
    if device_type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device_type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


def choose_dtype(precision: str, device: torch.device, *, is_image: bool) -> torch.dtype:
    """The number format of matrix products. Weights, sums and losses are always float32.

    ``"auto"`` is bfloat16 for image networks if the chip supports it, else float32. The small dense networks of tables
    gain nothing from bfloat16.
    """
    if precision == "auto":
        return torch.bfloat16 if is_image and has_fast_bf16(device.type) else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32


def available_cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose_threads(requested: int | None, *, is_image: bool) -> int:
    """CPU threads for one fit or one scoring run.

    The default is half of the cores, at most eight, and one for tables, whose matrix products are too small to share. A
    parallel region waits for its slowest thread, so if another process takes one core, all threads wait: a step took 25
    times as long in one case. ``OMP_NUM_THREADS`` overrides the default. More than there are cores, which a model file
    of a larger machine may ask for, are never started: the system may refuse to, and that ends the process.
    """
    if requested is not None:
        return min(requested, available_cores())
    if os.environ.get("OMP_NUM_THREADS", "").isdigit():
        return max(1, int(os.environ["OMP_NUM_THREADS"]))
    return max(1, min(8, available_cores() // 2)) if is_image else 1


@contextlib.contextmanager
def use_threads(n: int) -> Iterator[None]:
    """Compute with ``n`` CPU threads, then restore the caller's number."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def deterministic_kernels() -> Iterator[None]:
    """Make equal seeds give equal weights: cuDNN chooses its algorithms by rule, not by timing them."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before
