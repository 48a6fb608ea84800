"""Parts that only some methods have: ``hasattr(detector, "reconstruct")`` tells the truth."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any, TypeVar, cast

#: The parts a method may have, and the hooks that make them.
PARTS = {
    "reconstruct": ("reconstruct_batch", "does not reconstruct its input"),
    "encode": ("encode_batch", "does not encode its input"),
    "sample": ("sample_batch", "does not draw samples from codes"),
}

F = TypeVar("F", bound=Callable[..., Any])


class _Offered:
    """A method that is absent (reading it raises NotSupported) if the detector does not support ``part``."""

    def __init__(self, function: Callable[..., Any], part: str):
        self.function, self.part = function, part
        functools.update_wrapper(cast(Callable[..., Any], self), function)

    def __get__(self, detector: Any, owner: type | None = None) -> Any:
        if detector is None:
            return self.function
        detector.require(self.part)
        return types.MethodType(self.function, detector)


def offered(part: str) -> Callable[[F], F]:
    """Decorate a public method that exists only where ``detector.supports(part)``."""

    def decorate(function: F) -> F:
        return cast(F, _Offered(function, part))

    return decorate


def is_own(cls: type, name: str) -> bool:
    """Whether ``name`` is defined by a method rather than by a base class of this package."""
    owner = next(base for base in cls.__mro__ if name in vars(base))
    return owner.__module__.rpartition(".")[0] != __package__


def is_contract(cls: type, name: str) -> bool:
    """Whether ``name`` is a method or property of a base of ``cls``."""
    for base in cls.__mro__[1:]:
        if name in vars(base):
            found = vars(base)[name]
            return callable(found) or isinstance(found, property | classmethod) or hasattr(found, "__get__")
    return False
