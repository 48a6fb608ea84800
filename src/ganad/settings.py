"""Settings: fields of a dataclass, converted to and from text and checked against their annotations."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import difflib
import functools
import inspect
import io
import math
import numbers
import textwrap
import tokenize
import types
import typing
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from .display import shown
from .errors import InputError


@dataclass(frozen=True)
class Bound:
    """The allowed range of a number, written at its field: ``lr: Annotated[float, Bound(low=0, open_low=True)]``.

    A subclass that declares the field again without a bound keeps the bound of its base.
    """

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False  #: ``low`` itself is not allowed
    open_high: bool = False  #: ``high`` itself is not allowed

    def holds(self, number: float) -> bool:
        above = number > self.low if self.open_low else number >= self.low
        return above and (number < self.high if self.open_high else number <= self.high)

    def __str__(self) -> str:
        if math.isfinite(self.low) and math.isfinite(self.high) and not (self.open_low or self.open_high):
            return f"lie between {self.low:g} and {self.high:g}"
        parts = []
        if math.isfinite(self.low):
            parts.append(f"{'above' if self.open_low else 'at least'} {self.low:g}")
        if math.isfinite(self.high):
            parts.append(f"{'below' if self.open_high else 'at most'} {self.high:g}")
        return "be " + " and ".join(parts)


#: A whole number that must be at least 1: a size, a width, a batch.
Count = Annotated[int, Bound(low=0, open_low=True)]
#: A real number above zero.
Positive = Annotated[float, Bound(low=0, open_low=True)]
#: A share from 0 up to, but not including, 1.
Share = Annotated[float, Bound(low=0, high=1, open_high=True)]
#: Fits of which each leaves out another fifth of the samples.
Fifths = Annotated[int, Bound(low=0, high=5)]

_MOST = 256  # most numbers in one setting, such as widths, because anybody may have written a model file
_WHOLE = Bound(low=0)  # default bound of a whole number
_SIZE = Bound(low=1)  # of each of several whole numbers, such as widths


@dataclass(frozen=True)
class Setting:
    """One field: its name, its command-line option, its type in words, its default and its comment."""

    name: str
    option: str
    kind: str
    default: Any
    comment: str

    @property
    def is_object(self) -> bool:
        """Whether text cannot give its value, as for a detector or a network."""
        return set(self.kind.split(" or ")) == {"none"}


def describe(cls: type) -> list[Setting]:
    """The settings of a dataclass, its own before those of its bases, each with its ``#:`` comment."""
    comments: dict[str, str] = {}
    depth: dict[str, int] = {}
    for i, base in enumerate(reversed(cls.__mro__)):
        comments |= _comments(base)
        for name in inspect.get_annotations(base):
            depth.setdefault(name, i)
    hints = typing.get_type_hints(cls)
    fields = sorted(dataclasses.fields(cls), key=lambda f: -depth[f.name])
    return [
        Setting(f.name, f.name.replace("_", "-"), kind_of(hints[f.name]), _default(f), comments.get(f.name, ""))
        for f in fields
    ]


def _default(field: dataclasses.Field[Any]) -> Any:
    made = field.default_factory
    return field.default if made is dataclasses.MISSING else made()


@functools.cache
def _comments(cls: type) -> dict[str, str]:
    """The ``#:`` comments of the fields that ``cls`` itself declares; empty if its source is not available."""
    try:
        source = textwrap.dedent(inspect.getsource(cls))
    except (OSError, TypeError):
        return {}
    by_line = {
        token.start[0]: token.string.partition("#:")[2].strip()
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT and "#:" in token.string  # which may follow a "# type: ignore"
    }
    body = ast.parse(source).body[0]
    assert isinstance(body, ast.ClassDef)
    fields = [node for node in body.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)]
    return {
        node.target.id: by_line[node.end_lineno]
        for node in fields
        if isinstance(node.target, ast.Name) and node.end_lineno in by_line
    }


# -- from text --------------------------------------------------------------------------------------------


def parse(cls: type, options: dict[str, str]) -> dict[str, Any]:
    """Typed settings from text, ``{"latent-dim": "64"} -> {"latent_dim": 64}``.

    Raises InputError for an unknown setting, with the nearest name, and for a value of another type.

    >>> @dataclass
    ... class Net:
    ...     latent_dim: int = 32
    ...     lr: float = 1e-3
    ...     bias: bool = True
    >>> parse(Net, {"latent-dim": "64", "no-bias": "true"})
    {'latent_dim': 64, 'bias': False}
    """
    hints = typing.get_type_hints(cls)
    known = {f.name for f in dataclasses.fields(cls)}
    settings: dict[str, Any] = {}
    for option, text in options.items():
        name, negated = option.replace("-", "_"), False
        if name not in known and name.startswith("no_") and hints.get(name[3:]) is bool:
            name, negated = name[3:], True
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean --{near[0].replace('_', '-')}?" if near else ""
            raise InputError(f"{cls.__name__} has no setting --{option}{hint}")
        try:
            value = _value(hints[name], text)
        except ValueError as error:
            raise InputError(f"--{option} {text}: must be {kind_of(hints[name])}") from error
        settings[name] = not value if negated else value
    return settings


def kind_of(hint: Any) -> str:
    """A type in words."""
    if typing.get_origin(hint) is Literal:
        return " | ".join(map(str, typing.get_args(hint)))
    if kinds := _each(hint):
        return f"{_plural(kinds)} with commas"
    if len(parts := _parts(hint)) > 1:
        return " or ".join(map(kind_of, parts))
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text"}.get(hint, "none")


def _parts(hint: Any) -> tuple[Any, ...]:
    """The types that a union joins; else the type alone."""
    return typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)


def _each(hint: Any) -> tuple[Any, ...]:
    """The types of the values in a list or tuple; empty for everything else, also where text cannot give them."""
    kinds = tuple(k for k in typing.get_args(hint) if k is not Ellipsis)
    return kinds if typing.get_origin(hint) in (tuple, list) and set(kinds) <= {int, float, str, bool} else ()


def _plural(kinds: tuple[Any, ...]) -> str:
    return "numbers" if set(kinds) <= {int, float} else "values"


def _value(hint: Any, text: str) -> Any:
    if len(parts := _parts(hint)) > 1:
        return _first_that_fits(parts, text)
    if typing.get_origin(hint) is Literal:
        return next((option for option in typing.get_args(hint) if str(option) == text), text)
    if kinds := _each(hint):
        words = [word.strip(" '\"") for word in text.strip("()[] ").split(",") if word.strip()]
        return typing.get_origin(hint)(_value(kinds[min(i, len(kinds) - 1)], word) for i, word in enumerate(words))
    if hint is bool:
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise ValueError(text)
        return text.lower() in ("true", "1", "yes")
    return hint(text) if hint in (int, float) else text


def _first_that_fits(parts: tuple[Any, ...], text: str) -> Any:
    """The text as the first of several types that may have such a value; else as one whose check then refuses it."""
    if text.lower() == "none" and type(None) in parts:
        return None
    unfit = []
    for part in parts:
        if part is not type(None):
            with contextlib.suppress(ValueError):
                unfit.append(_value(part, text))
                if _complaint(part, Bound(), unfit[-1]) is None:
                    return unfit[-1]
    if not unfit:
        raise ValueError(text)
    return unfit[0]


# -- checked ----------------------------------------------------------------------------------------------


def check(settings: Any) -> None:
    """Raise InputError, naming field, value and what is allowed, for a setting that cannot work.

    settings: an instance of a dataclass whose annotations say what each field may be.
    """
    cls: Any = type(settings)
    for name, hint in _plain_hints(cls).items():
        _check_one(cls.__name__, name, hint, _bounds(cls).get(name, _WHOLE), getattr(settings, name))


@functools.cache
def _plain_hints(cls: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}


@functools.cache
def _bounds(cls: Any) -> dict[str, Bound]:
    """The bound of each field, from the nearest class that gives one."""
    found: dict[str, Bound] = {}
    for base in cls.__mro__:
        if dataclasses.is_dataclass(base):
            for name, hint in typing.get_type_hints(base, include_extras=True).items():
                bound = _bound_in(hint)
                if bound is not None:
                    found.setdefault(name, bound)
    return found


def _bound_in(hint: Any) -> Bound | None:
    if typing.get_origin(hint) is Annotated:
        return next((m for m in hint.__metadata__ if isinstance(m, Bound)), None)
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return next((b for part in typing.get_args(hint) if (b := _bound_in(part))), None)
    return None


def _check_one(owner: str, name: str, hint: Any, bound: Bound, value: Any) -> None:
    parts = [part for part in _parts(hint) if part is not type(None)]
    if value is None and len(parts) < len(_parts(hint)):
        return
    if name == "random_state":  # scikit-learn's: a number, a RandomState or None
        complaints = [_complaint_of_seed(value)]
    else:
        complaints = [_complaint(part, bound, value) for part in parts]
    if None not in complaints:
        where = f"{owner}: {name}={shown(repr(value) if isinstance(value, str) else value)}"
        raise InputError(where + " or".join(map(str, complaints)))


def _complaint(hint: Any, bound: Bound, value: Any) -> str | None:
    """What is wrong with a value of one type, as the end of a sentence; None if nothing is, or nothing is known."""
    if typing.get_origin(hint) is Literal:
        options = typing.get_args(hint)
        return None if value in options else f" is not one of {', '.join(map(repr, options))}"
    if hint is bool:
        return None if isinstance(value, bool) or _is_numpy(value, "bool") else " must be true or false"
    if hint is str:
        return None if isinstance(value, str) else " must be text"
    if hint in (int, float):
        if not _is_number(value, numbers.Integral if hint is int else numbers.Real):
            return f" must be {kind_of(hint)}"
        bound = Bound() if bound is _WHOLE and hint is float else bound
        return None if bound.holds(float(value)) else f" must {bound}"
    return _complaint_of_several(hint, bound, value) if _each(hint) else None


def _complaint_of_several(hint: Any, bound: Bound, values: Any) -> str | None:
    """The same of a list or tuple: with as many values as types, or, after an ellipsis and in a list, any number."""
    kinds = _each(hint)
    if not isinstance(values, tuple | list) or (set(kinds) <= {int, float} and not all(map(_is_number, values))):
        return f" must be {kind_of(hint)}"
    if typing.get_origin(hint) is tuple and Ellipsis not in typing.get_args(hint):
        if len(values) != len(kinds):
            return f" must be {len(kinds)} {_plural(kinds)}"
    elif len(values) > _MOST:
        return f" must be at most {_MOST} {_plural(kinds)}"
    for i, value in enumerate(values):
        kind = kinds[min(i, len(kinds) - 1)]
        if complaint := _complaint(kind, _SIZE if bound is _WHOLE and kind is int else bound, value):
            return f": each{complaint}" if len(set(kinds)) == 1 else f": value {i + 1}{complaint}"
    return None


def _complaint_of_seed(value: Any) -> str | None:
    if _is_numpy(value, "RandomState"):
        return None
    if not isinstance(value, numbers.Integral):
        return " must be a whole number or None"
    return None if 0 <= int(value) < 2**32 else f" must lie between 0 and {2**32 - 1}"


def _is_numpy(value: Any, name: str) -> bool:
    """Whether a value is of NumPy's type of this name. It does not import NumPy, so that commands start fast."""
    kind = type(value)
    return kind.__module__.partition(".")[0] == "numpy" and kind.__name__.rstrip("_") == name


def _is_number(value: Any, kind: type = numbers.Real) -> bool:
    try:
        return isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(typing.cast(float, value))
    except OverflowError:  # a whole number too large for a float
        return False
