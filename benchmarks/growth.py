"""How processor time and memory of a fit grow: with rows, with images, with width, and the mixture's with points.

    python benchmarks/growth.py [--only rows images width mixture] [--lines GMM] [--limit 120] [--largest 100000]
    python benchmarks/growth.py --plot     # docs/growth.svg from the rows, runs nothing

- rows: 20 normal columns, six methods at their defaults.
- images: 28 x 28, one epoch.
- width: the layers of the autoencoder for a table of 10,000 rows, five epochs.
- mixture: three sweeps of ``InfiniteGaussianMixture`` in 20 dimensions. The plot's time of a sweep is that of
  ``benchmarks/mixture.py --cost``.

Every measurement is a fit in a fresh process of one thread, a fork after the imports that makes a small fit first.
Memory is the peak above what the process held then, so it includes the samples. A size is left out where the
last fit's seconds, in proportion, are more than ``--limit``. Writes results/growth.json.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

from fresh import peak_mb  # type: ignore[import-not-found,unused-ignore]

RESULTS = Path(__file__).parent / "results" / "growth.json"
SWEEPS = Path(__file__).parent / "results" / "mixture_cost.json"
PLOT = Path(__file__).parents[1] / "docs" / "growth.svg"

COLUMNS, WIDTH_ROWS, WIDTH_EPOCHS, SWEEP_COUNT = 20, 10_000, 5, 3
HIDDEN = (64, 16, 64)  # the autoencoder's default for tables
LEAST_MB = 0.5  # of the plot; less is a matter of the allocator


class Panel(NamedTuple):
    """Lines over one kind of size."""

    lines: tuple[str, ...]
    sizes: tuple[int, ...]
    axis: str


PANELS = {
    "rows": Panel(
        ("FenceGAN", "IGMMGAN", "AutoEncoder", "GMM", "NearestNeighbor", "OneClassSVM"),
        (1_000, 10_000, 100_000, 1_000_000),
        "rows of 20 columns, defaults",
    ),
    "images": Panel(("FenceGAN", "AutoEncoder"), (1_000, 10_000, 100_000), "images of 28 x 28, one epoch"),
    "width": Panel(("AutoEncoder",), (1, 2, 4, 8, 16), "width of the layers, times 64-16-64"),
    "mixture": Panel(("collapsed", "subcluster"), (1_000, 10_000, 100_000), "points in 20 dimensions"),
}

Row = dict[str, Any]


def measure(panel: str, line: str, size: int) -> Row:
    """Processor seconds and the peak of memory of one fit, in this process."""
    import torch

    from ganad.bench.machine import reset_peak

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    fit_of(panel, line, 1 if panel == "width" else 100)
    reset_peak()
    before, start = peak_mb(), time.process_time()
    fit_of(panel, line, size)
    spent = time.process_time() - start
    return {"panel": panel, "line": line, "size": size, "seconds": round(spent, 3), "mb": round(peak_mb() - before, 1)}


def fit_of(panel: str, line: str, size: int) -> None:
    """Make the samples and fit to them."""
    import numpy as np

    import ganad

    rng = np.random.default_rng(0)
    if panel == "mixture":
        from mixture import problem  # type: ignore[import-not-found,unused-ignore]

        x, _, _ = problem(size, COLUMNS, 9)
        sweeps: dict[str, Any] = dict(sampler=line, n_sweeps=SWEEP_COUNT, burn_in=0, thin=1, random_state=0)
        ganad.mixture.InfiniteGaussianMixture(**sweeps).fit(x)
        return
    fixed: dict[str, Any] = dict(random_state=0, threads=1, verbose=0, device="cpu")
    n = WIDTH_ROWS if panel == "width" else size
    if panel == "images":
        fixed["epochs"] = 1
        x = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
    else:
        x = rng.normal(size=(n, COLUMNS))
    if panel == "width":
        fixed |= dict(epochs=WIDTH_EPOCHS, hidden=tuple(size * width for width in HIDDEN))
    getattr(ganad, line)(**fixed).fit(x)


# -- plot ---------------------------------------------------------------------------------------------------------


def drawn(rows: list[Row], sweeps: dict[str, list[list[float]]]) -> Any:
    """Time above memory, a column for each panel, with logarithmic axes and a dashed line of slope one."""
    from ganad.figures import style

    style.require()
    names = [name for name in PANELS if any(r["panel"] == name for r in rows)]
    figure, axes = style.page(2, len(names), 2.4 * len(names), 4.4)
    for name, (above, below) in zip(names, axes.T):
        for place, line in enumerate(PANELS[name].lines):
            mine = sorted((r["size"], r["seconds"], r["mb"]) for r in rows if (r["panel"], r["line"]) == (name, line))
            if not mine:
                continue
            sizes, seconds, mb = zip(*mine)
            times = list(zip(sizes, seconds))
            label, colour = line, style.CLASSES[place]
            if name == "mixture":  # a sweep at the true labels, which is measured elsewhere
                times = [(n, s) for n, s in sweeps[f"{line}, N"] if n <= max(*sizes, 1000)]
                label = f"{line}, a sweep"
            above.plot(*zip(*times), "o-", ms=2.5, lw=1, color=colour, label=label)
            below.plot(sizes, [max(m, LEAST_MB) for m in mb], "o-", ms=2.5, lw=1, color=colour)
        for ax in (above, below):
            guide(ax)
        above.set_ylabel("processor seconds")
        below.set_ylabel("MiB above the imports")
        below.set_xlabel(PANELS[name].axis)
        above.set_title(name)
        above.legend(loc="upper left", fontsize=6)
    small = "Dashed: slope one. One fit in a fresh process of one thread; memory includes the samples."
    style.entitle(figure, "What a fit costs", small)
    return figure


def guide(ax: Any) -> None:
    """Logarithmic axes, and a dashed line of slope one through the middle of the largest sizes' values."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    ends = [(line.get_xdata()[-1], line.get_ydata()[-1]) for line in ax.get_lines()]
    low = min(line.get_xdata()[0] for line in ax.get_lines())
    high, value = sorted(ends, key=lambda end: end[1])[len(ends) // 2]
    ax.plot([low, high], [value * low / high, value], "--", color="#999999", lw=0.8, zorder=0)


def plot(rows: list[Row], path: Path) -> None:
    from ganad.figures import style

    with style.look():
        style.save(drawn(rows, json.loads(SWEEPS.read_text("utf-8"))), path, "svg")


# -- command ------------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    lines = sorted({line for panel in PANELS.values() for line in panel.lines})
    parser.add_argument("--only", nargs="*", default=list(PANELS), choices=list(PANELS))
    parser.add_argument("--lines", nargs="*", default=lines, choices=lines, help="rows of other lines stay")
    parser.add_argument(
        "--limit", type=float, default=120.0, help="processor seconds that a fit may be expected to take"
    )
    parser.add_argument("--largest", type=int, help="sizes above it are left out")
    parser.add_argument("--output", type=Path, default=RESULTS)
    parser.add_argument("--plot", nargs="?", type=Path, const=PLOT, help="draw the rows, run nothing")
    parser.add_argument("--one", nargs=3, metavar=("PANEL", "LINE", "SIZE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        panel, line, size = options.one
        print(json.dumps(measure(panel, line, int(size))))
        return
    rows: list[Row] = json.loads(options.output.read_text("utf-8")) if options.output.exists() else []
    if options.plot:
        plot(rows, options.plot)
        return
    import ganad.mixture  # noqa: F401  once, and not in every fork
    from ganad import FenceGAN  # noqa: F401  torch comes with it

    for panel in options.only:
        for line in [line for line in PANELS[panel].lines if line in options.lines]:
            rows = [r for r in rows if (r["panel"], r["line"]) != (panel, line)]
            last: Row = {"size": 1, "seconds": 0.0}
            for size in PANELS[panel].sizes:
                if last["seconds"] * size / last["size"] > options.limit or size > (options.largest or size):
                    break
                with multiprocessing.get_context("fork").Pool(1) as fresh:
                    last = fresh.apply(measure, (panel, line, size))
                rows.append(last)
                options.output.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
                print(last, flush=True)


if __name__ == "__main__":
    main()
