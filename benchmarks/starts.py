"""Why PyOD's autoencoders find more than ganad's on pendigits: where the weights begin.

    python benchmarks/starts.py             # needs neither PyOD nor a network
    python benchmarks/starts.py --table     # the rows as a table in docs/speed.md, runs nothing

The settings, the table and the splits are those of ``benchmarks/peers.py``. The changes: a narrower code,
the reconstruction alone as the VAE's score, a loss without the divergence, which PyOD's VAE clamps to ``capacity=0``,
and other initial weights. PyTorch's start is that of ``nn.Linear``, and the VAE's. PyOD's is that of its
``LinearBlock``, ``kaiming_uniform_`` with slope 0, the square root of 6 times as large. The autoencoder's own, Glorot's
rule, is between the two.

Writes results/starts.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from pages import between  # type: ignore[import-not-found,unused-ignore]
from peers import PASSES, TABLE  # type: ignore[import-not-found,unused-ignore]
from peers_pairs import PAIRS, SEEDS, Data  # type: ignore[import-not-found,unused-ignore]

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "starts.json"
PAGE = ROOT / "docs" / "speed.md"

#: Method -> change -> settings; ``start`` ("torch" or "pyod") and ``no_kl`` are made below.
CHANGES: dict[str, dict[str, dict[str, Any]]] = {
    "AutoEncoder": {
        "none": {},
        "PyOD's start": {"start": "pyod"},
        "PyTorch's start": {"start": "torch"},
        "PyTorch's start, code of 8": {"start": "torch", "hidden": (64, 8, 64)},
        "PyTorch's start, code of 4": {"start": "torch", "hidden": (64, 4, 64)},
    },
    "VAE": {
        "none": {},
        "code of 4": {"latent_dim": 4},
        "score: reconstruction alone": {"variant": "recon"},
        "PyOD's start": {"start": "pyod"},
        "no divergence, score: reconstruction": {"no_kl": True, "variant": "recon"},
        "the same and PyOD's start": {"no_kl": True, "start": "pyod", "variant": "recon"},
    },
}


def changed(cls: Any, start: str | None, no_kl: bool) -> Any:
    """The method with other first weights, of PyOD's the last layer's aside, or without the divergence in its loss."""
    from torch import nn

    class Changed(cls):  # type: ignore[misc]
        def build_table(self, d: int) -> dict[str, nn.Module]:
            players: dict[str, nn.Module] = super().build_table(d)
            linear = [part for player in players.values() for part in player.modules() if isinstance(part, nn.Linear)]
            for layer in linear[:-1] if start == "pyod" else []:
                nn.init.kaiming_uniform_(layer.weight)
            for layer in linear if start == "torch" else []:
                layer.reset_parameters()
            return players

        def training_step(self, batches: Any) -> Any:
            for player, terms in super().training_step(batches):
                yield player, {k: v for k, v in terms.items() if k != "kl" or not no_kl}

    return Changed


def measure(name: str, change: str, seeds: int, data: Path | None, passes: int) -> dict[str, Any]:
    """AUROC by split, and the median scores of normal rows and of anomalies."""
    import numpy as np
    from sklearn.metrics import roc_auc_score
    from tables import DATA, read_split  # type: ignore[import-not-found,unused-ignore]

    import ganad

    cls = getattr(ganad, name)
    aurocs, normal, odd = [], [], []
    for seed in range(seeds):
        split = read_split((data or DATA) / f"{TABLE}.npz", seed)
        settings = PAIRS[name].settings(Data(*split.train.shape, passes))[0] | CHANGES[name][change]
        made = changed(cls, settings.pop("start", None), settings.pop("no_kl", False))
        fixed: dict[str, Any] = dict(random_state=seed, threads=1, verbose=0, device="cpu", precision="fp32")
        model = made(**fixed | settings).fit(split.train)
        score = model.anomaly_score(split.test)
        aurocs.append(float(roc_auc_score(split.labels, score)))
        normal.append(float(np.median(score[split.labels == 0])))
        odd.append(float(np.median(score[split.labels == 1])))
    row: dict[str, Any] = {"method": name, "change": change, "aurocs": [round(a, 3) for a in aurocs]}
    return row | {"normal": round(statistics.median(normal), 3), "anomalies": round(statistics.median(odd), 3)}


def table(rows: list[dict[str, Any]]) -> str:
    head = "| method | change | AUROC: mean (seeds) | median score of normal rows | of anomalies |"
    lines = [head, "|---" * 5 + "|"]
    for r in rows:
        seeds = ", ".join(f"{a:.3f}" for a in r["aurocs"])
        cells = [r["method"], r["change"], f"{statistics.mean(r['aurocs']):.3f} ({seeds})", f"{r['normal']:.2f}"]
        lines.append("| " + " | ".join([*cells, f"{r['anomalies']:.2f}"]) + " |")
    return "\n".join(lines)


def page(rows: list[dict[str, Any]]) -> str:
    """What the page says with the table of the rows."""
    return between(PAGE.read_text("utf-8"), "starts", table(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--passes", type=int, default=PASSES)
    parser.add_argument("--data", type=Path, help=f"folder of {TABLE}.npz")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="write the table from the rows, run nothing")
    options = parser.parse_args()
    if options.table:
        PAGE.write_text(page(json.loads(options.output.read_text("utf-8"))), "utf-8")
        return
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rows = []
    for name, changes in CHANGES.items():
        for change in changes:
            rows.append(measure(name, change, options.seeds, options.data, options.passes))
            print(rows[-1], flush=True)
    options.output.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
