"""Detectors that are made of others keep what every detector promises."""

import contextlib
import copy
import json
import os
import subprocess
import sys
import warnings

import numpy as np
import onnxruntime
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.utils.estimator_checks import parametrize_with_checks
from typer.testing import CliRunner

import ganad
from ganad import KDE, AnoGAN, AutoEncoder, Detector, Ensemble, InputError, NearestNeighbor, Trivial, engines, files
from ganad.cli.main import build_app
from ganad.ensemble.standard import centre_and_scale
from ganad.errors import ModelFileError
from ganad.export import export_onnx
from ganad.training import Run

from .samples import KINDS, anomalous, normal, small

FITTED = {}


def pair(**changes) -> Ensemble:
    members = [small(AutoEncoder, random_state=None), NearestNeighbor()]
    return small(Ensemble, members=members, **changes)


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def model(kind):
    if kind not in FITTED:
        FITTED[kind] = pair().fit(normal(kind))
    return copy.deepcopy(FITTED[kind])


@parametrize_with_checks(
    [Ensemble(members=[KDE(), NearestNeighbor()], random_state=0, device="cpu", threads=1)],
    expected_failed_checks=lambda estimator: {
        "check_outliers_fit_predict": "fit_predict judges the training samples, and predict new ones"
    },
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_the_threshold_is_for_new_samples_and_fit_predict_for_those_it_learnt():
    rng = np.random.default_rng(0)
    X, new = rng.normal(size=(400, 6)), rng.normal(size=(4000, 6))
    made = Ensemble(
        members=[ganad.OneClassSVM(), NearestNeighbor(k=1)], contamination=0.05, random_state=0, device="cpu"
    )
    flagged = (made.fit(X).predict(new) == -1).mean()
    assert 0.01 < flagged < 0.12 and (made.predict(X) == -1).mean() < 0.02
    alone = NearestNeighbor(k=1, threshold_fits=0, contamination=0.05, random_state=0, device="cpu").fit(X)
    assert (alone.predict(new) == -1).mean() > 0.2  # its training samples are at a distance of zero from themselves
    labels = made.fit_predict(X)
    assert (labels == -1).sum() == 20 and labels[np.argmax(made.anomaly_score(X))] == -1


class Ending(NearestNeighbor):
    """Ends the process that fits it."""

    def train(self, x):
        os._exit(1)


def test_members_that_train_at_once_become_those_that_train_in_turn():
    x = normal("table")
    one, two = pair().fit(x), pair(n_jobs=2).fit(x)
    assert np.array_equal(one.anomaly_score(x), two.anomaly_score(x))
    assert [row["stage"] for row in one.history_] == [row["stage"] for row in two.history_]
    with engines.on(engines.Processes(2)):
        assert np.array_equal(pair().fit(x).anomaly_score(x), one.anomaly_score(x))


def test_a_member_learns_what_it_would_learn_alone():
    x = normal("table")
    settings = dict(validation_fraction=0.01, refit_samples=0)
    both = small(Ensemble, members=[small(AutoEncoder), small(ganad.VAE, random_state=5)], **settings).fit(x)
    alone = small(Ensemble, members=[small(ganad.VAE, random_state=5)], **settings).fit(x)
    assert np.array_equal(both.member_scores(x)[:, 1], alone.member_scores(x)[:, 0])


def test_a_member_whose_process_ends_is_named():
    with pytest.raises(MemoryError, match=r"Ensemble: its member ending was not fitted; the process ended"):
        small(Ensemble, members=[KDE(), Ending()], n_jobs=2).fit(normal("table"))


def test_a_sample_has_the_same_score_alone_and_in_any_company(model, kind):
    x = np.concatenate([normal(kind), anomalous(kind)])
    together = model.anomaly_score(x)
    order = np.random.default_rng(0).permutation(len(x))
    assert np.array_equal(model.anomaly_score(x[order]), together[order])
    assert np.array_equal(np.concatenate([model.anomaly_score(x[i : i + 1]) for i in range(9)]), together[:9])


def test_members_score_in_it_as_they_do_alone(model, kind):
    x = anomalous(kind)
    alone = np.stack([member.anomaly_score(x) for member in model.members_], 1)
    assert np.array_equal(model.member_scores(x), (alone - model.centre_) / model.scale_)
    assert np.array_equal(model.spread(x), model.member_scores(x).std(1))
    assert np.allclose(model.anomaly_score(x), model.member_scores(x).mean(1))
    largest = copy.deepcopy(model).set_params(combine="max")
    assert np.array_equal(largest.anomaly_score(x), model.member_scores(x).max(1))


def test_no_digit_of_a_large_number_is_lost_between_user_and_members():
    x = normal("table").astype(np.float64)
    model = small(Ensemble, members=[NearestNeighbor()]).fit(1e9 + x)
    alone = model.members_[0].anomaly_score(1e9 + x)
    assert np.array_equal(model.anomaly_score(1e9 + x), (alone - model.centre_[0]) / model.scale_[0])
    plain = small(Ensemble, members=[NearestNeighbor()]).fit(x)
    assert np.allclose(model.anomaly_score(1e9 + x), plain.anomaly_score(x), atol=1e-4)


def test_save_and_load_give_the_same_bits_here_and_in_a_new_process(model, kind, tmp_path):
    path, x = tmp_path / "model.safetensors", anomalous(kind)
    model.calibrate(normal(kind), false_alarm_rate=0.1).save(path)
    again = ganad.load(path, device="cpu")
    scores = model.anomaly_score(x)
    assert np.array_equal(again.anomaly_score(x), scores)
    assert np.array_equal(again.p_values(x), model.p_values(x))
    assert again.history_ == model.history_
    assert [type(member) for member in again.members] == [AutoEncoder, NearestNeighbor]
    assert [member.get_params() for member in again.members] == [member.get_params() for member in model.members]
    assert np.array_equal(clone(again).fit(normal(kind)).anomaly_score(x), scores)
    np.save(tmp_path / "x.npy", x)
    code = (
        "import sys, json, numpy as np, ganad; d = sys.argv[1];"
        "print(json.dumps(ganad.load(d + '/model.safetensors', device='cpu')"
        ".anomaly_score(np.load(d + '/x.npy')).tolist()))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == scores.tolist()


def test_a_file_whose_parts_contradict_each_other_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    pair().fit(normal("table")).save(path)
    tensors, header = files.read(path, "model")

    def words(change, **changed):
        altered = json.loads(json.dumps(header))
        change(altered)
        files.write(path, "model", {k: v for k, v in (tensors | changed).items() if v is not None}, altered)
        with pytest.raises(ModelFileError) as caught:
            ganad.load(path)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def nothing(header):
        pass

    assert "class 'os:system'" in words(lambda h: h["members"][0].update({"class": "os:system"}))
    assert "class 'os:system'" in words(lambda h: h["settings"]["members"][0].update({"class": "os:system"}))
    assert "settings are not those" in words(lambda h: h["members"][0]["settings"].update(epochs=-1))
    assert "settings are not those" in words(lambda h: h["settings"]["members"][0]["settings"].update(epochs=-1))
    assert "settings are not those" in words(lambda h: h["settings"].update(members=["autoencoder"]))
    assert "do not fit together" in words(lambda h: h["members"].pop())
    assert "is absent" in words(nothing, **{"members/0/nets/autoencoder.0.bias": None})
    assert "gives other scores" in words(
        nothing, **{"members/0/nets/autoencoder.0.bias": tensors["members/0/nets/autoencoder.0.bias"] + 1}
    )
    assert "not numbers" in words(nothing, **{"state/centre_": torch.tensor([float("nan"), 0.0], dtype=torch.float64)})
    assert "gives other scores" in words(nothing, **{"state/scale_": tensors["state/scale_"] * 2})


def test_clone_has_the_settings_and_nothing_learnt(model):
    copied = clone(model)
    assert not hasattr(copied, "members_")
    params, own = copied.get_params(), model.get_params()
    assert {k: v for k, v in params.items() if isinstance(v, int | float | str)} == {
        k: v for k, v in own.items() if isinstance(v, int | float | str)
    }
    assert not hasattr(model.members[0], "nets_"), "members stay as they were given"


def test_settings_of_members_are_parameters():
    model = Ensemble(members=[AutoEncoder(), NearestNeighbor(), AutoEncoder()])
    model.set_params(autoencoder_2__epochs=3, nearest_neighbor__k=2)
    assert (model.members[2].epochs, model.members[1].k, model.members[0].epochs) == (3, 2, AutoEncoder().epochs)
    with pytest.raises(ValueError, match="Invalid parameter 'kde'"):
        model.set_params(kde__k=2)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (dict(), "a list of one detector or more"),
        (dict(members=["kde"]), "its member 'kde' is not a detector"),
        (dict(members=[AutoEncoder(epochs=-1)]), "epochs=-1 must be at least 0"),
        (dict(members=[KDE()], scaling="none"), "scaling='none' belongs to its members"),
        (dict(members=[KDE()], image_size=16), "image_size=16 belongs to its members"),
        (dict(members=[KDE()], validation_fraction=0.0), "validation_fraction=0.0 must"),
        (dict(members=[KDE()], combine="min"), "combine='min' is not one of"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_one_sentence(settings, words):
    with pytest.raises(InputError, match=words):
        Ensemble(**settings).fit(normal("table"))


def test_a_refused_fit_leaves_the_earlier_one(model, kind):
    before = model.anomaly_score(normal(kind))
    with pytest.raises(InputError, match="samples to calibrate on"):
        model.fit(normal(kind), hold_out=0.5, false_alarm_rate=1e-6)
    assert np.array_equal(model.anomaly_score(normal(kind)), before)


def test_no_member_trains_on_the_samples_that_scale_it():
    seen = []

    class Watching(Trivial):
        def train(self, x):
            seen.append(len(x))
            super().train(x)

    def fitted(**settings):
        seen.clear()
        members = [Watching(), Watching(variant="brightness")]
        return small(Ensemble, members=members, validation_fraction=0.25, **settings).fit(normal("table"))

    once = fitted(refit_samples=0)
    assert seen == [300, 300]
    again = fitted()
    assert seen == [300, 300, 400, 400], "few samples: members learn from all of them in the end"
    assert np.array_equal(once.scale_, again.scale_), "but the scale is of samples that nothing was trained on"
    assert not np.array_equal(once.member_scores(normal("table")), again.member_scores(normal("table")))


def test_same_seed_gives_the_same_bits_and_equal_members_differ():
    x = normal("table")
    twins = [small(AutoEncoder, random_state=None), small(AutoEncoder, random_state=None)]
    first, second = (small(Ensemble, members=twins).fit(x).member_scores(x) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first[:, 0], first[:, 1])


def test_a_member_with_constant_scores_leaves_the_others_alone():
    x = normal("table")
    model = small(Ensemble, members=[Trivial(variant="constant"), NearestNeighbor()]).fit(x)
    assert np.array_equal(model.anomaly_score(x), model.member_scores(x)[:, 1] / 2)


def test_scale_is_never_zero():
    scores = np.random.default_rng(0).normal(3, 2, size=10_000)
    centre, scale = centre_and_scale(scores)
    assert abs(centre - 3) < 0.1 and abs(scale - 2) < 0.1
    assert centre_and_scale(np.full(9, 7.0)) == (7.0, 1.0)
    assert centre_and_scale(np.array([1e6, 1e6 + 1e-3]))[1] == 1
    assert centre_and_scale(np.array([0.0, 0.0, 0.0, 4.0]))[1] == pytest.approx(np.sqrt(3))


def test_two_rows_are_enough(kind):
    x = normal(kind)
    assert np.isfinite(pair().fit(x[:2]).anomaly_score(x[:3])).all()


def test_every_sample_is_explained(model, kind):
    parts = model.explain(anomalous(kind))
    assert parts.shape == anomalous(kind).shape and parts.dtype == np.float32
    assert np.isfinite(parts).all() and parts.any()
    sums = parts.astype(np.float64).reshape(len(parts), -1).sum(1)
    rise = model.anomaly_score(anomalous(kind))
    assert np.corrcoef(sums, rise)[0, 1] > 0.9


def test_an_exported_ensemble_scores_the_same(model, kind, tmp_path):
    export_onnx(model, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    x = np.concatenate([normal(kind), anomalous(kind)])
    score, is_anomaly = session.run(None, {"x": x.astype(np.float32)})
    expected = model.anomaly_score(x)
    assert np.allclose(score, expected, rtol=1e-4, atol=1e-4)
    clear = np.abs(expected - model.threshold_) > 1e-3
    assert np.array_equal(is_anomaly[clear], (model.predict(x) == -1)[clear])


def test_a_member_that_searches_forbids_export_and_says_so(tmp_path):
    model = small(Ensemble, members=[small(AnoGAN), KDE()]).fit(normal("table"))
    with pytest.raises(InputError, match="of its member AnoGAN, a score is a search"):
        export_onnx(model, tmp_path / "m.onnx")
    alone = model.members_[0].anomaly_score(anomalous("table"))
    assert np.allclose(model.member_scores(anomalous("table"))[:, 0] * model.scale_[0] + model.centre_[0], alone)


def test_ensembles_nest(kind, tmp_path):
    x = normal(kind)
    model = small(Ensemble, members=[pair(random_state=None), KDE()]).fit(x)
    model.save(tmp_path / "m")
    again = ganad.load(tmp_path / "m", device="cpu")
    assert np.array_equal(again.anomaly_score(x), model.anomaly_score(x))
    assert model.set_params(ensemble__autoencoder__epochs=2).members[0].members[0].epochs == 2


def test_planted_anomalies_are_found(kind):
    model = small(Ensemble, members=[small(AutoEncoder, epochs=30), NearestNeighbor()]).fit(normal(kind))
    scores = np.concatenate([model.anomaly_score(normal(kind)), model.anomaly_score(anomalous(kind))])
    assert roc_auc_score(np.repeat([0, 1], [len(normal(kind)), len(anomalous(kind))]), scores) > 0.9


def deep() -> Ensemble:
    members = [small(AutoEncoder, epochs=2, random_state=None), KDE(), small(AutoEncoder, epochs=2, random_state=None)]
    return small(Ensemble, members=members, refit_samples=0)


def test_epochs_of_all_members_are_shown_and_named():
    seen = []
    model = deep().fit(normal("table"), on_epoch=lambda m: seen.append((type(m), m.history_[-1]["stage"])))
    stages = ["autoencoder_1/training"] * 2 + ["autoencoder_2/training"] * 2
    assert seen == [(Ensemble, stage) for stage in stages]
    assert [row["stage"] for row in model.history_] == stages


def test_stopped_anywhere_and_resumed_ends_in_the_same_weights(tmp_path, monkeypatch):
    x = normal("table")
    unbroken = deep().fit(x)
    iterate, left = Run.iterate, 0

    def dies(run):
        nonlocal left
        if left == 0:
            raise ConnectionAbortedError("killed")
        left -= 1
        iterate(run)

    monkeypatch.setattr(Run, "iterate", dies)
    for lives, left in enumerate([1, 3, 4, 10**9]):  # noqa: B007
        with contextlib.suppress(ConnectionAbortedError):
            model = deep().fit(x, checkpoint=tmp_path / "c", resume=lives > 0, checkpoint_every=0)
    assert np.array_equal(model.anomaly_score(x), unbroken.anomaly_score(x))
    with pytest.raises(InputError, match="other data, settings"):
        deep().set_params(kde__n_components=3).fit(x, checkpoint=tmp_path / "c", resume=True)


def run(*arguments):
    arguments = [str(argument) for argument in arguments]
    return CliRunner().invoke(build_app(arguments), arguments)


def test_an_ensemble_on_the_command_line(tmp_path):
    data, model = tmp_path / "x.csv", tmp_path / "m"
    np.savetxt(data, normal("table"), delimiter=",", header="a,b,c,d,e,f", comments="")
    method = ("--method", "ensemble:autoencoder,nearest-neighbor")
    settings = ("--set", "autoencoder.epochs=2", "--set", "autoencoder.hidden=4,2,4", "--combine", "max")
    done = run("fit", data, "-o", model, *method, *settings)
    assert done.exit_code == 0, done.output
    made = ganad.load(model)
    assert (made.combine, made.members[0].epochs, made.members[0].hidden) == ("max", 2, (4, 2, 4))
    assert isinstance(made.members[1], NearestNeighbor) and isinstance(made, Detector)
    assert run("score", model, data, "-o", tmp_path / "s.csv", "--report", tmp_path / "r.html").exit_code == 0
    for wrong, words in {
        ("--method", "ensemble:"): "one detector or more",
        ("--method", "ensemble:kde,nothing"): "no method 'nothing'",
        ("--method", "kde:lof"): "kde is not made of other methods",
        ("--method", "ensemble:kde", "--set", "lof.k=3"): "lof is not one of kde",
        ("--method", "kde", "--set", "lof.k=3"): "kde is not made of other methods",
    }.items():
        done = run("fit", data, "-o", model, *wrong)
        assert done.exit_code == 2 and words in done.stderr


def test_a_frame_with_names_raises_no_warning():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(normal("table"), columns=list("abcdef"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(Ensemble, members=[NearestNeighbor(), KDE()]).fit(frame)


def test_with_trim_the_history_has_both_fits():
    model = small(Ensemble, members=[small(AutoEncoder, epochs=1)], trim=0.1)
    stages = [row["stage"] for row in model.fit(normal("table")).history_]
    assert sum("trimmed" in stage for stage in stages) == sum("trimmed" not in stage for stage in stages) > 0


def test_set_params_puts_another_member_in_place():
    model = Ensemble(members=[KDE(), NearestNeighbor(k=3)])
    model.set_params(kde=Trivial(), nearest_neighbor__k=5)
    assert [type(member) for member in model.members] == [Trivial, NearestNeighbor] and model.members[1].k == 5
    assert not hasattr(model, "kde") and "trivial" in model.get_params()
    with pytest.raises(ValueError, match="kde"):
        model.set_params(kde=KDE())
    assert model.set_params(members=[KDE()], kde__reducer="pca").members[0].reducer == "pca"


def test_one_held_out_row_sets_no_scale():
    """It has no spread, and members would meet on their own units: the largest would decide alone."""
    x = np.random.default_rng(0).normal(size=(6, 3))
    model = Ensemble(members=[KDE(), Trivial()], random_state=0, verbose=0).fit(x)
    scores = np.array([member.anomaly_score(x) for member in model.members_])
    np.testing.assert_allclose(model.scale_, scores.std(1), rtol=1e-5)
