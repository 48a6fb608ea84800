"""A method's settings as text: names, comments and values of its fields, for the command line and the docs."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import re
import types
import typing
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from .errors import InputError

if TYPE_CHECKING:
    from .detector import Detector

_FIELD = re.compile(r"^    (\w+):[^#\n]*?(?:=[^\n]*?)?#:\s*(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Setting:
    """One field of a detector."""

    name: str
    option: str
    kind: str
    default: Any
    comment: str


def command_name(detector: type[Detector]) -> str:
    """What the command line calls a detector: its file's name if that is its own, else its class in lower case."""
    return _command_name(detector.__module__.rpartition(".")[2], detector.__name__)


def command_names() -> list[str]:
    """``command_name`` of every detector, from the source: a shell that completes a name cannot wait for torch."""
    source = files(__package__).joinpath("methods", "__init__.py").read_text("utf-8")
    imports = re.findall(r"^from \.(\w+) import (.+)$", source, re.MULTILINE)
    return sorted(_command_name(file, name) for file, names in imports for name in names.split(", "))


def _command_name(file: str, name: str) -> str:
    return file.replace("_", "-") if file.replace("_", "") == name.lower() else name.lower()


def describe(detector: type[Detector]) -> list[Setting]:
    """The settings of a detector, its own first, each with the comment that stands beside it in the source."""
    from .detector import Detector

    comments: dict[str, str] = {}
    for cls in reversed(detector.__mro__):
        if issubclass(cls, Detector):
            comments |= dict(_FIELD.findall(inspect.getsource(cls)))
    hints = typing.get_type_hints(detector)
    common = {f.name for f in dataclasses.fields(Detector)}
    fields = sorted(dataclasses.fields(detector), key=lambda f: f.name in common)
    return [
        Setting(f.name, f.name.replace("_", "-"), _kind(hints[f.name]), f.default, comments.get(f.name, ""))
        for f in fields
    ]


def parse(detector: type[Detector], options: dict[str, str]) -> dict[str, Any]:
    """Typed settings from text, ``{"latent-dim": "64"} -> {"latent_dim": 64}``; InputError for what does not fit."""
    hints = typing.get_type_hints(detector)
    known = {f.name for f in dataclasses.fields(detector)}
    settings: dict[str, Any] = {}
    for option, text in options.items():
        name, negated = option.replace("-", "_"), False
        if name not in known and name.startswith("no_") and hints.get(name[3:]) is bool:
            name, negated = name[3:], True
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean --{near[0].replace('_', '-')}?" if near else ""
            raise InputError(f"{detector.__name__} has no setting --{option}{hint}")
        try:
            value = _value(hints[name], text)
        except ValueError as error:
            raise InputError(f"--{option} {text}: must be {_kind(hints[name])}") from error
        settings[name] = not value if negated else value
    return settings


def _kind(hint: Any) -> str:
    """A type in words."""
    if typing.get_origin(hint) is Literal:
        return " | ".join(map(str, typing.get_args(hint)))
    if typing.get_origin(hint) is tuple:
        return "numbers with commas"
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return " or ".join(_kind(part) for part in typing.get_args(hint))
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text"}.get(hint, "none")


def _value(hint: Any, text: str) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        parts = typing.get_args(hint)
        if text.lower() == "none" and type(None) in parts:
            return None
        return _value(next(p for p in parts if p is not type(None)), text)
    if typing.get_origin(hint) is Literal:
        return next((option for option in typing.get_args(hint) if str(option) == text), text)
    if typing.get_origin(hint) is tuple:
        kind = typing.get_args(hint)[0]
        return tuple(kind(part) for part in text.strip("()[] ").split(",") if part.strip())
    if hint is bool:
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise ValueError(text)
        return text.lower() in ("true", "1", "yes")
    return hint(text) if hint in (int, float) else text
