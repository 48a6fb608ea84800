"""Speed of the mixture's samplers, in one process on one thread, the rounds of each taking turns.

    python benchmarks/mixture.py [--points 50000] [--dims 100] [--clusters 9] [--rounds 5] [--sweeps 500]
    python benchmarks/mixture.py --cost     # a sweep's cost over N and d, as docs/mixture_cost.svg

Data: Gaussians with centres N(0, 4 I) and unit covariance. A sweep of exact Gibbs is one pass over all points at the
true labelling's number of clusters, without split-merge moves; of the parallel sampler, one sweep with its moves.
Writes results/mixture.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import BayesianGaussianMixture
from threadpoolctl import threadpool_limits

from ganad.mixture import InfiniteGaussianMixture, niw, settings
from ganad.mixture.subcluster import SubclusterSampler
from ganad.mixture.sweeps import CollapsedSampler

RESULTS = Path(__file__).parent / "results" / "mixture.json"
COST = Path(__file__).parent / "results" / "mixture_cost.json"
PLOT = Path(__file__).parent.parent / "docs" / "mixture_cost.svg"


def problem(n: int, d: int, k: int) -> tuple[np.ndarray, np.ndarray, niw.NIW]:
    """Centred data, their labels and the default prior."""
    rng = np.random.default_rng(0)
    labels = rng.integers(k, size=n)
    x = (2 * rng.normal(size=(k, d)))[labels] + rng.normal(size=(n, d))
    prior = settings.prior_for(x, InfiniteGaussianMixture().get_params())
    return x - prior.mu, labels, niw.NIW(prior.kappa, prior.m, np.zeros(d), prior.psi)


def sweep_seconds(n: int, d: int, k: int, sampler: str) -> float:
    """Median of three sweeps at the true labelling."""
    x, labels, prior = problem(n, d, k)
    made = (
        CollapsedSampler(x, prior, 1.0, labels, moves=0)
        if sampler == "collapsed"
        else SubclusterSampler(x, prior, 1.0, labels)
    )
    rng, times = np.random.default_rng(0), []
    for _ in range(4):
        start = time.perf_counter()
        made.sweep(rng)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def cost(k: int) -> None:
    """Sweeps over N at d = 20 and over d at N = 10,000; the largest only with the parallel sampler."""
    curves: dict[str, list[tuple[int, float]]] = {}
    with threadpool_limits(1):
        for sampler, most in (("collapsed", 100_000), ("subcluster", 1_000_000)):
            for n in (1_000, 10_000, 100_000, 1_000_000):
                if n <= most:
                    curves.setdefault(f"{sampler}, N", []).append((n, sweep_seconds(n, 20, k, sampler)))
            for d in (2, 8, 32, 128, 256):
                curves.setdefault(f"{sampler}, d", []).append((d, sweep_seconds(10_000, d, k, sampler)))
    COST.with_suffix(".json").write_text(json.dumps(curves, indent=1) + "\n")
    PLOT.write_text(drawn(curves))
    print(json.dumps(curves))


def drawn(curves: dict[str, list[tuple[int, float]]]) -> str:
    """Two panels with logarithmic axes."""
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 330" font-family="sans-serif" font-size="12">']
    out.append('<rect width="760" height="330" fill="white"/>')
    seconds = [s for points in curves.values() for _, s in points]
    low, high = np.log10(min(seconds)), np.log10(max(seconds))
    for panel, (name, title) in enumerate((("N", "points (d = 20)"), ("d", "dimensions (N = 10,000)"))):
        left, mine = 60 + 370 * panel, {k: v for k, v in curves.items() if k.endswith(f", {name}")}
        xs = [a for points in mine.values() for a, _ in points]
        x0, x1 = np.log10(min(xs)), np.log10(max(xs))

        def place(a: float, s: float, left: int = left, x0: float = x0, x1: float = x1) -> tuple[float, float]:
            return left + 280 * (np.log10(a) - x0) / (x1 - x0), 270 - 230 * (np.log10(s) - low) / (high - low)

        out.append(f'<path d="M{left} 30V270H{left + 290}" fill="none" stroke="#888"/>')
        out += [f'<text x="{place(a, 1)[0]:.0f}" y="288" text-anchor="middle">{a:,}</text>' for a in sorted(set(xs))]
        out.append(f'<text x="{left + 140}" y="315" text-anchor="middle">{title}</text>')
        for e in range(int(np.ceil(low)), int(np.floor(high)) + 1):
            y = place(xs[0], 10.0**e)[1]
            out.append(f'<text x="{left - 6}" y="{y + 4:.0f}" text-anchor="end">{10.0**e:g} s</text>')
        for (label, points), colour in zip(mine.items(), ("#d4572a", "#0b5cad")):
            line = " ".join("{:.1f},{:.1f}".format(*place(a, s)) for a, s in points)
            out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
            y = 24 if colour == "#d4572a" else 40
            out.append(f'<text x="{left + 12}" y="{y}" fill="{colour}">{label.split(",")[0]}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("points", 50_000), ("dims", 100), ("clusters", 9), ("rounds", 5), ("sweeps", 500)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--cost", action="store_true")
    o = parser.parse_args()
    if o.cost:
        return cost(o.clusters)
    rng = np.random.default_rng(0)
    labels = rng.integers(o.clusters, size=o.points)
    centres = 2 * rng.normal(size=(o.clusters, o.dims))
    x = centres[labels] + rng.normal(size=(o.points, o.dims))
    held_out = centres[rng.integers(o.clusters, size=2000)] + rng.normal(size=(2000, o.dims))
    prior = settings.prior_for(x, InfiniteGaussianMixture().get_params())
    x -= prior.mu
    held_out -= prior.mu
    prior = niw.NIW(prior.kappa, prior.m, np.zeros(o.dims), prior.psi)
    out: dict[str, object] = dict(vars(o)) | {"threads": 1}
    with threadpool_limits(1):
        exact = CollapsedSampler(x, prior, 1.0, labels, moves=0)
        fast = SubclusterSampler(x, prior, 1.0, labels)
        exact.sweep(rng), fast.sweep(rng)  # compiled and warm
        times: dict[str, list[float]] = {"exact": [], "subcluster": []}
        for _ in range(o.rounds):
            for name, sampler in (("exact", exact), ("subcluster", fast)):
                start = time.perf_counter()
                sampler.sweep(rng)
                times[name].append(time.perf_counter() - start)
        median = {k: statistics.median(v) for k, v in times.items()}
        work = o.points * o.clusters * o.dims**2
        out |= {f"{k}_sweep_s": round(v, 3) for k, v in median.items()}
        out |= {"ns_per_point_cluster_d2": round(1e9 * median["exact"] / work, 3)}
        out |= {"best_ns": round(1e9 * min(times["exact"]) / work, 3)}
        out |= {"speedup": round(median["exact"] / median["subcluster"], 1)}
        start = time.perf_counter()
        model = InfiniteGaussianMixture(sampler="subcluster", n_sweeps=o.sweeps, random_state=0).fit(x)
        out |= {"fit_s": round(time.perf_counter() - start, 1), "fit_k": len(model.counts_)}
        out |= {"fit_held_out_log_likelihood": round(model.score(held_out), 2)}
        out |= {"fit_ari": round(adjusted_rand_score(labels, model.labels_), 4)}
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            other = BayesianGaussianMixture(n_components=50, random_state=0).fit(x)
        out |= {"sklearn_fit_s": round(time.perf_counter() - start, 1)}
        out |= {"sklearn_held_out_log_likelihood": round(float(other.score(held_out)), 2)}
        out |= {"sklearn_ari": round(adjusted_rand_score(labels, other.predict(x)), 4)}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(out, indent=1) + "\n")
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
