"""What a figure is: its place in its paper, what it needs, and the function that draws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bench.recipes import Budget


@dataclass(frozen=True)
class Asked:
    """What the user asked for, the same for all figures of a call."""

    budget: Budget = "quick"  #: length of the fits; figures from rows take the longest rows there are
    data_dir: str | None = None  #: folder with the data sets; None means the default one
    results: Path = Path("benchmarks/results")  #: folder of the rows


@dataclass(frozen=True)
class Drawing:
    """A drawn figure, without its title."""

    figure: Any  #: of matplotlib
    made: str  #: data, budget and seeds, for the small line


@dataclass(frozen=True)
class Entry:
    """A figure of a paper, or one that its text asks for."""

    name: str  #: paper and number, as the command line takes it
    paper: str
    number: str  #: as the paper's caption has it; "" for a figure that the paper does not print
    title: str  #: what it shows
    needs: str  #: rows of which table, or what is fitted to what
    draw: Callable[[Asked], Drawing] | None = None
    reason: str = ""  #: why it cannot be had, if it cannot
    differs: str = ""  #: from the paper's figure, if it does

    @property
    def place(self) -> str:
        """The caption's number, or that there is none."""
        return self.number or "no figure of the paper"
