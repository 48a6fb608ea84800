"""The step of a run as a CUDA graph: carried out a few times as always, recorded once, and replayed from then on.

A step of small networks is hundreds of kernels of a few microseconds, and Python takes longer to ask for one than the
GPU to do it. A graph asks for all at once. That is right only for a step that is static: carried out again it does the
same on tensors of the same shapes at the same places, and nothing waits for a result. So the steps before the recording
are watched, and a step that is not static goes on as always.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from .adam import Adam
from .stream import Stream

SWITCH = "GANAD_GRAPHS"  #: environment variable: "1" captures static steps on a GPU

#: Operations that wait for the device, or take a number from it: a graph cannot contain them.
_WAITING = frozenset(
    "_local_scalar_dense nonzero masked_select multinomial equal _linalg_check_errors unique_dim unique_consecutive "
    "_unique2 repeat_interleave bincount".split()
)
_COMPARED = (bool, int, float, str, torch.dtype, torch.device, torch.layout, torch.memory_format)
_LOG = logging.getLogger("ganad")

Terms = tuple[dict[str, Tensor], dict[str, int]]  # sums of logged terms, and of how many
Key = tuple[tuple[str, int], ...]  # what a step draws: the stream's method, and how many samples


class Stepping(Protocol):
    """What is captured of ``Run``."""

    name: str
    stream: Stream
    device: torch.device
    optimizers: dict[str, torch.optim.Optimizer]
    lr_factor: Callable[[str, float, int], float] | None
    ema: float
    freshness: float | Tensor
    sums: dict[str, Tensor]
    counts: dict[str, int]

    def perform(self, batches: Any) -> None: ...


def captured(run: Stepping) -> Captured | None:
    """The captured step of a run, if the environment asks for one and there is a GPU to replay it."""
    if os.environ.get(SWITCH) != "1":
        return None
    is_cuda = run.device.type == "cuda"
    reasons = {
        f"it runs on the {run.device.type}, and only CUDA has graphs": not is_cuda,
        "its GPU is not torch's current one": is_cuda and run.device.index not in (None, torch.cuda.current_device()),
        "several processes exchange gradients in it": run.stream.slices.place.count > 1,
        "its samples are on a disk": run.stream.on_disk,
    }
    for reason, holds in reasons.items():
        if holds:
            _LOG.info("%s is not captured: %s", run.name, reason)
            return None
    return Captured(run)


def changed(held: float | Tensor, value: float) -> float | Tensor:
    """The new value of a number that changes between steps; a tensor stays where it is, for a graph reads it there."""
    return held.fill_(value) if isinstance(held, Tensor) else value


class Graph:
    """A CUDA graph and the stream on which it is prepared."""

    def __init__(self) -> None:
        self.graph = torch.cuda.CUDAGraph()
        self.stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """Within: work runs on a stream of its own, as it must before a recording."""
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            yield
        torch.cuda.current_stream().wait_stream(self.stream)

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Within: work is recorded, and not carried out. Random numbers are those of torch's generator at a replay."""
        generator = torch.cuda.default_generators[torch.cuda.current_device()]
        before = generator.clone_state()
        recorded = torch.cuda.graph(self.graph, stream=self.stream, capture_error_mode="thread_local")
        try:
            with torch.cuda.stream(torch.cuda.current_stream()), recorded:
                yield
        except BaseException:  # a failure leaves torch on the recording's stream, which the first context mends,
            generator.graphsafe_set_state(before)  # and its generator in recording
            raise

    def replay(self) -> None:
        self.graph.replay()


class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """What a step does: its operations, their numbers and shapes, and which tensors it has from outside.

    reason: why the step cannot be captured; empty if nothing of it forbids that.
    """

    def __init__(self, device: torch.device):
        super().__init__()  # type: ignore[no-untyped-call]
        self.device, self.reason, self.paused = device, "", False
        self.operations: list[tuple[str, list[Any], Any]] = []
        self._made: set[int] = set()
        self._outside: dict[int, Any] = {}  # kept, so that no storage has the number of an earlier one

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self.paused:
            return func(*args, **kwargs)
        name = func.overloadpacket.__name__
        inputs, shape = tree_flatten((args, kwargs))
        self.operations.append((str(func), [self._described(value) for value in inputs], shape))
        masked = name in ("index", "index_put_") and any(_is_mask(value) for value in inputs)
        if name in _WAITING or masked:
            self.refuse(f"{name} waits for the device")
        if name == "lift_fresh":
            self.refuse("it makes a tensor of numbers, which are copied to the device")
        result = func(*args, **kwargs)
        outputs = [value for value in tree_flatten(result)[0] if isinstance(value, Tensor)]
        self._made |= {value.untyped_storage()._cdata for value in outputs} - self._outside.keys()
        for value in (*inputs, *outputs):
            if isinstance(value, Tensor) and value.device.type != self.device.type:
                self.refuse(f"{name} uses memory of the {value.device.type}")
        return result

    def give(self, value: Tensor) -> None:
        """Count a tensor among those from outside, though it may lie where one of the step's own has been."""
        self._made.discard(value.untyped_storage()._cdata)

    def refuse(self, reason: str) -> None:
        self.reason = self.reason or reason

    def _described(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value if isinstance(value, _COMPARED) else type(value)
        storage = value.untyped_storage()
        place = 0 if storage._cdata in self._made else storage._cdata
        if place:
            self._outside[place] = storage
        return tuple(value.shape), value.stride(), value.storage_offset(), value.dtype, place

    def difference(self, other: Watch) -> str:
        """In what this step differs from another one; empty if in nothing."""
        for number, (mine, theirs) in enumerate(zip(self.operations, other.operations)):
            if mine != theirs:
                same = "with other numbers or tensors" if mine[0] == theirs[0] else f"in place of {theirs[0]}"
                return f"operation {number} of the step was {mine[0]} {same}"
        more = len(self.operations) - len(other.operations)
        return f"it did {more:+d} operations" if more else ""


def _is_mask(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype in (torch.bool, torch.uint8)


class Feed:
    """What stands for the stream in a step: ``rows`` says where the samples of each draw lie."""

    def __init__(self, stream: Stream, rows: Callable[[str], Tensor], watch: Watch | None = None):
        self.stream, self.rows, self.watch, self.batch_size = stream, rows, watch, stream.batch_size

    def __next__(self) -> Tensor:
        return self.stream.data.at(self.rows("draw"))

    def sample(self) -> Tensor:
        return self.stream.data.at(self.rows("draw_any"))

    def __getattr__(self, name: str) -> Any:
        if self.watch:
            self.watch.refuse(f"it asks the stream for its {name}")
        return getattr(self.stream, name)


class Captured:
    """The step of a run, captured once two of its calls were found to do the same."""

    def __init__(self, run: Stepping, graph: Callable[[], Any] = Graph):
        self.run, self.graph, self.reason = run, graph(), ""
        self.make = graph
        self.steps, self.watched = 0, dict[Key, Watch]()
        self.slots: dict[tuple[int, str, int], Tensor] = {}
        self.key: Key | None = None  #: what the captured step draws
        self.terms: Terms | None = None  #: what a replay leaves to log; None before the recording
        self.rates: list[Any] = []
        for optimizer in run.optimizers.values():
            for group in optimizer.param_groups:
                if isinstance(optimizer, Adam) and run.lr_factor:
                    group["lr"] = torch.full((), group["lr"], device=run.device)
                if "capturable" in group:
                    group["capturable"] = run.device.type != "cpu"
        if run.ema:
            run.freshness = torch.zeros((), device=run.device)

    def perform(self) -> None:
        """One call of the step, in whichever way."""
        self.steps += 1
        if self.reason or self.steps == 1:  # the first step also makes what the later ones have
            self.run.perform(self.run.stream)
        elif self.key is None:
            with self.graph.aside():
                self.look()
        else:
            self.replay(self.key)

    def look(self) -> None:
        """A step as always, compared with the last one that drew as many samples."""
        watch, drawn = Watch(self.run.device), list[tuple[str, int]]()

        def rows(draw: str) -> Tensor:
            watch.paused = True
            places = getattr(self.run.stream, draw)()
            slot = self.slot(len(drawn), draw, places)
            drawn.append((draw, len(places)))
            watch.paused = False
            watch.give(slot)
            return slot

        with watch:
            terms = self.apart(Feed(self.run.stream, rows, watch))
        self.log(terms)
        key = tuple(drawn)
        before = self.watched.get(key)
        self.watched[key] = watch
        reason = watch.reason or (watch.difference(before) if before else "")
        if reason:
            self.give_up(reason)
        elif before:
            self.key, self.watched = key, {}

    def replay(self, key: Key) -> None:
        """The captured step on new batches, or the step as always on batches of other sizes."""
        drawn = [getattr(self.run.stream, draw)() for draw, _ in key]
        if [len(places) for places in drawn] != [size for _, size in key]:
            self.run.perform(self.given(drawn))
            return
        slots = [self.slot(i, draw, places) for i, ((draw, _), places) in enumerate(zip(key, drawn))]
        rates = [g["lr"] for o in self.run.optimizers.values() for g in o.param_groups if isinstance(g["lr"], float)]
        if self.terms is None or rates != self.rates:  # a graph has the numbers of its recording
            self.graph, self.rates = self.make(), rates
            try:
                with self.graph.recording():
                    self.terms = self.apart(self.given(slots))
            except RuntimeError as error:
                self.give_up((str(error).strip() or type(error).__name__).splitlines()[0])
                self.run.perform(self.given(drawn))
                return
        self.graph.replay()
        self.log(self.terms)

    def slot(self, number: int, draw: str, places: Tensor) -> Tensor:
        """Rows to draw, at the place in memory where the step looks for those of its draw ``number``."""
        slot = self.slots.setdefault((number, draw, len(places)), torch.empty_like(places))
        return slot.copy_(places)

    def given(self, drawn: Sequence[Tensor]) -> Feed:
        """A feed of batches that are drawn already."""
        rest = iter(drawn)
        return Feed(self.run.stream, lambda _: next(rest))

    def apart(self, feed: Feed) -> Terms:
        """Carry out the step and return its logged terms, which are not added to those of the epoch."""
        run = self.run
        kept, (run.sums, run.counts) = (run.sums, run.counts), ({}, {})
        try:
            run.perform(feed)
            return run.sums, run.counts
        finally:
            run.sums, run.counts = kept

    def log(self, terms: Terms) -> None:
        """Add the terms of one step to those of the epoch."""
        sums, counts = self.run.sums, self.run.counts
        for key, value in terms[0].items():
            if key not in sums:
                sums[key], counts[key] = torch.zeros_like(value), 0
            counts[key] += terms[1][key]
        if terms[0]:
            torch._foreach_add_([sums[key] for key in terms[0]], list(terms[0].values()))

    def give_up(self, reason: str) -> None:
        self.reason, self.watched, self.terms = reason, {}, None
        _LOG.info("%s is not captured: %s", self.run.name, reason)
