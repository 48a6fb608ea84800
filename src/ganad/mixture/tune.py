"""Choosing κ0, m and s on the grid of IGMM-GAN's Table II, by held-out predictive density or by labels, which leak.

    result = tune(codes, random_state=0, n_jobs=8, results="triples.jsonl")
    mixture = InfiniteGaussianMixture(**result.best).fit(codes)

Each triple has its own chain, and chains run in parallel processes of one thread each. Finished triples are lines of
``results``, and a stopped run goes on from there.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed, parallel_config  # type: ignore[import-untyped]
from scipy.optimize import linear_sum_assignment
from sklearn.base import clone

from ..atomic import write_text
from ..errors import InputError
from .align import confusion
from .estimator import InfiniteGaussianMixture

_SILENT = ("progress", "verbose", "n_jobs", "device")  # settings that do not affect a score


def table_ii(d: int) -> dict[str, list[float]]:
    """The published ranges for d features: 5 × 6 × 5 = 150 triples."""
    return {
        "kappa0": [0.01, 0.1, 1.0, 10.0, 100.0],
        "m": [float(m) for m in (d + 10, d + 15, d + 20, 5 * d, 10 * d, 100 * d)],
        "s": [1.0, 3.0, 5.0, 7.0, 9.0],
    }


@dataclass(frozen=True)
class TuneResult:
    """``best`` is the triple with the highest score; ``rows`` holds every triple with score, seconds and clusters."""

    best: dict[str, float]
    rows: list[dict[str, Any]]
    criterion: str


def clustering_f1(labels: np.ndarray, y: np.ndarray) -> float:
    """Macro-F1 over the classes of ``y`` when clusters are matched to classes one to one by the Hungarian method.

    A class without a cluster counts as 0; points of clusters without a class are errors.
    """
    classes, target = np.unique(y, return_inverse=True)
    _, cluster = np.unique(labels, return_inverse=True)
    table = confusion(cluster, target)
    f1 = 2.0 * table / (table.sum(axis=1)[:, None] + table.sum(axis=0)[None, :])
    rows, columns = linear_sum_assignment(f1, maximize=True)
    return float(f1[rows, columns].sum() / len(classes))


def tune(
    X: np.ndarray,
    y: np.ndarray | None = None,
    *,
    grid: Mapping[str, Sequence[float]] | None = None,
    mixture: InfiniteGaussianMixture | None = None,
    holdout: float = 0.2,
    n_jobs: int = 1,
    random_state: int = 0,
    results: str | Path | None = None,
    progress: Callable[[dict[str, Any]], object] | None = None,
) -> TuneResult:
    """Fit every triple of ``grid`` (None: Table II) and rank them.

    Without ``y`` the score is the mean log predictive density of a held-out share of X (N, d), which uses no label.
    With ``y`` (N,) it is macro-F1 of the clustering, as in the paper. The labels then leak into the model, and a
    warning says so. ``mixture`` gives the other settings. ``progress`` is called with each finished row. Raises
    InputError for an unknown name in the grid, and for a results file of other data or settings.
    """
    base = clone(mixture) if mixture is not None else InfiniteGaussianMixture()
    base.set_params(random_state=random_state, progress=None, verbose=0)
    x = np.ascontiguousarray(X, dtype=np.float64)
    if x.ndim != 2 or len(x) < 2:
        raise InputError(f"X must be a table (n, d) of at least two points, not of shape {x.shape}.")
    grid = dict(grid) if grid is not None else table_ii(x.shape[1])
    unknown = [name for name in grid if name not in base.get_params()]
    if unknown or not all(len(values) for values in grid.values()):
        raise InputError(f"grid must map settings of the mixture to values to try; check {unknown or 'empty lists'}.")
    triples = [dict(zip(grid, values)) for values in itertools.product(*grid.values())]
    data, criterion = _parts(x, y, holdout, random_state)
    stamp = _fingerprint(data, criterion, base)
    done = _finished(Path(results), stamp) if results is not None else {}
    rows = [done[key] for t in triples if (key := _key(t)) in done]
    todo = [t for t in triples if _key(t) not in done]
    with parallel_config(backend="loky", inner_max_num_threads=1):
        pool = Parallel(n_jobs=n_jobs, return_as="generator_unordered")
        for row in pool(delayed(_trial)(clone(base), t, data, criterion) for t in todo):
            rows.append(row)
            if results is not None:
                with Path(results).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row | {"stamp": stamp}) + "\n")
            if progress is not None:
                progress(row | {"done": len(rows), "total": len(triples)})
    rank = {_key(t): i for i, t in enumerate(triples)}
    rows.sort(key=lambda row: rank[_key(row["settings"])])
    best = max(rows, key=lambda row: row["score"])
    return TuneResult(dict(best["settings"]), rows, criterion)


def _parts(
    x: np.ndarray, y: np.ndarray | None, holdout: float, random_state: int
) -> tuple[tuple[np.ndarray, np.ndarray], str]:
    """The points to fit on, the points or labels to score with, and the name of the score."""
    if y is None:
        order = np.random.default_rng(random_state).permutation(len(x))
        n_test = min(len(x) - 1, max(1, round(holdout * len(x))))
        return (x[order[n_test:]], x[order[:n_test]]), "held-out log density"
    if len(y) != len(x):
        raise InputError(f"y has {len(y)} labels for {len(x)} points.")
    warnings.warn(
        "tuning on labels: the class labels leak into the model, so figures measured with it are not those of "
        "an unsupervised method; leave y out to tune by held-out density",
        UserWarning,
        stacklevel=3,
    )
    return (x, np.asarray(y)), "macro-f1"


def _trial(
    model: InfiniteGaussianMixture,
    triple: dict[str, float],
    data: tuple[np.ndarray, np.ndarray],
    criterion: str,
) -> dict[str, Any]:
    start = time.perf_counter()
    model.set_params(**triple).fit(data[0])
    score = clustering_f1(model.labels_, data[1]) if criterion == "macro-f1" else model.score(data[1])
    return {
        "settings": triple,
        "score": float(score),
        "criterion": criterion,
        "n_clusters": len(model.counts_),
        "log_joint": float(model.best_log_joint_),
        "seconds": round(time.perf_counter() - start, 3),
    }


def _key(triple: Mapping[str, Any]) -> str:
    return json.dumps(triple, sort_keys=True)


def _fingerprint(data: tuple[np.ndarray, ...], criterion: str, base: InfiniteGaussianMixture) -> str:
    digest = hashlib.sha256()
    for array in data:
        digest.update(repr(array.tolist()).encode() if array.dtype == object else np.ascontiguousarray(array).tobytes())
    settings = {k: repr(v) for k, v in base.get_params().items() if k not in _SILENT}
    digest.update(json.dumps([criterion, settings, [a.shape for a in data]], sort_keys=True).encode())
    return digest.hexdigest()[:16]


def _finished(path: Path, stamp: str) -> dict[str, dict[str, Any]]:
    """Rows of an earlier run by triple. An incomplete last line, left by a killed process, is removed."""
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    if text and not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]
        write_text(path, text)
    rows = {}
    for number, line in enumerate(text.splitlines(), 1):
        try:
            row = json.loads(line)
            same = row.pop("stamp") == stamp
            rows[_key(row["settings"])] = row
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}, line {number}, is not a finished triple; move the file away.") from error
        if not same:
            raise InputError(f"{path} holds triples of other data or settings; name another results file.")
    return rows
