"""What a checkpoint says of a run, as types: it is compared with the run before it is used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import torch
from torch import Tensor

Count = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
Cell = str | int | float | None


class Row(msgspec.Struct):
    """What every row of a history has; its losses have names of their own."""

    stage: str
    epoch: Count
    seconds: float


class Progress(msgspec.Struct):
    """The header of a checkpoint."""

    epoch: Count
    position: Count
    iteration: Count
    history: list[Row]
    counts: dict[str, Annotated[int, msgspec.Meta(ge=1)]]
    seconds: float
    best_loss: float | None
    waited: Count
    optimizers: dict[str, dict[str, dict[str, Cell]]]  #: player -> parameter -> what its optimizer keeps as a number


def same_shapes(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """ValueError unless both have the same names, shapes and types."""
    kinds = [{k: (v.shape, v.dtype) for k, v in state.items()} for state in (found, wanted)]
    if kinds[0] != kinds[1]:
        raise ValueError("weights of other names, shapes or types")


def slots_of(
    plain: Mapping[str, Mapping[str, Cell]], tensors: Mapping[str, Tensor], params: Sequence[Tensor]
) -> dict[int, dict[str, Any]]:
    """What an optimizer keeps for each parameter, by number; ValueError where it does not fit.

    tensors: by "NUMBER/SLOT". Each is a single number or has its parameter's shape.
    """
    slots: dict[int, dict[str, Any]] = {int(i): dict(v) for i, v in plain.items()}
    for key, value in tensors.items():
        i, slot = key.split("/", 1)
        slots.setdefault(int(i), {})[slot] = value
    if not slots.keys() <= set(range(len(params))) or len({frozenset(kept) for kept in slots.values()}) > 1:
        raise ValueError("an optimizer's state of other parameters")
    for number, kept in slots.items():
        p = params[number]
        for slot, value in kept.items():
            if not isinstance(value, Tensor) or (value.numel() == 1 and value.ndim == 0):
                continue
            if value.shape != p.shape:
                raise ValueError("an optimizer's state of other shapes")
            kept[slot] = torch.empty_like(p).copy_(value)  # fused kernels want the parameter's own memory layout
    return slots
