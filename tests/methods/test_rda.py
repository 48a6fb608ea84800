"""RDA: shrinking is exact, and turns lower the objective."""

import numpy as np
import pytest
import torch

from ganad import RobustAutoEncoder
from ganad.methods.rda import objective, shrink

from ..samples import normal, small


@pytest.mark.parametrize(("penalty", "weight"), [("rows", 2.0), ("columns", 4.5), ("entries", 0.7)])
def test_shrinking_minimises_the_objective(penalty, weight):
    rest = torch.randn(20, 5, generator=torch.Generator().manual_seed(0))
    best = shrink(rest, weight, penalty)
    least = objective(rest, best, weight, penalty)
    rng = torch.Generator().manual_seed(1)
    others = [best + s * torch.randn(20, 5, generator=rng) for s in (1e-3, 1e-2, 0.1, 1.0) for _ in range(20)]
    assert all(objective(rest, other, weight, penalty) > least for other in others)
    assert 0 < (best == 0).float().mean() < 1


@pytest.mark.parametrize("penalty", ["rows", "columns", "entries"])
def test_every_half_turn_lowers_the_objective_of_a_fixed_weight(penalty):
    detector = small(RobustAutoEncoder, penalty=penalty, w_sparse=0.5, n_turns=6, epochs=60).fit(normal("table"))
    assert len(detector.objective_) == 12 and (np.diff(detector.objective_) < 0).all()


@pytest.mark.parametrize("penalty", ["rows", "columns", "entries"])
def test_a_weight_of_its_own_in_every_turn_is_lowered_by_shrinking(penalty):
    detector = small(RobustAutoEncoder, penalty=penalty, n_turns=6, epochs=20, contamination=0.2).fit(normal("table"))
    trained, shrunk = np.reshape(detector.objective_, (6, 2)).T
    assert (shrunk < trained).all()


def test_gross_errors_of_the_training_set_move_to_the_sparse_part():
    x = normal("table").copy()
    x[:10] *= 12
    detector = small(RobustAutoEncoder, n_turns=5, epochs=30, contamination=0.03).fit(x)
    odd = np.flatnonzero(detector.sparse_ > 0)
    assert set(range(10)) <= set(odd) and len(odd) <= 0.04 * len(x)
