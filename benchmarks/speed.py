"""Training and scoring speed of every method with trained networks, beside what the arithmetic alone takes.

    python benchmarks/speed.py [--only images tables] [--methods FenceGAN GANomaly] [--rounds 3]
    python benchmarks/speed.py --table     # the rows as tables in docs/speed.md, runs nothing

One thread, processor time, because other processes use the machine too. What is compared takes turns, so that a slow
minute hits both, and medians of the turns count. Of several runs the one with the most updates is measured.

- images: random 28 x 28 images at the MNIST preset, or at the defaults where a method has none, in batches of 100 or
  more. FLOPs are those of torch.utils.flop_counter: matrix products and convolutions, forward and backward, a
  multiply-add as two. The share is FLOPs a second over those of a 1024 x 1024 matrix product of the same precision.
- tables: 800 random rows at the defaults. The microseconds of an update of one player have four parts. Products and
  other kernels are what a recorded step calls below autograd, called again in a tight loop with the same tensors, less
  what as many calls of nothing cost. The step is what the least loop costs above that: the method's own lines, modules
  and autograd. The loop is what ganad's costs above the least.

Searches are shortened to one of SEARCH steps and score one chunk.

Writes results/speed.json.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from captured import captured, ready, updates_of  # type: ignore[import-not-found,unused-ignore]
from pages import between  # type: ignore[import-not-found,unused-ignore]

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "speed.json"
PAGE = ROOT / "docs" / "speed.md"

KINDS = ("images", "tables")
SECONDS = 0.3  # of each timing of images
TURNS, STEPS = 3, 40  # timings of tables in a round, and calls of the step in each: a training makes many in a row
LEAST_BATCH, SCORED, SEARCH = 100, 512, 20
ROWS, COLUMNS = 800, (16, 121)  # 121: KDD99 with its text as columns
#: What the page compares the rows with: shares by precision, and microseconds.
TARGETS = {"train fp32": 0.80, "train bf16": 0.60, "score fp32": 0.60, "score bf16": 0.60, "loop": 25.0}

Row = dict[str, Any]
Work = Callable[[], object]


def trained() -> list[str]:
    """Class names of the built-in methods whose networks the loop trains."""
    from ganad import registry
    from ganad.detector import NetworkDetector

    return [cls.__name__ for cls in map(registry.get, registry.BUILT_IN) if issubclass(cls, NetworkDetector)]


# -- images -------------------------------------------------------------------------------------------------------


def rate(work: Work, amount: float) -> float:
    """Amount of work a second."""
    done, start = 0, time.process_time()
    while time.process_time() - start < SECONDS:
        work()
        done += 1
    return done * amount / (time.process_time() - start)


def flops_of(work: Work) -> float:
    """FLOPs of matrix products and convolutions; torch's own counter refuses steps with a gradient penalty."""
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    total = 0.0

    class Counter(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            nonlocal total
            out = func(*args, **(kwargs or {}))
            if formula := flop_registry.get(func.overloadpacket):
                total += formula(*args, **(kwargs or {}), out_val=out)
            return out

    with Counter():
        work()
    return total


def images_row(name: str, precision: str, rounds: int) -> Row:
    """Images a second and share of the matmul rate, in training and in scoring."""
    import numpy as np
    import torch

    import ganad

    cls = getattr(ganad, name)
    preset = cls.PRESETS.get("mnist", {})
    settings: dict[str, Any] = preset | dict(precision=precision)
    plain = cls(**preset)
    settings["batch_size"] = batch = max(LEAST_BATCH, plain.batch_size)
    if plain.patience is not None:
        settings["patience"] = None  # no images are held out, so that every batch is whole
    if plain.NO_FORWARD_PASS:
        settings["search_steps"] = min(SEARCH, plain.search_steps or SEARCH)
    x = np.random.default_rng(0).integers(0, 256, (8 * batch, 28, 28)).astype(np.uint8)
    detector, run = captured(cls, x, **settings)
    before, calls = run.stream.progress, 2
    train_flops = flops_of(lambda: [run.iterate() for _ in range(calls)])
    drawn = (run.stream.progress - before) * len(x) or float(calls * run.stream.batch_size)  # of both
    train_flops, drawn = train_flops / drawn, drawn / calls
    some = x[: detector._chunk if plain.NO_FORWARD_PASS else SCORED]
    score_flops = flops_of(lambda: detector.anomaly_score(some)) / len(some)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(1024, 1024, dtype=dtype) for _ in range(2))
    turns = []
    for _ in range(rounds):
        ready(detector, run)
        peak = rate(lambda: torch.mm(a, b), 2 * 1024**3)
        training = rate(run.iterate, drawn)
        peak = max(peak, rate(lambda: torch.mm(a, b), 2 * 1024**3))
        scoring = rate(lambda: detector.anomaly_score(some), len(some))
        turns.append((training, training * train_flops / peak, scoring, scoring * score_flops / peak, peak))
    names = ("train_images_per_s", "train_share", "score_images_per_s", "score_share", "matmul_flops_per_s")
    row: Row = {"kind": "images", "method": name, "precision": precision, "preset": bool(preset), "batch": batch}
    row |= {"stage": run.name, "search": settings.get("search_steps", 0)}
    row |= {"train_mflop_per_image": train_flops / 1e6, "score_mflop_per_image": score_flops / 1e6}
    spread = {"median": statistics.median, "best": max}
    return row | {k: {s: f(column) for s, f in spread.items()} for k, column in zip(names, zip(*turns))}


# -- tables -------------------------------------------------------------------------------------------------------


def recorded(step: Work) -> tuple[list[Work], list[Work]]:
    """The matrix products and the other kernels that a step calls, each as a call with the tensors it had."""
    import functools

    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    products: list[Work] = []
    others: list[Work] = []

    class Recorder(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            views = any(r.alias_info and not r.alias_info.is_write for r in func._schema.returns)
            if not views:  # a view computes nothing
                kind = products if func.overloadpacket in flop_registry else others
                kind.append(functools.partial(func, *args, **(kwargs or {})))
            return func(*args, **(kwargs or {}))

    with Recorder():
        step()
    with torch.inference_mode():
        return repeatable(products), repeatable(others)


def repeatable(calls: list[Work]) -> list[Work]:
    """The calls that can be made again; a tensor may have another shape by now."""
    kept = []
    for call in calls:
        with contextlib.suppress(RuntimeError):
            call()
            kept.append(call)
    return kept


def microseconds(calls: list[Work], times: int) -> float:
    """Of all calls, one after the other."""
    start = time.process_time()
    for _ in range(times):
        for call in calls:
            call()
    return (time.process_time() - start) / times * 1e6


def tables_row(name: str, columns: int, rounds: int) -> Row:
    """Microseconds of an update of one player, and its parts."""
    import functools

    import numpy as np
    import torch
    from small import Least  # type: ignore[import-not-found,unused-ignore]

    import ganad

    x = np.random.default_rng(0).normal(size=(ROWS, columns)).astype(np.float32)
    cls = getattr(ganad, name)
    detector, run = captured(cls, x, precision="fp32")
    for _ in range(3):
        run.iterate()
    updates = updates_of(run)
    least = Least(run)
    products, others = recorded(run.iterate)
    nothing = functools.partial(torch.ops.aten.detach.default, torch.zeros(1))
    rivals = {"total": [run.iterate], "least": [least.iterate], "products": products, "others": others}
    turns: dict[str, list[float]] = {key: [] for key in [*rivals, "call"]}
    for _ in range(rounds * TURNS):
        ready(detector, run)
        for key in ("total", "least"):
            turns[key].append(microseconds(rivals[key], STEPS))
        with torch.inference_mode():
            turns["call"].append(microseconds([nothing] * 100, STEPS) / 100)
            for key in ("products", "others"):
                turns[key].append(microseconds(rivals[key], STEPS) - turns["call"][-1] * len(rivals[key]))
    row: Row = {"kind": "tables", "method": name, "columns": columns, "stage": run.name}
    row |= {"batch": run.stream.batch_size, "updates": updates, "kernels": len(products) + len(others)}
    turns["loop"] = [total - bare for total, bare in zip(turns["total"], turns["least"])]
    row["call"] = round(statistics.median(turns.pop("call")), 2)
    return row | {key: round(statistics.median(column) / updates, 1) for key, column in turns.items()}


# -- tables of the page -------------------------------------------------------------------------------------------


def images_table(rows: list[Row]) -> str:
    """The rows of images, and which fall short of the targets."""
    lines = ["| method | precision | batch | train img/s | share of matmul | score img/s | share |", "|---" * 7 + "|"]
    short: dict[str, list[str]] = {key: [] for key in TARGETS if key != "loop"}
    for r in rows:
        cells = [r["method"] + ("" if r["preset"] else ", defaults"), r["precision"], r["batch"]]
        for what in ("train", "score"):
            share = r[f"{what}_share"]
            fast = r[f"{what}_images_per_s"]["median"]
            cells += [f"{fast:,.0f}" if fast >= 10 else f"{fast:.2g}", f"{share['median']:.2f} / {share['best']:.2f}"]
            if round(share["median"], 2) < TARGETS[f"{what} {r['precision']}"]:
                short[f"{what} {r['precision']}"].append(f"{r['method']} {share['median']:.2f}")
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    lines += ["", "Below the target:", ""]
    for key, names in short.items():
        of = sum(r["precision"] == key.split()[1] for r in rows)
        lines.append(f"- **{key}, {TARGETS[key]:.2f}:** {len(names)} of {of}: {', '.join(names) or 'none'}.")
    return "\n".join(lines)


def tables_table(rows: list[Row]) -> str:
    """The rows of tables, and how many loops are within the target."""
    head = "| method | columns | batch | update µs | products | other kernels | step | loop |"
    lines = [head, "|---" * 8 + "|"]
    for r in rows:
        kernels = r["products"] + r["others"]
        parts = [r["products"], r["others"], r["total"] - kernels - r["loop"], r["loop"]]
        cells = [r["method"], r["columns"], r["batch"], *(f"{part:,.0f}" for part in (r["total"], *parts))]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    loops, target = [r["loop"] for r in rows], TARGETS["loop"]
    kernels = statistics.median((r["products"] + r["others"]) / r["total"] for r in rows)
    said = (
        f"The loop takes {statistics.median(loops):.0f} µs an update in the median row and {max(loops):.0f} at most; "
    )
    said += f"{sum(loop <= target for loop in loops)} of {len(rows)} rows are within {target:.0f}. "
    said += f"Kernels are {100 * kernels:.0f} % of the median update."
    return "\n".join([*lines, "", said])


def page(rows: list[Row]) -> str:
    """What the page says with the tables of the rows."""
    text = PAGE.read_text("utf-8")
    for kind, table in zip(KINDS, (images_table, tables_table)):
        text = between(text, f"speed: {kind}", table([r for r in rows if r["kind"] == kind]))
    return text


# -- command ------------------------------------------------------------------------------------------------------


def key_of(row: Row) -> tuple[Any, ...]:
    return KINDS.index(row["kind"]), row["method"].lower(), row.get("columns", 0), row.get("precision", "") == "bf16"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=list(KINDS), choices=KINDS)
    parser.add_argument("--methods", nargs="*", help="class names; rows of others stay")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="write the tables from the rows, run nothing")
    options = parser.parse_args()
    rows: list[Row] = json.loads(options.output.read_text("utf-8")) if options.output.exists() else []
    if options.table:
        PAGE.write_text(page(rows), "utf-8")
        return
    import torch

    from ganad import devices
    from ganad.errors import NotSupported

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    precisions = ["fp32", "bf16"] if devices.has_fast_bf16("cpu") else ["fp32"]
    for kind in options.only:
        for name in options.methods or trained():
            for how in precisions if kind == "images" else COLUMNS:
                try:
                    row = (images_row if kind == "images" else tables_row)(name, how, options.rounds)
                except NotSupported as error:
                    print(f"{name}: {error}", flush=True)
                    break
                rows = [r for r in rows if key_of(r) != key_of(row)] + [row]
                rows.sort(key=key_of)
                options.output.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
                print(row, flush=True)


if __name__ == "__main__":
    main()
