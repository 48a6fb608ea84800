"""Ensemble: several detectors, one score.

    fit      each member on the same training samples, without a share that is held out from all members
    scale    (score - mean) / standard deviation of the held-out samples' scores, for each member
    refit    if samples are few, each member again on all of them
    score    the mean of the members' scores on that scale, or the largest

The members' disagreement is ``spread``.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Self

from ..detector import Detector, InputSpec
from ..errors import InputError
from ..migrations import Change
from ..settings import Count
from .combined import Combined, named


class Ensemble(Combined):
    """Several detectors whose scores meet on one scale.

    >>> from ganad import KDE, NearestNeighbor
    >>> Ensemble(members=[KDE(), NearestNeighbor(k=3)]).get_params()["nearest_neighbor__k"]
    3

    The given members stay as they are; ``fit`` trains copies, ``members_``. The ensemble's ``device``, ``threads`` and
    ``verbose`` apply to all of them. A member without a ``random_state`` draws its seed from the ensemble's. Settings
    of members are parameters as in scikit-learn: ``autoencoder__epochs``, or ``autoencoder_2__epochs`` for the second
    autoencoder. A member may be an ensemble.
    """

    members: Sequence[Detector] = ()  #: detectors, fitted or not; equal detectors get different seeds
    n_jobs: Count = 1  #: members that train at once, each in a process of its own

    CHANGES = (Change("0.2", added=dict(n_jobs=1)),)

    @classmethod
    def made_of(cls, detectors: list[Detector]) -> dict[str, Any]:
        return {"members": tuple(detectors)}

    def check_settings(self) -> None:
        """Raise InputError for no members, for a member that is not a detector, and for a member's wrong settings."""
        super().check_settings()
        if not isinstance(self.members, list | tuple) or not self.members:
            raise InputError("Ensemble: give members=[...], a list of one detector or more")
        for member in self.members:
            if not isinstance(member, Detector):
                raise InputError(f"Ensemble: its member {member!r:.80} is not a detector; give NearestNeighbor()")
            member.check_settings()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The settings; with ``deep`` also those of the members, as ``name__setting``."""
        found = super().get_params(deep)
        if deep and isinstance(self.members, list | tuple):
            for name, member in named([m for m in self.members if isinstance(m, Detector)]):
                found[name] = member
                found |= {f"{name}__{key}": value for key, value in member.get_params().items()}
        return found

    def set_params(self, **params: Any) -> Self:
        """Change settings, members among them: ``set_params(kde=NearestNeighbor())`` puts another in its place."""
        if "members" in params:
            super().set_params(members=params.pop("members"))
        if isinstance(self.members, list | tuple) and all(isinstance(member, Detector) for member in self.members):
            members = [params.pop(name, member) for name, member in named(list(self.members))]
            if any(map(operator.is_not, members, self.members)):
                self.members = members
        return super().set_params(**params)

    def at_once(self) -> int:
        return self.n_jobs

    def members_for(self, spec: InputSpec, n: int) -> list[Detector]:
        return list(self.members)
