"""The fitted attributes that a method declares, and the check that a model file holds exactly these.

``LEARNS`` gives the form of each fitted attribute: ``"float64[m, d]"`` is an array, ``"torch.float32[n_seeds, 2]"`` a
tensor; ``"float"``, ``"int"``, ``"str"``, ``"list"`` and ``"dict"`` are themselves. A ``?`` at the end allows the
attribute to be absent. ``floating`` is 32 or 64 bits. An axis is a number, the name of a setting, ``*shape`` (of one
sample as the networks see it), or any other name, which stands for one size wherever it occurs. ``[...]`` is an array
of any shape.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..display import shown
from ..errors import InputError
from ..selftest import SelfTest

_FORM = re.compile(r"(torch\.)?(\w+)(?:\[(.*)\])?(\?)?")
_PLAIN: dict[str, Any] = {
    "float": (int, float),
    "int": (int,),
    "str": (str,),
    "list": (list,),
    "dict": (dict,),
    "SelfTest": (SelfTest,),
}
_SCORES = {"calibration_"}  # infinite for a text that training did not have
_LARGEST = 1e30  # fits give smaller numbers, and products of larger ones are infinite
_LARGEST_DOUBLE = 1e300


@dataclass(frozen=True)
class _Form:
    """One parsed entry of ``LEARNS``."""

    kind: str
    is_tensor: bool
    axes: tuple[str, ...] | None  #: None if it is not an array
    optional: bool

    @classmethod
    @functools.cache
    def read(cls, text: str) -> _Form:
        found = _FORM.fullmatch(text)
        if found is None:
            raise TypeError(f"LEARNS: {text!r} is not a form; see ganad.detector.declared")
        tensor, kind, axes, optional = found.groups()
        split = None if axes is None else tuple(axis.strip() for axis in axes.split(",") if axis.strip())
        return cls(kind, bool(tensor), split, bool(optional))


def forms(cls: type) -> dict[str, str]:
    """The forms that ``cls`` and its bases declare. A class overrides its bases."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        found |= vars(base).get("LEARNS", {})
    return found


def check(detector: Any, state: Mapping[str, Any], shape: tuple[int, ...]) -> None:
    """Raise InputError unless ``state`` has the attributes that the detector's class declares, in their forms.

    A class of another package may learn more than it declares. What it declares is checked.
    """
    cls = type(detector)
    declared = forms(cls)
    if cls.__module__.partition(".")[0] == __name__.partition(".")[0]:
        for name in state.keys() - declared.keys():
            raise InputError(f"{shown(repr(name))} is not an attribute that a {cls.__name__} learns")
    sizes: dict[str, int] = {}
    for name, text in declared.items():
        form = _Form.read(text)
        value = state.get(name)
        if value is None:
            if not form.optional:
                raise InputError(f"{name!r} is missing, which a {cls.__name__} learns")
        elif form.axes is None:
            _check_plain(name, form, value)
        else:
            _check_array(name, form, value)
            if form.axes != ("...",):
                _check_shape(name, tuple(value.shape), _wanted(form.axes, detector, shape), sizes)


def possible(name: str, value: np.ndarray | Tensor) -> bool:
    """Whether every number is one that a fit may give the attribute or weight ``name``."""
    tensor = torch.as_tensor(value)
    if not tensor.is_floating_point():
        return True
    found = tensor.abs() <= _LARGEST
    return bool((found | (tensor == math.inf) if name in _SCORES else found).all())


def _check_plain(name: str, form: _Form, value: Any) -> None:
    allowed = _PLAIN[form.kind]
    if not isinstance(value, allowed) or isinstance(value, bool):
        raise InputError(f"{name!r} is {shown(value)}, not of the kind {form.kind}")
    if allowed == (int, float) and not (value == -math.inf or abs(value) <= _LARGEST_DOUBLE):
        raise InputError(f"{name!r} is {shown(value)}, not a number that a fit can give")


def _check_array(name: str, form: _Form, value: Any) -> None:
    wanted = Tensor if form.is_tensor else np.ndarray
    kinds = ("float32", "float64") if form.kind == "floating" else (form.kind,)
    if not isinstance(value, wanted) or str(value.dtype).removeprefix("torch.") not in kinds:
        raise InputError(f"{name!r} is not an array of {form.kind} numbers")
    if not possible(name, value):
        raise InputError(f"{name!r} holds numbers that a fit cannot give")


def _wanted(axes: tuple[str, ...], detector: Any, shape: tuple[int, ...]) -> list[str | int]:
    wanted: list[str | int] = []
    for axis in axes:
        setting = getattr(detector, axis, None) if axis.isidentifier() else None
        if axis == "*shape":
            wanted += shape
        else:
            wanted.append(int(axis) if axis.isdecimal() else setting if isinstance(setting, int) else axis)
    return wanted


def _check_shape(name: str, found: tuple[int, ...], wanted: list[str | int], sizes: dict[str, int]) -> None:
    if len(found) == len(wanted):
        wanted = [axis if isinstance(axis, int) else sizes.setdefault(axis, n) for axis, n in zip(wanted, found)]
    if list(found) != wanted:
        raise InputError(f"{name!r} has the shape {shown(list(found))}, not {shown(wanted)}")
