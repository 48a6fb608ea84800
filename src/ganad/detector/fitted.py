"""The attributes that a fit sets."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch

from ..nets.players import Players
from .input import InputSpec


class Fitted:
    """Attributes set by ``fit``. They are not settings."""

    LEARNS: ClassVar[dict[str, str]] = {"parent_": "str?", "source_": "dict?", "columns_": "list?"}

    nets_: Players  #: the networks, by player
    members_: list[Any]  #: fitted detectors that this one combines; their networks are in ``nets_``
    input_: InputSpec  #: shape, scaling and names of the samples
    history_: list[dict[str, Any]]  #: mean of every loss term, one row an epoch
    offset_: float  #: score_samples below it are anomalies
    mean_: np.ndarray  #: mean training sample as the networks see it
    calibration_: np.ndarray  #: sorted scores of held-out normal samples, after calibrate
    false_alarm_rate_: float  #: the share of normal samples that the threshold may flag, where calibrate was told one
    parent_: str  #: SHA-256 of the model file that this one was made from, where it was
    device_: torch.device  #: where the networks are
    source_: dict[str, Any]  #: how the data were read, if a data source says so
    columns_: list[str] | None  #: names of a table's columns, if a data source gives them

    @property
    def n_features_in_(self) -> int:
        """Number of values in a sample."""
        return self.input_.n_features

    @property
    def feature_names_in_(self) -> np.ndarray:
        """Names of the columns ``(d,)``. The attribute exists only if the training data had names."""
        if self.input_.names is None:
            raise AttributeError("the training data had no column names")
        return np.array(self.input_.names, dtype=object)

    def unlearnt(self) -> set[str]:
        """Attributes of ``LEARNS`` that are not set yet. In the middle of a fit these are what its last part sets."""
        own = [base for base in type(self).__mro__ if not base.__module__.startswith(f"{__package__}.")]
        forms = [item for base in own for item in vars(base).get("LEARNS", {}).items()]
        return {name for name, form in forms if not form.endswith("?")} - vars(self).keys()
