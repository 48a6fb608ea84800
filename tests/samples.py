"""Small detectors and data that the shared tests use."""

import dataclasses
import functools

import numpy as np
from sklearn.datasets import load_digits

from ganad import Detector

#: Settings that make any method small and quick; fields a method does not have are left out.
COMMON = dict(random_state=0, device="cpu", threads=1, threshold_samples=1000)
SMALL = COMMON | dict(epochs=1, latent_dim=4, width=8, search_steps=3, n_seeds=2, sweeps=10)
#: Settings with which any method learns the little that ``normal`` holds.
TRAINED = COMMON | dict(epochs=60, batch_size=50, latent_dim=8, width=32, search_steps=20, n_seeds=4, sweeps=50)


#: Methods whose discriminator must be slower than their generator, or it learns to tell the two apart too early.
PATIENT = {name: dict(epochs=200, discriminator_lr=1e-4) for name in ("OCAN", "MMOCGAN")}
KINDS = ("table", "images")


def small(detector: type[Detector], **changes) -> Detector:
    """A detector that trains in well under a second."""
    return _made(detector, SMALL, changes)


def trained(detector: type[Detector], **changes) -> Detector:
    """A detector that trains in a few seconds, long enough to have learnt something."""
    return _made(detector, TRAINED, {"lr": 1e-3} | PATIENT.get(detector.__name__, {}) | changes)


def _made(detector: type[Detector], settings: dict, changes: dict) -> Detector:
    names = {field.name for field in dataclasses.fields(detector)}
    stages = {n: 1 if settings is SMALL else 10 for n in names if n.endswith("_epochs")}
    rates = {n: changes["lr"] for n in names if n.endswith("_lr") and "lr" in changes}
    chosen = settings | stages | rates | changes
    return detector(**{k: v for k, v in chosen.items() if k in names})


def has_players(detector: type[Detector]) -> bool:
    """Whether it trains networks; the others are fitted in closed form, without steps, epochs or resuming."""
    return bool(detector(device="cpu").build((6,)))


@functools.cache
def normal(kind: str) -> np.ndarray:
    """Normal samples: a table whose last columns repeat the first, or real 8 x 8 digits other than 9."""
    if kind == "images":
        digits = load_digits()
        return (digits.images[digits.target != 9][:200] * 255 / 16).astype(np.uint8)
    x = np.random.default_rng(0).normal(size=(400, 6)).astype(np.float32)
    x[:, 3:] = x[:, :3] + 0.1 * x[:, 3:]
    return x


def anomalous(kind: str) -> np.ndarray:
    """Samples that are plainly not like ``normal``: far away, or noise of full contrast."""
    rng = np.random.default_rng(1)
    if kind == "images":
        return rng.choice(np.array([0, 255], np.uint8), size=(50, 8, 8))
    return (8 * rng.choice([-1, 1], size=(50, 6))).astype(np.float32)


@functools.cache
def fitted(detector: type[Detector], kind: str) -> Detector:
    """A small fitted detector, made once; tests that change it must copy it."""
    return small(detector).fit(normal(kind))
