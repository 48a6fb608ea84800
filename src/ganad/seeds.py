"""Random numbers: seeds from text, and saving, restoring and isolating torch's random state."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator

import torch


def seed_from(text: str) -> int:
    """A seed of 56 bits that depends only on the text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")


@contextlib.contextmanager
def isolated_rng(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's generators for this block only. The caller's random state stays as it was."""
    before = rng_state(device)
    try:
        # the numbers of torch.manual_seed, which formats the call stack for every kind of device that is not in use
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
    finally:
        set_rng_state(before, device)


def rng_state(device: torch.device) -> dict[str, torch.Tensor]:
    """Torch's random state as tensors, for a checkpoint."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_rng_state(state: dict[str, torch.Tensor], device: torch.device) -> None:
    """Restore a state that ``rng_state`` returned."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
