"""Small fitted models with files, and the samples that they meet."""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from ganad import KDE, data
from ganad.data.samples import image_source
from ganad.detector import Detector


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Digits other than nine, and nines, uint8 ``(n, 8, 8)``."""
    found = load_digits()
    images = np.rint(found.images * (255 / 16)).astype(np.uint8)
    return images[found.target != 9], images[found.target == 9]


def digit_model(path: Path) -> Detector:
    """A detector of digits, calibrated at 1 %, saved to ``path``."""
    normal, _ = digits()
    detector = KDE(bandwidths=(0.5,), random_state=0, verbose=0)
    detector.fit(normal[:800], hold_out=0.25, false_alarm_rate=0.01)
    detector.remember_source(image_source(8, 8, "L"))
    detector.save(path)
    return detector


def table(path: Path, n: int, seed: int = 0, shift: float = 0.0) -> Path:
    """A CSV file of rows around (shift, 10) with a text column."""
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(n):
        a, b, colour = rng.normal(shift), rng.normal(10, 2), rng.choice(["red", "blue"])
        lines.append(f"{a:.6f},{b:.6f},{colour}\n")
    path.write_text("a,b,colour\n" + "".join(lines))
    return path


def table_model(folder: Path) -> Detector:
    """A detector of such rows, calibrated at 1 %, saved to ``folder/table.ganad``."""
    samples = data.load(table(folder / "train.csv", 600))
    detector = KDE(bandwidths=(0.5,), random_state=0, verbose=0)
    detector.fit(samples.x, hold_out=0.25, false_alarm_rate=0.01)
    detector.remember_source(samples.source, samples.columns)
    detector.save(folder / "table.ganad")
    return detector


def save_digit(picture: np.ndarray, path: Path) -> Path:
    Image.fromarray(picture).save(path)
    return path
