"""Write one tiny model file of every detector, and what it answers, for the tests of later versions.

    python scripts/golden.py [--output tests/golden]

Run it once a minor version, when that version is finished, and commit the new folder (tests/golden/0.1 and so on).
tests/test_compatibility.py then holds every later version to its answers. A folder that is there stays as it is: its
files must come from the version whose name it has, so the script refuses to write into it.

``scores.json`` has the samples (``inputs``), and for each model file its threshold, scores, predictions, p-values,
reconstructions, codes and the scores of the other variants. Everything is computed on the CPU with one thread.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import typing
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow

import ganad
from ganad.data import Samples, load_table

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "golden"
SEED = 20_260
COLUMNS = ["width mm", "Höhe, außen", "speed", "=SUM(A1)"]  # names that files and spreadsheets trip over
#: New rows for the model that was fitted to a CSV file.
TEXT = "speed,länge,material\n0.0,0.5,steel\n1.5,-1.0,brass\n-0.5,2.0,Zinn\n-7.0,9.0,steel\n"
#: Settings that keep files small and fits short; a method takes those that it has.
COMMON: dict[str, Any] = dict(
    **dict(random_state=0, device="cpu", threads=1, verbose=0, epochs=2, batch_size=16, latent_dim=2, width=2),
    **dict(hidden=(4,), search_steps=2, n_seeds=2, n_starts=2, sweeps=20, n_draws=2, n_hidden=3, code_dim=3),
    **dict(generator_hidden=4, visual_width=2, channels=(2, 2), n_features=3, n_trees=5, tree_samples=16),
    **dict(estimation_hidden=(3,), pretrain_epochs=1, encoder_epochs=1, target_epochs=1, n_turns=2),
)


def table(n: int, rng: np.random.RandomState) -> np.ndarray:
    """Rows ``(n, 4)`` of two clouds; the last column follows the first two."""
    x = rng.normal(size=(n, 4)) * [1.0, 0.3, 5.0, 0.1]
    x[:, :2] += np.where(rng.uniform(size=n) < 0.5, -4.0, 4.0)[:, None]
    x[:, 3] += x[:, 0] - x[:, 1]
    return x.astype(np.float32)


def images(n: int, rng: np.random.RandomState) -> np.ndarray:
    """Images ``(n, 8, 8)`` of a bright bar at one of three places, with noise."""
    x = rng.randint(0, 60, size=(n, 8, 8))
    for image, place in zip(x, rng.randint(0, 3, size=n)):
        image[2 * place : 2 * place + 3] += 150
    return x.astype(np.uint8)


def colour(n: int, rng: np.random.RandomState) -> np.ndarray:
    """Images ``(n, 8, 10, 3)``, not square."""
    x = np.stack([images(n, rng) for _ in range(3)], axis=-1)
    return np.concatenate([x, x[:, :, :2]], axis=2)


KINDS: dict[str, tuple[int, Callable[[int, np.random.RandomState], np.ndarray]]] = {
    "table": (60, table),
    "images": (32, images),
    "colour": (32, colour),
}

#: Variants that a model has only if it was fitted with them.
FIXED_BY_FIT = {"untrained", "ratio"}


@dataclass(frozen=True)
class Case:
    """One model file, ``NAME-KIND.safetensors``."""

    name: str
    detector: str
    kind: str = "table"
    settings: dict[str, Any] = field(default_factory=dict)
    calibrated: bool = False
    false_alarm_rate: float | None = None  #: of the threshold, for a calibrated model
    inputs: str = ""  #: what it is asked about, by its name in scores.json; empty: samples of its kind
    #: fits the model in a way of its own
    fit: Callable[[Case], ganad.Detector] | None = None

    @property
    def file(self) -> str:
        return f"{self.name}-{self.kind}.safetensors"


def fitted(case: Case) -> ganad.Detector:
    """The detector of a case, fitted to the rows or images of its kind."""
    return made(case).fit(training_set(case.kind))


def named(case: Case) -> ganad.Detector:
    """Fitted to a table that knows the names of its columns."""
    x = training_set(case.kind)
    return made(case).fit(pyarrow.table(dict(zip(COLUMNS, x.T))))


def from_text(case: Case) -> ganad.Detector:
    """Fitted to a CSV file; the model remembers how it was read."""
    samples = encoded(training_text())
    detector = made(case).fit(samples.x)
    detector.remember_source(samples.source, samples.columns)
    return detector


def training_text() -> str:
    """A CSV file of two columns of numbers and one of words."""
    rng = np.random.RandomState(SEED)
    words = rng.choice(["steel", "brass", "Zinn"], size=60)
    rows = [f"{a:.3f},{word},{b:.3f}" for (a, b), word in zip(rng.normal(size=(60, 2)), words)]
    return "\n".join(["länge,material,speed", *rows]) + "\n"


def encoded(text: str, source: dict[str, Any] | None = None) -> Samples:
    """A CSV file as numbers; ``source`` is the recipe of an earlier one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        path.write_text(text, encoding="utf-8")
        return load_table(path, source=source)


def from_vae(case: Case) -> ganad.Detector:
    """An ADGAN that searches with the generator of a VAE."""
    vae = made(Case("vae", "VAE", case.kind)).fit(training_set(case.kind))
    own = {k: v for k, v in made(case).get_params().items() if k in ("n_seeds", "search_steps", "verbose", "threads")}
    detector: ganad.Detector = typing.cast(Any, ganad).ADGAN.from_detector(vae, **own, random_state=0)
    return detector


def training_set(kind: str) -> np.ndarray:
    n, draw = KINDS[kind]
    return draw(n, np.random.RandomState(SEED))


def made(case: Case) -> ganad.Detector:
    """The detector of a case before its fit."""
    cls = getattr(ganad, case.detector)
    known = cls().get_params()
    detector: ganad.Detector = cls(**{k: v for k, v in (COMMON | case.settings).items() if k in known})
    return detector


# ADGAN, ALAD, EGBAD and IGMM-GAN have large networks for tables, AnoGAN and f-AnoGAN larger ones, left out with all
# networks for images of more than 60 kB.
CASES = (
    Case("adgan", "ADGAN"),
    Case("adgan", "ADGAN", "images", dict(moving="sample")),
    Case("adgan-from-vae", "ADGAN", fit=from_vae, calibrated=True, false_alarm_rate=0.2),
    Case("adgan-from-vae", "ADGAN", "images", fit=from_vae),  # its threshold is infinite
    Case("alad", "ALAD", settings=dict(ema=0.5)),
    Case("anogan", "AnoGAN", "images", dict(ema=0.0)),
    Case("autoencoder", "AutoEncoder", settings=dict(patience=2, epochs=4, scaling="minmax"), calibrated=True),
    Case("autoencoder-text", "AutoEncoder", fit=from_text, inputs="text"),
    Case("dagmm", "DAGMM"),
    Case("dagmm", "DAGMM", "images", dict(jitter=0.01), calibrated=True),
    Case("deep-svdd", "DeepSVDD", settings=dict(objective="soft", nu=0.2)),
    Case("deep-svdd", "DeepSVDD", "images"),
    Case("dsebm", "DSEBM"),
    Case("dsebm", "DSEBM", "images", dict(scaling="standard")),
    Case("egbad", "EGBAD"),
    Case("f-anogan", "FAnoGAN", "images"),
    Case("fence-gan", "FenceGAN", settings=dict(network="toy", latent_dim=4, contamination=0.2)),
    Case("ganomaly", "GANomaly", settings=dict(contamination=0.0)),
    Case("ganomaly", "GANomaly", "images", dict(epochs=20, lr=1e-2), calibrated=True),
    Case("gaussian", "Gaussian", calibrated=True),
    Case("gmm", "GMM", settings=dict(components=(2, 3), n_components=2)),
    Case("igmm-gan", "IGMMGAN", settings=dict(epochs=30, lr=1e-3, min_cluster_size=3, dof=1.0, prior_scale=0.05)),
    Case("isolationforest", "IsolationForest", settings=dict(contamination=0.1), calibrated=True),
    Case("kde", "KDE", settings=dict(contamination=0.1), calibrated=True),
    Case("kde-named", "KDE", fit=named),
    Case("lof", "LOF", settings=dict(n_neighbors=5)),
    Case("mmoc-gan", "MMOCGAN"),
    Case("mmoc-gan", "MMOCGAN", "images"),
    Case("nearest-neighbor", "NearestNeighbor", settings=dict(k=2, score_batch_size=7)),
    Case("oc-nn", "OCNN"),
    Case("oc-nn", "OCNN", "images"),
    Case("ocan", "OCAN"),
    Case("ocan-lstm", "OCAN", settings=dict(representation="lstm", sequence_shape=(2, 2), reading="code")),
    Case("ocgan", "OCGAN", settings=dict(contamination=0.05)),
    Case("oneclasssvm", "OneClassSVM", settings=dict(scaling="none", gamma=0.05)),
    Case("pcaresidual", "PCAResidual", calibrated=True),
    Case("pcaresidual", "PCAResidual", "images", dict(n_components=3)),
    Case("rda", "RobustAutoEncoder"),
    Case("rda", "RobustAutoEncoder", "images", dict(contamination=0.1)),
    Case("rgan", "RGAN", settings=dict(network="ocan")),
    Case("skip-ganomaly", "SkipGANomaly", settings=dict(clip_norm=1.0)),
    Case("skip-ganomaly", "SkipGANomaly", "images"),
    Case("trivial", "Trivial"),
    Case("trivial-untrained", "Trivial", settings=dict(variant="untrained")),
    Case("vae", "VAE", calibrated=True),
    Case("vae", "VAE", "images", dict(likelihood="bernoulli", epochs=20, contamination=0.2)),
    Case("vae", "VAE", "colour", dict(image_size=12, ema=0.9)),
)


def inputs() -> dict[str, np.ndarray]:
    """Samples to score, by name: of each kind six like the training set and four that are not, and encoded text."""
    found = {}
    for kind, (_, draw) in KINDS.items():
        x = found[kind] = draw(10, np.random.RandomState(SEED + 1))
        x[6:8] = x[6:8][:, ::-1]
        x[8:] = 3 * x[8:] if kind == "table" else 255 - x[8:]
    return found | {"text": encoded(TEXT, encoded(training_text()).source).x}


def answers(detector: ganad.Detector, x: np.ndarray) -> dict[str, Any]:
    """What a model says of samples, as JSON; ``None`` is an infinite threshold."""
    said: dict[str, Any] = {
        "class": type(detector).__name__,
        "threshold": detector.threshold_ if np.isfinite(detector.threshold_) else None,
        "scores": detector.anomaly_score(with_names(detector, x)).tolist(),
        "predictions": detector.predict(with_names(detector, x)).tolist(),
    }
    if hasattr(detector, "calibration_"):
        said["p_values"] = detector.p_values(with_names(detector, x)).tolist()
    for name, method in (("reconstructions", "reconstruct"), ("codes", "encode")):
        try:
            said[name] = getattr(detector, method)(with_names(detector, x[:1])).tolist()
        except AttributeError:  # the method has none
            continue
    for name in ("feature_names_in_", "columns_", "source_"):
        if hasattr(detector, name):
            value = getattr(detector, name)
            said[name] = value.tolist() if isinstance(value, np.ndarray) else value
    said["variants"] = {name: scores_of(detector, name, x) for name in other_variants(detector)}
    return said


def with_names(detector: ganad.Detector, x: np.ndarray) -> Any:
    """The samples as the training set came: a table with names, or an array."""
    names = getattr(detector, "feature_names_in_", None)
    return x if names is None else pyarrow.table(dict(zip(names, x.T)))


def other_variants(detector: ganad.Detector) -> list[str]:
    """The scores that the fitted model can give besides its own."""
    if "variant" not in detector.get_params():
        return []
    names = [str(n) for n in typing.get_args(typing.get_type_hints(type(detector))["variant"])]
    if hasattr(detector, "generator_of_"):
        names.remove("critic")  # it has none
    own = {detector.get_params()["variant"], *FIXED_BY_FIT}
    return [n for n in names if n not in own]


def scores_of(detector: ganad.Detector, variant: str, x: np.ndarray) -> list[float]:
    before = detector.get_params()["variant"]
    try:
        return list(detector.set_params(variant=variant).anomaly_score(with_names(detector, x)).tolist())
    finally:
        detector.set_params(variant=before)


def write(case: Case, folder: Path) -> dict[str, Any]:
    """Fit a case, save it in ``folder`` and return its answers."""
    detector = (case.fit or fitted)(case)
    if case.calibrated:
        held_out = KINDS[case.kind][1](30, np.random.RandomState(SEED + 2))
        detector.calibrate(held_out, false_alarm_rate=case.false_alarm_rate)
    detector.save(folder / case.file)
    return {"inputs": case.inputs or case.kind} | answers(detector, inputs()[case.inputs or case.kind])


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=FOLDER)
    folder = parser.parse_args(arguments).output / ".".join(ganad.__version__.split(".")[:2])
    if folder.exists():
        sys.exit(f"{folder} is there already; golden files stay as their version wrote them, so nothing was written")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as half:  # a run that fails leaves no folder
        made_in = Path(half) / folder.name
        made_in.mkdir()
        models = write_all(made_in)
        samples = {name: x.tolist() for name, x in inputs().items()}
        text = lines({"version": ganad.__version__, "csv": TEXT, "inputs": lines(samples), "models": lines(models)})
        (made_in / "scores.json").write_text(text + "\n", encoding="utf-8")
        made_in.rename(folder)


def write_all(folder: Path) -> dict[str, Any]:
    """The answers of every case, by file."""
    models = {}
    for case in CASES:
        models[case.file] = write(case, folder)
        print(f"{case.file}  {(folder / case.file).stat().st_size / 1000:.1f} kB", flush=True)
    return models


class Json(str):
    """Text that is JSON already."""


def lines(values: dict[str, Any]) -> Json:
    """JSON with a line for each key, so that a difference between two versions can be read."""
    texts = {k: v if isinstance(v, Json) else json.dumps(v, allow_nan=False) for k, v in values.items()}
    return Json("{\n" + ",\n".join(f"{json.dumps(k)}: {text}" for k, text in texts.items()) + "\n}")


if __name__ == "__main__":
    main()
