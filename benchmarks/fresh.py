"""What benchmarks that measure in fresh processes share: how to start one, and the peak of its memory."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any


def peak_mb() -> float:
    """The largest resident memory of this process so far, in MiB.

    Linux's ``ru_maxrss`` would include the memory of the process that started this one.
    """
    if sys.platform == "linux":
        lines = Path("/proc/self/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def row_of(script: str, *arguments: str) -> dict[str, Any]:
    """The row, a line of JSON, that a fresh process of ``script`` prints last; one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, script, *arguments], env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{Path(script).name} {' '.join(arguments)} ended with status {done.returncode}")
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row
