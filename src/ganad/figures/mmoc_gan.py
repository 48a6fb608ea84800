"""The figures of "A multimodal one-class generative adversarial network model" (ICLR 2019 submission)."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from ..bench.trial import prepared
from . import style
from .entry import Asked, Drawing, Entry
from .making import SEED, Fit, Fitted, fitted, plane, some

_MODES = 8  # of the stand-in's normal parts
#: without red, yellow, and the orange between them, as in the paper: those are non-pass and generated parts
_PLAIN = tuple(c for c in style.CLASSES if c not in (style.ANOMALOUS, style.GENERATED, style.CLASSES[1]))


def of_line(asked: Asked, label: str) -> Fitted:
    """One line on the first fold of the stand-in, which needs no file."""
    return fitted(Fit("mmoc-production", label, "0"), asked.budget, asked.data_dir)


@functools.lru_cache(maxsize=1)
def _modes_of(key: bytes, shape: tuple[int, int]) -> Any:
    return KMeans(_MODES, n_init=10, random_state=SEED).fit(np.frombuffer(key).reshape(shape))


def modes(fit: Fitted, x: np.ndarray) -> np.ndarray:
    """The mode of each sample, by k-means of the training samples."""
    train = np.ascontiguousarray(fit.x, np.float64)
    found: np.ndarray = _modes_of(train.tobytes(), train.shape).predict(np.asarray(x, np.float64))
    return found


def data_map(asked: Asked) -> Drawing:
    """Figure 1: all parts in the plane of two principal components."""
    at_hand = prepared(Fit("mmoc-production", "MMOCGAN-cat", "0").task(asked.budget, asked.data_dir))
    x = np.concatenate([at_hand.x, at_hand.x_test])
    out = np.concatenate([np.zeros(len(at_hand.x), bool), at_hand.split.y_test == 1])
    figure, axes = style.page(1, 1, 5.2, 3.8)
    points = PCA(2, random_state=SEED).fit_transform(x)
    style.scatter(axes[0, 0], points, (("pass", ~out, style.NORMAL), ("non-pass", out, style.ANOMALOUS)), 6)
    axes[0, 0].set(xlabel="first principal component", ylabel="second")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center", markerscale=2)
    return Drawing(figure, f"{(~out).sum():,} pass and {out.sum()} non-pass parts of the synthetic stand-in")


def reconstruction(asked: Asked) -> Drawing:
    """Figure 2: how AnoGAN's reconstruction loss is distributed over pass and non-pass parts."""
    fit = of_line(asked, "AnoGAN")
    loss = np.abs(fit.x_test - fit.model.reconstruct(fit.x_test)).mean(1)
    figure, axes = style.page(1, 1, 5.6, 3.0)
    edges = np.linspace(0, np.quantile(loss, 0.995), 31)
    for y, name, colour in ((0, "pass", style.NORMAL), (1, "non-pass", style.ANOMALOUS)):
        mine = np.clip(loss[fit.y_test == y], 0, edges[-1])
        axes[0, 0].hist(mine, edges, weights=np.full(len(mine), 100 / len(mine)), color=colour, alpha=0.55, label=name)
    area = roc_auc_score(fit.y_test, loss)
    axes[0, 0].set(xlabel="reconstruction loss, mean of absolute differences", ylabel="percentage")
    axes[0, 0].set_title(f"AUROC of the loss alone {area:.3f}")
    axes[0, 0].legend()
    return Drawing(figure, fit.made)


def complementary(fit: Fitted, n: int) -> np.ndarray:
    """Generated parts ``(n, d)`` in the data's units, with codes drawn from Q of training parts, as in training."""
    import torch

    from ..seeds import isolated_rng

    model: Any = fit.model
    share = np.cumsum(codes_of(fit, fit.x[some(len(fit.x), n)]), 1)
    drawn = (np.random.default_rng(SEED).random((len(share), 1)) < share / share[:, -1:]).argmax(1)
    with isolated_rng(SEED, model.device_), torch.no_grad():
        code = torch.as_tensor(drawn, device=model.device_)
        v = model.nets_.generator(model.draw(len(drawn)), code)
        x: torch.Tensor = model.input_.to_user(v * model.code_scale_.to(v) + model.code_shift_.to(v))
    found: np.ndarray = x.cpu().numpy()
    return found


def codes_of(fit: Fitted, x: np.ndarray) -> np.ndarray:
    """Q(c | x) of samples, ``(n, n_codes)``."""
    model: Any = fit.model
    found: np.ndarray = model.map_samples(
        lambda v: model.nets_.discriminator.codes(model.scaled(model.represent(v))).softmax(1), x
    )
    return found


def maps(asked: Asked) -> Drawing:
    """Figure 4: t-SNE of pass parts by mode, non-pass parts and generated parts; the two injections side by side."""
    figure, axes = style.page(1, 2, 7.6, 3.7)
    for ax, label in zip(axes[0], ("MMOCGAN-cat", "MMOCGAN-mix")):
        fit = of_line(asked, label)
        normal = fit.x_test[fit.y_test == 0]
        off, made = fit.x_test[fit.y_test == 1], complementary(fit, 300)
        points = plane(np.concatenate([normal, off, made]))
        kind = np.repeat([0, 1, 2], [len(normal), len(off), len(made)])
        mode = np.concatenate([modes(fit, normal), np.full(len(off) + len(made), -1)])
        groups = [(f"pass, mode {k + 1}", mode == k, _PLAIN[k % len(_PLAIN)]) for k in range(_MODES)]
        groups += [("generated", kind == 2, style.GENERATED), ("non-pass", kind == 1, style.ANOMALOUS)]
        style.scatter(ax, points, groups, 8)
        style.bare(ax)
        ax.set_title(f"{label}, AUROC {roc_auc_score(fit.y_test, fit.scores):.3f}")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center", markerscale=2)
    return Drawing(figure, f"{fit.made}, MMOCGAN-cat as long; synthetic stand-in, modes by k-means")


def usage(asked: Asked) -> Drawing:
    """Which latent code Q reads from parts of each mode, from non-pass and from generated parts."""
    figure, axes = style.page(1, 2, 7.6, 3.3)
    for ax, label in zip(axes[0], ("MMOCGAN-cat", "MMOCGAN-mix")):
        fit = of_line(asked, label)
        normal = fit.x_test[fit.y_test == 0]
        mode, share = modes(fit, normal), codes_of(fit, normal)
        rows = [share[mode == k].mean(0) if (mode == k).any() else np.zeros(share.shape[1]) for k in range(_MODES)]
        rows += [codes_of(fit, fit.x_test[fit.y_test == 1]).mean(0), codes_of(fit, complementary(fit, 300)).mean(0)]
        shown = ax.imshow(rows, cmap=style.LEVELS, vmin=0, vmax=1, aspect="auto")
        names = [*(f"mode {k + 1}" for k in range(_MODES)), "non-pass", "generated"]
        ax.set_yticks(range(len(names)), names)
        ax.set_xticks(range(share.shape[1]), range(1, share.shape[1] + 1))
        ax.set(title=label, xlabel="latent code")
    figure.colorbar(shown, ax=axes, shrink=0.8, label="mean Q(c | x)")
    return Drawing(figure, f"{fit.made}, MMOCGAN-cat as long; synthetic stand-in, modes by k-means")


_PAPER = "mmoc-gan"
_DATA = "the paper's production line is private; this is the synthetic stand-in"
FIGURES = (
    Entry("mmoc-gan-1", _PAPER, "Figure 1", "Pass and non-pass parts by PCA", "no file", data_map, differs=_DATA),
    Entry(
        "mmoc-gan-2", _PAPER, "Figure 2", "AnoGAN's reconstruction loss of pass and non-pass parts",
        "one fit to the stand-in; no file", reconstruction, differs=_DATA,
    ),
    Entry(
        "mmoc-gan-3", _PAPER, "Figure 3", "The framework", "nothing",
        reason="it is a drawing of the networks; docs/methods/mmoc_gan.md has them in words",
    ),
    Entry(
        "mmoc-gan-4", _PAPER, "Figure 4", "t-SNE of pass, non-pass and generated parts, for both injections",
        "two fits to the stand-in; no file", maps,
        differs=f"{_DATA}; the paper shows one injection, and its text calls this Figure 5",
    ),
    Entry(
        "mmoc-gan-codes", _PAPER, "", "The latent codes by mode, for both injections", "the same two fits", usage,
        differs=_DATA,
    ),
)  # fmt: skip
