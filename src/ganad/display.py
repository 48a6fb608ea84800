"""Foreign text as a reader may see it: names, headers, paths and values that others wrote."""

from __future__ import annotations

import reprlib
import unicodedata

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_JOINERS = "\u200c\u200d"  # of scripts and of emoji
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 80


def shown(value: object, most: int = 80) -> str:
    """A text with its control characters escaped, cut in its middle to ``most`` characters; a value's repr likewise.

    What is left has one line, holds nothing that a terminal obeys, and can be encoded in UTF-8.
    """
    text = value if isinstance(value, str) else _repr(value)
    if len(text) > most:  # before escaping, which may make a character ten
        text = f"{text[: most * 2 // 3]} … {text[len(text) - most // 3 :]}"
    return text if text.isprintable() else "".join(_escaped(c) if _is_hidden(c) else c for c in text)


def _repr(value: object) -> str:
    try:
        return _SHORT.repr(value)
    except (ValueError, RecursionError):  # a number of more digits than Python prints
        return f"a {type(value).__name__}"


def _is_hidden(character: str) -> bool:
    """Whether it is a control character, half a character, or one that turns or hides text; spaces stay."""
    return unicodedata.category(character) in _HIDDEN and character not in _JOINERS


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
