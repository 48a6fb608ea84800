"""What ganad does with input made to harm. Part one: model files whose checksums are right and whose content is not.

    python benchmarks/hostile.py [models] [--bases vae-table] [--every 7] [--list "other scores"] [--seconds 10]
    python benchmarks/hostile.py tables [--every 1] [--list hang] [--seconds 60]
    python benchmarks/hostile.py readers [--share 1]       images, masks, checkpoints, data sets, weights of backbones
    python benchmarks/hostile.py requests [--share 1]      a service on this machine: bodies, heads, forged Parquet

A handful of the golden model files (tests/golden) is altered in thousands of ways: headers that are no object, keys
that are missing or of another type, wild settings, state and weights of other shapes, types and values, tensors and
formats that lie (benchmarks/hostile_models.py). SHA-256 is made right again each time, as an attacker would, so that
nothing is refused for that reason alone. A child process with a limit on memory loads each copy and scores with it; a
child that dies or takes too long is replaced. The table counts what came of it; ``--list`` names the copies behind a
count.

Each file is altered in the format of ganad 0.1, whose files vouch for no scores, and in the present one. The outcome to
aim for is "refused": an InputError of one sentence. "other scores" is a change that nobody is told of. Where the change
is one that a fit could have left (another weight of ordinary size, another threshold) the file is an honest one of
"another model", because a checksum is not a signature. Two more columns count messages that would send control
characters to a terminal, and long ones.

Part two: tables (benchmarks/hostile_tables.py), read as training data and as new data. "another table" is one that was
read without a word and is another one than before: a digit that was changed is a digit.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import hostile_readers
import hostile_requests
import hostile_tables
import numpy as np
from hostile_child import Child
from hostile_models import BASES, Base, copies, read_base
from hostile_recipes import recipes

import ganad
import ganad.data
from ganad.data import described

MEMORY = 4 << 30  #: bytes of addresses that a child may have
LONG = 500  #: characters of a message that nobody reads any more
OUTCOMES = (
    "refused",
    "refused when scoring",
    "error of another type",
    "such when scoring",
    "process died",
    "hang",
    "same scores",
    "another model",
    "other scores, and said so",
    "other scores",
    "scores not finite",
)
MESSAGES = ("control characters", "long message")
#: Counts by kind of input, their columns, and MB of memory by process: after the first, at most, at the end.
Found = tuple[dict[str, Counter[str]], tuple[str, ...], dict[str, dict[str, int]]]


# -- in the child ----------------------------------------------------------------------------------------------------


def serve() -> None:
    """Answer each line of the input, a model file's path and its samples' path, with a line of JSON."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is not an answer
    ganad.DETECTORS  # noqa: B018  (imports every method now, not in the time of the first file)
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            question = json.loads(line)
            outcome, message = (hostile_tables.judge if "table" in question else judge)(**question)
        messages = [message, *(str(w.message) for w in caught)]
        said, longest = " ".join(messages).strip(" "), max(map(len, messages))
        if outcome == "other scores" and any(isinstance(w.message, ganad.errors.OtherScores) for w in caught):
            outcome = "other scores, and said so"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        answers.write(json.dumps([outcome, said[:2000], controls(said), longest, [now(), peak]]) + "\n")
        answers.flush()


def judge(
    path: str, samples: str, scores: list[float], threshold: float | None, rows: str | None = None
) -> tuple[str, str]:
    """What comes of one file, and what is said of it. rows: the samples as a table, which the model's recipe reads."""
    try:
        model = ganad.load(path, device="cpu")
    except ganad.InputError as error:
        return "refused", str(error)
    except BaseException as error:
        return "error of another type", f"{type(error).__name__}: {error}"
    try:
        found = model.anomaly_score(np.load(samples))
        model.predict(np.load(samples))
        limit = float(model.threshold_)
        known = float("inf") if threshold is None else threshold
        if not np.isfinite(found).all() or np.isnan(limit):
            return "scores not finite", f"{found.tolist()} {limit}"
        same = found.shape == np.shape(scores) and np.allclose(found, scores, rtol=1e-5) and np.isclose(limit, known)
        source = getattr(model, "source_", None)  # None, or empty, of an array's model
        if rows is not None and source:
            read = np.vstack([part.x for part in ganad.data.iter_table(rows, source)])
            same &= np.array_equal(read, np.load(samples)) and all(map(str.isprintable, described(source)))
        return ("same scores", "") if same else ("other scores", f"{found.tolist()} {limit}")
    except ganad.InputError as error:
        return "refused when scoring", str(error)
    except BaseException as error:
        return "such when scoring", f"{type(error).__name__}: {error}"


def now() -> int:
    """MB of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() >> 20


def controls(text: str) -> bool:
    """Whether a terminal would obey a part of the text, or another program choke on it."""
    return not text.isprintable()


# -- in the parent ---------------------------------------------------------------------------------------------------


def model_files(names: list[str], every: int, seconds: float, wanted: list[str]) -> Found:
    """Counts of outcomes by the kind of alteration; copies of the ``wanted`` outcome are printed."""
    counts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as errors:
        child = Child(errors, [sys.executable, __file__, "--child"])
        try:
            for name, now in itertools.product(names, (False, True)):
                one_base(read_base(name, now), every, child, Path(folder), seconds, wanted, counts)
        finally:
            child.end()
    return counts, ("copies", *OUTCOMES, *MESSAGES), {"reading process": child.megabytes}


def one_base(
    base: Base,
    every: int,
    child: Child,
    folder: Path,
    seconds: float,
    wanted: list[str],
    counts: dict[str, Counter[str]],
) -> None:
    """Judge the copies of one file, after the file itself, which must pass."""
    np.save(folder / "x.npy", base.x)
    path = folder / "model.safetensors"
    question = dict(path=str(path), samples=str(folder / "x.npy"), scores=base.scores, threshold=base.threshold)
    if base.rows:
        (folder / "rows.csv").write_text(base.rows, "utf-8")
        question["rows"] = str(folder / "rows.csv")
    path.write_bytes(base.unaltered)
    outcome, message, *_ = child.ask(question, 60)
    if outcome != "same scores":
        sys.exit(f"{base.name} itself: {outcome} {message!r}")
    for family, what, data, possible in itertools.islice(itertools.chain(copies(base), recipes(base)), 0, None, every):
        path.write_bytes(data)
        outcome, message, control, length = child.ask(question, seconds)
        if possible and outcome == "other scores":
            outcome = "another model"
        flags = [outcome, *(m for m, true in zip(MESSAGES, (control, length > LONG)) if true)]
        counts.setdefault(family, Counter()).update([*flags, "copies"])
        if set(wanted) & set(flags):
            print(f"{outcome}  {base.name} {base.format}  {family}: {what}  {len(message)} {ascii(message)[:200]}")
    print(f"{base.name}: done", file=sys.stderr, flush=True)


def tables(every: int, seconds: float, wanted: list[str]) -> Found:
    """The same for tables, after the files themselves, which must be read right."""
    counts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as name, open(os.devnull, "w") as errors:
        folder, child, files = Path(name), Child(errors, [sys.executable, __file__, "--child"]), hostile_tables.bases()
        (folder / "plain.csv").write_bytes(files["plain.csv"])
        known = ganad.data.load(folder / "plain.csv")
        np.save(folder / "x.npy", known.x)
        question: dict[str, Any] = dict(numbers=str(folder / "x.npy"))
        sources = {}
        for end, data in files.items():  # each by its own recipe, for one has decimal commas
            (folder / end).write_bytes(data)
            sources[end] = ganad.data.load(folder / end).source
        try:
            whole = [("the files themselves", "", *file) for file in files.items()]
            for family, what, end, data in [*whole, *itertools.islice(hostile_tables.copies(), 0, None, every)]:
                (folder / end).write_bytes(data)
                asked = question | {"table": str(folder / end), "source": sources.get(end, known.source)}
                outcome, message, control, length = child.ask(asked, seconds)
                flags = [outcome, *(m for m, true in zip(MESSAGES, (control, length > LONG)) if true)]
                counts.setdefault(family, Counter()).update([*flags, "copies"])
                if set(wanted) & set(flags):
                    print(f"{outcome}  {end}  {family}: {what}  {len(message)} {ascii(message)[:200]}", flush=True)
        finally:
            child.end()
    return counts, ("copies", *hostile_tables.OUTCOMES, *MESSAGES), {"reading process": child.megabytes}


def shown(counts: dict[str, Counter[str]], columns: tuple[str, ...], memory: dict[str, dict[str, int]]) -> str:
    """Markdown, a row for each kind of input and one for all, and lines on the memory."""
    rows = [*counts.items(), ("**all**", sum(counts.values(), Counter()))]
    lines = [f"| | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
    lines += [f"| {name} | {' | '.join(str(row[c] or '') for c in columns)} |" for name, row in rows]
    words = "memory of the {}: {first:,} MB after the first, {most:,} at most, {last:,} at the end"
    return "\n".join([*lines, *(words.format(name, **figures) for name, figures in memory.items())])


def keep(path: Path, what: str, found: Found) -> None:
    """Put the counts into the file of results, beside those of other kinds of input."""
    counts, columns, memory = found
    known = json.loads(path.read_text("utf-8")) if path.exists() else {}
    total = sum(counts.values(), Counter())
    rows = {name: {c: row[c] for c in columns if row[c]} for name, row in counts.items()}
    known[what] = {"all": {c: total[c] for c in columns}, "kinds": rows, "memory_mb": memory}
    path.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("what", nargs="?", default="models", choices=("models", "tables", "readers", "requests"), help="kind of input")
    add("--share", type=float, default=1, help="of the readers' files and the requests")
    add("--seed", type=int, default=0, help="of the readers' files and the requests")
    add("--bases", nargs="+", default=BASES, choices=BASES, metavar="FILE", help="golden files to alter")
    add("--every", type=int, default=7, metavar="N", help="take every N-th copy; 1 takes all, in about an hour")
    outcomes = sorted({*OUTCOMES, *hostile_tables.OUTCOMES, *MESSAGES})
    add("--list", nargs="+", default=[], choices=outcomes, metavar="OUTCOME", help="print the copies behind it")
    add("--seconds", type=float, default=10, help="after which a file counts as a hang")
    add("--output", type=Path, help="keep the counts in this file, benchmarks/results/hostile.json")
    add("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        serve()
        return
    if options.what == "models":
        found = model_files(options.bases, options.every, options.seconds, options.list)
    elif options.what == "tables":
        found = tables(options.every, options.seconds, options.list)
    else:
        room = {"readers": hostile_readers, "requests": hostile_requests}[options.what]
        found = room.found(options.share, options.seed)
    print(shown(*found))
    if options.output:
        keep(options.output, options.what, found)


if __name__ == "__main__":
    main()
