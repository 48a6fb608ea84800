"""Remedies for adversarial scores that swing from epoch to epoch, as lines beside those of the papers' GANs.

None of them needs a label: a running average of the weights, an early stop on held-out normal samples, and the mean
score of several epochs. Each repeats a line with nothing else changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..recipes import Recipe

_DECAY = 0.999  # of the average: what ALAD's code and the default of Fence GAN have
_PATIENCE = 10  # epochs without a better held-out loss: what ALAD's paper waits


def with_remedies(
    recipes: tuple[Recipe, ...], *labels: str, averaged_already: tuple[str, ...] = ()
) -> tuple[Recipe, ...]:
    """The recipes, those of ``labels`` followed by their remedies.

    averaged_already: labels whose published settings average their weights, so that this remedy would change nothing.
    """
    out: list[Recipe] = []
    for recipe in recipes:
        out.append(recipe)
        if recipe.label in labels:
            out += _remedies(recipe, averaged_already=recipe.label in averaged_already)
    return tuple(out)


def _remedies(recipe: Recipe, *, averaged_already: bool) -> Iterator[Recipe]:
    def also(what: str, **settings: float) -> Recipe:
        return replace(
            recipe,
            label=f"{recipe.label}, {what}",
            settings=dict(recipe.settings) | settings,
            remedy_of=recipe.label,
            snapshots=what == "snapshots",
        )

    if not averaged_already:
        yield also("averaged", ema=_DECAY)
    yield also("stopped", patience=_PATIENCE)
    yield also("snapshots")
