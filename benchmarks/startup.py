"""What it costs to start: the imports of a detector beside those of torch and scikit-learn, and small commands.

    python benchmarks/startup.py [--rounds 5] [--against ../other/src]
    python benchmarks/startup.py --table     # the rows as a table in docs/speed.md, runs nothing

Each is a fresh process of one thread, in processor time of user and kernel. All take turns, and medians count, because
the machine is noisy. ``--against`` names the source folder of another version, which is measured in the same rounds.

Writes results/startup.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from pages import between  # type: ignore[import-not-found,unused-ignore]

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "startup.json"
PAGE = ROOT / "docs" / "speed.md"

#: Name -> arguments of Python. Those of ganad are measured for every version.
OTHERS = {
    "`import torch`": ["-c", "import torch"],
    "`import torch, sklearn.base`": ["-c", "import torch, sklearn.base"],
}
OURS = {
    "`import ganad; ganad.FenceGAN`": ["-c", "import ganad; ganad.FenceGAN"],
    "`ganad --help`": ["-m", "ganad", "--help"],
    "`ganad methods`": ["-m", "ganad", "methods"],
    "`ganad score`, ten images": ["-m", "ganad", "score", "model.safetensors", "ten", "-o", "scores.csv"],
}
FIT = """
import os, numpy as np, ganad
from PIL import Image
x = np.random.default_rng(0).integers(0, 256, (40, 28, 28)).astype(np.uint8)
ganad.FenceGAN(epochs=1, pretrain_epochs=1, verbose=0, device="cpu", random_state=0).fit(x).save("model.safetensors")
os.mkdir("ten")
for i in range(10):
    Image.fromarray(x[i]).save(f"ten/{i}.png")
"""


def seconds(arguments: list[str], source: Path, folder: str) -> float:
    """Processor seconds of a fresh Python in ``folder`` with the version of ganad in ``source``."""
    environment = os.environ | {"PYTHONPATH": str(source.resolve()), "OMP_NUM_THREADS": "1"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, *arguments], env=environment, cwd=folder, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"python {' '.join(arguments)} ended with status {done.returncode}: {done.stderr[-500:]}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def measure(rounds: int, against: Path | None) -> list[dict[str, Any]]:
    """The medians of all that is measured, and every value."""
    here = ROOT / "src"
    versions = ({"before": against} if against else {}) | {"now": here}
    found: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        seconds(["-c", FIT], here, folder)
        for _ in range(rounds):
            for name, arguments in OTHERS.items():
                found.setdefault((name, "now"), []).append(seconds(arguments, here, folder))
            for name, arguments in OURS.items():
                for version, source in versions.items():
                    found.setdefault((name, version), []).append(seconds(arguments, source, folder))
    return [
        {
            "name": name,
            "version": version,
            "seconds": round(statistics.median(all_), 3),
            "all": [round(s, 3) for s in all_],
        }
        for (name, version), all_ in found.items()
    ]


def table(rows: list[dict[str, Any]]) -> str:
    """Seconds before and now, and how often the imports of torch."""
    found = {(r["name"], r["version"]): r["seconds"] for r in rows}
    torch = found[next(iter(OTHERS)), "now"]
    lines = ["| what | before, s | now, s | times `import torch` |", "|---" * 4 + "|"]
    for name in [*OTHERS, *OURS]:
        if (name, "now") in found:
            now, before = found[name, "now"], found.get((name, "before"))
            lines.append(f"| {name} | {'-' if before is None else f'{before:.2f}'} | {now:.2f} | {now / torch:.2f} |")
    return "\n".join(lines)


def page(rows: list[dict[str, Any]]) -> str:
    """What the page says with the table of the rows."""
    return between(PAGE.read_text("utf-8"), "startup", table(rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", type=Path, help="source folder of another version, such as ../other/src")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="write the table from the rows, run nothing")
    options = parser.parse_args()
    if options.table:
        PAGE.write_text(page(json.loads(options.output.read_text("utf-8"))), "utf-8")
        return
    rows = measure(options.rounds, options.against)
    options.output.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
