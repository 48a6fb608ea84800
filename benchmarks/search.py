"""Cost of the searches at test time beside what the machine could do: ADGAN's memory traffic, AnoGAN's products.

    python benchmarks/search.py [--images 2] [--steps 20] [--rounds 5] [--output benchmarks/results/search.json]

One thread. ADGAN's copies of the generator are too large for a cache, so its least time is bytes / bandwidth: a step
reads every weight twice (forward and back), writes its gradient, and Adam reads four numbers and writes three; a copy
is made, and read once more at the end. Bandwidth is that of a + b -> c on arrays of 256 MB. AnoGAN works on batches, so
its bound is the rate of a 1024 x 1024 product. Every round times bound and search in turn; searches take time in
proportion to images and steps, so a few of them are timed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from speed import flops_of, matmul, rate

import ganad

_READS_AND_WRITES = 2 + 1 + 4 + 3  # of a weight in one step


def images(n: int) -> np.ndarray:
    """Blobs in place of digits: a search takes as long for any image."""
    return np.random.default_rng(0).integers(0, 256, (n, 28, 28)).astype(np.uint8)


def bandwidth() -> float:
    """Bytes a second of a + b -> c."""
    a, b, c = (torch.ones(2**26) for _ in range(3))
    return rate(lambda: torch.add(a, b, out=c), 3 * 4 * 2**26)


def seconds(work: object) -> float:
    start = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - start


def adgan(n: int, rounds: int) -> dict[str, object]:
    """Seconds an image at 64 seeds x 5 steps, and how many times the least time of its memory traffic that is."""
    model = ganad.ADGAN.preset("mnist", epochs=1, threads=1, verbose=0, random_state=0, threshold_samples=1)
    model.fit(images(64))
    weights = sum(p.numel() for p in model.nets_.generator.parameters())
    each = 4 * weights * (_READS_AND_WRITES * model.search_steps + 2)
    x = images(n)
    times, ratios = [], []
    for _ in range(rounds):
        rate_before = bandwidth()
        taken = seconds(lambda: model.anomaly_score(x)) / n
        times.append(taken)
        ratios.append(taken / (model.n_seeds * each / max(rate_before, bandwidth())))
    return {
        "search": "ADGAN, mnist preset, 64 seeds x 5 steps",
        "gigabytes_per_image": model.n_seeds * each / 1e9,
        "seconds_per_image": statistics.median(times),
        "times_the_bandwidth_bound": {"median": statistics.median(ratios), "best": min(ratios)},
    }


def anogan(name: str, steps: int, rounds: int, **settings: object) -> dict[str, object]:
    """Milliseconds an image and step, and the share of the product's rate."""
    model = ganad.AnoGAN(**settings, epochs=1, threads=1, verbose=0, random_state=0, threshold_samples=1)
    model.set_params(search_steps=1).fit(images(128))
    model.set_params(search_steps=steps)
    x = images(64)
    work = lambda: model.anomaly_score(x)  # noqa: E731
    flops = flops_of(work)
    times, shares = [], []
    for _ in range(rounds):
        peak = rate(matmul(torch.float32), 2 * 1024**3)
        taken = seconds(work)
        times.append(1000 * taken / 64 / steps)
        shares.append(flops / taken / max(peak, rate(matmul(torch.float32), 2 * 1024**3)))
    return {
        "search": f"AnoGAN, {name}",
        "milliseconds_per_image_and_step": statistics.median(times),
        "share_of_matmul": {"median": statistics.median(shares), "best": max(shares)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=2, help="searched by ADGAN in a round")
    parser.add_argument("--steps", type=int, default=20, help="of AnoGAN's search in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    preset = ganad.AnoGAN.PRESETS["mnist"]
    rows = [
        adgan(options.images, options.rounds),
        anogan("mnist preset", options.steps, options.rounds, **{k: v for k, v in preset.items() if k != "epochs"}),
        anogan("DCGAN of width 64", options.steps, options.rounds, width=64),
    ]
    text = json.dumps(rows, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
