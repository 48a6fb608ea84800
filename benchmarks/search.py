"""Cost of the searches at test time beside what the machine could do: ADGAN's memory traffic, AnoGAN's products.

    python benchmarks/search.py [--adgan 100] [--anogan 1000] [--steps 500] [--output benchmarks/results/search.json]

One thread, images of MNIST's test set, about half an hour. ADGAN's copies of the generator are too large for a cache,
so its least time is bytes / bandwidth: a step reads every weight twice (forward and back), writes its gradient, and
Adam reads four numbers and writes three; a copy is made, and read once more at the end. Bandwidth is that of a + b -> c
on arrays of 256 MB. AnoGAN works on batches, so its bound is the rate of a 1024 x 1024 product. The images are searched
in parts, the bound timed before and after each; the ratio is the whole time's, and the bound of a part the better of
the two beside it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from speed import flops_of, matmul, rate

import ganad
from ganad.data import load
from ganad.detector import Detector

ADGAN_PART, ANOGAN_PART = 10, 64  # images; AnoGAN searches so many at once
_READS_AND_WRITES = 2 + 1 + 4 + 3  # of a weight in one step


def images(n: int) -> np.ndarray:
    """Of MNIST, the first of the published order."""
    return load("mnist", split="test").x[:n]


def bandwidth() -> float:
    """Bytes a second of a + b -> c."""
    a, b, c = (torch.ones(2**26) for _ in range(3))
    return rate(lambda: torch.add(a, b, out=c), 3 * 4 * 2**26)


def parts(
    model: Detector, x: np.ndarray, size: int, bound: Callable[[], float]
) -> tuple[float, list[float], list[float]]:
    """Seconds to score ``x``, and of each part its seconds and the better of the rates around it."""
    taken, rates = [], []
    before = bound()
    for part in np.split(x, range(size, len(x), size)):
        start = time.perf_counter()
        model.anomaly_score(part)
        taken.append(time.perf_counter() - start)
        after = bound()
        rates.append(max(before, after))
        before = after
    return sum(taken), taken, rates


def spread(ratios: list[float]) -> dict[str, float]:
    return {"least": min(ratios), "most": max(ratios)}


def adgan(n: int) -> dict[str, object]:
    """Seconds an image at 64 seeds x 5 steps, and how many times the least time of its memory traffic that is."""
    model = ganad.ADGAN.preset(
        "mnist", epochs=1, threads=1, verbose=0, random_state=0, threshold_samples=1, threshold_fits=0
    )
    model.fit(images(64))
    weights = sum(p.numel() for p in model.nets_.generator.parameters())
    each = model.n_seeds * 4 * weights * (_READS_AND_WRITES * model.search_steps + 2)
    total, taken, rates = parts(model, images(n), ADGAN_PART, bandwidth)
    least = [each * min(ADGAN_PART, n - ADGAN_PART * i) / rate for i, rate in enumerate(rates)]
    return {
        "search": f"ADGAN, mnist preset, {model.n_seeds} seeds x {model.search_steps} steps",
        "images": n,
        "gigabytes_per_image": each / 1e9,
        "seconds_per_image": total / n,
        "times_the_bandwidth_bound": total / sum(least),
        "of_its_parts": spread([t / bound for t, bound in zip(taken, least)]),
    }


def anogan(name: str, n: int, steps: int, **settings: object) -> dict[str, object]:
    """Milliseconds an image and step, and the share of the product's rate."""
    model = ganad.AnoGAN(
        **settings, epochs=1, threads=1, verbose=0, random_state=0, threshold_samples=1, threshold_fits=0
    )
    model.set_params(search_steps=1).fit(images(128))
    few = images(ANOGAN_PART)
    once = flops_of(lambda: model.anomaly_score(few))
    model.set_params(search_steps=2)
    step = flops_of(lambda: model.anomaly_score(few)) - once
    flops = (once + (steps - 1) * step) / len(few)
    model.set_params(search_steps=steps)
    total, taken, rates = parts(model, images(n), ANOGAN_PART, lambda: rate(matmul(torch.float32), 2 * 1024**3))
    least = [flops * min(ANOGAN_PART, n - ANOGAN_PART * i) / rate for i, rate in enumerate(rates)]
    return {
        "search": f"AnoGAN, {name}",
        "images": n,
        "steps": steps,
        "seconds": total,
        "milliseconds_per_image_and_step": 1000 * total / n / steps,
        "share_of_matmul": sum(least) / total,
        "of_its_parts": spread([bound / t for t, bound in zip(taken, least)]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--adgan", type=int, default=100, help="images that ADGAN scores")
    parser.add_argument("--anogan", type=int, default=1000, help="images that AnoGAN scores")
    parser.add_argument("--steps", type=int, default=500, help="of AnoGAN's search")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    preset = ganad.AnoGAN.PRESETS["mnist"]
    rows = [
        adgan(options.adgan),
        anogan("mnist preset", options.anogan, options.steps, **{k: v for k, v in preset.items() if k != "epochs"}),
        anogan("DCGAN of width 64", min(options.anogan, 2 * ANOGAN_PART), options.steps, width=64),
    ]
    text = json.dumps(rows, indent=1)
    print(text)
    if options.output:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
