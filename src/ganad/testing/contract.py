"""The contract of every detector as functions. Each raises AssertionError with a sentence if it does not hold."""

from __future__ import annotations

import contextlib
import copy
import random
import re
import sys
import tempfile
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest import SkipTest, mock

import numpy as np
import torch
from sklearn.base import clone
from torch import Tensor, nn

from .. import registry
from ..detector import Detector
from ..errors import InputError
from ..loading import load
from ..metrics import auroc
from ..training import Run
from . import elsewhere
from .samples import Kind, anomalous, built, fitted, has_networks, kinds, normal, settings_of, small, trained

_FLOOR = 0.9  #: AUROC of planted anomalies; a method that has learnt nothing has one of .5
_LIVES = (1, 0, 3, 1, 2)  #: steps of a fit before each of its kills

#: Shapes of one sample: narrow and wide tables; images grey and in colour, odd and large.
SHAPES: dict[Kind, tuple[tuple[int, ...], ...]] = {
    "table": ((2,), (3,), (17,), (100,)),
    "images": ((8, 8), (28, 28, 1), (17, 30, 3), (128, 128, 3)),
}


# -- fitting ----------------------------------------------------------------------------------------------


def check_every_network_learns(detector: Detector, kind: Kind) -> None:
    """``fit`` returns the detector, moves weights of every network, logs finite losses and changes no setting."""
    model, initial = small(detector), dict[str, dict[str, Tensor]]()
    build, settings = model.build, model.get_params()

    def remember(shape: tuple[int, ...]) -> dict[str, nn.Module]:
        players = build(shape)
        initial.update({name: copy.deepcopy(net.state_dict()) for name, net in players.items()})
        return players

    with mock.patch.object(model, "build", remember):
        expect(model.fit(normal(kind)) is model, "fit must return the detector itself")
    expect(model.get_params() == settings, "fit changes a setting; keep what is learnt in attributes that end in _")
    for name, net in model.nets_.items():
        moved = [k for k, v in net.named_parameters() if not torch.equal(v, initial[name][k])]
        expect(bool(moved) or not list(net.parameters()), f"no weight of {name!r} moved; yield it in training_step")
    expect(bool(model.history_) == bool(len(model.nets_)), "history_ must hold a row an epoch of its networks")
    losses = [v for row in model.history_ for v in row.values() if isinstance(v, float)]
    expect(bool(np.isfinite(losses).all()), f"history_ holds losses that are not finite: {losses}")


def check_same_seed_gives_the_same_scores(detector: Detector, kind: Kind) -> None:
    """The same ``random_state`` gives the same scores to the bit. Another ``random_state`` gives other scores."""
    x = normal(kind)
    first = fitted(detector, kind).anomaly_score(x)
    again = small(detector).fit(x).anomaly_score(x)
    expect(np.array_equal(again, first), "a second fit gives other scores; draw from torch's generator alone")
    if has_networks(detector, kind):
        other = small(detector, random_state=1).fit(x).anomaly_score(x)
        expect(not np.array_equal(other, first), "another random_state changes nothing; draw from torch's generator")


def check_random_state_and_threads_are_left_alone(detector: Detector, kind: Kind) -> None:
    """Fitting and scoring leave the caller's random states and number of threads as they were."""
    before = _callers_state()
    small(detector, threads=2).fit(normal(kind)).anomaly_score(anomalous(kind))
    for name, state in _callers_state().items():
        expect(state == before[name], f"the caller's {name} changed; draw from torch's generator, which is isolated")


def _callers_state() -> dict[str, Any]:
    return {
        "state of torch's generator": torch.get_rng_state().numpy().tobytes(),
        "state of NumPy's generator": repr(np.random.get_state(legacy=False)),  # noqa: NPY002
        "state of Python's generator": random.getstate(),
        "number of threads": torch.get_num_threads(),
    }


def check_clone_has_the_settings_and_nothing_learnt(detector: Detector, kind: Kind) -> None:
    """scikit-learn's ``clone`` of a fitted detector has its settings and is not fitted."""
    model = fitted(detector, kind)
    copied = clone(model)
    expect(settings_of(copied) == settings_of(model), "a clone has other settings; write fields, not a constructor")
    expect(not hasattr(copied, "nets_"), "a clone is fitted")


def check_resumed_fit_ends_in_the_same_weights(detector: Detector, kind: Kind) -> None:
    """A fit that is killed several times and resumed has the weights, threshold and losses of an unbroken fit."""
    if not has_networks(detector, kind):
        raise SkipTest("takes no steps")
    x, settings = normal(kind)[:100], dict(epochs=3, batch_size=32, ema=0.9, patience=5)
    unbroken = small(detector, **settings).fit(x)
    with tempfile.TemporaryDirectory() as folder:
        lives, model = _in_lives(detector, settings, x, Path(folder) / "checkpoint")
    expect(lives >= 3, f"the fit took so few steps that it was killed {lives - 1} times only; let it take more")
    expect(_same(_weights(model), _weights(unbroken)), "the weights differ; keep what training changes in the networks")
    expect(model.offset_ == unbroken.offset_, "the thresholds differ")
    expect(_timeless(model) == _timeless(unbroken), "the losses in history_ differ")


def _in_lives(detector: Detector, settings: dict[str, Any], x: np.ndarray, checkpoint: Path) -> tuple[int, Detector]:
    iterate, left = Run.iterate, [0]

    def dies(run: Run) -> None:
        if left[0] == 0:
            raise _Killed
        left[0] -= 1
        iterate(run)

    with mock.patch.object(Run, "iterate", dies):
        for life, steps in enumerate((*_LIVES, sys.maxsize), 1):
            left[0] = steps
            with contextlib.suppress(_Killed):
                model = small(detector, **settings)
                return life, model.fit(x, checkpoint=checkpoint, resume=life > 1, checkpoint_every=0)
    raise AssertionError("the fit does not end")


class _Killed(Exception):
    """Ends a fit as a kill would."""


def _timeless(model: Detector) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in model.history_]


def check_refused_fit_leaves_the_earlier_one(detector: Detector, kind: Kind) -> None:
    """A refused fit leaves the detector as the earlier fit made it."""
    x, model = normal(kind), copy.deepcopy(fitted(detector, kind))
    with refused("samples to calibrate on", "a false-alarm rate for which the samples are too few"):
        model.fit(np.repeat(x, 2, axis=1), hold_out=0.5, false_alarm_rate=1e-6)
    kept = np.array_equal(model.anomaly_score(x), fitted(detector, kind).anomaly_score(x))
    expect(kept, "a refused fit changes the scores")


# -- scores -----------------------------------------------------------------------------------------------


def check_score_does_not_depend_on_company(detector: Detector, kind: Kind) -> None:
    """A sample's score is the same to the bit alone, in sevens, in another order and among any number of anomalies."""
    model, odd = fitted(detector, kind), anomalous(kind)
    x = np.concatenate([normal(kind), odd])
    together = model.anomaly_score(x)
    expect(bool(np.isfinite(together).all()), "scores are not finite")
    expect(np.ptp(together) > 0, "all samples have one score")
    order = np.random.default_rng(0).permutation(len(x))
    _expect_same(model.anomaly_score(x[order]), together[order], "the order of the samples")
    sevens = np.concatenate([model.anomaly_score(x[i : i + 7]) for i in range(0, 70, 7)])
    _expect_same(sevens, together[:70], "the batch")
    some = [0, 3, 250 % len(x)]
    alone = np.concatenate([model.anomaly_score(x[i : i + 1]) for i in some])
    _expect_same(alone, together[some], "the samples beside it")
    crowd = np.concatenate([x[:5], *[odd] * 20])
    _expect_same(model.anomaly_score(crowd)[:5], together[:5], "the anomalies beside it")


def _expect_same(found: np.ndarray, scores: np.ndarray, what: str) -> None:
    cause = "score each sample by itself, with no statistics of the batch"
    if np.allclose(found, scores, rtol=1e-3):
        cause = "by rounding: take ganad.nets.mlp or RowLinear, for nn.Linear sums by a row's place"
    expect(np.array_equal(found, scores), f"a score depends on {what}; {cause}")


def check_scoring_changes_no_weight_or_buffer(detector: Detector, kind: Kind) -> None:
    """Scoring changes no weight, no buffer and no gradient flag. A second call gives the same scores."""
    model = copy.deepcopy(fitted(detector, kind))
    for weight in list(model.nets_.parameters())[:1]:
        weight.requires_grad_(False)
    before, flags = _weights(model), [p.requires_grad for p in model.nets_.parameters()]
    first = model.anomaly_score(anomalous(kind))
    expect(_same(_weights(model), before), "scoring changes the networks; networks in eval mode keep no statistics")
    expect([p.requires_grad for p in model.nets_.parameters()] == flags, "scoring changes which weights want gradients")
    expect(np.array_equal(model.anomaly_score(anomalous(kind)), first), "a second time the scores are others")


def check_planted_anomalies_are_found(detector: Detector, kind: Kind, settings: Mapping[str, Any] = {}) -> None:
    """After a short training, plain anomalies score above normal samples: AUROC over .9.

    settings: with which the method learns, if those of ``trained`` do not suit it.
    """
    x, odd = normal(kind), anomalous(kind)
    model = trained(detector, **settings).fit(x)
    found = auroc(np.repeat([0, 1], [len(x), len(odd)]), model.anomaly_score(np.concatenate([x, odd])))
    expect(found > _FLOOR, f"AUROC {found:.3f}; the score is upside down, or the method needs other settings to learn")


def check_contamination_sets_the_share_flagged(detector: Detector, kind: Kind) -> None:
    """``contamination`` sets the share of the training samples that ``predict`` flags; 0 flags none."""
    x, model = normal(kind), fitted(detector, kind)
    none = (small(detector, contamination=0).fit(x).predict(x) == -1).mean()
    expect(none == 0, f"contamination=0 flags {none:.1%} of the training samples")
    tenth = small(detector, contamination=0.1).fit(x)
    share = (tenth.predict(x) == -1).mean()
    expect(0.05 <= share <= 0.11, f"contamination=0.1 flags {share:.1%} of the training samples")
    expect(np.array_equal(model.score_samples(x), -model.anomaly_score(x)), "score_samples is not minus anomaly_score")
    distance = tenth.score_samples(x) - tenth.offset_
    expect(np.allclose(tenth.decision_function(x), distance), "decision_function is not score_samples minus offset_")


def check_every_sample_is_explained(detector: Detector, kind: Kind) -> None:
    """``explain`` gives every column or pixel a finite part. All are zero only if the score is a step function."""
    model, x = fitted(detector, kind), anomalous(kind)
    parts = model.explain(x)
    expect(parts.shape == x.shape and parts.dtype == np.float32, f"explain gives {parts.dtype} of shape {parts.shape}")
    expect(bool(np.isfinite(parts).all()), "explain gives parts that are not finite")
    if parts.any():
        return
    moved = (x.astype(np.float32) + 1e-3).astype(np.float32)
    unmoved = model.anomaly_score(moved) == model.anomaly_score(x)
    in_steps = unmoved.mean() > 0.5  # one or two samples may be next to a step
    expect(bool(in_steps), "explain gives zeros; score_batch must not switch gradients off")


# -- input ------------------------------------------------------------------------------------------------


def check_unusable_input_is_refused(detector: Detector, kind: Kind) -> None:
    """Other shapes, no samples, NaN, infinity and impossible settings raise InputError with a sentence."""
    x, model = normal(kind), fitted(detector, kind)
    with refused("shape|features|images", "scoring samples of another shape"):
        model.anomaly_score(x[:, :-1])
    with refused("sample", "scoring no sample"):
        model.anomaly_score(x[:0])
    with refused("sample", "fitting one sample"):
        small(detector).fit(x[:1])
    for bad in (np.nan, np.inf):
        broken = x.astype(np.float32)
        broken[3, 2] = bad
        with refused("NaN|inf", f"fitting {bad}"):
            small(detector).fit(broken)
        with refused("NaN|inf", f"scoring {bad}"):
            model.anomaly_score(broken)
    if hasattr(detector, "epochs"):
        with refused("epochs=-1 must be at least 0", "epochs=-1"):
            small(detector, epochs=-1).fit(x)
    with refused("contamination=0.7 must lie between", "contamination=0.7"):
        small(detector, contamination=0.7).fit(x)


def check_one_sample_alone_is_refused(detector: Detector, kind: Kind) -> None:
    """One sample without the axis of samples is refused with a hint."""
    with refused(r"x\[None\]" if kind == "images" else "Reshape your data", "one sample alone"):
        fitted(detector, kind).anomaly_score(normal(kind)[0])


def check_few_rows_and_constant_columns_give_finite_scores(detector: Detector, kind: Kind) -> None:
    """Two rows, one column, constant columns and cells of 1e30 give finite scores, without a jump at a constant."""
    x = normal(kind)
    _expect_finite(small(detector).fit(x[:2]), x[:1], "two training samples")
    constant = x.copy()
    constant[:, 0], constant[:, -1] = 0, x.mean()
    changed = constant.copy()
    changed[:, 0] = 1
    model = small(detector).fit(constant)
    _expect_finite(model, changed, "a column or row that was constant in training")
    # PyOD scores a pixel that was constant in training by 1e8 and more
    jump = np.median(np.abs(model.anomaly_score(changed) - model.anomaly_score(constant)))
    expect(jump < 1e4, f"one step away from a constant column the score jumps by {jump:.3g}")
    if kind == "table":
        _expect_finite(small(detector).fit(x[:, :1]), x[:, :1], "one column")
        _expect_finite(model, np.full_like(x[:3], 1e30), "cells of 1e30")


def _expect_finite(model: Detector, x: np.ndarray, what: str) -> None:
    expect(bool(np.isfinite(model.anomaly_score(x)).all()), f"{what}: scores are not finite")


def check_samples_of_any_shape(detector: Detector, kind: Kind, shape: tuple[int, ...]) -> None:
    """Tables of any width and images of any size from 8 x 8 are scored, reconstructed and sampled in their own shape.

    shape: of one sample, ``(d,)``, ``(H, W)`` or ``(H, W, C)``. Parts that a method lacks raise NotSupported.
    """
    x = np.random.default_rng(0).integers(0, 256, size=(6, *shape)).astype(np.uint8 if kind == "images" else float)
    model = small(detector, batch_size=3).fit(x)
    _expect_finite(model, x, f"samples of shape {shape}")
    draws: dict[str, Callable[[], np.ndarray]] = {
        "reconstruct": lambda: model.reconstruct(x),
        "sample": lambda: model.sample(6, random_state=0),
    }
    for part, draw in draws.items():
        if not hasattr(model, part):
            expect(not model.supports(part), f"supports({part!r}) is true, and the method is missing")
            with refused(f"{type(model).__name__} does not", part):
                getattr(model, part)
            continue
        made = draw()
        expect(made.shape == x.shape, f"{part} gives shape {made.shape} for {x.shape}")
        expect(bool(np.isfinite(made).all()), f"{part} gives values that are not finite")


# -- settings and files -----------------------------------------------------------------------------------


def check_every_preset_builds(detector: Detector, kind: Kind) -> None:
    """Every preset passes the checks of settings and builds its networks."""
    for name in detector.PRESETS:
        model = detector.preset(name, device="cpu")
        model.check_settings()
        possible = kinds(model)  # a preset may be for only one of them
        expect(bool(possible), f"the preset {name!r} builds for no kind of samples")
        if kind in possible:
            expect(bool(built(model, kind)) == has_networks(detector, kind), f"the preset {name!r} has other networks")


def check_every_variant_scores(detector: Detector, kind: Kind) -> None:
    """If there is a setting ``variant``, each of its options can be fitted and gives finite scores."""
    for variant in typing.get_args(typing.get_type_hints(type(detector)).get("variant")):
        model = small(detector, variant=variant).fit(normal(kind)[:100])
        expect(model.anomaly_score(anomalous(kind)).shape == (50,), f"variant={variant!r}: not one score a sample")
        _expect_finite(model, anomalous(kind), f"variant={variant!r}")


def check_save_and_load_give_the_same_bits(detector: Detector, kind: Kind) -> None:
    """A saved detector loads with its settings, weights, losses and scores, here and in a new process."""
    model, x = fitted(detector, kind), anomalous(kind)
    scores = model.anomaly_score(x)
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / elsewhere.MODEL)
        np.save(Path(folder) / elsewhere.SAMPLES, x)
        again = load(Path(folder) / elsewhere.MODEL, device="cpu")
        expect(type(again) is type(model), f"a {type(again).__name__} is loaded")
        expect(settings_of(again) == settings_of(model), "a setting is lost or changed in the file")
        expect(_same(_weights(again), _weights(model)), "weights are lost or changed in the file")
        expect(again.history_ == model.history_, "history_ is lost or changed in the file")
        expect(np.array_equal(again.anomaly_score(x), scores), "the loaded detector gives other scores")
        expect(np.array_equal(again.predict(x), model.predict(x)), "the loaded detector has another threshold")
        if type(model).__module__ != "__main__":  # a notebook's module cannot be imported elsewhere
            expect(_scored_in_a_new_process(type(model), folder) == scores.tolist(), "a new process gives other scores")


def _scored_in_a_new_process(cls: type[Detector], folder: str) -> list[float]:
    registered = registry.target_of(cls) in registry.targets().values()
    try:
        return elsewhere.scores(folder, [] if registered else [cls.__module__])
    except RuntimeError as error:
        raise AssertionError(f"a new process cannot load the file:\n{error}") from None


# -- words ------------------------------------------------------------------------------------------------


def expect(holds: bool, sentence: str) -> None:
    """Raise AssertionError with ``sentence`` unless it holds. Unlike ``assert`` it also works under ``python -O``."""
    if not holds:
        raise AssertionError(sentence)


@contextlib.contextmanager
def refused(words: str, what: str) -> Iterator[None]:
    """The block must raise InputError with a message that matches ``words``."""
    try:
        yield
    except InputError as error:
        expect(re.search(words, str(error)) is not None, f"{what}: refused in other words than {words!r}: {error}")
    else:
        raise AssertionError(f"{what} must be refused with InputError")


def _weights(model: Detector) -> dict[str, Tensor]:
    return copy.deepcopy(model.nets_.state_dict())


def _same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


#: All checks, in the order in which they stand here.
CHECKS: tuple[Callable[..., None], ...] = tuple(f for name, f in list(vars().items()) if name.startswith("check_"))
