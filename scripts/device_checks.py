"""Whether every method fits on a device and its model scores alike on a CPU; a line a method, all in one JSON file.

    python scripts/device_checks.py --device cuda --out benchmarks/results/device.json

Small data that come with ganad: digits, or a table for what is for tables alone. Exit code 1 if a method fails, or if
its scores on the two devices differ by more than a thousandth of their standard deviation.

On a GPU it then measures fits of Fence GAN's MNIST preset with and without CUDA graphs in turn, on noise of the size of
one digit's training set: the time does not depend on the pixels. Those scores are reported and not judged, because a
graph reads step sizes in 32 bits.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ganad
from ganad import devices, files, testing
from ganad.atomic import write_text
from ganad.errors import UntrustedFit
from ganad.training.captured import SWITCH

MOST = 1e-3  # difference between the devices' scores, in standard deviations of the scores
FEW = 30  # samples of each kind that are scored


def check(detector: type[ganad.Detector], device: str) -> dict[str, Any]:
    """Fit on the device, score there, load on the CPU and score again."""
    kind = testing.kinds(detector)[-1]  # images, where the method is for them
    x = testing.normal(kind)
    samples = np.concatenate([x[:FEW], testing.anomalous(kind)[:FEW]])
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UntrustedFit)
        model = testing.small(detector, device=device, verbose=0, random_state=0).fit(x)
    fit_s = time.perf_counter() - start
    there = model.anomaly_score(samples)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model.save(path)
        here = ganad.load(path, device="cpu").anomaly_score(samples)
    difference = float(np.abs(there - here).max() / max(float(here.std()), 1e-12))
    return dict(kind=kind, device=str(model.device_), fit_s=round(fit_s, 2), difference=float(f"{difference:.3g}"))


def graphs(device: torch.device, *, passes: int = 6, rounds: int = 3) -> dict[str, Any]:
    """Seconds of eager and of captured fits in turn, and of a captured fit of the preset's whole length."""
    if device.type != "cuda":
        return dict(not_run="no CUDA device")
    x = np.random.default_rng(0).integers(0, 256, (5923, 28, 28), np.uint8)
    said: list[str] = []
    log, handler = logging.getLogger("ganad"), logging.Handler()
    handler.addFilter(lambda record: said.append(record.getMessage()) or False)  # type: ignore[func-returns-value]
    log.addHandler(handler)
    log.setLevel(logging.INFO)

    def fit(switch: str, **length: int) -> tuple[float, np.ndarray]:
        os.environ[SWITCH] = switch
        model = ganad.FenceGAN.preset("mnist", device=str(device), verbose=0, random_state=0, **length)
        torch.cuda.synchronize()
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UntrustedFit)
            scores = model.fit(x).anomaly_score(x[:1000])
        return time.perf_counter() - start, scores

    fit("0", epochs=1, pretrain_epochs=1)  # the first fit of a process loads libraries
    turns = [[fit(switch, epochs=passes, pretrain_epochs=1) for switch in "01"] for _ in range(rounds)]
    (eager, eager_scores), (captured, scores) = (
        (statistics.median(turn[i][0] for turn in turns), turns[0][i][1]) for i in range(2)
    )
    whole, _ = fit("1")
    del os.environ[SWITCH]
    log.removeHandler(handler)
    found = dict(passes=passes, eager_s=eager, captured_s=captured, times=eager / captured, preset_s=whole)
    found["difference"] = float(np.abs(scores - eager_scores).max() / eager_scores.std())
    return {k: float(f"{v:.3g}") for k, v in found.items()} | dict(
        said=sorted({line for line in said if "not captured" in line})
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    given = parser.parse_args()
    device = devices.choose_device(given.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    print(f"{device}: {name}; torch {torch.__version__}; {devices.available_cores()} cores", flush=True)
    found: dict[str, Any] = {}
    for detector in ganad.DETECTORS:
        try:
            found[detector.__name__] = result = check(detector, str(device))
            result["ok"] = bool(np.isfinite(result["difference"]) and result["difference"] <= MOST)
        except Exception as error:  # one method's failure is a finding, and the others go on
            found[detector.__name__] = result = dict(ok=False, error=f"{type(error).__name__}: {error}")
        print(f"{'ok ' if result['ok'] else 'NOT'} {detector.__name__}: {result}", flush=True)
        if given.out:  # after every method, because the time may be over
            given.out.parent.mkdir(parents=True, exist_ok=True)
            account = dict(device=str(device), name=name, versions=files.versions(), methods=found)
            write_text(given.out, json.dumps(account, indent=1) + "\n")
    print(f"graphs: {(row := graphs(device))}", flush=True)
    if given.out:
        write_text(given.out, json.dumps(account | dict(graphs=row), indent=1) + "\n")
    wrong = [name for name, result in found.items() if not result["ok"]]
    print(f"{len(found) - len(wrong)} of {len(found)} methods agree" + (f"; not {', '.join(wrong)}" if wrong else ""))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
