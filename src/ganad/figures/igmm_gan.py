"""The figures of "Coupled IGMM-GANs for improved generative adversarial anomaly detection" (Gray et al., 2018)."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from . import style
from .entry import Asked, Drawing, Entry
from .from_rows import bar_chart
from .making import Fit, Fitted, decoded, fitted, of_images, plane, some

_HELD_OUT = "9"  # of the paper's Figure 2
_PASSES, _IMAGES = 8, 4_000  # at quick as long as the table's row, but in passes enough for a curve


def of_line(asked: Asked, label: str) -> Fitted:
    """One line of the paper's comparison with the 9 held out."""
    fit = Fit("igmm-gan-mnist", label, _HELD_OUT, quick=(("epochs", _PASSES),), n_train=_IMAGES)
    sampler: dict[str, Any] = dict(sweeps=20) if label == "IGMMGAN" else {}
    return fitted(of_images(asked, fit, None, **sampler), asked.budget, asked.data_dir)


def losses(asked: Asked) -> Drawing:
    """Figure 2: the losses of generator and discriminator by pass, of the three methods."""
    figure, axes = style.page(1, 3, 7.4, 2.6)
    made = []
    for ax, label in zip(axes[0], ("GANomaly", "EGBAD-fm", "IGMMGAN")):
        fit = of_line(asked, label)
        made.append(fit.made)
        rows = fit.model.history_
        of_d = [sum(v for k, v in row.items() if k.startswith("discriminator/")) for row in rows]
        of_g = [sum(v for k, v in row.items() if "/" in k and not k.startswith("discriminator/")) for row in rows]
        at, marker = range(1, len(rows) + 1), "o" if len(rows) == 1 else None
        ax.plot(at, of_g, color=style.NORMAL, lw=1.2, marker=marker, label="generator")
        ax.plot(at, of_d, color=style.ANOMALOUS, lw=1.2, ls="--", marker=marker, label="discriminator")
        ax.set(title=label, xlabel="pass")
        ax.set_ylim(bottom=0)
    axes[0, 0].set_ylabel("sum of the loss terms")
    axes[0, 0].legend()
    return Drawing(figure, "; ".join(made))


def samples(asked: Asked) -> Drawing:
    """Figure 3: generated images, beside training images."""
    fit = of_line(asked, "IGMMGAN")
    figure, axes = style.page(1, 2, 6.0, 3.4)
    style.sheet(axes[0, 0], fit.model.sample(64, random_state=0), 8)
    axes[0, 0].set_title("generated")
    style.sheet(axes[0, 1], fit.x[some(len(fit.x), 64)], 8)
    axes[0, 1].set_title("training images")
    return Drawing(figure, fit.made)


def latent_map(asked: Asked) -> Drawing:
    """Figure 4: t-SNE of the codes of test images, coloured by class, the held-out class in black."""
    fit = of_line(asked, "IGMMGAN")
    rows = some(len(fit.x_test), 1500)
    points = plane(fit.model.encode(fit.x_test[rows]))
    names, out = fit.names[rows], fit.y_test[rows] == 1
    figure, axes = style.page(1, 1, 5.2, 4.4)
    classes = sorted(set(names[~out]))
    groups = [(c, names == c, style.CLASSES[i]) for i, c in enumerate(classes)]
    style.scatter(axes[0, 0], points, [*groups, (f"{names[out][0]} (held out)", out, style.BLACK)], 7)
    style.bare(axes[0, 0])
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center", markerscale=2)
    area = roc_auc_score(fit.y_test, fit.scores)
    return Drawing(figure, f"{fit.made}; {len(rows):,} test images, AUROC of all {area:.3f}")


def clusters(asked: Asked) -> Drawing:
    """The mixture in the plane of two principal components, one Gaussian beside it, and what their means decode to."""
    fit = of_line(asked, "IGMMGAN")
    model = fit.model
    rows = some(len(fit.x_test), 1200)
    codes, out = np.asarray(model.encode(fit.x_test[rows]), np.float64), fit.y_test[rows] == 1
    values, vectors = np.linalg.eigh(model.codes_covariance_)
    axis = vectors[:, np.argsort(values)[::-1][:2]]
    one = (model.codes_mean_[None], model.codes_covariance_[None])
    parts = (("mixture", model.mixture_.means_, model.mixture_.covariances_), ("gaussian", *one))
    figure, axes = style.page(2, 2, 7.0, 5.8, height_ratios=(1.0, 0.8))
    for column, (variant, means, covariances) in enumerate(parts):
        top, below = axes[:, column]
        scores = scored_as(model, variant, fit.x_test)
        count = f"{len(means)} cluster{'s' * (len(means) != 1)} of the mixture"
        name = count if variant == "mixture" else "one Gaussian, as a BiGAN has"
        top.set_title(f"{name}, AUROC {roc_auc_score(fit.y_test, scores):.3f}")
        groups = [("normal", ~out, style.CLASSES[4]), (f"{_HELD_OUT} held out", out, style.BLACK)]
        style.scatter(top, (codes - model.codes_mean_) @ axis, groups, 4)
        for i, (mean, covariance) in enumerate(zip(means, covariances)):
            _ellipse(top, (mean - model.codes_mean_) @ axis, axis.T @ covariance @ axis, i)
        top.set(xlabel="first principal component of the codes", ylabel="second")
        style.sheet(below, decoded(model, means[:32]), max(3, round(1.4 * len(means[:32]) ** 0.5)))
        below.set_title("what the means decode to" + (f", the largest 32 of {len(means)}" if len(means) > 32 else ""))
    axes[0, 1].sharex(axes[0, 0])
    axes[0, 1].sharey(axes[0, 0])
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center", markerscale=2)
    return Drawing(figure, f"{fit.made}; {len(rows):,} test codes, ellipses of two standard deviations")


def scored_as(model: Any, variant: str, x: np.ndarray) -> np.ndarray:
    """Scores under another variant of a fitted detector, which keeps its own."""
    own = model.variant
    try:
        found: np.ndarray = model.set_params(variant=variant).anomaly_score(x)
    finally:
        model.set_params(variant=own)
    return found


def _ellipse(ax: Any, centre: np.ndarray, covariance: np.ndarray, i: int) -> None:
    from matplotlib.patches import Ellipse

    values, vectors = np.linalg.eigh(covariance)
    angle = float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])))
    minor, major = 4 * np.sqrt(np.maximum(values, 0))
    colour = style.CLASSES[i % len(style.CLASSES)]
    ax.add_patch(Ellipse(tuple(centre), major, minor, angle=angle, fill=False, color=colour, lw=1.1))


_PAPER = "igmm-gan"
_LINES = ("IGMMGAN", "GANomaly", "EGBAD-fm", "EGBAD-sigma", "1-NN, PCA", "LOF", "untrained network")
_SAME = "a fit with the 9 of MNIST held out (of the digits at smoke)"
FIGURES = (
    Entry(
        "igmm-gan-1", _PAPER, "Fig. 1", "The architecture", "nothing",
        reason="it is a drawing of the networks; docs/methods/igmm_gan.md has them in words",
    ),
    Entry(
        "igmm-gan-2", _PAPER, "Fig. 2", "Losses of GANomaly, EGBAD and IGMM-GAN, digit 9",
        "three fits with the 9 of MNIST held out (of the digits at smoke)", losses,
        differs="by pass over the images; the paper's epoch is a batch of 128",
    ),
    Entry(
        "igmm-gan-3", _PAPER, "Fig. 3", "Generated digits", _SAME, samples,
        differs="the paper shows them after 20,000 batches, and none of the data",
    ),
    Entry("igmm-gan-4", _PAPER, "Fig. 4", "t-SNE of the codes, the held-out class in black", _SAME, latent_map),
    Entry(
        "igmm-gan-5", _PAPER, "Fig. 5", "AUROC by held-out digit", "rows of igmm-gan-mnist",
        bar_chart("igmm-gan-mnist", _LINES, "auroc", "held-out digit", "AUROC"),
        differs="the paper prints no numbers and no plain score beside its bars",
    ),
    Entry(
        "igmm-gan-clusters", _PAPER, "", "The mixture of the codes, and one Gaussian", _SAME, clusters,
        differs="the paper says it in words (sections II-C and II-D)",
    ),
)  # fmt: skip
