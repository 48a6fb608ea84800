"""Small detectors and data that the shared tests use: those of ganad.testing, and what two methods need to learn."""

from ganad import MMOCGAN, OCAN, Detector, testing
from ganad.testing import KINDS, anomalous, fitted, has_networks, normal, small

__all__ = ["KINDS", "TRAINED", "anomalous", "fitted", "has_networks", "normal", "small", "trained"]

#: Methods whose discriminator must be slower than their generator, or it learns to tell the two apart too early.
TRAINED = {cls: dict(epochs=200, discriminator_lr=1e-4) for cls in (OCAN, MMOCGAN)}


def trained(detector: type[Detector], **changes) -> Detector:
    """A detector that trains in a few seconds, long enough to have learnt something."""
    return testing.trained(detector, **TRAINED.get(detector, {}) | changes)
