"""A body of JSON rows: objects of column and value, or lists of numbers."""

from __future__ import annotations

import json
from typing import Any

from ..errors import InputError
from .limits import Limits
from .rejections import Refused

_NESTED = 10  # lists and objects a row, those in columns that nobody reads included


def json_rows(body: bytes, limits: Limits) -> list[Any]:
    """The rows of ``[...]`` or ``{"rows": [...]}``."""
    # ten millions of [] hold the interpreter, and with it every other request, for seconds
    if body.count(b"[") + body.count(b"{") > _NESTED * limits.samples:
        raise Refused(413, f"more lists and objects than {limits.samples:,} rows may have")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the body is not JSON ({error})") from error
    rows = value.get("rows") if isinstance(value, dict) else value
    if not isinstance(rows, list) or not rows:
        raise InputError('JSON must be a list of rows, or {"rows": [...]}, with at least one row')
    return rows
