"""Auto: an ensemble whose members depend on kind and number of the training samples; ``rules`` has the table.

"ganad" logs the choice and its reason at INFO, and the command line shows them. The choice uses neither labels nor the
values of the samples.
"""

from __future__ import annotations

import logging

from .. import registry
from ..detector import Detector, InputSpec
from .combined import Combined
from .rules import rule_for

_LOG = logging.getLogger("ganad")


class Auto(Combined):
    """An ensemble chosen by kind and number of the training samples: ``Auto().fit(X)``."""

    def members_for(self, spec: InputSpec, n: int) -> list[Detector]:
        rule = rule_for("images", n) if spec.is_image else rule_for("table", n, spec.n_features)
        chosen = [choice.within(max(spec.sample_shape[:2])) if spec.is_image else choice for choice in rule.members]
        size = f"images of {spec.sample_shape[0]} x {spec.sample_shape[1]}" if spec.is_image else "rows"
        columns = "" if spec.is_image else f" of {spec.n_features} columns"
        _LOG.info("auto: %s: %s %s%s; %s", " + ".join(map(str, chosen)), f"{n:,}", size, columns, rule.reason)
        return [registry.get(choice.method)(**choice.settings) for choice in chosen]
