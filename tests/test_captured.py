"""Captured steps: what a replay gives, what cannot be captured, and which methods' steps can.

Two stand-ins take the place of a GPU. ``Tape`` replays recorded operations on the tensors of the recording, without any
Python of the step. The device "meta" has shapes and no numbers, so what would wait for a GPU or copy to it shows there.
"""

import contextlib
import copy
import logging
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import rmsprop
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

import ganad
from ganad import GenerativeDetector, NetworkDetector
from ganad.losses import bce
from ganad.training import Stream, TrainingSet
from ganad.training.captured import SWITCH, Captured, Watch

from .samples import normal, small

META = torch.device("meta")
STEPS = 11  # one as always, two watched, the recording, replays, and a last batch of another size
SPEED = Path(__file__).resolve().parent.parent / "docs" / "speed.md"


def aliases(values):
    """The same memory by tensors of their own."""
    return tree_map(lambda value: value.detach() if isinstance(value, torch.Tensor) else value, values)


class Tape(TorchDispatchMode):
    """Operations in the order in which they were recorded, and the tensors they read and write."""

    def __init__(self):
        super().__init__()
        self.calls, self.replays, self.carried_out = [], 0, False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = aliases((args, kwargs or {}))  # an operation may change the shape of its argument
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, *given, aliases(result)))
        return result

    def aside(self):
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def recording(self):
        with self:
            yield
        self.carried_out = True  # a GPU records without carrying out, so its first replay is this one's recording

    @torch.no_grad()
    def replay(self):
        self.replays += 1
        if self.carried_out:
            self.carried_out = False
            return
        for func, args, kwargs, kept in self.calls:
            for old, new in zip(tree_leaves(kept), tree_leaves(func(*args, **kwargs))):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


class Toy(GenerativeDetector):
    """A GAN with dropout, and a step that may do something that a graph cannot."""

    latent_dim: int = 3
    mischief: str = ""
    calls = 0

    def build(self, shape):
        critic = nn.Sequential(nn.Linear(shape[0], 5), nn.Dropout(0.5), nn.Linear(5, 1))
        return dict(generator=nn.Linear(self.latent_dim, shape[0]), discriminator=critic)

    def training_step(self, batches):
        self.calls += 1
        G, D = self.nets_.generator, self.nets_.discriminator
        x = next(batches)
        fake = G(self.noise(len(x)))
        real = bce(D(x), 1.0)
        if self.mischief == "number" and real > 100:
            return
        if self.mischief == "clock" and batches.progress > 1:
            real = 2 * real
        if self.mischief == "mask":
            real = real + D(x[x[:, 0] > 0]).mean()
        if self.mischief == "memory":
            real = real + D(vars(self).get("memory", x)).mean()
            self.memory = fake.detach()
        yield "discriminator", dict(real=real, fake=bce(D(fake.detach()), 0.0))
        yield "generator", dict(adv=bce(D(fake), 1.0))

    def score_batch(self, x):
        return -self.nets_.discriminator(x).flatten()


class Stepped(Toy):
    """The toy with an optimiser that takes its step size as a number, which falls at the sixth step."""

    def optimizer(self, player, params):
        return torch.optim.SGD(params, 0.25, momentum=0.5)

    def lr_factor(self, player, epoch, iteration):
        return 1.0 if iteration < 6 else 0.5


class Ended(Exception):
    """The end of ``train``: what comes after is not looked at."""


def observed(cls, look, x, **settings):
    """Call ``look(detector, step, x, options)`` in place of every run of a fit."""

    class Observed(cls):
        def run(self, step, x, **options):
            look(self, step, x, options)
            if step.__name__ == "training_step":  # no method has another step after this one
                raise Ended

        def train(self, x):
            super().train(x)
            raise Ended

    Observed.__name__ = cls.__name__
    with pytest.raises(Ended):
        small(Observed, **settings).fit(x)


def equal_runs(detector, step, x, options, graph=Tape):
    """Eager and captured steps from the same start; they must give the same bits. The captured step is returned."""
    start, rng, ends = copy.deepcopy(detector.nets_.state_dict()), torch.get_rng_state(), []
    for is_captured in (False, True):
        vars(detector).pop("memory", None)
        detector.nets_.load_state_dict(start)
        torch.set_rng_state(rng)
        run = detector.make_run(step, x, **options)
        if is_captured:
            run.captured = Captured(run, graph)
        for _ in range(STEPS):
            run.iterate()
        kept = {f"average {k}/{i}": a for k, v in run.averages.items() for i, a in enumerate(v)}
        ends.append(copy.deepcopy(kept | run.sums | detector.nets_.state_dict()))
        counts = run.counts
    eager, replayed = ends
    assert eager.keys() == replayed.keys() and set(counts.values()) <= {STEPS * n for n in range(1, 10)}
    logged = run.sums.keys()
    for name, value in eager.items():
        if name in logged:  # where a step logs a term several times, a replay adds its values up first
            torch.testing.assert_close(replayed[name], value, rtol=1e-5, atol=1e-6)
        else:
            assert torch.equal(replayed[name], value), name
    return run.captured


def test_a_replay_is_the_step_without_its_python():
    def look(detector, step, x, options):
        detector.calls = 0
        captured = equal_runs(detector, step, x, options)
        assert captured.reason == "" and captured.graph.replays == 7
        assert detector.calls == STEPS + 5  # one as always, two watched, the recording, the last batch of a pass

    observed(Toy, look, normal("table"), batch_size=60, ema=0.9, clip_norm=1.0)


def test_a_number_that_changes_is_recorded_anew():
    made = []

    def look(detector, step, x, options):
        captured = equal_runs(detector, step, x, options, lambda: made.append(Tape()) or made[-1])
        assert captured.reason == "" and [tape.replays for tape in made] == [0, 3, 5]

    observed(Stepped, look, normal("table"), batch_size=50)


@pytest.mark.parametrize(
    ("mischief", "words"),
    [
        ("number", "_local_scalar_dense waits"),
        ("clock", "asks the stream for its progress"),
        ("mask", "index waits"),
        ("memory", "with other numbers or tensors"),
    ],
)
def test_a_step_that_is_not_static_goes_on_as_always_and_says_why(mischief, words, caplog):
    caplog.set_level(logging.INFO, "ganad")

    def look(detector, step, x, options):
        assert words in equal_runs(detector, step, x, options).reason

    observed(Toy, look, normal("table"), mischief=mischief)
    assert re.search(f"training is not captured: .*{words}", caplog.text)


def test_a_recording_that_fails_goes_on_as_always():
    class Torn(Tape):
        @contextlib.contextmanager
        def recording(self):
            yield
            raise RuntimeError("operation not permitted when stream is capturing")

    def look(detector, step, x, options):
        run = detector.make_run(step, x, **options)
        run.captured = Captured(run, Torn)
        for _ in range(STEPS):
            run.iterate()
        assert "not permitted" in run.captured.reason and run.stream.position + 8 * run.stream.epoch == STEPS

    observed(Toy, look, normal("table"), batch_size=50)


def test_without_a_gpu_the_switch_changes_nothing_and_says_so(monkeypatch, caplog):
    x = normal("table")
    before = small(Toy).fit(x).anomaly_score(x)
    monkeypatch.setenv(SWITCH, "1")
    caplog.set_level(logging.INFO, "ganad")
    assert np.array_equal(small(Toy).fit(x).anomaly_score(x), before)
    assert "training is not captured: it runs on the cpu" in caplog.text


# -- every method -------------------------------------------------------------------------------------------

METHODS = [cls for cls in ganad.DETECTORS if issubclass(cls, NetworkDetector)]
#: Step sizes that are the same in 32 bits, as a graph has them, and in 64; and more passes than any test makes.
EXACT = dict(lr=2**-10, discriminator_lr=2**-10, epochs=50)


@pytest.fixture(scope="module")
def without_numbers():
    """What the device "meta" lacks: kernels that write nothing there, every number being one, and autocast."""
    library = torch.library.Library("aten", "IMPL")
    library.impl("_fused_adam_", lambda *args, **options: None, "Meta")
    library.impl("_fused_adam_.tensor_lr", lambda *args, **options: None, "Meta")
    library.impl("_local_scalar_dense", lambda x: 1.0, "Meta")
    autocast = torch.autocast
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "autocast", lambda kind, **how: autocast("cpu" if kind == "meta" else kind, **how))
        patch.setattr(rmsprop, "_get_capturable_supported_devices", lambda: ["meta"])
        yield
    library._destroy()


@contextlib.contextmanager
def on_meta(detector, step, x, options):
    """Within: a run of the step on a device that is not the CPU."""
    kept, device = detector.nets_, detector.device_
    samples, prepare = (x.x, x.prepare) if isinstance(x, TrainingSet) else (x, None)
    try:
        detector.nets_, detector.device_ = copy.deepcopy(kept).to(META), META
        yield detector.make_run(step, TrainingSet(samples.to(META), META, prepare), **options)
    finally:
        detector.nets_, detector.device_ = kept, device


def reason_on_meta(detector, step, x, options) -> str:
    """Why the step could not be captured there; empty if it could."""
    with on_meta(detector, step, x, options) as run:
        run.captured = Captured(run, Tape)
        while not (run.captured.reason or run.captured.key):  # a step of several batches seldom has the same sizes
            run.iterate()
    return run.captured.reason


@pytest.mark.parametrize("kind", ["table", "images"])
def test_a_step_of_the_loop_copies_nothing_to_the_device(kind, without_numbers):
    def look(detector, step, x, options):
        watch = Watch(META)
        with on_meta(detector, step, x, options) as run:
            run.iterate()  # copies the order of the pass and the scaling
            with watch:
                run.iterate()
        assert watch.operations and watch.reason == ""

    observed(ganad.FenceGAN, look, normal(kind), **EXACT)


def documented() -> dict[tuple[str, str], str]:
    """The steps that docs/speed.md says cannot be captured, with the reason."""
    rows = re.findall(r"^\| (\w+) \| (\w+_step) \| ([^|]+) \|", SPEED.read_text("utf-8"), re.MULTILINE)
    return {(method, step): reason for method, step, reason in rows}


def test_the_docs_name_methods_and_steps_that_exist():
    classes = {cls.__name__: cls for cls in METHODS}
    assert documented() and all(hasattr(classes[method], step) for method, step in documented())


@pytest.mark.parametrize("kind", ["table", pytest.param("images", marks=pytest.mark.slow)])
@pytest.mark.parametrize("cls", METHODS, ids=lambda cls: cls.__name__)
def test_a_methods_steps_can_be_captured_unless_the_docs_say_why_not(cls, kind, without_numbers):
    def look(detector, step, x, options):
        found.append((cls.__name__, step.__name__, reason_on_meta(detector, step, x, options)))

    found: list[tuple[str, str, str]] = []
    observed(cls, look, normal(kind), **EXACT)
    assert found and all(reason == documented().get((method, step), "") for method, step, reason in found), found


@pytest.mark.parametrize("cls", METHODS, ids=lambda cls: cls.__name__)
def test_replayed_steps_of_a_method_give_the_weights_of_eager_ones(cls, monkeypatch):
    def own_draws(stream):
        """Random batches from a generator of their own: a GPU draws all else, so the order among both is free there."""
        own = vars(stream).setdefault("own", torch.Generator().manual_seed(1))
        return stream.data.located(torch.randperm(len(stream.data), generator=own)[: stream.batch_size])

    def look(detector, step, x, options):
        captured = equal_runs(detector, step, x, options)
        refused = documented().get((cls.__name__, step.__name__), "")
        assert captured.reason == ("" if "memory of the cpu" in refused else refused)

    monkeypatch.setattr(Stream, "draw_any", own_draws)
    observed(cls, look, normal("table"), **EXACT)


def test_a_step_size_that_falls_is_read_by_the_replay():
    def look(detector, step, x, options):
        captured = equal_runs(detector, step, x, options)
        assert captured.reason == "" and captured.run.optimizers["coder"].param_groups[0]["lr"] == 2**-13

    observed(ganad.IGMMGAN, look, normal("table"), lr_halving=3, **EXACT)
