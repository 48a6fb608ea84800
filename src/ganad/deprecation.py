"""Names that have changed: the old one works for one minor version, with a warning."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


def renamed(removed_in: str, **names: str) -> Callable[[F], F]:
    """Let a function take keywords by their old names: ``@renamed("0.3", alpha="false_alarm_rate")``."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            for old, new in names.items():
                if old in kwargs:
                    message = (
                        f"{function.__qualname__}: {old}= is now {new}=; the old name ends with ganad {removed_in}"
                    )
                    warnings.warn(message, FutureWarning, stacklevel=2)
                    kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return cast(F, wrapped)

    return decorate
