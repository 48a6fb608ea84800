"""A detector from the words of a command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .. import registry, settings
from ..errors import InputError
from .options import split

if TYPE_CHECKING:
    from ..detector import Detector


def make_detector(method: str, preset: str | None, options: dict[str, str]) -> Detector:
    """A detector with the preset's settings and those given as text.

    method: a name, or "ensemble:igmm-gan,nearest-neighbor" for a detector that is made of others. Settings of those
    have their names before a dot: ``{"igmm-gan.epochs": "5"}``.
    """
    kind, colon, inner = method.partition(":")
    cls = registry.get(kind)
    chosen = settings.parse(cls, {k: v for k, v in options.items() if "." not in k})
    theirs = {k: v for k, v in options.items() if "." in k}
    if colon:
        chosen |= _made_of(cls, split(inner), theirs)
    elif theirs:
        raise InputError(f"--set {next(iter(theirs))}: {method} is not made of other methods that have settings")
    detector = cls.preset(preset, **chosen) if preset else cls(**chosen)
    detector.check_settings()
    return detector


def _made_of(cls: type[Detector], names: Iterable[str], options: dict[str, str]) -> dict[str, Any]:
    """The setting that holds the detectors ``names``, with their settings as text."""
    from ..ensemble import Combined

    if not issubclass(cls, Combined):
        raise InputError(f"{registry.name_of(cls)} is not made of other methods; ensemble:A,B is")
    own: dict[str, dict[str, str]] = {name: {} for name in names}
    for option, text in options.items():
        member, _, setting = option.partition(".")
        if member not in own:
            raise InputError(f"--set {option}={text}: {member} is not one of {', '.join(own)}")
        own[member][setting] = text
    return cls.made_of([make_detector(name, None, own[name]) for name in names])
