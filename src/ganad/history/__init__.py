"""What a model said of the samples that it met, kept in SQLite or PostgreSQL, and what people said of that.

``Entry`` is a verdict before it is kept and ``Row`` one that was; ``History`` is the database, ``Writer`` a thread that
writes to it and waits for it while it is away. The room knows scores and p-values, and no model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import MissingExtra
from .entries import Entry, Feedback, FileRecord, Filter, ModelRecord, Row
from .writer import Writer

if TYPE_CHECKING:
    from .store import History
else:

    def __getattr__(name: str) -> Any:
        if name != "History":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            from .store import History
        except ImportError as error:
            raise MissingExtra("a history needs the extra watch: pip install 'ganad[watch]'") from error
        return History


__all__ = ["Entry", "Feedback", "FileRecord", "Filter", "History", "ModelRecord", "Row", "Writer"]
