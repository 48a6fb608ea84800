"""The training loop. It drives the step of any method and does not know what the step does."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from ..errors import InputError, Interrupted, TrainingDiverged
from ..nets.players import Players
from ..seeds import rng_state, set_rng_state
from .captured import Captured, captured, changed
from .checkpoint import Checkpoint, State
from .progress import Progress, same_shapes, slots_of
from .ranks import WholeBatch
from .stop import stop_requests
from .stream import Stream

Update = tuple[str, dict[str, Tensor]]
Step = Callable[[Stream], Iterator[Update]]
_YIELD = 'yield a player and its loss terms, as in yield "net", dict(error=loss)'


@dataclass
class Run:
    """One run of one step. It holds everything that changes during training, so it can be saved and continued."""

    name: str
    step: Step
    stream: Stream
    nets: Players
    optimizers: dict[str, torch.optim.Optimizer]
    epochs: int | None
    iterations: int | None = None
    dtype: torch.dtype = torch.float32
    ema: float = 0.0
    clip_norm: float | None = None
    patience: int | None = None
    validate: Callable[[], float] | None = None
    lr_factor: Callable[[str, float, int], float] | None = None
    on_progress: Callable[[Run], None] | None = None
    on_epoch: Callable[[Run], None] | None = None
    due: Callable[[], bool] | None = None  # asked after every step: is ``on_epoch`` to be called within the epoch?

    iteration: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.device, self.ranks = self.stream.data.device, self.stream.slices.place
        self.stop: threading.Event | None = None
        self.asked_to_stop = False
        self.params = {k: [p for g in o.param_groups for p in g["params"]] for k, o in self.optimizers.items()}
        self.base_lr = {k: [g["lr"] for g in o.param_groups] for k, o in self.optimizers.items()}
        self.averages = {k: [p.detach().clone() for p in v] for k, v in self.params.items()} if self.ema else {}
        self.best: dict[str, Tensor] = {}
        self.best_loss, self.waited = math.inf, 0
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}
        self.seconds = 0.0
        self.freshness: float | Tensor = 0.0  #: share of the present weights in their average
        self.plain = self.dtype == torch.float32 and self.ranks.count == 1  #: a step needs no context
        self.captured: Captured | None = captured(self)

    # -- the loop -----------------------------------------------------------------------------------------

    def train(self, checkpoint: Checkpoint | None = None, number: int = 0) -> list[dict[str, Any]]:
        """Run to the end and return the history, one row an epoch."""
        found = checkpoint.load(number) if checkpoint else None
        if found is not None:
            state, finished = found
            try:
                self.restore(state)
            except Exception as error:  # a file may hold anything
                assert checkpoint
                raise checkpoint.refusal(error) from error
            if finished:
                return self.history
        with stop_requests(checkpoint is not None) as self.stop:
            while not self.finished:
                started, epoch = time.perf_counter(), self.stream.epoch
                self.iterate()
                self.seconds += time.perf_counter() - started
                if self.stream.epoch > epoch:
                    self.end_epoch()
                elif self.due and self.due():
                    self.show()
                if self.on_progress:
                    self.on_progress(self)
                stop = self.asked_to_stop if self.ranks.count > 1 else self.stop.is_set()
                if checkpoint and (stop or self.stream.epoch > epoch or checkpoint.due()):
                    self.check_finite()
                    kept = checkpoint.save(number, self.state(), finished=False)
                    if stop:
                        raise Interrupted(
                            f"stopped; checkpoint kept in {checkpoint.folder}, resume to go on"
                            if kept
                            else f"stopped; the last checkpoint could not be written ({checkpoint.failure})"
                        )
        if self.sums:
            self.end_epoch()
        self.settle()
        if checkpoint:
            checkpoint.save(number, self.state(), finished=True)
        return self.history

    @property
    def finished(self) -> bool:
        if self.patience is not None and self.waited > self.patience:
            return True
        if self.iterations is not None:
            return self.iteration >= self.iterations
        return self.stream.epoch >= (self.epochs or 0)

    def iterate(self) -> None:
        """One call of the step: each ``player, terms`` it yields is one update of that player."""
        if self.lr_factor:
            for player, optimizer in self.optimizers.items():
                factor = self.lr_factor(player, self.stream.progress, self.iteration)
                for group, lr in zip(optimizer.param_groups, self.base_lr[player]):
                    group["lr"] = changed(group["lr"], lr * factor)
        if self.ema:
            # a young average forgets faster, because a short run would otherwise keep its random start
            decay = min(self.ema, (1 + self.iteration) / (10 + self.iteration))
            self.freshness = changed(self.freshness, 1 - decay)
        place = (self.stream.epoch, self.stream.position)
        self.stream.slices.clear()
        if self.captured:
            self.captured.perform()
        else:
            self.perform(self.stream)
        self.iteration += 1
        if self.iterations is None and place == (self.stream.epoch, self.stream.position):
            raise InputError(f"{self.where} drew no batch: call next(batches), or run it with iterations=")

    def perform(self, batches: Any) -> None:
        """The updates of one call of the step, which draws from ``batches``: the stream, or what stands for it."""
        updates = self.step(batches)
        if not hasattr(updates, "__next__"):
            raise InputError(f"{self.where} returns a {type(updates).__name__}; it must {_YIELD}")
        for update in updates if self.plain else self.within(updates):
            try:
                player, terms = update
                self.update(player, terms)
            except Exception as error:
                if wrong := self.wrong_in(update):  # asked only now, so that a step that is right loses no time
                    raise InputError(f"{self.where} {wrong}") from error
                raise

    @property
    def where(self) -> str:
        """Where the step is written, ``Denoiser.training_step``."""
        return getattr(self.step, "__qualname__", self.name)

    def wrong_in(self, update: Any) -> str:
        """What a step's author did wrong in what it yielded, as the end of a sentence; empty if nothing is."""
        if not (isinstance(update, tuple | list) and len(update) == 2 and isinstance(update[1], dict)):
            kinds = ", ".join(type(part).__name__ for part in update) if isinstance(update, tuple | list) else ""
            return f"yielded a {type(update).__name__}{f' of {kinds}' if kinds else ''}; it must {_YIELD}"
        player, terms = update
        if player not in list(self.optimizers):
            return f"yielded player {player!r}; this run updates {', '.join(self.optimizers)}"
        for term, value in terms.items():
            if not isinstance(value, Tensor):
                return f"yielded the loss term {term!r} as a {type(value).__name__}; it must be a tensor"
            if value.numel() != 1:
                shape = tuple(value.shape)
                return f"yielded the loss term {term!r} of shape {shape}; take its mean() over the samples"
        if not any(value.requires_grad for value in terms.values()):
            return f"yielded a loss of {player!r} that depends on none of its parameters"
        return ""

    def within(self, updates: Iterator[Update]) -> Iterator[Update]:
        """The updates of a step that needs autocast or the whole batch.

        Each part of the step enters autocast anew, because autocast caches cast weights and the optimiser changes the
        weights at every yield.
        """
        while True:
            with self.autocast(), self.whole_batch():
                update = next(updates, None)
            if update is None:
                break
            yield update

    def update(self, player: str, terms: dict[str, Tensor]) -> None:
        params = self.params[player]
        for p in params:
            p.grad = None
        # a sum of the terms would have their gradients, and nobody asks for its value
        losses = [t.float() for t in terms.values() if t.requires_grad]
        if not losses:
            raise RuntimeError("no loss has a gradient")
        if self.ranks.count == 1:
            torch.autograd.backward(losses, inputs=params)
        else:
            terms = self.backward_together(losses, params, terms)
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(params, self.clip_norm)
        self.optimizers[player].step()
        with torch.no_grad():
            if isinstance(self.freshness, Tensor):
                torch._foreach_lerp_(self.averages[player], params, [self.freshness] * len(params))
            elif self.ema:
                torch._foreach_lerp_(self.averages[player], params, self.freshness)
            for term, value in terms.items():
                key = f"{player}/{term}"
                if key not in self.sums:
                    self.sums[key], self.counts[key] = torch.zeros((), device=self.device), 0
                self.sums[key] += value.float().reshape(())
                self.counts[key] += 1

    def backward_together(
        self, losses: list[Tensor], params: list[nn.Parameter], terms: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        """Gradients and terms of the whole batch, of which this process has a slice; also whether any was told to stop.

        A mean over the batch is the sum of the slices' means, each weighted by its share of the samples.
        """
        weight = self.stream.slices.weight
        torch.autograd.backward([loss * weight for loss in losses], inputs=params)
        means = {term: value.detach().float().reshape(()) * weight for term, value in terms.items()}
        told = torch.tensor(float(self.stop is not None and self.stop.is_set()), device=self.device)
        self.ranks.add_up([*(p.grad for p in params if p.grad is not None), *means.values(), told])
        self.asked_to_stop = bool(told)
        return means

    def end_epoch(self) -> None:
        """Log the means of the epoch, validate, start new sums and call ``on_epoch``."""
        row: dict[str, Any] = {"stage": self.name, "epoch": self.stream.epoch, "seconds": round(self.seconds, 3)}
        row |= self.check_finite()
        self.sums, self.counts = {}, {}
        if self.validate:
            with self.averaged_weights():
                row["validation"] = loss = self.ranks.agreed(self.validate())
            if loss < self.best_loss:
                self.best_loss, self.waited = loss, 0
                with self.averaged_weights():
                    self.best = {k: v.detach().clone() for k, v in self.nets.state_dict().items()}
            else:
                self.waited += 1
        self.history.append(row)
        self.show()

    def show(self) -> None:
        """Call ``on_epoch`` with the weights that scoring would use now."""
        if self.on_epoch and self.ranks.leads:
            with self.averaged_weights():
                self.on_epoch(self)

    def check_finite(self) -> dict[str, float]:
        """Means of the loss terms since the epoch began, in one transfer; raises TrainingDiverged."""
        if not self.sums:
            return {}
        sums = torch.stack(list(self.sums.values())).tolist()
        means = {k: v / self.counts[k] for k, v in zip(self.sums, sums)}
        for key, value in means.items():
            if not math.isfinite(value):
                player, term = key.split("/", 1)
                raise TrainingDiverged(
                    f"{self.name}: loss term {term!r} of the {player} became {value} in epoch {self.stream.epoch}; "
                    "lower lr, set clip_norm, or check the data's scale"
                )
        return means

    def settle(self) -> None:
        """Give the networks their final weights: the best on held-out data, or the averaged ones."""
        if self.best:
            self.nets.load_state_dict(self.best)
        else:
            for player, average in self.averages.items():
                torch._foreach_copy_([p.detach() for p in self.params[player]], average)

    @contextlib.contextmanager
    def averaged_weights(self) -> Iterator[None]:
        """A context in which the networks have their averaged weights."""
        live = {k: [p.detach().clone() for p in v] for k, v in self.params.items()} if self.averages else {}
        for player in live:
            torch._foreach_copy_([p.detach() for p in self.params[player]], self.averages[player])
        try:
            yield
        finally:
            for player, weights in live.items():
                torch._foreach_copy_([p.detach() for p in self.params[player]], weights)

    def whole_batch(self) -> contextlib.AbstractContextManager[Any]:
        """Within: what a step draws and normalises by is that of the whole batch."""
        return contextlib.nullcontext() if self.ranks.count == 1 else WholeBatch(self.stream.slices)

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        if self.dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    # -- saving and continuing ----------------------------------------------------------------------------

    def state(self) -> State:
        """Everything needed to continue to the same bits."""
        tensors = {f"nets/{k}": v for k, v in self.nets.state_dict().items()}
        tensors |= {f"best/{k}": v for k, v in self.best.items()}
        tensors |= {f"rng/{k}": v for k, v in rng_state(self.device).items()}
        tensors |= {f"sums/{k}": v for k, v in self.sums.items()}
        header: dict[str, Any] = {
            "epoch": self.stream.epoch,
            "position": self.stream.position,
            "iteration": self.iteration,
            "history": self.history,
            "counts": self.counts,
            "seconds": self.seconds,
            "best_loss": self.best_loss if self.best else None,
            "waited": self.waited,
            "optimizers": {},
        }
        for player, average in self.averages.items():
            tensors |= {f"average/{player}/{i}": a for i, a in enumerate(average)}
        for player, optimizer in self.optimizers.items():
            plain: dict[str, dict[str, Any]] = {}
            for i, slots in optimizer.state_dict()["state"].items():
                for slot, value in slots.items():
                    if isinstance(value, Tensor):
                        tensors[f"optimizer/{player}/{i}/{slot}"] = value
                    else:
                        plain.setdefault(str(i), {})[slot] = value
            header["optimizers"][player] = plain
        return tensors, header

    def restore(self, state: State) -> None:
        """Continue from ``state()``'s result; whatever error comes of one that is not such a result.

        Everything is compared with what this run has before it is used, or an error would come in a later step.
        """
        tensors, header = state
        known = msgspec.convert(header, Progress)

        def part(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        same_shapes(part("nets/"), self.nets.state_dict())
        self.nets.load_state_dict(part("nets/"))
        self.best = {k: v.to(self.device) for k, v in part("best/").items()}
        if self.best:
            same_shapes(self.best, self.nets.state_dict())
        self.sums = {k: v.float().reshape(()).to(self.device) for k, v in part("sums/").items()}
        if self.sums.keys() != known.counts.keys():
            raise ValueError("sums of other losses than were counted")
        for player, average in self.averages.items():
            torch._foreach_copy_(average, [tensors[f"average/{player}/{i}"] for i in range(len(average))])
        for player, optimizer in self.optimizers.items():
            slots = slots_of(known.optimizers[player], part(f"optimizer/{player}/"), self.params[player])
            optimizer.load_state_dict(optimizer.state_dict() | {"state": slots})
        self.stream.seek(known.epoch, known.position)
        self.iteration, self.counts = known.iteration, known.counts
        self.history[:] = header["history"]
        self.seconds, self.waited = known.seconds, known.waited
        self.best_loss = math.inf if known.best_loss is None else known.best_loss
        set_rng_state(part("rng/"), self.device)
