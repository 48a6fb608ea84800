"""What holds for every detector, on tables and on images."""

import copy
import json
import subprocess
import sys
import typing

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

import ganad
from ganad import DETECTORS, InputError, IsolationForest, NotSupported
from ganad.training import Run

from .samples import KINDS, anomalous, fitted, has_players, normal, small, trained

pytestmark = [
    pytest.mark.parametrize("kind", KINDS),
    pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: d.__name__),
]


def weights(model) -> dict[str, torch.Tensor]:
    return copy.deepcopy(model.nets_.state_dict())


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


def test_fit_returns_self_and_every_player_learns(detector, kind):
    model = small(detector)
    initial = {}
    build = model.build

    def remember(shape):
        players = build(shape)
        initial.update({name: copy.deepcopy(net.state_dict()) for name, net in players.items()})
        return players

    model.build = remember
    assert model.fit(normal(kind)) is model
    for name, net in model.nets_.items():
        moved = [k for k, v in net.named_parameters() if not torch.equal(v, initial[name][k])]
        assert moved or not list(net.parameters()), name
    assert bool(model.history_) == has_players(detector)
    assert all(np.isfinite(v) for row in model.history_ for v in row.values() if isinstance(v, float))


def test_same_seed_gives_the_same_scores_and_another_seed_does_not(detector, kind):
    x = normal(kind)
    first = fitted(detector, kind).anomaly_score(x)
    assert np.array_equal(small(detector).fit(x).anomaly_score(x), first)
    if has_players(detector):
        assert not np.array_equal(small(detector, random_state=1).fit(x).anomaly_score(x), first)


def test_callers_random_state_and_threads_are_left_alone(detector, kind):
    torch.manual_seed(7)
    np.random.seed(7)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), torch.get_num_threads()  # noqa: NPY002
    small(detector, threads=2).fit(normal(kind)).anomaly_score(anomalous(kind))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.array_equal(np.random.get_state()[1], before[1])  # noqa: NPY002
    assert torch.get_num_threads() == before[2]


def test_clone_has_the_settings_and_nothing_learnt(detector, kind):
    model = fitted(detector, kind)
    copied = clone(model)
    assert copied.get_params() == model.get_params()
    assert not hasattr(copied, "nets_")


def test_scoring_changes_no_weight_or_buffer_and_restores_gradient_flags(detector, kind):
    model = copy.deepcopy(fitted(detector, kind))
    for weight in list(model.nets_.parameters())[:1]:
        weight.requires_grad_(False)
    before, flags = weights(model), [p.requires_grad for p in model.nets_.parameters()]
    first = model.anomaly_score(anomalous(kind))
    assert same(weights(model), before)
    assert [p.requires_grad for p in model.nets_.parameters()] == flags
    assert np.array_equal(model.anomaly_score(anomalous(kind)), first)


def test_score_does_not_depend_on_the_other_samples(detector, kind):
    model = fitted(detector, kind)
    x = np.concatenate([normal(kind), anomalous(kind)])
    together = model.anomaly_score(x)
    assert np.isfinite(together).all()
    assert np.ptp(together) > 0
    order = np.random.default_rng(0).permutation(len(x))
    assert np.array_equal(model.anomaly_score(x[order]), together[order]), "depends on the order"
    sevens = np.concatenate([model.anomaly_score(x[i : i + 7]) for i in range(0, 70, 7)])
    assert np.array_equal(sevens, together[:70]), "depends on the batch"
    alone = np.concatenate([model.anomaly_score(x[i : i + 1]) for i in (0, 3, 250 % len(x))])
    assert np.array_equal(alone, together[[0, 3, 250 % len(x)]]), "depends on company"
    crowd = np.concatenate([x[:5], *[anomalous(kind)] * 20])
    assert np.array_equal(model.anomaly_score(crowd)[:5], together[:5]), "depends on the anomalies beside it"


def test_save_and_load_give_the_same_bits_here_and_in_a_new_process(detector, kind, tmp_path):
    model, x = fitted(detector, kind), anomalous(kind)
    model.save(tmp_path / "model.safetensors")
    again = ganad.load(tmp_path / "model.safetensors", device="cpu")
    assert type(again) is detector
    assert again.get_params() == model.get_params()
    assert same(weights(again), weights(model))
    assert again.history_ == model.history_
    scores = model.anomaly_score(x)
    assert np.array_equal(again.anomaly_score(x), scores)
    assert np.array_equal(again.predict(x), model.predict(x))
    np.save(tmp_path / "x.npy", x)
    code = (
        "import sys, json, numpy as np, ganad; d = sys.argv[1];"
        "print(json.dumps(ganad.load(d + '/model.safetensors', device='cpu')"
        ".anomaly_score(np.load(d + '/x.npy')).tolist()))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == scores.tolist()


def test_planted_anomalies_are_found(detector, kind):
    model = trained(detector).fit(normal(kind))
    scores = np.concatenate([model.anomaly_score(normal(kind)), model.anomaly_score(anomalous(kind))])
    labels = np.repeat([0, 1], [len(normal(kind)), len(anomalous(kind))])
    assert roc_auc_score(labels, scores) > 0.9


def test_contamination_sets_the_share_flagged_and_zero_flags_nothing(detector, kind):
    x = normal(kind)
    model = copy.deepcopy(fitted(detector, kind))
    assert (small(detector, contamination=0).fit(x).predict(x) == 1).all()
    tenth = small(detector, contamination=0.1).fit(x)
    assert 0.05 <= (tenth.predict(x) == -1).mean() <= 0.11
    assert np.array_equal(model.score_samples(x), -model.anomaly_score(x))
    assert np.allclose(tenth.decision_function(x), tenth.score_samples(x) - tenth.offset_)


def test_every_sample_is_explained_by_finite_parts(detector, kind):
    parts = fitted(detector, kind).explain(anomalous(kind))
    assert parts.shape == anomalous(kind).shape and parts.dtype == np.float32
    assert np.isfinite(parts).all()
    assert parts.any() == (detector is not IsolationForest)  # its score is made of steps


def test_unusable_input_is_refused_in_one_sentence(detector, kind):
    x, model = normal(kind), fitted(detector, kind)
    with pytest.raises(ValueError, match="shape|features|images"):
        model.anomaly_score(x[:, :-1])
    with pytest.raises(ValueError, match="sample"):
        model.anomaly_score(x[:0])
    with pytest.raises(ValueError, match="sample"):
        small(detector).fit(x[:1])
    for bad in (np.nan, np.inf):
        broken = x.astype(np.float32)
        broken[3, 2] = bad
        with pytest.raises(ValueError, match="NaN|inf"):
            small(detector).fit(broken)
        with pytest.raises(ValueError, match="NaN|inf"):
            model.anomaly_score(broken)
    if has_players(detector):
        with pytest.raises(InputError, match=r"epochs=-1 must be at least 0"):
            small(detector, epochs=-1).fit(x)
    with pytest.raises(InputError, match=r"contamination=0.7 must lie between"):
        small(detector, contamination=0.7).fit(x)


def test_a_refused_fit_leaves_the_earlier_one(detector, kind):
    x, model = normal(kind), copy.deepcopy(fitted(detector, kind))
    with pytest.raises(InputError, match="samples to calibrate on"):
        model.fit(np.repeat(x, 2, axis=1), hold_out=0.5, false_alarm_rate=1e-6)
    assert np.array_equal(model.anomaly_score(x), fitted(detector, kind).anomaly_score(x))


def test_one_sample_alone_is_refused_with_what_to_do(detector, kind):
    words = r"x\[None\]" if kind == "images" else "Reshape your data"
    with pytest.raises(InputError, match=words):
        fitted(detector, kind).anomaly_score(normal(kind)[0])


def test_few_rows_one_column_and_constant_columns_give_finite_scores(detector, kind):
    x = normal(kind)
    assert np.isfinite(small(detector).fit(x[:2]).anomaly_score(x[:1])).all()
    constant = x.copy()
    constant[:, 0] = 0
    constant[:, -1] = x.mean()
    model = small(detector).fit(constant)
    usual = model.anomaly_score(constant)
    changed = constant.copy()
    changed[:, 0] = 1
    assert np.isfinite(model.anomaly_score(changed)).all()
    # PyOD scores a pixel that was constant in training by 1e8 and more
    assert np.median(np.abs(model.anomaly_score(changed) - usual)) < 1e4
    if kind == "table":
        assert np.isfinite(small(detector).fit(x[:, :1]).anomaly_score(x[:, :1])).all()
        assert np.isfinite(model.anomaly_score(np.full_like(x[:3], 1e30))).all()


def test_stopped_anywhere_and_resumed_ends_in_the_same_weights(detector, kind, tmp_path, monkeypatch):
    if not has_players(detector):
        pytest.skip("takes no steps")
    x, settings = normal(kind)[:100], dict(epochs=3, batch_size=32, ema=0.9, patience=5)
    unbroken = small(detector, **settings).fit(x)
    iterate = Run.iterate
    left = iter([1, 0, 3, 1, 2])  # steps each life gets

    def dies(run):
        nonlocal remaining
        if remaining == 0:
            raise ConnectionAbortedError("killed")
        remaining -= 1
        iterate(run)

    monkeypatch.setattr(Run, "iterate", dies)
    remaining, lives = 0, 0
    while True:
        remaining = next(left, 10**9)
        lives += 1
        try:
            model = small(detector, **settings).fit(x, checkpoint=tmp_path / "c", resume=lives > 1, checkpoint_every=0)
            break
        except ConnectionAbortedError:
            pass
    assert lives >= 3
    assert same(weights(model), weights(unbroken))
    assert model.offset_ == unbroken.offset_
    timeless = [[{k: v for k, v in row.items() if k != "seconds"} for row in m.history_] for m in (model, unbroken)]
    assert timeless[0] == timeless[1]


def test_every_preset_builds(detector, kind):
    shape = (12,) if kind == "table" else (1, 28, 28)
    for name in detector.PRESETS:
        model = detector.preset(name, device="cpu")
        model.check_settings()
        model.device_ = torch.device("cpu")
        if kind == "table" or name != "rings":
            assert bool(model.build(shape)) == has_players(detector)


def test_every_variant_scores(detector, kind):
    x = normal(kind)[:100]
    for variant in typing.get_args(typing.get_type_hints(detector).get("variant")):
        scores = small(detector, variant=variant).fit(x).anomaly_score(anomalous(kind))
        assert scores.shape == (50,) and np.isfinite(scores).all(), variant


@pytest.mark.parametrize("shape", [(8, 8), (28, 28, 1), (17, 30, 3), (128, 128, 3)], ids=str)
def test_images_of_any_size(detector, kind, shape):
    if kind == "table":
        shape = (3,)  # and a narrow table
    x = np.random.default_rng(0).integers(0, 256, size=(6, *shape)).astype(np.uint8 if kind == "images" else float)
    model = small(detector, batch_size=3).fit(x)
    assert np.isfinite(model.anomaly_score(x)).all()
    for output in ("reconstruct", "sample"):
        if not hasattr(model, output):
            assert not model.supports(output)
            with pytest.raises(NotSupported, match=f"{detector.__name__} does not"):
                getattr(model, output)
            continue
        made = model.reconstruct(x) if output == "reconstruct" else model.sample(6, random_state=0)
        assert made.shape == x.shape
        assert np.isfinite(made).all()
