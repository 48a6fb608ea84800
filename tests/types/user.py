"""What a user of the installed package writes, as type checkers see it; never run.

``# error: CODE, RULE...`` stands beside a line that mypy refuses with the code and pyright with the rules.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

import ganad
from ganad.detector import Batches, Updates
from ganad.methods.baselines.kde import KDE
from ganad.methods.fence_gan import FenceGAN

x = np.zeros((100, 3))

# -- names are the classes themselves

assert_type(ganad.FenceGAN(), FenceGAN)
assert_type(ganad.KDE(), KDE)
assert_type(ganad.FenceGAN.preset("mnist", epochs=5), FenceGAN)
assert_type(ganad.DETECTORS, tuple[type[ganad.Detector], ...])
assert_type(ganad.registry.get("fence-gan"), type[ganad.Detector])
ganad.NoSuchThing  # error: attr-defined, reportAttributeAccessIssue, reportUnknownMemberType

# -- settings are keywords with types

ganad.FenceGAN(epochs=3, latent_dim=8, alpha=0.5, encirclement="log", random_state=0, patience=None)
ganad.FenceGAN(epochz=3)  # error: call-arg, reportCallIssue
ganad.FenceGAN(epochs="many")  # error: arg-type, reportArgumentType
ganad.FenceGAN(encirclement="circle")  # error: arg-type, reportArgumentType
ganad.FenceGAN(3)  # error: call-arg, reportCallIssue
ganad.KDE(folds=3, bandwidths=(0.1, 1.0))
ganad.KDE(epochs=3)  # error: call-arg, reportCallIssue

# -- a fitted detector

detector = ganad.FenceGAN(epochs=1).fit(x, hold_out=0.2, false_alarm_rate=0.05, checkpoint=Path("progress"))
assert_type(detector, FenceGAN)
assert_type(detector.calibrate(x, false_alarm_rate=0.01), FenceGAN)
assert_type(detector.anomaly_score(x), NDArray[Any])
assert_type(detector.predict(x), NDArray[Any])
assert_type(detector.fit_predict(x), NDArray[Any])
assert_type(detector.p_values(x), NDArray[Any])
assert_type(detector.sample(4, random_state=0), NDArray[Any])
assert_type(detector.explain(x), NDArray[Any])
assert_type(detector.threshold_, float)
assert_type(detector.epochs, int)
assert_type(detector.set_params(epochs=2), FenceGAN)
detector.anything  # error: attr-defined, reportAttributeAccessIssue, reportUnknownMemberType
ganad.FenceGAN().anything  # error: attr-defined, reportAttributeAccessIssue, reportUnknownMemberType
detector.fit(x, epochs=3)  # error: call-arg, reportCallIssue
detector.fit(x, hold_out="a fifth")  # error: arg-type, reportArgumentType
detector.calibrate(x, alpha=0.01)  # error: call-arg, reportCallIssue
detector.predict()  # error: call-arg, reportCallIssue

# -- files and pages

detector.save("model.ganad")
loaded = ganad.load("model.ganad", device="cpu")
assert_type(loaded, ganad.Detector)
assert_type(ganad.report(loaded, x, "page.html", labels=np.zeros(100)), Path)
ganad.load(3)  # error: arg-type, reportArgumentType
ganad.report(loaded, x)  # error: call-arg, reportCallIssue

try:
    loaded.reconstruct(x)
except ganad.NotSupported as problem:
    assert_type(problem, ganad.NotSupported)

# -- a method of one's own


class Denoiser(ganad.NetworkDetector):
    """Redraws samples."""

    hidden: int = 64  #: width of the hidden layer

    def build_table(self, d: int) -> dict[str, nn.Module]:
        return dict(net=nn.Sequential(nn.Linear(d, self.hidden), nn.ReLU(), nn.Linear(self.hidden, d)))

    def training_step(self, batches: Batches) -> Updates:
        sample = next(batches)
        yield "net", dict(reconstruction=(sample - self.nets_.net(sample)).square().mean())

    def score_batch(self, x: Tensor) -> Tensor:
        x_hat = self.nets_.net(x)
        assert_type(x_hat, Tensor)
        return (x - x_hat).square().sum(1)


class Backwards(ganad.GenerativeDetector):
    """Its hooks are not those of the contract."""

    def build_table(self, d: int) -> list[nn.Module]:  # error: override, reportIncompatibleMethodOverride
        return []

    def score_batch(self, x: Tensor, y: Tensor) -> Tensor:  # error: override, reportIncompatibleMethodOverride
        return x - y


assert_type(Denoiser(hidden=32, epochs=2).fit(x), Denoiser)
Denoiser(hiden=32)  # error: call-arg, reportCallIssue
Denoiser(hidden="wide")  # error: arg-type, reportArgumentType
