"""Small detectors and data that the shared tests use."""

import functools

import numpy as np
from sklearn.datasets import load_digits

from ganad import Detector

#: Settings that make any method small and quick.
SMALL = dict(epochs=1, random_state=0, device="cpu", threads=1)
#: What one method needs beyond that.
PECULIAR: dict[str, dict] = {
    "FenceGAN": dict(pretrain_epochs=1, latent_dim=4),
    "GANomaly": dict(width=8, latent_dim=4),
    "EGBAD": dict(latent_dim=4),
    "AutoEncoder": dict(latent_dim=8),
}
KINDS = ("table", "images")


def small(detector: type[Detector], **changes) -> Detector:
    """A detector that trains in well under a second."""
    return detector(**SMALL | PECULIAR.get(detector.__name__, {}) | changes)


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
