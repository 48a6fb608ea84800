"""Parts that only some methods have: ``hasattr(detector, "reconstruct")`` tells the truth."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


class _Offered:
    """A method that reads as absent, with NotSupported, where the detector does not support ``part``."""

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
