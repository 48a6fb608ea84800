"""Whether every method fits on a device and its model scores alike on a CPU; a line a method, all in one JSON file.

    python scripts/device_checks.py --device cuda --out benchmarks/results/device.json

Small data that come with ganad: digits, or a table for what is for tables alone. Exit code 1 if a method fails, or if
its scores on the two devices differ by more than a thousandth of their standard deviation.
"""

from __future__ import annotations

import argparse
import json
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
    wrong = [name for name, result in found.items() if not result["ok"]]
    print(f"{len(found) - len(wrong)} of {len(found)} methods agree" + (f"; not {', '.join(wrong)}" if wrong else ""))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
