"""Speed of the mixture's samplers, in one process on one thread, the rounds of each taking turns.

    python benchmarks/mixture.py [--points 50000] [--dims 100] [--clusters 9] [--rounds 5] [--sweeps 500]

Data: Gaussians with centres N(0, 4 I) and unit covariance. A sweep of exact Gibbs is one pass over all points at the
true labelling's number of clusters, without split-merge moves; of the parallel sampler, one sweep with its moves.
Writes results/mixture.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
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
from ganad.mixture.gibbs import CollapsedSampler
from ganad.mixture.subcluster import SubclusterSampler

RESULTS = Path(__file__).parent / "results" / "mixture.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("points", 50_000), ("dims", 100), ("clusters", 9), ("rounds", 5), ("sweeps", 500)):
        parser.add_argument(f"--{name}", type=int, default=default)
    o = parser.parse_args()
    rng = np.random.default_rng(0)
    labels = rng.integers(o.clusters, size=o.points)
    centres = 2 * rng.normal(size=(o.clusters, o.dims))
    x = centres[labels] + rng.normal(size=(o.points, o.dims))
    held_out = centres[rng.integers(o.clusters, size=2000)] + rng.normal(size=(2000, o.dims))
    prior = settings.prior_for(x, InfiniteGaussianMixture().get_params())
    x -= prior.mu
    held_out -= prior.mu
    prior = niw.NIW(prior.kappa, prior.m, np.zeros(o.dims), prior.psi)
    out: dict[str, object] = dict(vars(o)) | {"machine": platform.processor(), "threads": 1}
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
