"""The self-test of a fitted detector: it scores normal samples and samples made from them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from .. import selftest
from ..arrays import rows_of
from ..errors import UntrustedFit
from ..nets.players import Players
from ..seeds import isolated_rng
from ..selftest import SelfTest
from .input import InputSpec
from .scoring import frozen

_ROWS = 512  # samples, real and made, that a self-test scores; a method that searches scores about a chunk
_LEAST = 16  # of each kind; fewer would show only chance
_DRAWN = 64  # generated samples


class Trust:
    """The self-test of every detector."""

    LEARNS: ClassVar[dict[str, str]] = {"self_test_": "SelfTest?"}
    NO_FORWARD_PASS: ClassVar[str]
    nets_: Players
    input_: InputSpec
    device_: torch.device
    mean_: np.ndarray
    history_: list[dict[str, Any]]
    self_test_: SelfTest  #: the result in fit, on held-out samples if there were any, else on training samples

    def self_test(self, X: Any) -> SelfTest:
        """Figures that tell, without labels, whether to trust this model; see ``ganad.selftest``.

        X: normal samples that were not trained on. A few hundred of them are used, and at least 50 give steady figures.
        The model stays as it is, and equal samples give equal figures. Raises InputError for unusable samples.
        """
        check_is_fitted(self, "nets_")
        return self._test(self._checked(X), held_out=True)

    def _doubt(self, x: np.ndarray, *, held_out: bool, judges_new: bool) -> None:
        """Test a new fit."""
        # from _conclude over this and fit past its decorator to its caller
        self._conclude(self._test(x, held_out=held_out, judges_new=judges_new), frames=5)

    def _conclude(self, figures: SelfTest, frames: int) -> None:
        """Keep the self-test of a new fit and warn with its first finding; ``frames``: up to the caller of fit."""
        self.self_test_ = figures
        if found := figures.findings:
            warnings.warn(f"{type(self).__name__}: {found[0]}", UntrustedFit, stacklevel=frames)

    def _test(self, x: np.ndarray, *, held_out: bool, judges_new: bool = False) -> SelfTest:
        rng = np.random.default_rng(0)
        kinds = 5 if self.input_.is_image else 3
        n = min(len(x), max(_LEAST, (self._chunk if self.NO_FORWARD_PASS else _ROWS) // kinds))
        rows = np.array(rows_of(x, np.sort(rng.choice(len(x), n, replace=False))))
        made = selftest.made(rows, rng)
        scores, *others = np.split(self._map(self.score_batch, np.concatenate([rows, *made.values()])), len(made) + 1)
        seen = self._map(lambda batch: batch.flatten(1), rows).astype(np.float64)
        return selftest.examine(
            rows,
            scores,
            dict(zip(made, others)),
            float(self.threshold_),
            held_out=held_out,
            judges_new=judges_new,
            is_trained=bool(self.history_),
            distances=np.linalg.norm(seen - np.asarray(self.mean_, np.float64).ravel(), axis=1),
            variety=self._variety(seen) if self.supports("sample") else None,
        )

    def _variety(self, seen: np.ndarray) -> float:
        with isolated_rng(0, self.device_), frozen(self.nets_), torch.no_grad():
            drawn = self.sample_batch(_DRAWN).flatten(1).float().cpu().numpy()
        return selftest.variety_of(drawn, seen, by_column=not self.input_.is_image)

    # -- what the detector has --------------------------------------------------------------------------------

    @property
    def threshold_(self) -> float:
        raise NotImplementedError

    @property
    def _chunk(self) -> int:
        raise NotImplementedError

    def score_batch(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def sample_batch(self, n: int) -> Tensor:
        raise NotImplementedError

    def supports(self, part: str) -> bool:
        raise NotImplementedError

    def _checked(self, X: Any) -> np.ndarray:
        raise NotImplementedError

    def _map(self, fn: Callable[[Tensor], Tensor], x: np.ndarray) -> np.ndarray:
        raise NotImplementedError
