"""What stands in the way of four wishes, measured: one sample's latency, compilers, members at once, exact neighbours.

    python benchmarks/limits.py latency [--methods FenceGAN EGBAD]
    python benchmarks/limits.py compiled [--methods GANomaly VAE]      needs a C++ compiler and ganad[onnx]
    python benchmarks/limits.py members
    python benchmarks/limits.py processes [--methods FenceGAN EGBAD]
    python benchmarks/limits.py nearest [--rows 50000]      needs faiss-cpu

One thread, processor time, the rivals in turn, medians; ``processes`` takes the clock's time.

- ``latency``: by chunk size, milliseconds of one sample alone, and how many of 64 scores differ in any bit from those
  in chunks of the default size.
- ``compiled``: a chunk's scores by PyTorch, by ``torch.compile`` and by ONNX Runtime, a step of training with and
  without compiled networks, and the seconds that the two compilations take.
- ``members``: a training step of ten small GANs at once, over that of one, with ``torch.func.vmap`` over stacked
  weights and with batched products written by hand. Networks, batch and loss are those of a table of 16 columns.
- ``processes``: a fit of ten equal detectors of 800 rows as an ensemble, over that of one, by the clock: one after the
  other, and two at once in processes of their own. Every member is fitted once, and no fit sets a threshold.
- ``nearest``: five nearest neighbours of 512 queries among rows of 784 columns: faiss's flat index in 32 bits, ganad's
  distances in 64 and in 32 bits, and the product in 32 bits that none can do without.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from captured import captured  # type: ignore[import-not-found,unused-ignore]
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.functional import softplus

import ganad
from ganad.export import export_onnx
from ganad.losses import bce
from ganad.methods.baselines.features import squared_distances
from ganad.training import Adam

Network = Callable[[Tensor], Tensor]
CODE, COLUMNS, BATCH, MEMBERS = 8, 16, 50, 10


def medians(rivals: dict[str, Callable[[], object]], rounds: int, times: int = 1) -> dict[str, float]:
    """Milliseconds of each, medians of rounds in which they take turns."""
    found: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, work in rivals.items():
            work()
            start = time.process_time()
            for _ in range(times):
                work()
            found[name].append((time.process_time() - start) / times * 1e3)
    return {name: statistics.median(times) for name, times in found.items()}


def latency(methods: list[str]) -> None:
    rng = np.random.default_rng(0)
    kinds = {
        "image": rng.integers(0, 256, (64, 28, 28)).astype(np.uint8),
        "table": rng.normal(size=(512, 16)).astype(np.float32),
    }
    sizes = (1, 2, 4, 8, 16)
    print("| method | kind | " + " | ".join(f"{n}: ms, differ" for n in sizes) + " | default: ms |")
    print("|---" * (len(sizes) + 3) + "|")
    for name in methods:
        for kind, x in kinds.items():
            cls = getattr(ganad, name)
            quick = dict(epochs=1) if "epochs" in cls().get_params() else {}
            detector = cls(
                random_state=0, device="cpu", verbose=0, threads=1, threshold_samples=2, threshold_fits=0, **quick
            ).fit(x)
            wanted = detector.anomaly_score(x[:64])
            whole = medians({"": lambda: detector.anomaly_score(x[:1])}, 5)[""]  # noqa: B023
            cells = []
            for size in sizes:
                detector.score_batch_size = size
                differ = int((detector.anomaly_score(x[:64]) != wanted).sum())
                cells.append(f"{medians({'': lambda: detector.anomaly_score(x[:1])}, 5)['']:.1f}, {differ}")  # noqa: B023
            print(f"| {name} | {kind} | " + " | ".join(cells) + f" | {whole:.1f} |", flush=True)


def compiled(methods: list[str]) -> None:
    rng = np.random.default_rng(0)
    kinds = {"image": rng.integers(0, 256, (64, 28, 28)), "table": rng.normal(size=(512, 16))}
    columns = ["scores: ms", "compiled", "ONNX", "to compile: s", "step: ms", "compiled", "to compile: s"]
    print("| method | kind | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 2) + "|")
    for name in methods:
        for kind, values in kinds.items():
            x = values.astype(np.uint8 if kind == "image" else np.float32)
            cells = [*scored(getattr(ganad, name), x), *stepped(getattr(ganad, name), x)]
            print(f"| {name} | {kind} | " + " | ".join(cells) + " |", flush=True)


def first(work: Callable[[], object]) -> float:
    """Seconds of a first call. A compiler has processes of its own, so it is the clock's time."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def scored(cls: Any, x: np.ndarray) -> list[str]:
    """Cells: a chunk's scores by PyTorch, compiled, by ONNX Runtime, and what it takes to compile."""
    import onnxruntime

    detector = cls(
        random_state=0, device="cpu", verbose=0, threads=1, threshold_samples=2, threshold_fits=0, epochs=1
    ).fit(x)
    z = detector.input_.to_network(torch.from_numpy(x))
    torch.compiler.reset()  # layers that methods share would soon be compiled as often as it allows
    rivals: dict[str, Callable[[], object]] = {"eager": lambda: detector.score_batch(z)}
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        fast = torch.compile(detector.score_batch, dynamic=False)
        cost = first(lambda: fast(z))
        rivals["compiled"] = lambda: fast(z)
        export_onnx(detector, Path(folder, "model.onnx"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(Path(folder, "model.onnx"), options)
        rivals["onnx"] = lambda: session.run(["score"], {"x": x.astype(np.float32)})
        t = medians(rivals, 7)
    return [
        f"{t['eager']:.2f}",
        *(f"{t[k]:.2f} ({t['eager'] / t[k]:.2f} x)" for k in ("compiled", "onnx")),
        f"{cost:.0f}",
    ]


def stepped(cls: Any, x: np.ndarray) -> list[str]:
    """Cells: a call of the training step, the same with compiled networks, and what it takes to compile."""
    (_, plain), (_, fast) = captured(cls, x), captured(cls, x)
    torch.compiler.reset()
    for net in fast.nets.values():
        net.compile(dynamic=False)
    cost = first(fast.iterate)
    for _ in range(len(x) // fast.stream.batch_size + 1):  # a last, smaller batch is compiled anew
        fast.iterate()
    t = medians({"plain": plain.iterate, "fast": fast.iterate}, 15)
    return [f"{t['plain']:.2f}", f"{t['fast']:.2f} ({t['plain'] / t['fast']:.2f} x)", f"{cost:.0f}"]


def networks(dropout: bool) -> tuple[nn.Sequential, nn.Sequential]:
    """Generator and critic as the tables' GANs have them."""
    drop = [nn.Dropout(0.5)] if dropout else []
    generator = [nn.Linear(CODE, 64), nn.ReLU(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, COLUMNS)]
    first = [nn.Linear(COLUMNS, 128), nn.LeakyReLU(0.2), *drop]
    return nn.Sequential(*generator), nn.Sequential(
        *first, nn.Linear(128, 128), nn.LeakyReLU(0.2), *copy.deepcopy(drop), nn.Linear(128, 1)
    )


def gan_step(
    draw: Callable[[Tensor], Tensor],
    judge: Callable[[Tensor], Tensor],
    params: list[list[Tensor]],
    lead: tuple[int, ...],
) -> Callable[[], None]:
    """One step of a GAN, or of members along a leading axis, whose losses add up."""
    optimizers = [Adam(p) for p in params]  # type: ignore[arg-type]
    x = torch.randn(*lead, BATCH, COLUMNS)

    def loss(logit: Tensor, target: float) -> Tensor:
        return (softplus(logit) - target * logit).flatten(len(lead)).mean(-1).sum() if lead else bce(logit, target)

    def update(number: int, *terms: Tensor) -> None:
        for p in params[number]:
            p.grad = None
        torch.autograd.backward(terms, inputs=params[number])
        optimizers[number].step()

    def step() -> None:
        with torch.no_grad():
            fake = draw(torch.randn(*lead, BATCH, CODE))
        update(1, loss(judge(x), 1.0), loss(judge(fake), 0.0))
        update(0, loss(judge(draw(torch.randn(*lead, BATCH, CODE))), 1.0))

    return step


def stacked(nets: list[nn.Sequential], by_hand: bool) -> tuple[Callable[[Tensor], Tensor], list[Tensor]]:
    """Networks of one shape as one function of ``(members, batch, d)``, and its parameters."""
    weights = {k: nn.Parameter(v.detach()) for k, v in stack_module_state(nets)[0].items()}  # type: ignore[arg-type]
    net = nets[0]

    def run(x: Tensor) -> Tensor:
        for name, layer in net.named_children():
            if isinstance(layer, nn.Linear):
                x = torch.baddbmm(weights[f"{name}.bias"][:, None], x, weights[f"{name}.weight"].mT)
            else:
                x = layer(x)
        return x

    mapped = vmap(lambda w, x: functional_call(net, w, (x,)), randomness="different")
    return run if by_hand else lambda x: mapped(weights, x), list(weights.values())


def members() -> None:
    print("| critic | one: ms | ten by hand: ms | over one | ten by vmap: ms | over one |")
    print("|---|---|---|---|---|---|")
    for dropout in (False, True):
        G, D = networks(dropout)
        rivals = {"one": gan_step(G, D, [list(G.parameters()), list(D.parameters())], ())}
        for name in ("hand", "vmap"):
            pairs = [networks(dropout) for _ in range(MEMBERS)]
            (draw, g), (judge, d) = (stacked(list(nets), name == "hand") for nets in zip(*pairs))
            rivals[name] = gan_step(draw, judge, [g, d], (MEMBERS,))
        t = medians(rivals, 20, 10)
        cells = [t["one"], t["hand"], t["hand"] / t["one"], t["vmap"], t["vmap"] / t["one"]]
        print(f"| {'with dropout' if dropout else 'plain'} | " + " | ".join(f"{c:.2f}" for c in cells) + " |")


def processes(methods: list[str]) -> None:
    x = np.random.default_rng(0).normal(size=(800, COLUMNS)).astype(np.float32)

    def seconds(detector: ganad.Detector) -> float:
        start = time.perf_counter()
        detector.fit(x)
        return time.perf_counter() - start

    print("| method | one: s | ten: s | over one | ten, two at once: s | over one |")
    print("|---|---|---|---|---|---|")
    for name in methods:
        one = getattr(ganad, name)(threshold_fits=0, device="cpu", verbose=0, threads=1)
        each = dict(refit_samples=0, threshold_fits=1, device="cpu", verbose=0)
        ten = [ganad.Ensemble(members=[one] * MEMBERS, n_jobs=jobs, **each) for jobs in (1, 2)]
        rounds = [[seconds(detector) for detector in (one, *ten)] for _ in range(3)]
        alone, turns, pairs = (statistics.median(column) for column in zip(*rounds, strict=True))
        cells = [alone, turns, turns / alone, pairs, pairs / alone]
        print(f"| {name} | " + " | ".join(f"{cell:.2f}" for cell in cells) + " |")


def nearest(rows: int) -> None:
    import faiss  # type: ignore[import-not-found,import-untyped]

    faiss.omp_set_num_threads(1)
    rng = np.random.default_rng(0)
    refs, queries = (rng.normal(size=(n, 784)).astype(np.float32) for n in (rows, 512))
    index = faiss.IndexFlatL2(784)
    index.add(refs)

    def ours(dtype: torch.dtype) -> Callable[[], Any]:
        r, z = torch.from_numpy(refs).to(dtype), torch.from_numpy(queries).to(dtype)
        norms = r.square().sum(1)
        return lambda: squared_distances(z, r, norms).topk(5, largest=False)

    a, b = torch.from_numpy(queries), torch.from_numpy(refs)
    model = ganad.NearestNeighbor(threshold_fits=0, threshold_samples=2, scaling="none", device="cpu").fit(refs)

    def two_steps() -> Any:
        with torch.no_grad():
            return model.nearest(a.double(), 5)

    rivals: dict[str, Callable[[], Any]] = {
        "faiss": lambda: index.search(queries, 5),
        "two steps": two_steps,
        "64 bits": ours(torch.float64),
        "32 bits": ours(torch.float32),
        "product": lambda: a @ b.T,
    }
    theirs = refs[rivals["faiss"]()[1]]  # by their values, because the detector keeps its samples in another order
    same = (model.samples_[two_steps()[1].numpy()] == theirs).all(2).mean()
    t = medians(rivals, 5)
    print(f"| {' | '.join(rivals)} | neighbours equal |\n{'|---' * (len(rivals) + 1)}|")
    print("| " + " | ".join(f"{t[k]:.0f} ms ({t[k] / t['faiss']:.2f})" for k in rivals) + f" | {same:.4f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["latency", "compiled", "members", "processes", "nearest"])
    methods = "FenceGAN EGBAD GANomaly AutoEncoder DeepSVDD VAE NearestNeighbor GMM".split()
    parser.add_argument("--methods", nargs="*", default=methods)
    parser.add_argument("--rows", type=int, default=50_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    if options.what == "compiled":
        compiled([name for name in options.methods if issubclass(getattr(ganad, name), ganad.NetworkDetector)])
    elif options.what == "latency":
        latency(options.methods)
    elif options.what == "members":
        members()
    elif options.what == "processes":
        processes(options.methods)
    else:
        nearest(options.rows)


if __name__ == "__main__":
    main()
