"""``ganad demo``: real data, from nothing to a report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import reports_errors

if TYPE_CHECKING:
    import numpy as np

    from ..detector import Detector

ANOMALY = 9
FALSE_ALARM_RATE = 0.05
#: one GAN alone, long enough for images this small
GAN: dict[str, Any] = dict(epochs=60, latent_dim=32)


@reports_errors
def demo(folder: Annotated[Path, typer.Option(help="Where the report goes.")] = Path("demo")) -> None:
    """Find the digit 9 among handwritten digits.

    Fits the default method, a GAN and a baseline on digits other than 9, scores unseen digits and writes a report. It
    takes about half a minute.
    """
    import numpy as np
    from sklearn.model_selection import train_test_split

    from ..data import load
    from ..ensemble import Auto
    from ..methods.baselines.nearest_neighbor import NearestNeighbor
    from ..methods.ganomaly import GANomaly
    from ..reporting import report

    digits = load("digits")
    rows = np.arange(len(digits.x))
    assert digits.y is not None
    train, test = train_test_split(rows, test_size=0.4, random_state=0, stratify=digits.y)
    train = train[digits.y[train] != ANOMALY]
    train, held_out = train_test_split(train, test_size=0.2, random_state=0)
    unseen = digits.subset(test)
    labels = (digits.y[test] == ANOMALY).astype(int)
    typer.echo(
        f"{len(train)} digits other than {ANOMALY} train (8 x 8 pixels, scikit-learn's), {len(held_out)} set the "
        f"threshold for {FALSE_ALARM_RATE:.0%} false alarms, {len(test)} test: {labels.sum()} of them a {ANOMALY}"
    )
    contestants: dict[str, Detector] = {
        "auto (the default)": Auto(random_state=0),
        "GANomaly, one GAN": GANomaly(random_state=0, **GAN),
        "nearest neighbour, a baseline": NearestNeighbor(),
    }
    for name, detector in contestants.items():
        start = time.monotonic()
        detector.fit(digits.x[train]).calibrate(digits.x[held_out], false_alarm_rate=FALSE_ALARM_RATE)
        seconds = time.monotonic() - start
        typer.echo(_line(name, detector.anomaly_score(unseen.x), detector.threshold_, labels, seconds))
    auto, *others = contestants.values()
    scores = auto.anomaly_score(unseen.x)
    typer.echo("most anomalous, by auto:")
    names = unseen.names or [str(i) for i in test]
    for i in np.argsort(-scores)[:8]:
        typer.echo(f"  {names[i]:12} score {scores[i]:.5f}   a {digits.y[test][i]}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.html"
    rivals = dict(zip(list(contestants)[1:], others, strict=True))
    facts = {"model": "demo", "data": "digits"}
    report(auto, unseen, path, scores=scores, labels=labels, facts=facts, rivals=rivals)
    auto.save(folder / "model.safetensors")
    typer.echo(f"model     {folder / 'model.safetensors'}\nreport    {path}")


def _line(name: str, scores: np.ndarray, threshold: float, labels: np.ndarray, seconds: float) -> str:
    from ..metrics import auroc

    found, false = (int((scores[labels == value] > threshold).sum()) for value in (1, 0))
    return (
        f"  {name:30} AUROC {auroc(labels, scores):.3f}   {found:2} of {(labels == 1).sum()} found   "
        f"{false:2} of {(labels == 0).sum()} false alarms   {seconds:5.1f} s"
    )
