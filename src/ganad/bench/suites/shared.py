"""Parts that the recipes of several tables share."""

from __future__ import annotations

from typing import Any

#: a note for a recipe whose settings were changed in sight of a result, with the AUROC that was seen
CHANGED = (
    "its quick settings were changed once, after shorter training or smaller steps had ended with a mean AUROC of {}: "
    "that result was seen."
)

DENSE = dict(representation="dense")
DIGIT_NETS = dict(latent_dim=32, batch_size=50)


def search(steps: int) -> dict[str, Any]:
    """AnoGAN's search in fewer but longer steps than the published 500, so that a code can move as far."""
    return dict(search_steps=steps, search_lr=5 / steps)
