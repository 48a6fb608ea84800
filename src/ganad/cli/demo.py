"""``ganad demo``: real data, from nothing to a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import reports_errors

ANOMALY = 9
SETTINGS: dict[str, Any] = dict(epochs=60, latent_dim=32, random_state=0)


@reports_errors
def demo(folder: Annotated[Path, typer.Option(help="Where the report goes.")] = Path("demo")) -> None:
    """Find the digit 9 among handwritten digits.

    Fits GANomaly on digits other than 9, scores unseen digits and writes a report. It takes less than a minute.
    """
    import numpy as np
    from sklearn.model_selection import train_test_split

    from ..data import load
    from ..methods.ganomaly import GANomaly
    from ..metrics import auroc
    from ..reporting import report

    digits = load("digits")
    rows = np.arange(len(digits.x))
    assert digits.y is not None
    train, test = train_test_split(rows, test_size=0.4, random_state=0, stratify=digits.y)
    train = train[digits.y[train] != ANOMALY]
    train, held_out = train_test_split(train, test_size=0.2, random_state=0)
    typer.echo(f"GANomaly on {len(train)} digits other than {ANOMALY} (8 x 8 pixels, scikit-learn's)")
    detector = GANomaly(**SETTINGS).fit(digits.x[train]).calibrate(digits.x[held_out], false_alarm_rate=0.05)
    unseen = digits.subset(test)
    scores = detector.anomaly_score(unseen.x)
    labels = (digits.y[test] == ANOMALY).astype(int)
    area = auroc(labels, scores)
    typer.echo(f"AUROC {area:.4f} on {len(test)} unseen digits, {labels.sum()} of them a {ANOMALY}")
    false_alarms = (scores[labels == 0] > detector.threshold_).mean()
    typer.echo(f"false alarms {false_alarms:.1%}; calibrated on {len(held_out)} held-out digits to 5 % on average")
    typer.echo("most anomalous:")
    names = unseen.names or [str(i) for i in test]
    for i in np.argsort(-scores)[:8]:
        typer.echo(f"  {names[i]:12} score {scores[i]:.5f}   a {digits.y[test][i]}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.html"
    report(detector, unseen, path, scores=scores, labels=labels, facts={"model": "demo", "data": "digits"})
    detector.save(folder / "model.safetensors")
    typer.echo(f"model     {folder / 'model.safetensors'}\nreport    {path}")
