"""Foreign text made safe to print: names, headers, paths and values that others wrote."""

from __future__ import annotations

import reprlib
import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # of scripts and of emoji
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 80


def shown(value: object, most: int = 80) -> str:
    """A text, or a value's repr, with control characters escaped, cut in the middle to ``most`` characters.

    The result has one line, no control sequence for terminals, and can be encoded in UTF-8.
    """
    text = value if isinstance(value, str) else _repr(value)
    if len(text) > most:  # before escaping, which may turn one character into ten
        text = f"{text[: most * 2 // 3]} … {text[len(text) - most // 3 :]}"
    return text if text.isprintable() else "".join(_escaped(c) if _is_hidden(c) else c for c in text)


def _repr(value: object) -> str:
    try:
        return _SHORT.repr(value)
    except (ValueError, RecursionError):  # a number of more digits than Python prints
        return f"a {type(value).__name__}"


def _is_hidden(character: str) -> bool:
    """Whether it is a control character, a surrogate, or a character that reverses or hides text; spaces stay."""
    return unicodedata.category(character) in _HIDDEN and character not in _JOINERS


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
