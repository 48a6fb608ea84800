"""What becomes of damaged and forged files of every kind: images, masks, checkpoints, data sets, backbones' weights.

The readers and the ways of making files wrong are those of the tests (tests/fuzz). A child process reads each file with
at most 1 GiB of addresses and 60 s; one that dies is replaced.
"""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # for the tests' readers

from hostile_child import Child
from tests.fuzz.targets import TARGETS, bounded

from ganad import InputError
from ganad.serve.rejections import Refused

#: How often each reader is tried.
TRIES = {
    "images": 500,
    "masks": 200,
    "body-image": 200,
    "checkpoint": 300,
    "cifar": 200,
    "cifar-tar": 100,
    "cifar-parquet": 200,
    "idx": 200,
    "idx-gz": 200,
    "npy": 200,
    "kdd": 100,
    "backbone": 200,
    "backbone-safe": 200,
    "backbone-onnx": 200,
    "results": 200,
}
OUTCOMES = ("read", "refused", "error of another type", "process died", "hang", "control characters")


def serve() -> None:
    """Answer each line of the input, a reader's name and a file's path, with a line of JSON."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory() as folder:
        print("ready", file=answers, flush=True)
        for line in sys.stdin:
            question = json.loads(line)
            outcome, message = judge(question["name"], Path(question["path"]).read_bytes(), Path(folder))
            answers.write(json.dumps([outcome, message[:2000], not message.isprintable(), 0, now_and_most()]) + "\n")
            answers.flush()


def judge(name: str, data: bytes, folder: Path) -> tuple[str, str]:
    """What comes of one file, and what is said of it."""
    try:
        with bounded():
            TARGETS[name].read(data, folder)
    except (InputError, Refused) as error:
        return "refused", str(error)
    except BaseException as error:
        return "error of another type", f"{type(error).__name__}: {error}"
    return "read", ""


def now_and_most() -> list[int]:
    """MB of memory that this process has, and that it ever had."""
    now = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20
    return [now, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10]


def count(share: float, seed: int) -> tuple[dict[str, Counter[str]], dict[str, Any]]:
    """Outcomes by reader, and memory in MB: after the first file, at most, and at the end."""
    counts: dict[str, Counter[str]] = {}
    source = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as errors:
        child, path = Child(errors, [sys.executable, __file__]), Path(folder) / "file"
        try:
            for name, tries in TRIES.items():
                row = counts[name] = Counter()
                for _ in range(max(1, round(tries * share))):
                    path.write_bytes(TARGETS[name].one(source))
                    outcome, message, control, _ = child.ask(dict(name=name, path=str(path)), 120)
                    row.update(["files", outcome, *(["control characters"] if control else [])])
                    if outcome not in ("read", "refused"):
                        print(f"{name}: {outcome} {ascii(message)[:300]}", file=sys.stderr, flush=True)
        finally:
            child.end()
    return counts, child.megabytes


def found(share: float, seed: int) -> tuple[dict[str, Counter[str]], tuple[str, ...], dict[str, dict[str, int]]]:
    """Counts by reader, their columns, and memory by process."""
    counts, memory = count(share, seed)
    return counts, ("files", *OUTCOMES), {"reading process": memory}


if __name__ == "__main__":
    serve()
