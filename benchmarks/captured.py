"""What benchmarks of the training loop share: the runs of a fit, handed out instead of trained."""

from __future__ import annotations

from typing import Any


def captured(cls: Any, x: Any, **settings: Any) -> tuple[Any, Any]:
    """A detector that fits to ``x`` without training and without a threshold, and its longest run, ready to iterate.

    Of several runs, such as a pretraining and the training, the longest has the most updates; of equal ones the last.
    """
    runs: list[Any] = []
    fits: list[Any] = []

    class Captured(cls):  # type: ignore[misc]
        def run(self, step: Any, x: Any, **options: Any) -> None:
            runs.append(self.make_run(step, x, **options))
            fits.append(self._fit)

        def _look_at(self, x: Any, seed: int) -> None:
            """Set no threshold: it may cost a search for every sample."""

        def _doubt(self, x: Any, *, held_out: bool, judges_new: bool) -> None:
            """Test nothing."""

    fixed: dict[str, Any] = dict(random_state=0, device="cpu", threads=1, verbose=0)
    detector = Captured(**settings | fixed)
    detector.fit(x)
    detector._fit = fits[-1]  # some steps ask it how long the fit is
    run = max(reversed(runs), key=lambda run: (run.iterations or run.epochs * batches_of(run)) * len(run.optimizers))
    ready(detector, run)
    return detector, run


def ready(detector: Any, run: Any) -> None:
    """Put the networks in the modes of training."""
    for name, net in detector.nets_.items():
        net.train(name in run.optimizers)


def batches_of(run: Any) -> int:
    """Batches of a pass."""
    return max(1, -(-len(run.stream.data) // run.stream.batch_size))


def updates_of(run: Any) -> int:
    """Updates of players in one call of the step."""
    found: list[str] = []
    update = run.update
    run.update = lambda player, terms: (found.append(player), update(player, terms))
    try:
        run.iterate()
    finally:
        del run.update
    return len(found)
