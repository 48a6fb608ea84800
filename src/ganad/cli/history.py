"""``ganad history``: what a model said, and what people say of that."""

from __future__ import annotations

import re
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ..display import shown
from ..errors import InputError
from .options import check_place, given, reports_errors

if TYPE_CHECKING:
    from ..history import Feedback, Filter, History, Row

_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_FEEDBACK = ("normal", "anomaly", "none")
_FILTERS = {"--flagged", "--review", "--since", "--until", "--feedback", "--model"}
#: What is done in place of a list, and the options that choose samples for it; a list takes all of them.
_CHOSEN_BY: dict[str, set[str]] = {
    "--mark": set(),
    "--keep-days": set(),
    "--keep-mb": set(),
    "--export": _FILTERS,
    "--check": {"--model"},
}

Time = Annotated[str | None, typer.Option(metavar="TIME", help="2026-11-29T14:20, 14:20 of today, or 2h ago.")]


@reports_errors
def history(
    context: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="A file, or postgresql://user@host/name.")],
    flagged: Annotated[bool, typer.Option("--flagged", help="Only what was called an anomaly.")] = False,
    review: Annotated[
        bool, typer.Option("--review", help="Only what waits for a person: flagged samples and spot checks.")
    ] = False,
    since: Time = None,
    until: Time = None,
    feedback: Annotated[
        str | None, typer.Option(metavar="WORD", help="Only what a person called normal or anomaly, or none yet.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Only of this model: a file, or the beginning of its SHA-256.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 20,
    mark: Annotated[
        list[str] | None,
        typer.Option(metavar="ID=WORD", help="Say that a sample is normal or anomaly, or none to take it back."),
    ] = None,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all samples that are asked for, to .csv or .parquet.")
    ] = None,
    keep_days: Annotated[float | None, typer.Option(help="Forget samples that are older.")] = None,
    keep_mb: Annotated[float | None, typer.Option(help="Forget the oldest samples beyond so many megabytes.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Say whether the newest model, or --model, drifts; exit code 1 if it does.")
    ] = False,
) -> None:
    """List samples, mark them, export them, forget old ones, tell drift.

    A line a sample: id, time, verdict, score, p-value, what a person said, name.

    --mark, --keep-days, --keep-mb, --export and --check take the place of the list. All options that choose samples but
    --limit are for --export as well, and --model for --check.
    """
    from ..history import History

    asked = given(context)
    _refuse_ignored(asked)
    marks = [_mark(text) for text in mark or ()]
    if export is not None:
        from ..history.export import check_ending

        check_place(export, "export", url)
        check_ending(export)
    with History(url, create=False) as kept:
        which: Filter = {
            "since": seconds(since, "--since"),
            "until": seconds(until, "--until"),
            "flagged": flagged or None,
            "feedback": "none" if review and feedback is None else _word(feedback),
            "model": None if model is None else sha256_in(kept, model),
            "review": review or None,
        }
        kept.mark_all(marks)
        if keep_days is not None or keep_mb is not None:
            typer.echo(f"{kept.prune(keep_days, keep_mb):,} samples forgotten", err=True)
        if export is not None:
            from ..history.export import export as write

            typer.echo(f"{write(kept, export, **which):,} samples in {export}", err=True)
        if check:
            _check(kept, which.get("model"))
        if not asked & _CHOSEN_BY.keys():
            _list(kept, limit, which)


def _refuse_ignored(asked: set[str]) -> None:
    """Raise InputError for an option that chooses samples where something is done that would ignore it."""
    for done, chosen_by in _CHOSEN_BY.items():
        if done in asked and (ignored := sorted(asked & (_FILTERS | {"--limit"}) - chosen_by)):
            raise InputError(f"{ignored[0]} does not choose samples for {done}; leave one of the two out")


def _list(kept: History, limit: int, which: Filter) -> None:
    for row in reversed(kept.rows(limit=limit, newest=True, thumbnails=False, **which)):
        typer.echo(_line(row))
    waiting = kept.count(review=True, feedback="none")
    typer.echo(
        f"{kept.count():,} samples, {kept.count(flagged=True):,} flagged; {waiting:,} wait for a person (--review)",
        err=True,
    )


def _check(kept: History, model: str | None) -> None:
    """Print the verdict on a model, the newest without ``model``; ends with exit code 1 where it drifts."""
    from ..history.monitor import Monitor

    known = [record for record in kept.models() if model in (None, record.sha256)]
    if not known:
        raise InputError(f"{kept.place}: no model has written to this history yet")
    monitor = Monitor(kept, known[-1])
    monitor.refresh()
    verdict = monitor.verdict()
    typer.echo(f"{shown(known[-1].name, 200)} ({known[-1].sha256[:12]}): {verdict}")
    if verdict.drifting:
        raise typer.Exit(1)


def _line(row: Row) -> str:
    at = datetime.fromtimestamp(row.seen_at).isoformat(" ", "seconds")
    p = "" if row.p_value is None else f"{row.p_value:.4g}"
    verdict = "anomaly" if row.is_anomaly else "normal"
    return "\t".join([str(row.id), at, verdict, f"{row.score:.6g}", p, row.feedback or "", shown(row.name, 500)])


def _word(text: str | None) -> Feedback | None:
    """A filter's word, "none" among them, which the types of the filter know as well."""
    if text is not None and text not in _FEEDBACK:
        raise InputError(f"--feedback {shown(text)} is not one of {', '.join(_FEEDBACK)}")
    return cast("Feedback | None", text)


def _mark(text: str) -> tuple[int, Feedback | None]:
    found = re.fullmatch(r"(\d{1,18})=(normal|anomaly|none)", text)
    if not found:
        raise InputError(f"--mark {shown(text)}: give a sample's id and what it is, such as 17=normal")
    return int(found[1]), None if found[2] == "none" else cast("Feedback", found[2])


def seconds(text: str | None, option: str) -> float | None:
    """A time as seconds since 1970-01-01 UTC: ISO 8601, a time of today, or so long ago; local unless it says."""
    if text is None:
        return None
    if found := re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)\s*(s|min|h|d|w)(?: ago)?", text.strip()):
        return time.time() - float(found[1]) * _UNITS[found[2]]
    try:
        if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", text.strip()):
            text = f"{datetime.now().date()}T{text.strip().zfill(5 if text.count(':') == 1 else 8)}"
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(
            f"{option} {shown(text)} is no time; give one such as 2026-11-29T14:20, 14:20 for today, or 2h for two "
            "hours ago"
        ) from error


def sha256_in(kept: History, model: str) -> str:
    """The SHA-256 of a model in the history, by its file or by its first digits; InputError if it is not there."""
    known = [m.sha256 for m in kept.models()]
    if Path(model).is_file():
        from ..files import sha256_of

        wanted = sha256_of(model)
    else:
        wanted = model.lower()
    found = [sha256 for sha256 in known if sha256.startswith(wanted)]
    if len(found) != 1:
        what = "several models" if found else "no model"
        raise InputError(f"{kept.place}: holds {what} {shown(model, 200)}; it knows {', '.join(known[-20:]) or 'none'}")
    return found[0]
