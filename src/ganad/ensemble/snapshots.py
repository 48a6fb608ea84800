"""Snapshots: one detector's weights at several epochs, as the members of an ensemble.

Adversarial scores swing from epoch to epoch, and no loss says which epoch is good. The mean over epochs swings less.

    fit      the detector once, without held-out samples; weights are kept during the last run of its networks
    members  ``n_snapshots`` of these weights, evenly spaced in the second half of that run; computations after the
             networks' training (a mixture of codes, a centre) are repeated with each member's weights
    score    as in an ensemble

G. Huang et al., "Snapshot ensembles", ICLR 2017, keep weights where a cyclic step size ends. Here the step size is the
method's own.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from .. import files
from ..detector import Detector, Fit, InputSpec, NetworkDetector, RunEnd, copies
from ..detector.fitting import seed_for
from ..errors import InputError
from ..settings import Count
from ..training import Checkpoint
from .combined import Combined

Weights = dict[str, Tensor]


class Snapshots(Combined):
    """One detector at several epochs of its last run, as an ensemble: ``Snapshots(detector=FenceGAN())``."""

    detector: Detector | None = None  #: a detector with trained networks
    n_snapshots: Count = 5  #: number of members; fewer if half of the run has fewer epochs
    refit_samples: int = 0  #: must be 0, because a second fit would need another scale

    @classmethod
    def made_of(cls, detectors: list[Detector]) -> dict[str, Any]:
        if len(detectors) != 1:
            raise InputError(f"snapshots are of one method, not of {len(detectors)}")
        return {"detector": detectors[0]}

    def check_settings(self) -> None:
        """Raise InputError for a missing detector, one that trains no networks, and for its wrong settings."""
        super().check_settings()
        if not isinstance(self.detector, NetworkDetector):
            given = "nothing" if self.detector is None else type(self.detector).__name__
            raise InputError(f"Snapshots: detector={given} trains no networks, so it has no epochs to take; give a GAN")
        if self.refit_samples:
            raise InputError(f"Snapshots: refit_samples={self.refit_samples} must be 0; each fit has its own scale")
        self.detector.check_settings()

    def members_for(self, spec: InputSpec, n: int) -> list[Detector]:
        assert self.detector is not None
        return [self.detector]

    def fit_members(self, chosen: list[Detector], x: np.ndarray, fit: Fit, stage: str = "") -> list[Detector]:
        model, watch = self.prepared(chosen[0]), fit.on_epoch
        seed = fit.seed if model.random_state is None else seed_for(model.random_state, "")
        ends: list[RunEnd] = []
        album = Album(self.n_snapshots, fit.checkpoint)

        def take(ensemble: Detector) -> None:
            album.take(model._fit.runs, model.history_[-1]["epoch"], model.nets_)
            if watch:
                watch(ensemble)

        own = replace(fit, on_epoch=take, ends=ends)
        self.fit_member(model, x, own, seed, stage)
        fit.runs = own.runs
        shots = album.chosen(fit.runs - 1) if ends else {}
        if not shots:
            raise InputError(f"Snapshots: {type(model).__name__} trained for no epoch; give it epochs to take")
        return [self._at(epoch, weights, chosen[0], x, fit, seed, ends) for epoch, weights in shots.items()]

    def _at(
        self, epoch: int, weights: Weights, chosen: Detector, x: np.ndarray, fit: Fit, seed: int, ends: list[RunEnd]
    ) -> Detector:
        """The detector as if its last run had ended with ``epoch``. Only the steps after the run are computed."""
        member, last = self.prepared(chosen), ends[-1]
        history = [row for row in last.history if row["epoch"] <= epoch]
        replay = [*ends[:-1], RunEnd(weights, last.rng, history)]
        member.fit_part(x, self.input_.names, self.device_, Fit(seed, fit.bar, replay=replay))
        return member


class Album:
    """Weights at about evenly spaced epochs of one run, however many epochs it has.

    With a checkpoint they are also written next to it, so that a resumed fit has them.
    """

    def __init__(self, n: int, checkpoint: Checkpoint | None):
        self.n, self.checkpoint = n, checkpoint
        self.run, self.every = -1, 1
        self.shots: dict[int, Weights] = {}

    def take(self, run: int, epoch: int, nets: nn.Module) -> None:
        """Keep the weights after this epoch, if it is due."""
        self._open(run)
        if epoch % self.every:
            return
        self.shots[epoch] = copies(nets)
        if self.checkpoint:
            header = {"fingerprint": self.checkpoint.fingerprint}
            files.write(self._path(self.checkpoint, epoch), "checkpoint", self.shots[epoch], header)
        self._thin()

    def chosen(self, run: int) -> dict[int, Weights]:
        """The n most evenly spaced weights of the second half of the run, by epoch."""
        self._open(run)
        if not self.shots:
            return {}
        last = max(self.shots)
        half = [epoch for epoch in sorted(self.shots) if 2 * epoch > last]
        picked = {half[round(i)] for i in np.linspace(0, len(half) - 1, self.n)} if self.n > 1 else {last}
        return {epoch: self.shots[epoch] for epoch in sorted(picked)}

    def _open(self, run: int) -> None:
        """Begin another run, with the weights that an interrupted fit left of it."""
        if run == self.run:
            return
        self.run, self.every, self.shots = run, 1, {}
        for path in self.checkpoint.folder.glob(f"run-{run}-epoch-*.safetensors") if self.checkpoint else ():
            weights, header = files.read(path, "checkpoint")
            if self.checkpoint and header["fingerprint"] == self.checkpoint.fingerprint:
                self.shots[int(path.stem.rpartition("-")[2])] = weights
        self.every = min(self.shots, default=1)  # the first that is kept is the distance of all
        self.shots = {epoch: shot for epoch, shot in self.shots.items() if epoch % self.every == 0}
        self._thin()

    def _thin(self) -> None:
        """Drop every second epoch if there are more than enough."""
        while len(self.shots) > 4 * self.n:
            self.every *= 2
            for epoch in [epoch for epoch in self.shots if epoch % self.every]:
                del self.shots[epoch]
                if self.checkpoint:
                    self._path(self.checkpoint, epoch).unlink(missing_ok=True)

    def _path(self, checkpoint: Checkpoint, epoch: int) -> Path:
        return checkpoint.folder / f"run-{self.run}-epoch-{epoch}.safetensors"
