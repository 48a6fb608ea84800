"""How data were read, in a few lines for a person, from what a model keeps of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..display import shown
from .image_account import account_of_images
from .samples import Samples

_LISTED = 8  # names in a line
_MARKS = {"\t": "tab", " ": "space", ",": "comma", ";": "semicolon", "|": "bar", ".": "point", "'": "apostrophe"}
_ENCODINGS = {"utf-8-sig": "UTF-8", "cp1252": "Windows-1252 (it is not UTF-8; --encoding names another)"}


def described(source: Mapping[str, Any]) -> list[str]:
    """Lines for the training data of a recipe; none where it does not say how they were read."""
    read = source.get("read")
    if not read:
        return []
    lines = _of_table(source, read) if source["kind"] == "table" else _of_images(source, read)
    return [f"{title:9} {text}" for title, text in lines if text]


def reread(samples: Samples, data: str) -> dict[str, Any]:
    """The recipe by which samples of ``data`` were read again, with an account of these for ``described``."""
    source, place = samples.source, Path(data)
    if source["kind"] == "table":
        left_out = source.get("read", {}).get("left_out", {})
        return source | {"read": {"rows": len(samples.x), "missing": {}, "left_out": left_out}}
    return source | {"read": account_of_images(place, samples) if place.exists() else {}}


def _of_table(source: Mapping[str, Any], read: Mapping[str, Any]) -> list[tuple[str, str]]:
    columns = source["columns"]
    by_kind = {kind: [c for c in columns if c["kind"] == kind] for kind in ("numeric", "boolean", "date", "time")}
    categories = [c for c in columns if c["kind"] == "categorical"]
    left = [f"{_quoted(name)} ({why})" for name, why in read["left_out"].items()]
    filled = [f"{_quoted(name)} {n:,}" for name, n in read["missing"].items()]
    return [
        ("data", f"{read['rows']:,} rows, {len(columns)} columns{_way(source, read)}"),
        ("numbers", _listed([_quoted(c["name"]) for c in by_kind["numeric"]])),
        ("truths", _listed([_quoted(c["name"]) for c in by_kind["boolean"]])),
        ("texts", _listed([f"{_quoted(c['name'])} ({_listed(c['categories'], 4)})" for c in categories])),
        ("dates", _listed([f"{_quoted(c['name'])} ({', '.join(c['parts'])})" for c in by_kind["date"]])),
        ("times", _listed([_quoted(c["name"]) for c in by_kind["time"]])),
        ("left out", _listed(left)),
        ("filled", _listed(filled)),
    ]


def _way(source: Mapping[str, Any], read: Mapping[str, Any]) -> str:
    """How a file of text is written, from what differs from one file to the next."""
    text, parts = source["text"], []
    if "separator" in read:
        parts.append(f"separator {_mark(read['separator'])}")
    if "separator" in read or text["decimal"] != ".":
        parts.append(f"decimal {_mark(text['decimal'])}")
    if text["thousands"]:
        parts.append(f"thousands {_mark(text['thousands'])}")
    if text["day_first"] is not None:
        parts.append("day first" if text["day_first"] else "month first")
    if said := source.get("encoding"):
        parts.append(f"{said} as said")
    elif "encoding" in read:
        parts.append(_ENCODINGS.get(read["encoding"], read["encoding"].upper()))
    if read.get("skipped"):
        parts.append(f"lines above the names: {read['skipped']}")
    return "".join(f", {part}" for part in parts)


def _of_images(source: Mapping[str, Any], read: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        ("data", f"{read['count']:,} images, read as {_as_read(source)}"),
        ("sizes", _counted(read["sizes"], read)),
        ("modes", _counted(read["modes"], read)),
        ("depth", read.get("depth", "")),
        ("classes", _counted(read["classes"], {})),
    ]


def _as_read(source: Mapping[str, Any]) -> str:
    mode = "grey" if source.get("mode") == "L" else "colour"
    return f"{source['size'][1]} x {source['size'][0]} {mode}" if source.get("size") else f"{mode} at their own size"


def _counted(counts: Mapping[str, int], read: Mapping[str, Any]) -> str:
    looked = f"; of {read['looked_at']} looked at" if read and read["looked_at"] < read["count"] else ""
    text = _listed([f"{shown(name)} {n:,}" if len(counts) > 1 else shown(name) for name, n in counts.items()])
    return text + looked if text else ""


def _mark(mark: str) -> str:
    return _MARKS.get(mark, mark)


def _quoted(name: str) -> str:
    return shown(name) if name and name == name.strip() and "," not in name else shown(repr(name))


def _listed(names: Sequence[str], most: int = _LISTED) -> str:
    more = f", ... ({len(names):,})" if len(names) > most else ""
    return ", ".join(shown(name) for name in names[:most]) + more
