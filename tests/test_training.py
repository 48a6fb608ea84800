"""The loop against loops written by hand, and what it refuses."""

import contextlib
import copy

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from torch import nn

from ganad import EGBAD, GenerativeDetector
from ganad.arrays import DiskRows
from ganad.detector import Batches, Updates
from ganad.errors import InputError, TrainingDiverged
from ganad.losses import bce
from ganad.seeds import isolated_rng
from ganad.training import Stream, TrainingSet

from .samples import normal, small

CPU = torch.device("cpu")


class TwoPlayers(GenerativeDetector):
    """A GAN small enough to write its loop by hand."""

    latent_dim: int = 3

    def build(self, shape):
        return dict(generator=nn.Linear(self.latent_dim, shape[0]), discriminator=nn.Linear(shape[0], 1))

    def training_step(self, batches: Batches) -> Updates:
        G, D = self.nets_.generator, self.nets_.discriminator
        x = next(batches)
        fake = G(self.noise(len(x)))
        yield "discriminator", dict(real=bce(D(x), 1.0), fake=bce(D(fake.detach()), 0.0))
        yield "generator", dict(adv=bce(D(fake), 1.0))

    def score_batch(self, x):
        return -self.nets_.discriminator(x).flatten()


class Misbehaving(TwoPlayers):
    """Yields whatever it is told to."""

    def training_step(self, batches: Batches) -> Updates:
        x = next(batches)
        yield from self.mischief(x)


def made(cls=TwoPlayers, **changes):
    settings = dict(epochs=3, batch_size=50, random_state=0, threads=1, threshold_fits=0)  # one fit, to look into
    return cls(**settings | changes)


def test_loop_equals_a_loop_written_by_hand_to_the_bit():
    x = normal("table")
    model = made(ema=0.9)
    start = {}
    train = model.train

    def remember(data):
        start.update(nets=copy.deepcopy(model.nets_), rng=torch.get_rng_state(), seed=model._fit.seed, data=data)
        train(data)

    model.train = remember
    model.fit(x)
    G, D = start["nets"].generator, start["nets"].discriminator
    adam = {p: torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999), fused=True) for p, net in (("g", G), ("d", D))}
    average = [p.detach().clone() for p in [*G.parameters(), *D.parameters()]]
    with torch.random.fork_rng():
        torch.set_rng_state(start["rng"])
        stream = Stream(start["data"], 50, f"{start['seed']}/0")
        for i in range(3 * 8):
            batch = next(stream)
            fake = G(torch.randn(50, 3))
            for player, net in (("d", D), ("g", G)):
                if player == "d":
                    loss = bce(D(batch), 1.0) + bce(D(fake.detach()), 0.0)
                else:
                    loss = bce(D(fake), 1.0)
                net.zero_grad()
                loss.backward(inputs=list(net.parameters()))
                adam[player].step()
                decay = min(0.9, (1 + i) / (10 + i))
                offset = 0 if net is G else 2
                for a, p in zip(average[offset:], net.parameters()):
                    a.lerp_(p.detach(), 1 - decay)
    for mine, hand in zip([*model.nets_.generator.parameters(), *model.nets_.discriminator.parameters()], average):
        assert torch.equal(mine, hand)


def test_only_the_yielded_player_moves():
    model, moved = made(epochs=1), []
    model.mischief = None
    run = model.make_run

    def watched(*args, **options):
        built = run(*args, **options)
        update = built.update

        def look(player, terms):
            before = copy.deepcopy(model.nets_.state_dict())
            update(player, terms)
            after = model.nets_.state_dict()
            moved.append((player, {k.split(".")[0] for k in after if not torch.equal(after[k], before[k])}))

        built.update = look
        return built

    model.make_run = watched
    model.fit(normal("table"))
    assert {player for player, _ in moved} == {"generator", "discriminator"}
    assert all(who == {player} for player, who in moved)


def G(model):
    return model.nets_.generator(model.noise(2))


@pytest.mark.parametrize(
    ("mischief", "error", "words"),
    [
        (lambda self, x: [("critic", dict(a=x.sum()))], InputError, "yielded player 'critic'; this run updates gen"),
        (lambda self, x: [("generator", dict(a=x.sum()))], InputError, "depends on none of its parameters"),
        (lambda self, x: [("generator", dict(a=G(self).sum(1)))], InputError, r"'a' of shape \(2,\); take its mean"),
        (lambda self, x: [("generator", dict(a=x.sum(1)))], InputError, r"'a' of shape \(50,\); take its mean"),
        (lambda self, x: [("generator", dict(a=1.0))], InputError, "'a' as a float; it must be a tensor"),
        (lambda self, x: [("generator", G(self).sum())], InputError, "a tuple of str, Tensor; it must yield a player"),
        (lambda self, x: [dict(a=G(self).sum())], InputError, "Misbehaving.training_step yielded a dict; it must"),
        (
            lambda self, x: [("generator", dict(adv=self.nets_.generator(self.noise(2)).sum() * np.inf))],
            TrainingDiverged,
            "loss term 'adv' of the generator became",
        ),
    ],
)
def test_bad_yields_are_refused_with_the_reason(mischief, error, words):
    model = made(Misbehaving)
    model.mischief = lambda x: mischief(model, x)
    with pytest.raises(error, match=words):
        model.fit(normal("table"))


def test_a_failed_fit_leaves_no_half_trained_detector_and_the_callers_random_state_alone():
    model = made(Misbehaving, random_state=None)
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    model.mischief = lambda x: [("critic", dict(a=x.sum()))]
    with pytest.raises(InputError):
        model.fit(normal("table"))
    with pytest.raises(NotFittedError):
        model.anomaly_score(normal("table"))
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_a_step_that_draws_nothing_is_refused_instead_of_running_for_ever():
    class Idle(TwoPlayers):
        def training_step(self, batches):
            yield "generator", dict(a=self.nets_.generator(self.noise(2)).sum())

    with pytest.raises(InputError, match="Idle.training_step drew no batch"):
        made(Idle).fit(normal("table"))


@pytest.mark.parametrize(
    ("hook", "value", "words"),
    [
        ("training_step", None, r"returns a NoneType; it must yield a player and its loss terms"),
        ("build", None, r"Forgetful.build must return a dict of networks by player, .* it returned None"),
        ("build", nn.Linear(1, 1), r"Forgetful.build must return a dict .* it returned Linear"),
        ("score_batch", None, r"score_batch must return a tensor with one entry a sample, 512 here; it returned None"),
        ("score_batch", torch.zeros(()), r"score_batch must return .* it returned one of shape \(\)"),
    ],
)
def test_a_hook_that_returns_something_else_is_named_with_what_it_must_return(hook, value, words):
    def score_batch(self, x):
        return value

    written = score_batch if hook == "score_batch" else lambda self, _: value
    Forgetful = type("Forgetful", (TwoPlayers,), {hook: written, "__module__": __name__})
    with pytest.raises(InputError, match=words):
        made(Forgetful).fit(normal("table"))


def test_each_pass_holds_every_sample_once_in_an_order_of_its_own():
    x = torch.arange(101.0)[:, None]
    stream = Stream(TrainingSet(x, CPU), 10, "seed")
    passes = [torch.cat([next(stream) for _ in range(10)]).flatten() for _ in range(2)]
    assert stream.epoch == 2
    for order in passes:  # the last batch would hold one sample, which batch norm cannot take
        assert len(order.unique()) == 100
    assert not torch.equal(*passes)
    again = Stream(TrainingSet(x, CPU), 10, "seed")
    assert torch.equal(torch.cat([next(again) for _ in range(10)]).flatten(), passes[0])


@pytest.mark.parametrize("budget", [1, 60, 10_000])
def test_batches_from_a_disk_are_those_of_memory_however_many_are_read_at_once(tmp_path, budget):
    x = torch.randn(101, 3, dtype=torch.float64)
    np.save(tmp_path / "x.npy", x.numpy())
    data = TrainingSet(np.load(tmp_path / "x.npy", mmap_mode="r"), CPU)
    data.x = DiskRows(data.x.x, budget=budget)
    here, there = Stream(TrainingSet(x, CPU), 10, "seed"), Stream(data, 10, "seed")
    for _ in range(25):
        assert torch.equal(next(here), next(there))
    for stream in (here, there):
        stream.seek(1, 7)
    for _ in range(5):
        assert torch.equal(next(here), next(there))
    assert (here.epoch, here.position) == (there.epoch, there.position) == (2, 2)


def test_of_very_many_samples_some_may_come_twice_but_the_draw_is_quick():
    stream = Stream(TrainingSet(torch.arange(2_000_000)[:, None], CPU), 1000, "seed")
    draws = [stream.sample().flatten() for _ in range(2)]
    assert all(len(draw) == 1000 and draw.max() > 1_500_000 and draw.min() < 500_000 for draw in draws)
    assert not torch.equal(*draws)
    assert stream.position == 0


def test_a_memmap_trains_to_the_same_weights_as_the_array(tmp_path):
    x = normal("images")
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    first, second = small(EGBAD).fit(x), small(EGBAD).fit(mapped)
    pairs = zip(first.nets_.state_dict().values(), second.nets_.state_dict().values())
    assert all(torch.equal(a, b) for a, b in pairs)
    assert np.array_equal(first.anomaly_score(x), second.anomaly_score(mapped))


def test_early_stopping_keeps_the_best_weights_on_held_out_normal_data():
    losses = iter([3.0, 1.0, 2.0, 2.5, 9.0])

    class Scripted(TwoPlayers):
        seen = []

        def _validation_loss(self):
            self.seen.append({k: v.clone() for k, v in self.nets_.state_dict().items()})
            return next(losses)

    model = made(Scripted, epochs=50, patience=1).fit(normal("table"))
    assert [row["validation"] for row in model.history_] == [3.0, 1.0, 2.0, 2.5]
    assert all(torch.equal(v, model.seen[1][k]) for k, v in model.nets_.state_dict().items())


def test_learning_rate_follows_lr_factor_and_gradients_are_clipped():
    class Frozen(TwoPlayers):
        def lr_factor(self, player, epoch, iteration):
            return 0.0 if player == "generator" else 1.0

    model = made(Frozen)
    initial = {}
    train = model.train
    model.train = lambda x: (initial.update(copy.deepcopy(model.nets_.state_dict())), train(x))
    model.fit(normal("table"))
    after = model.nets_.state_dict()
    assert all(torch.equal(after[k], initial[k]) == k.startswith("generator") for k in after)
    tiny = made(TwoPlayers, clip_norm=1e-12, epochs=1)
    tiny.optimizer = lambda player, params: torch.optim.SGD(params, lr=1.0)
    train_tiny = tiny.train
    tiny.train = lambda x: (initial.update(copy.deepcopy(tiny.nets_.state_dict())), train_tiny(x))
    tiny.fit(normal("table"))
    assert all(torch.allclose(v, initial[k], atol=1e-9) for k, v in tiny.nets_.state_dict().items())


def test_bf16_trains_with_float32_weights_and_lands_near_fp32():
    x = normal("images")
    scores = {}
    for precision in ("fp32", "bf16"):
        model = small(EGBAD, precision=precision, epochs=3)
        scores[precision] = model.fit(x).anomaly_score(x)
        assert {p.dtype for p in model.nets_.parameters()} == {torch.float32}
    assert not np.array_equal(scores["fp32"], scores["bf16"])
    assert np.allclose(scores["fp32"], scores["bf16"], rtol=0.1)


def test_a_block_has_the_numbers_of_its_seed_and_the_caller_keeps_its_own():
    torch.manual_seed(5)
    wanted = torch.randn(3)
    torch.manual_seed(1)
    expected = torch.randn(2)
    torch.manual_seed(1)
    drawn = []
    with contextlib.suppress(ZeroDivisionError), isolated_rng(5, CPU):
        drawn.append(torch.randn(3))
        raise ZeroDivisionError
    assert torch.equal(drawn[0], wanted)
    assert torch.equal(torch.randn(2), expected)
