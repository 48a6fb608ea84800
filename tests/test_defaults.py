"""Defaults that follow the data: length in updates, size of codes, where a generator begins."""

import numpy as np
import pytest
import torch

from ganad import ADGAN, EGBAD, MMOCGAN, FenceGAN, GANomaly, registry

from .samples import normal

ROWS = normal("table")
QUICK = dict(random_state=0, device="cpu", threads=1, threshold_samples=10)
NETWORKS = [d for d in map(registry.get, registry.names()) if "updates" in d.__dataclass_fields__]


def passes(model, stage="training"):
    return sum(row["stage"] == stage for row in model.history_)


@pytest.mark.parametrize(("n", "expected"), [(400, 6), (200, 10)])  # 10 updates of 7 or 4 batches are fewer than least
def test_length_counts_updates_and_not_passes(n, expected):
    model = GANomaly(updates=40, batch_size=60, **QUICK).fit(ROWS[:n])
    assert passes(model) == expected


def test_large_data_are_seen_several_times_however_few_the_updates():
    assert passes(GANomaly(updates=1, **QUICK).fit(ROWS)) == GANomaly.LEAST_EPOCHS[0]


def test_held_out_samples_do_not_count_as_a_part_of_a_pass():
    held = dict(patience=50, validation_fraction=0.5)
    assert passes(GANomaly(updates=40, batch_size=60, **held, **QUICK).fit(ROWS)) == 10


def test_passes_that_are_given_count():
    assert passes(GANomaly(epochs=2, updates=500, **QUICK).fit(ROWS[:100])) == 2


@pytest.mark.parametrize("detector", NETWORKS, ids=lambda d: d.__name__)
def test_every_preset_says_its_length(detector):
    stages = [
        name for name, f in detector.__dataclass_fields__.items() if name.endswith("epochs") and f.default is None
    ]
    for name, preset in detector.PRESETS.items():
        model = detector.preset(name)
        assert all(getattr(model, stage) is not None for stage in stages), (name, preset)


@pytest.mark.parametrize(("d", "size"), [(1, 2), (6, 3), (7, 4), (500, 32)])
def test_a_table_has_half_as_many_codes_as_columns(d, size):
    assert EGBAD().code_size_for((d,)) == size
    assert EGBAD(latent_dim=9).code_size_for((d,)) == 9
    assert EGBAD().code_size_for((1, 8, 8)) == EGBAD.IMAGE_CODE


def test_wide_tables_are_searched_from_fewer_starts():
    assert [ADGAN().starts_for((d,)) for d in (6, 50, 1000)] == [8, 5, 2]
    assert ADGAN().starts_for((1, 8, 8)) == 64


def test_fence_begins_outside_the_rows():
    drawn = FenceGAN(start=3.0, epochs=0, **QUICK).fit(ROWS).sample(2000, random_state=0)
    np.testing.assert_allclose(drawn.std(0), 3 * ROWS.std(0), rtol=0.1)
    np.testing.assert_allclose(drawn.mean(0), ROWS.mean(0), atol=0.3)


def test_fence_begins_outside_so_that_far_rows_are_not_the_most_normal():
    model = FenceGAN(updates=100, **QUICK).fit(ROWS)
    far = 4 * np.sign(ROWS)
    assert np.median(model.anomaly_score(far)) > np.quantile(model.anomaly_score(ROWS), 0.9)


def test_the_data_leave_mmoc_gans_generator_room_around_them():
    model = MMOCGAN(reach=2.0, epochs=1, encoder_epochs=1, target_epochs=1, **QUICK).fit(ROWS)
    inside = model.scaled(model.represent(model.input_.to_network(torch.from_numpy(ROWS))))
    assert float(inside.abs().amax()) == pytest.approx(0.5, abs=1e-4)
