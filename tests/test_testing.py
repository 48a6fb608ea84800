"""The checks of ganad.testing see what they are there to see: each planted fault fails the check that names it."""

import math
import os
import warnings
from functools import partial
from typing import Literal
from unittest import SkipTest

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from torch import nn

from ganad import Detector, InputError, NetworkDetector
from ganad.losses import per_sample
from ganad.nets import mlp
from ganad.testing import KINDS, checks, contract, elsewhere, kinds, parametrize_with_checks, samples, small, trained


class Redraws(NetworkDetector):
    """An autoencoder without a fault."""

    width: int = 32  #: of the hidden layer

    def build(self, shape):
        d = math.prod(shape)
        return dict(net=nn.Sequential(nn.Flatten(), mlp(d, self.width, d, activation=nn.Tanh)))

    def training_step(self, batches):
        x = next(batches)
        yield "net", dict(reconstruction=self.error(x).mean())

    def error(self, x):
        return per_sample((x.flatten(1) - self.nets_.net(x)).square())

    def score_batch(self, x):
        return self.error(x)


@parametrize_with_checks([Redraws()])
def test_a_sound_method_passes(detector, check):
    check(detector)


class LooksAtTheBatch(Redraws):
    def score_batch(self, x):
        return self.error(x) - self.error(x).mean()


class LooksAtItsPlace(Redraws):
    def score_batch(self, x):
        return self.error(x) + torch.rand(len(x))


class RoundsByPlace(Redraws):
    def score_batch(self, x):
        return self.error(x) * (1 + 1e-6 * torch.rand(len(x)))


class LearnsWhileScoring(Redraws):
    def score_batch(self, x):
        self.nets_.net[1][0].bias.data += 1
        return self.error(x)


class NeverUpdated(Redraws):
    def build(self, shape):
        return super().build(shape) | dict(critic=nn.Linear(2, 1))


class ForgetsABuffer(Redraws):
    def build(self, shape):
        players = super().build(shape)
        players["net"].register_buffer("draws", torch.rand(3), persistent=False)
        return players

    def score_batch(self, x):
        return self.error(x) + self.nets_.net.draws.mean()


class DrawsElsewhere(Redraws):
    def training_step(self, batches):
        x = next(batches)
        yield "net", dict(reconstruction=self.error(x + float(np.random.default_rng().normal())).mean())


class TakesTheCallersNumbers(Redraws):
    def training_step(self, batches):
        x = next(batches)
        yield "net", dict(reconstruction=self.error(x + np.random.rand()).mean())  # noqa: NPY002


class CountsItsSteps(Redraws):
    def train(self, x):
        self.steps = 0
        super().train(x)

    def training_step(self, batches):
        self.steps += 1
        yield "net", dict(reconstruction=self.error(next(batches)).mean() / self.steps)


class SwitchesGradientsOff(Redraws):
    @torch.no_grad()
    def score_batch(self, x):
        return self.error(x)


class UpsideDown(Redraws):
    def score_batch(self, x):
        return -self.error(x)


class ChangesASetting(Redraws):
    def train(self, x):
        self.epochs += 1
        super().train(x)


class Overflows(Redraws):
    def score_batch(self, x):
        return torch.exp(self.error(x))


class ChangesWhatItIsGiven(Redraws):
    def __post_init__(self):
        self.width += 1


class FlagsAll(Redraws):
    def predict(self, X):
        return np.full(len(X), -1)


class FillsGaps(Redraws):
    def fit(self, X, y=None, **options):
        return super().fit(np.nan_to_num(X), y, **options)


class ForgetsFirst(Redraws):
    def fit(self, X, y=None, **options):
        self._forget()
        return super().fit(X, y, **options)


class TakesOneRow(Redraws):
    def anomaly_score(self, X):
        return super().anomaly_score(np.atleast_2d(X))


class DrawsInOtherShapes(Redraws):
    def reconstruct(self, X):
        return super().reconstruct(X)[:, :-1]

    def reconstruct_batch(self, x):
        return self.nets_.net(x).view_as(x)


class HasAnImpossiblePreset(Redraws):
    PRESETS = {"fast": dict(epochs=-1)}


class HasAPresetForNothing(Redraws):
    PRESETS = {"deep": dict(width=1000)}

    def build(self, shape):
        if self.width == 1000:
            raise InputError("width=1000 is too much")
        return super().build(shape)


class HasAnEmptyVariant(Redraws):
    variant: Literal["sum", "log"] = "sum"  #: of the error

    def score_batch(self, x):
        return self.error(x) if self.variant == "sum" else (-self.error(x)).log()


FAULTS = [
    (NeverUpdated, contract.check_every_network_learns, "no weight of 'critic' moved"),
    (ChangesASetting, contract.check_every_network_learns, "changes a setting"),
    (DrawsElsewhere, contract.check_same_seed_gives_the_same_scores, "a second fit gives other scores"),
    (TakesTheCallersNumbers, contract.check_random_state_and_threads_are_left_alone, "NumPy's generator changed"),
    (ChangesWhatItIsGiven, contract.check_clone_has_the_settings_and_nothing_learnt, "constructor"),
    (CountsItsSteps, contract.check_resumed_fit_ends_in_the_same_weights, "the weights differ"),
    (ForgetsFirst, contract.check_refused_fit_leaves_the_earlier_one, "not fitted"),
    (LooksAtTheBatch, contract.check_score_does_not_depend_on_company, "depends on the"),
    (LooksAtItsPlace, contract.check_score_does_not_depend_on_company, "depends on the order"),
    (RoundsByPlace, contract.check_score_does_not_depend_on_company, "by rounding: take ganad.nets.mlp"),
    (LearnsWhileScoring, contract.check_scoring_changes_no_weight_or_buffer, "scoring changes the networks"),
    (UpsideDown, contract.check_planted_anomalies_are_found, "AUROC 0.0"),
    (FlagsAll, contract.check_contamination_sets_the_share_flagged, "contamination=0 flags 100.0%"),
    (SwitchesGradientsOff, contract.check_every_sample_is_explained, "explain gives zeros"),
    (FillsGaps, contract.check_unusable_input_is_refused, "fitting nan must be refused"),
    (TakesOneRow, contract.check_one_sample_alone_is_refused, "one sample alone must be refused"),
    (Overflows, contract.check_few_rows_and_constant_columns_give_finite_scores, "1e30: scores are not finite"),
    (DrawsInOtherShapes, partial(contract.check_samples_of_any_shape, shape=(3,)), r"shape \(6, 2\) for \(6, 3\)"),
    (HasAnImpossiblePreset, contract.check_every_preset_builds, "epochs=-1"),
    (HasAPresetForNothing, contract.check_every_preset_builds, "builds for no kind of samples"),
    (HasAnEmptyVariant, contract.check_every_variant_scores, "variant='log': scores are not finite"),
    (ForgetsABuffer, contract.check_save_and_load_give_the_same_bits, "other scores than the file says|fit together"),
]


@pytest.mark.parametrize(("detector", "check", "words"), FAULTS, ids=[fault[0].__name__ for fault in FAULTS])
def test_a_fault_fails_the_check_that_names_it(detector, check, words):
    with pytest.raises((AssertionError, InputError, RuntimeError, NotFittedError), match=words):
        check(detector(), "table")


def test_no_check_is_without_a_fault_that_it_sees():
    assert {getattr(check, "func", check) for _, check, _ in FAULTS} == set(contract.CHECKS)
    assert all(check.__doc__ for check in contract.CHECKS)


class ForTables(Detector):
    """Distance from the mean; takes no steps, and no images."""

    def build_table(self, d):
        return {}

    def train(self, x):
        self.center_ = torch.cat([x.batch(torch.arange(len(x)))]).mean(0)

    def score_batch(self, x):
        return (x - self.center_.to(x)).square().sum(1)


def test_checks_go_without_pytest_and_leave_out_what_a_method_is_not_for():
    assert kinds(Redraws()) == list(KINDS) and kinds(ForTables()) == ["table"]
    found = dict(checks(ForTables()))
    assert all("-table" in name for name in found) and "check_score_does_not_depend_on_company-table" in found
    found["check_planted_anomalies_are_found-table"]()
    with pytest.raises(SkipTest):
        found["check_resumed_fit_ends_in_the_same_weights-table"]()


def test_another_process_says_why_it_cannot_load_and_one_that_has_ended_is_replaced(tmp_path):
    model = small(Redraws()).fit(samples.normal("table"))
    model.save(tmp_path / elsewhere.MODEL)
    np.save(tmp_path / elsewhere.SAMPLES, samples.anomalous("table"))
    expected = model.anomaly_score(samples.anomalous("table")).tolist()
    for _ in range(2):
        assert elsewhere.scores(str(tmp_path), [__name__]) == expected
        with pytest.raises(RuntimeError, match="No module named 'nowhere'"):
            elsewhere.scores(str(tmp_path), ["nowhere"])
        with pytest.raises(RuntimeError, match="which is not known here"):  # though it was imported for an earlier file
            elsewhere.scores(str(tmp_path), [])
        server, _ = elsewhere._server(os.getpid())
        server.kill()
        with pytest.raises(RuntimeError, match="it ended with exit code"):
            elsewhere.scores(str(tmp_path), [__name__])


def test_the_settings_to_learn_with_can_be_given():
    with pytest.raises(AssertionError, match="AUROC"):
        dict(checks(UpsideDown(), trained=dict(epochs=1)))["check_planted_anomalies_are_found-table"]()
    mark = parametrize_with_checks([Redraws()], trained={Redraws: dict(epochs=7)}).mark
    given = [p.values[1].keywords for p in mark.args[1] if p.id.startswith("Redraws-check_planted")]
    assert [keywords["settings"] for keywords in given] == [dict(epochs=7)] * 2


def test_an_instance_keeps_what_it_says_and_its_defaults_become_small():
    assert (small(Redraws()).width, small(Redraws(width=5)).width, small(Redraws(width=5), width=6).width) == (8, 5, 6)
    assert (trained(Redraws(width=5)).width, trained(Redraws(scaling="none")).scaling) == (32, "none")


@pytest.mark.parametrize("wrong", [Redraws, NetworkDetector()], ids=["a class", "no kind"])
def test_what_cannot_be_checked_is_refused_in_a_sentence(wrong):
    with pytest.raises(InputError, match="give instances|neither tables nor images"):
        parametrize_with_checks([wrong])


class NamesItsMean(ForTables):
    def train(self, x):
        super().train(x)
        self.mean_ = 3.0


class KeepsASet(ForTables):
    def train(self, x):
        super().train(x)
        self.seen_ = {"a": {1: 2}} if self.trim else {1, 2}


def test_what_a_file_or_the_fit_would_change_is_refused(tmp_path):
    x = samples.normal("table")
    with pytest.raises(InputError, match="NamesItsMean: train sets mean_, which fit sets itself"):
        small(NamesItsMean).fit(x)
    with pytest.raises(InputError, match="KeepsASet cannot be saved: seen_ holds a set, .* keep a sorted list"):
        small(KeepsASet).fit(x).save(tmp_path / "m")
    with pytest.raises(InputError, match="seen_ holds the key 1, .* use texts as keys"):
        small(KeepsASet, trim=0.1).fit(x).save(tmp_path / "m")


def test_settings_to_learn_with_must_be_the_methods_own():
    with pytest.raises(InputError, match="Redraws has no setting 'epoch'"):
        parametrize_with_checks([Redraws()], trained={Redraws: dict(epoch=200)})


def test_checks_keep_the_warnings_of_their_own_fits_to_themselves():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dict(checks(Redraws()))["check_same_seed_gives_the_same_scores-table"]()
