"""Write the tables of a folder of rows, as Markdown and as a page."""

from __future__ import annotations

from pathlib import Path

from ..atomic import write_text
from ..errors import InputError
from . import curve_tables
from .html_tables import page
from .markdown_tables import markdown
from .recipes import Suite
from .rows import read
from .suites import SUITES
from .table_lines import collect

_TITLE = "The papers' tables, measured again"
_INTRODUCTION = """Written by `ganad tables` from the rows in `results/`, which `ganad bench SUITE` made; every cell
can be made again. Mean ± sample standard deviation over seeds, last epoch; no test label trains, stops, scales or
chooses anything. "published" is what a paper or its code prints for the same protocol; `-` means that there is no
such figure, or that it could not be verified. "difference" is measured minus published mean. "best epoch" is the mean
AUROC that the best epoch on the test labels would have claimed, the last one included, for methods that can be scored
while they train: the papers' habit, not a result. The mean, the median and the sd beside them are over the classes.
Precision, recall and the like flag the share of the test set that the protocol names, or, where it names none, what
lies above the threshold of a fit, the 99th percentile of its training scores; then no difference is given, for the
papers' rule is another. A line with † has a note of its own below the tables. Rows in italics learn nothing or need no
network. A budget of `quick` is a training length for two CPU cores, not the papers': its rows say how methods do after
that little, not how good they can get. CIFAR-10 was read from a copy in JPEG, which smooths it a little.
"""
_OWN = """Written by `ganad bench` from the rows in this folder; every cell can be made again.
{split}
Cells show the mean ± the sample standard deviation over seeds, after the last epoch. No test label trains, stops,
scales or chooses anything.
If you choose the best of many rows, you choose by the test labels, so the figure of that row is a little too good.
"best epoch" is the mean AUROC that the best epoch on the test labels would have claimed, for methods that can be scored
while they train; it is not a result. Rows in italics learn nothing or need no network. A budget of `quick` is a short
training length, and its rows say how well methods do after that little training; `paper` is their default length.
"""

_SPLITS = {
    "user-holdout": "A fifth of the normal samples, drawn by the seed, and all anomalies test; the others train.",
    "user-folders": "The folders say what trains and what tests; the seed draws neither.",
}


def write(results: str | Path, folder: str | Path, own: Suite | None = None) -> list[Path]:
    """Write TABLES.md and tables.html into ``folder`` from all rows in ``results``, and return their paths.

    own: a suite of the user's data, whose table is written instead of the papers' tables.

    Raises InputError for a damaged file of rows, and without ``own`` where all rows are of the user's data.
    """
    every = [row for path in sorted(Path(results).glob("*.jsonl")) for row in read(path)]
    rows = [row for row in every if "suite" in row]
    if own is None and rows and all("data_hash" in row for row in rows):
        raise InputError(
            f"{results}: its rows are of your own data; their tables are those that ganad bench writes there"
        )
    curves = [] if own else [row for row in every if "curve_of" in row]
    tables = list(collect(rows, [own] if own else SUITES.values()))
    title, introduction = _TITLE, _INTRODUCTION
    if own:
        title, introduction = f"Detectors on {own.name}", _OWN.format(split=_SPLITS[own.protocol])
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pages = {
        folder / "TABLES.md": markdown(tables, title, introduction) + curve_tables.markdown(curves),
        folder / "tables.html": page(tables, title, introduction, curve_tables.section(rows + curves)),
    }
    for path, text in pages.items():
        write_text(path, text)
    return list(pages)
