"""What small data costs: whole fits of a small table, and the Python of the training loop.

    python benchmarks/small.py fits [--methods ALAD EGBAD] [--rows 800] [--columns 16] [--rounds 3]
    python benchmarks/small.py loop [--methods ALAD EGBAD] [--rounds 7]
    python benchmarks/small.py first [--methods EGBAD] [--rounds 3]
    python benchmarks/small.py scores [--methods ADGAN AnoGAN] [--rows 800]
    python benchmarks/small.py fits --against ../other/src

One thread, at the methods' defaults, in seconds of processor time, because other processes use the machine too.

- ``fits``: a fit of random rows, with its threshold and its self-test, after another fit of the same process.
- ``loop``: microseconds of an update of a player above its arithmetic. The arithmetic is a loop of the least code: the
  method's own step, the backward pass, the optimiser's kernel and the average of the weights.
- ``scores``: scores of the rows, after a fit of one epoch; a search costs far more than a forward pass.
- ``first``: what the first fit of a process costs more than the second, imports of ganad aside.

``--against`` names the source folder of another version; each round then measures both in turn, in fresh processes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from captured import captured  # type: ignore[import-not-found,unused-ignore]

METHODS = "ADGAN ALAD AnoGAN AutoEncoder DAGMM DeepSVDD DSEBM EGBAD FAnoGAN FenceGAN GANomaly IGMMGAN OCGAN VAE".split()
STEPS, TURNS = 10, 60  # steps of each timing of the loop, and how often the two loops take turns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["fits", "loop", "first", "scores"])
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--rows", type=int, default=800)
    parser.add_argument("--columns", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", type=Path, help="source folder of another version, such as ../other/src")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        print(json.dumps(measured(options)))
        return
    here = Path(__file__).parents[1] / "src"
    versions = [options.against, here] if options.against else [here]
    print("| method | " + " | ".join(["before", "after"][-len(versions) :]) + " |")
    print("|---" * (1 + len(versions)) + "|")
    for name in options.methods:
        rounds = [[child(options, name, source) for source in versions] for _ in range(options.rounds)]
        cells = [statistics.median(column) for column in zip(*rounds)]
        print(f"| {name} | " + " | ".join(f"{cell:.3g}" for cell in cells) + " |", flush=True)


def child(options: argparse.Namespace, name: str, source: Path) -> float:
    """The figure of one method in a fresh process that uses the version in ``source``."""
    command = [sys.executable, __file__, options.what, "--here", "--methods", name]
    command += ["--rows", str(options.rows), "--columns", str(options.columns)]
    environment = os.environ | {"PYTHONPATH": str(source.resolve()), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1])


def measured(options: argparse.Namespace) -> float:
    """The figure of the one method, in this process."""
    import numpy as np
    import torch

    import ganad

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    x = np.random.default_rng(0).normal(size=(options.rows, options.columns)).astype(np.float32)
    cls = getattr(ganad, options.methods[0])
    if options.what == "loop":
        return above_the_arithmetic(cls, x)
    if options.what == "first":
        costs = [fit_seconds(cls, x[:100], epochs=1) for _ in range(2)]
        return costs[0] - costs[1]
    if options.what == "scores":
        detector = cls(random_state=0, device="cpu", verbose=0, epochs=1, threshold_samples=2, threshold_fits=0).fit(x)
        start = time.process_time()
        detector.anomaly_score(x)
        return time.process_time() - start
    fit_seconds(ganad.VAE, x[:100], epochs=1)
    return fit_seconds(cls, x)


def fit_seconds(cls: Any, x: Any, **settings: Any) -> float:
    detector = cls(random_state=0, device="cpu", verbose=0, **settings)
    start = time.process_time()
    detector.fit(x)
    return time.process_time() - start


def above_the_arithmetic(cls: Any, x: Any) -> float:
    """Microseconds of one update in the loop, less those of the least loop, medians of alternating timings."""
    _, run = captured(cls, x)
    least = Least(run)
    turns = [(cpu_microseconds(run.iterate), cpu_microseconds(least.iterate)) for _ in range(TURNS)]
    ours, bare = (statistics.median(column) for column in zip(*turns))
    return (ours - bare) / (least.updates / least.iterations)


def cpu_microseconds(work: Any) -> float:
    start = time.process_time()
    for _ in range(STEPS):
        work()
    return (time.process_time() - start) / STEPS * 1e6


class Least:
    """A loop of the least code around the step of a run: it checks, logs and saves nothing."""

    def __init__(self, run: Any):
        import torch

        self.torch, self.run, self.updates, self.iterations = torch, run, 0, 0
        zeros = {k: [torch.zeros_like(p) for p in v] for k, v in run.params.items()}
        self.kept = {k: (v, [torch.zeros_like(p) for p in v], [torch.ones(())] * len(v)) for k, v in zeros.items()}

    def iterate(self) -> None:
        torch, run = self.torch, self.run
        self.iterations += 1
        for player, terms in run.step(run.stream):
            self.updates += 1
            params = run.params[player]
            for p in params:
                p.grad = None
            torch.autograd.backward(tuple(terms.values()), inputs=params)
            with torch.no_grad():
                grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in params]
                rates = dict(lr=1e-4, beta1=0.5, beta2=0.999, weight_decay=0.0, eps=1e-8)
                means, squares, counts = self.kept[player]
                torch._fused_adam_(params, grads, means, squares, [], counts, amsgrad=False, maximize=False, **rates)
                if run.ema:
                    torch._foreach_lerp_(run.averages[player], params, 1e-3)


if __name__ == "__main__":
    main()
