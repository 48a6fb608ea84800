"""How fast a line trains and scores, from a few steps of each of its stages at its own settings, in seconds.

A pace is a pure function of its task, as a trial is: the networks, the batches and the device are the trial's, on some
of its samples, and the few steps are timed in place of the run. What a method computes between its stages is measured
on these samples and counted in proportion. A pace is no row of a table: nothing learns, and no label is looked at.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import registry
from ..arrays import rows_of
from ..errors import NotSupported
from .grid import recorded
from .machine import commit
from .recipes import Recipe
from .rows import Row, Task, asked, is_current, mend, parameters, read
from .trial import prepared

if TYPE_CHECKING:
    from ..detector import NetworkDetector
    from ..training import Run

FILE = "pace.jsonl"
_SECONDS = 1.0  # of the timed steps of a stage, and of scores
_FEWEST = 1024  # training samples that a pace sees, or four batches
_SEARCHED = 8  # samples scored at a time by a score that is a search


def run(
    wanted: Sequence[Task], folder: str | Path, on_row: Callable[[Row, int, int], object] | None = None
) -> list[Row]:
    """Measure the lines that have no pace in ``folder/pace.jsonl`` on such a device, append them and return them.

    One task of each line is enough. Lines that train no network of their own are left out. Raises InputError for a
    damaged file of rows, and any error of the data or of a method.
    """
    path = Path(folder) / FILE
    mend(path)
    known = read(path)
    todo = [task for task in lines(wanted) if trains(task.suite.recipe(task.label)) and not found(task, known)]

    def made() -> Iterator[Row]:
        for task in todo:
            with contextlib.suppress(NotSupported):  # as its trial would not run either
                known.append(measure(task, known))
                yield known[-1]

    return recorded(made(), lambda row: path, len(todo), "timing steps", on_row)


def lines(tasks: Iterable[Task]) -> list[Task]:
    """The first task of each line."""
    first: dict[tuple[str, str, str], Task] = {}
    for task in tasks:
        first.setdefault((task.suite.name, task.label, task.budget), task)
    return list(first.values())


def trains(recipe: Recipe) -> bool:
    """Whether a line is one method that trains networks, so that a few steps tell its cost."""
    from ..detector import NetworkDetector  # imports torch

    return issubclass(registry.get(recipe.detector), NetworkDetector) and not recipe.snapshots and not recipe.regions


def found(task: Task, paces: Iterable[Row]) -> Row | None:
    """The last pace of a task's line that would be measured alike today, on the kind of device that it asks for."""
    from ..devices import choose_device  # imports torch

    kind, last = choose_device(task.device).type, None
    names = ("label", "budget", "data_hash")
    for row in paces:
        if row.get("pace_of") != task.suite.name or row["device"] != kind:
            continue
        wanted = asked(task)
        if all(row.get(name) == wanted.get(name) for name in names) and is_current(wanted, row):
            last = row
    return last


def measure(task: Task, timed: Sequence[Row] = ()) -> Row:
    """The pace of a line. ``pace_of`` is its table, because a pace is no row of it.

    The row has ``stages``, each with its ``passes`` over the training samples, and ``seconds`` and ``mflop`` a sample;
    ``between_s``, all that is computed between them; and ``score_s`` and ``score_mflop`` a sample. On a CPU seconds are
    those of the processor. A multiply-add counts as two. timed: paces; one of the same settings on the same data,
    made for another table, is taken and not measured again. Raises NotSupported for a detector without networks of its
    own, and any error of the data or the method.
    """
    from .. import files  # imports torch
    from ..detector import NetworkDetector
    from ..devices import choose_device

    at_hand = prepared(task)
    model = at_hand.model
    if not isinstance(model, NetworkDetector):
        raise NotSupported(f"{task.label} trains no network of its own, so steps do not tell its cost")
    row = asked(task)
    row = {"pace_of": row.pop("suite"), **row, "parameters": parameters(model), "data": at_hand.data}
    row |= {"device": choose_device(task.device).type}
    n = len(at_hand.x)
    sizes = {"n_train": n, "n_scored": len(at_hand.x_test) + min(model.threshold_samples, n)}
    alike = ("detector", "budget", "parameters", "data", "device")
    if twin := next((other for other in timed if all(other[name] == row[name] for name in alike)), None):
        grown = {"between_s": round(twin["between_s"] * n / twin["n_train"], 3), "timed_in": twin["pace_of"]}
        return twin | row | sizes | grown
    kept = np.random.default_rng(0).permutation(n)[: max(_FEWEST, 4 * model.batch_size)]
    rehearsal = _Rehearsal(model, n, len(kept))
    rehearsal.fit(rows_of(at_hand.x, np.sort(kept)))
    score_s, score_mflop = rehearsal.scores(at_hand.x_test)
    measured = {"between_s": round(rehearsal.between * n / len(kept), 3), "stages": rehearsal.stages}
    measured |= {"score_s": score_s, "score_mflop": score_mflop, "gpu": rehearsal.gpu()}
    return row | sizes | measured | {"versions": files.versions(), "commit": commit()}


class _Rehearsal:
    """A fit of which a few steps of each run are timed and the others are left out."""

    def __init__(self, model: NetworkDetector, n: int, kept: int):
        self.model, self.n, self.share = model, n, n / kept
        self.stages: list[dict[str, Any]] = []
        self.between = 0.0

    def fit(self, x: np.ndarray) -> None:
        model, train = self.model, self.model.train

        def timed(x: Any) -> None:
            start = self.clock()
            self.between = 0.0
            train(x)
            self.between += self.clock() - start

        def nothing(*args: Any, **how: Any) -> None:
            """No threshold and no self-test: scores are timed by themselves."""

        vars(model).update(run=self.run, train=timed, _look_at=nothing, _doubt=nothing)
        model.fit(x)

    def run(self, step: Any, x: Any, **options: Any) -> None:
        """In place of the detector's: time a few steps."""
        start = self.clock()
        fit = self.model._fit
        fit.n_train = self.n  # passes that follow from the number of samples
        run = self.model.make_run(step, x, **options)
        self.stages.append(self.stage(run))
        fit.runs += 1
        self.between -= self.clock() - start

    def stage(self, run: Run) -> dict[str, Any]:
        """Cost of a sample of a run, and how many samples the whole run passes."""
        mflop = counted(run.iterate) / 1e6  # also the first step, which is slower than the others
        before, steps, start = run.stream.progress, 0, self.clock()
        while not steps or self.clock() - start < _SECONDS:
            run.iterate()
            steps += 1
        seconds = (self.clock() - start) / steps
        drawn = max(run.stream.batch_size, (run.stream.progress - before) / steps * len(run.stream.data))
        passes = float(run.epochs or 0) * len(run.stream.data) * self.share / self.n
        if run.iterations is not None:
            passes = run.iterations * drawn / self.n
        return {
            "name": run.name,
            "passes": round(passes, 3),
            "seconds": float(f"{seconds / drawn:.4g}"),
            "mflop": float(f"{mflop / drawn:.4g}"),
        }

    def scores(self, x: np.ndarray) -> tuple[float, float]:
        """Seconds and MFLOP of a sample's score."""
        model = self.model
        if model.NO_FORWARD_PASS:
            model.set_params(score_batch_size=min(model.score_batch_size or _SEARCHED, _SEARCHED))
        some = x[: model.score_batch_size or (64 if model.input_.is_image else 512)]
        mflop = counted(lambda: model.anomaly_score(some)) / 1e6
        calls, start = 0, self.clock()
        while not calls or self.clock() - start < _SECONDS:
            model.anomaly_score(some)
            calls += 1
        seconds = (self.clock() - start) / calls
        return float(f"{seconds / len(some):.4g}"), float(f"{mflop / len(some):.4g}")

    def clock(self) -> float:
        """Seconds of the processor, or on a GPU those of the clock when it has done what it was told."""
        device = getattr(self.model, "device_", None)
        if device is None or device.type == "cpu":
            return time.process_time()
        import torch

        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    def gpu(self) -> str | None:
        """The name of the GPU, if it is one of torch's."""
        import torch

        return torch.cuda.get_device_name() if self.model.device_.type == "cuda" else None


def counted(work: Callable[[], object]) -> float:
    """The FLOPs of matrix products and convolutions, forward and backward."""
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    class Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
        """torch's FlopCounterMode follows modules as well, and its hooks fail in a search by ``autograd.grad``."""

        total = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            out = func(*args, **(kwargs or {}))
            if count := flop_registry.get(func._overloadpacket):
                self.total += count(*args, **(kwargs or {}), out_val=out)
            return out

    with Counter() as counter:  # type: ignore[no-untyped-call]
        work()
    return float(counter.total)
