"""The first sheet of an Excel or OpenDocument file."""

from __future__ import annotations

import datetime
import zipfile
from pathlib import Path
from typing import Any

import pyarrow

from ..errors import InputError
from .frames import table_of

ENDINGS = {".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"}
_LARGEST = 2**30  # bytes that a file may unpack to
_TIMES = 100  # a spreadsheet packs tenfold


def read(path: Path) -> pyarrow.Table:
    """The first sheet; its first row has the columns' names. Raises InputError for what is no such file."""
    from python_calamine import CalamineError, load_workbook

    _refuse_bomb(path)
    try:
        with load_workbook(str(path)) as book:
            rows = book.get_sheet_by_index(0).to_python(skip_empty_area=True)
    except (CalamineError, OSError, IndexError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a spreadsheet ({(str(error).splitlines() or [''])[0]})") from error
    if not rows:
        raise InputError(f"{path}: no rows in the first sheet")
    names = [_name(cell) for cell in rows[0]]
    return table_of(names, ([_cell(cell) for cell in row] for row in rows[1:]))


def _name(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _cell(cell: Any) -> Any:
    """A cell as it is; None for an empty one; a date at midnight stays a date of the same kind as the others."""
    if cell == "":
        return None
    if isinstance(cell, datetime.date) and not isinstance(cell, datetime.datetime):
        return datetime.datetime(cell.year, cell.month, cell.day)
    return cell


def _refuse_bomb(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as file:
            size = sum(info.file_size for info in file.infolist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError):  # of the old kind, or damaged, which the reader says
        return
    if size > max(_LARGEST // 16, _TIMES * path.stat().st_size) or size > _LARGEST:
        raise InputError(f"{path}: unpacks to {size:,} bytes; save it as CSV if you trust it")
