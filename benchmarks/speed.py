"""Training and scoring speed of each method at its MNIST preset, and the share of the machine's matmul rate.

    python benchmarks/speed.py [--methods FenceGAN GANomaly] [--rounds 7] [--output benchmarks/results/speed.json]

One thread. Each round times the matrix product and the methods in turn, so a slow minute of a shared machine
hits both; the table gives the median share and the best. FLOPs are counted by torch.utils.flop_counter:
matrix products and convolutions, forward and backward, a multiply-add as two.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

import ganad
from ganad import devices
from ganad.detector import Detector
from ganad.training import Run

SECONDS = 0.6  # of each timing


def captured(cls: type[Detector], precision: str) -> tuple[Detector, list[Run], np.ndarray]:
    """A detector at its MNIST preset whose runs are handed out instead of trained."""
    runs: list[Run] = []

    class Captured(cls):  # type: ignore[misc,valid-type]
        def run(self, step, x, **options):
            runs.append(self.make_run(step, x, **options))

    x = np.random.default_rng(0).integers(0, 256, (1024, 28, 28)).astype(np.uint8)
    preset = cls.PRESETS.get("mnist", {})
    detector = Captured(**preset | dict(precision=precision, threads=1, verbose=0, random_state=0, device="cpu"))
    detector.set_params(batch_size=max(100, detector.batch_size), threshold_samples=2)
    detector.fit(x)
    return detector, runs, x


def rate(work: object, amount: float) -> float:
    """Amount of work a second."""
    done, start = 0, time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        work()  # type: ignore[operator]
        done += 1
    return done * amount / (time.perf_counter() - start)


def matmul(dtype: torch.dtype) -> object:
    a, b = torch.randn(1024, 1024, dtype=dtype), torch.randn(1024, 1024, dtype=dtype)
    return lambda: torch.mm(a, b)


def flops_of(work: object) -> float:
    with FlopCounterMode(display=False) as counter:
        work()  # type: ignore[operator]
    return float(counter.get_total_flops())


def measure(cls: type[Detector], precision: str, rounds: int) -> dict[str, object]:
    """Images a second and share of the matmul rate, training (the last run) and scoring."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    product, product_flops = matmul(dtype), 2 * 1024**3
    detector, runs, x = captured(cls, precision)
    run = runs[-1]
    for name, net in detector.nets_.items():
        net.train(name in run.optimizers)
    batch = run.stream.batch_size
    train_flops = statistics.mean(flops_of(run.iterate) for _ in range(3)) / batch
    score = lambda: detector.anomaly_score(x[:512])  # noqa: E731
    score_flops = flops_of(score) / 512
    rows = []
    for _ in range(rounds):
        peak = rate(product, product_flops)
        training = rate(run.iterate, batch)
        peak = max(peak, rate(product, product_flops))
        scoring = rate(score, 512)
        for name, net in detector.nets_.items():
            net.train(name in run.optimizers)
        rows.append((training, training * train_flops / peak, scoring, scoring * score_flops / peak, peak))
    columns = list(zip(*rows))
    names = ("train_images_per_s", "train_share", "score_images_per_s", "score_share", "matmul_flops_per_s")
    result: dict[str, object] = {
        "method": cls.__name__,
        "precision": precision,
        "batch": batch,
        "train_mflop_per_image": train_flops / 1e6,
        "score_mflop_per_image": score_flops / 1e6,
    }
    for name, column in zip(names, columns):
        result[name] = {"median": statistics.median(column), "best": max(column)}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="*", default=["FenceGAN", "GANomaly", "EGBAD", "AutoEncoder"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    precisions = ["fp32", "bf16"] if devices.has_fast_bf16("cpu") else ["fp32"]
    print("| method | precision | batch | train img/s | share of matmul (median / best) | score img/s | share |")
    print("|---|---|---|---|---|---|---|")
    rows = []
    for name in options.methods:
        for precision in precisions:
            row = measure(getattr(ganad, name), precision, options.rounds)
            rows.append(row)
            t, ts, s, ss = (row[k] for k in ("train_images_per_s", "train_share", "score_images_per_s", "score_share"))
            print(
                f"| {name} | {precision} | {row['batch']} | {t['median']:.0f} | {ts['median']:.2f} / {ts['best']:.2f} "  # type: ignore[index]
                f"| {s['median']:.0f} | {ss['median']:.2f} / {ss['best']:.2f} |",  # type: ignore[index]
                flush=True,
            )
    if options.output:
        options.output.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
