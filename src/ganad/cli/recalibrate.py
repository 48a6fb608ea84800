"""``ganad recalibrate``: renew the false-alarm promise from what people said of random samples."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated

import typer

from .history import Time, seconds
from .options import ModelFile, check_place, reports_errors


@reports_errors
def recalibrate(
    model: ModelFile,
    history: Annotated[str, typer.Option("--history", metavar="URL", help="Where the model's verdicts were kept.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The new model file.")],
    false_alarm_rate: Annotated[
        float | None, typer.Option(help="The share of normal samples that may be flagged; default: the model's own.")
    ] = None,
    since: Time = None,
    until: Time = None,
) -> None:
    """Set the threshold anew from spot checks that a person called normal, and write a new model file.

    Only random spot checks enter, and all of the time that is asked for must have an answer: flags that were dismissed
    are the highest of the normal scores, and a threshold set on them would miss anomalies.
    """
    check_place(output, "model", model, history)
    from ..calibrate import endless, rate_interval
    from ..errors import UntrustedFit
    from ..history import History
    from ..recalibration import recalibrate as renewed

    with History(history, create=False) as kept:
        when = dict(since=seconds(since, "--since"), until=seconds(until, "--until"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UntrustedFit)  # by a line of the output
            detector, change = renewed(model, kept, false_alarm_rate=false_alarm_rate, **when)
    detector.save(output)
    low, high = rate_interval(len(change.new_samples), change.false_alarm_rate)
    typer.echo(str(change))
    if words := endless(detector.threshold_, change.new_samples):
        typer.echo(f"untrusted {words}")
    typer.echo(
        f"at most {100 * change.false_alarm_rate:g} % false alarms, calibrated on {len(change.new_samples):,} spot "
        f"checks; the rate of this one threshold lies between {100 * low:.2g} and {100 * high:.2g} % (95 %)"
    )
    typer.echo(f"model     {output}")
