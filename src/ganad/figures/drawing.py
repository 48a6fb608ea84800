"""All figures by name, and writing them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from .._version import __version__
from ..errors import InputError
from . import adgan, fence_gan, igmm_gan, mmoc_gan, study, style
from .entry import Asked, Drawing, Entry

#: the names of the papers, as a reader knows them
PAPERS = {"igmm-gan": "IGMM-GAN", "study": "Silva and Lochter", "adgan": "ADGAN", "mmoc-gan": "MMOC-GAN"}
PAPERS |= {"fence-gan": "Fence GAN"}
FIGURES: dict[str, Entry] = {
    entry.name: entry for paper in (igmm_gan, study, adgan, mmoc_gan, fence_gan) for entry in paper.FIGURES
}


def named(names: Sequence[str]) -> list[Entry]:
    """The figures of these papers and names, each once; without a name, all. Some cannot be had.

    Raises InputError, with the nearest names, for one that is not known.
    """
    found: dict[str, Entry] = {}
    for name in names or PAPERS:
        if name not in PAPERS and name not in FIGURES:
            near = difflib.get_close_matches(name.lower(), [*FIGURES, *PAPERS], 3) or list(PAPERS)
            raise InputError(f"no figure {name!r}; did you mean {', '.join(near)}? (ganad figures --list has all)")
        found |= {e.name: e for e in FIGURES.values() if name in (e.paper, e.name)}
    return list(found.values())


def chosen(names: Sequence[str]) -> list[Entry]:
    """Those of ``named`` that can be had. Raises InputError, with the reason, for a name of one that cannot."""
    found = named(names)
    for entry in found:
        if entry.name in names and not entry.draw:
            raise InputError(f"{entry.name} cannot be drawn: {entry.reason}")
    return [entry for entry in found if entry.draw]


def write(entry: Entry, asked: Asked, folder: str | Path, formats: Sequence[str] = ("png",)) -> list[Path]:
    """Draw a figure and write it to ``folder/<name>.<format>``, for each of the formats.

    Raises MissingExtra without matplotlib, and InputError for rows or data that are not there, an unknown format or a
    figure that cannot be had.
    """
    if unknown := [kind for kind in formats if kind not in style.FORMATS]:
        raise InputError(f"format {unknown[0]!r} is not one of {', '.join(style.FORMATS)}")
    if entry.draw is None:
        raise InputError(f"{entry.name} cannot be drawn: {entry.reason}")
    style.require()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with style.look():
        drawing = entry.draw(asked)
        title = f"{PAPERS[entry.paper]}, {entry.place}: {entry.title}"
        style.entitle(drawing.figure, title, small_print(entry, drawing, asked))
        for kind in formats:
            paths.append(folder / f"{entry.name}.{kind}")
            style.save(drawing.figure, paths[-1], kind)
    return paths


def small_print(entry: Entry, drawing: Drawing, asked: Asked) -> str:
    """What was measured, at which budget, and how the figure differs from the paper's."""
    said = [f"Measured by ganad {__version__}, not the paper's figure", drawing.made]
    if not entry.needs.startswith("rows"):  # those name the budgets of their rows themselves
        said.append(f"Budget {asked.budget}")
    if entry.differs:
        said.append(f"Differs: {entry.differs}")
    return ". ".join(said) + "."
