"""The figures of "Image Anomaly Detection with Generative Adversarial Networks" (Deecke et al., 2018)."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from . import style
from .entry import Asked, Drawing, Entry
from .from_rows import lines, mean_roc, told
from .making import Fit, Fitted, decoded, fitted, of_images, plane, some

_DIGITS = tuple("0123456789")
_BESIDE = 8  # images of a class in each half of a gallery
_LINES = ("ADGAN", "KDE", "OCSVM", "IsolationForest", "GMM", "DCAE", "AnoGAN", "VAE")


def of_class(asked: Asked, cls: str, **settings: Any) -> Fitted:
    """A generator of one class of MNIST, and test images of all classes."""
    fit = Fit("adgan-mnist", "ADGAN", cls, tuple(settings.items()), n_test=500 if settings else None)
    smoke = of_images(asked, fit, n_test=80, **dict(n_seeds=2, width=8, threshold_samples=10) | settings)
    return fitted(smoke, asked.budget, asked.data_dir)


def found(model: Any, x: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Errors ``(n, n_seeds)`` and codes ``(n, n_seeds, d)`` of searches of so many steps."""
    import torch

    own = model.search_steps

    def search(batch: torch.Tensor) -> torch.Tensor:
        errors, codes = model.search(batch)
        return torch.cat([errors[..., None], codes], 2).flatten(1)

    try:
        model.set_params(search_steps=steps)
        flat = model.map_samples(search, x).reshape(len(x), len(model.starts_), -1)
    finally:
        model.set_params(search_steps=own)
    return flat[..., 0], flat[..., 1:]


def illustration(asked: Asked) -> Drawing:
    """Figure 1: a normal and an anomalous image, and what is drawn for each after every step of the search."""
    fit = of_class(asked, "1")
    model, steps = fit.model, range(fit.model.search_steps + 1)
    picked = [int(np.flatnonzero(fit.y_test == y)[0]) for y in (0, 1)]
    figure, axes = style.page(2, len(steps) + 1, 7.2, 2.7)
    for row, (k, kind) in enumerate(zip(picked, ("normal", "anomalous"))):
        style.picture(axes[row, 0], fit.x_test[k])
        axes[row, 0].set_title(f"x, {kind} ({fit.names[k]})", fontsize=7)
        for ax, t in zip(axes[row, 1:], steps):
            errors, codes = found(model, fit.x_test[k : k + 1], t)
            best = int(errors[0].argmin())
            style.picture(ax, decoded(model, codes[0, best][None])[0])
            ax.set_title(f"t = {t}, loss {errors[0, best]:.1f}", fontsize=7)
    return Drawing(figure, f"{fit.made}; the best of {len(model.starts_)} starts, drawn by the unmoved generator")


def latent_search(asked: Asked) -> Drawing:
    """Figure 2: where the search stands in a latent space of two dimensions, and how large the loss is."""
    fit = of_class(asked, "0", latent_dim=2, n_seeds=16)
    rows = some(len(fit.x_test), 500)
    steps = (0, 2, fit.model.search_steps)
    start = np.arange(len(rows)) % len(fit.model.starts_)  # each sample from one start, as in the paper
    figure, axes = style.page(1, len(steps), 7.4, 2.9, sharex=True, sharey=True)
    for ax, t in zip(axes[0], steps):
        errors, codes = found(fit.model, fit.x_test[rows], t)
        loss, z = errors[np.arange(len(rows)), start], codes[np.arange(len(rows)), start]
        for y, name, colour in ((1, "anomalous", style.ANOMALOUS), (0, "normal", style.NORMAL)):
            mine = fit.y_test[rows] == y
            ax.scatter(*z[mine].T, s=0.12 * loss[mine], c=colour, alpha=0.55, linewidths=0, label=name)
        ratio = loss[fit.y_test[rows] == 1].mean() / loss[fit.y_test[rows] == 0].mean()
        ax.set(title=f"t = {t}\nloss, anomalous / normal: {ratio:.2f}", xlabel="z1")
    axes[0, 0].set_ylabel("z2")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center")
    return Drawing(figure, f"{fit.made}; {len(rows)} test images from {len(fit.model.starts_)} starts, area: loss")


def roc_panels(asked: Asked) -> Drawing:
    """Figure 3: ROC curves averaged over all classes, MNIST on the left and CIFAR-10 on the right."""
    figure, axes = style.page(1, 2, 7.4, 3.5)
    said = []
    for ax, (suite, title) in zip(axes[0], (("adgan-mnist", "MNIST"), ("adgan-cifar10", "CIFAR-10"))):
        chosen = lines(asked, suite, _LINES)
        mean_roc(ax, chosen)
        ax.set_title(title)
        ax.legend(loc="lower right", fontsize=6.5)
        said.append(told(suite, chosen, _LINES))
    return Drawing(figure, ". ".join(said))


def galleries(asked: Asked) -> Drawing:
    """Figures 4 to 6: of each class, the test images of that class that its own model ranks highest and lowest."""
    figure, axes = style.page(len(_DIGITS), 2, 6.6, 0.4 * len(_DIGITS) + 1.0)
    for row, cls in zip(axes, _DIGITS):
        fit = of_class(asked, cls)
        own = np.flatnonzero(fit.y_test == 0)
        order = own[np.argsort(fit.scores[own])[::-1]]
        half = min(_BESIDE, len(order) // 2)
        for ax, ranked in zip(row, (order, order[::-1])):
            style.sheet(ax, fit.x_test[ranked[:half]], half)
            ax.set_anchor("W")
        row[0].set_ylabel(cls, rotation=0, ha="right", va="center", fontsize=9)
    axes[0, 0].set_title("most anomalous first", loc="left")
    axes[0, 1].set_title("least anomalous first", loc="left")
    return Drawing(figure, f"{fit.made}; so for each class, ranked among the test images of that class")


def histograms(asked: Asked) -> Drawing:
    """Scores of normal and anomalous test images, class by class."""
    figure, axes = style.page(2, 5, 7.6, 3.3)
    for ax, cls in zip(axes.ravel(), _DIGITS):
        fit = of_class(asked, cls)
        values = [fit.scores[fit.y_test == y] for y in (0, 1)]
        style.histogram(ax, values, ("normal", "anomalous"), (style.NORMAL, style.ANOMALOUS))
        ax.set(title=f"{cls} normal\nAUROC {roc_auc_score(fit.y_test, fit.scores):.3f}", yticks=[])
    for ax in axes[1]:
        ax.set_xlabel("mean loss")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center")
    return Drawing(figure, f"{fit.made}; so for each class, densities of the score of the test images")


def code_map(asked: Asked) -> Drawing:
    """t-SNE of the codes that the searches end at, the anomalous classes in black."""
    fit = of_class(asked, "1")
    rows = some(len(fit.x_test), 600)
    _, codes = found(fit.model, fit.x_test[rows], fit.model.search_steps)
    points, out = plane(codes.mean(1)), fit.y_test[rows] == 1  # the mean of all starts, else each start is a cloud
    figure, axes = style.page(1, 1, 5.2, 4.0)
    groups = (("anomalous classes", out, style.BLACK), (f"normal ({fit.names[rows][~out][0]})", ~out, style.NORMAL))
    style.scatter(axes[0, 0], points, groups, 9)
    style.bare(axes[0, 0])
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center", markerscale=2)
    return Drawing(
        figure, f"{fit.made}; means of the codes of {len(fit.model.starts_)} starts, {len(rows)} test images"
    )


_PAPER = "adgan"
_LSUN = "LSUN's photos of {} (tens of gigabytes) are not among the data sets here; adgan-4 has the layout, on MNIST"
FIGURES = (
    Entry(
        "adgan-1", _PAPER, "Fig. 1", "What the search draws for a normal and an anomalous image",
        "a fit to the ones of MNIST (of the digits at smoke)", illustration,
        differs="the paper's is a sketch",
    ),
    Entry(
        "adgan-2", _PAPER, "Fig. 2", "The search in two latent dimensions",
        "a fit to the zeros of MNIST with two codes (of the digits at smoke)", latent_search,
    ),
    Entry(
        "adgan-3", _PAPER, "Fig. 3", "ROC curves averaged over all classes",
        "rows of adgan-mnist and adgan-cifar10", roc_panels,
    ),
    Entry(
        "adgan-4", _PAPER, "Fig. 4", "Most and least anomalous images of each class",
        "ten fits, one a class of MNIST (of the digits at smoke)", galleries,
        differs="MNIST instead of LSUN's bedrooms, which are not among the data sets here",
    ),
    Entry("adgan-5", _PAPER, "Fig. 5", "Conference rooms", "LSUN", reason=_LSUN.format("conference rooms")),
    Entry("adgan-6", _PAPER, "Fig. 6", "Churches", "LSUN", reason=_LSUN.format("churches")),
    Entry(
        "adgan-histograms", _PAPER, "", "Scores of normal and anomalous images by class",
        "the same ten fits", histograms,
    ),
    Entry(
        "adgan-codes", _PAPER, "", "t-SNE of the codes found",
        "the fit of adgan-1", code_map,
        differs="the paper says that the codes have no structure and shows it in two dimensions (Fig. 2)",
    ),
)  # fmt: skip
