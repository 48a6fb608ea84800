"""The figures of "Fence GAN: Towards Better Anomaly Detection" (Ngo et al., 2019)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from ..bench.recipes import Budget
from ..bench.trial import prepared
from . import style
from .entry import Asked, Drawing, Entry
from .from_rows import bar_chart
from .making import Fit, described, fitted, of_images

_WORLD, _CENTRE, _SIDE = 40.0, 20.0, 70
_REGULAR = dict(alpha=1.0, beta=0.0, gamma=1.0, pretrain_epochs=0)  # of Goodfellow et al., with the same networks

#: What the paper's panels (B) to (E) show; it does not print their settings, so these are ours.
_PANELS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("(B) regular GAN", _REGULAR),
    ("(C) no dispersion", dict(beta=0.0)),
    ("(D) loose fence", dict(beta=90.0)),
    ("(E) no weighting", dict(alpha=0.9, gamma=1.0)),
)
_ABLATION: tuple[tuple[str, tuple[float, ...]], ...] = (
    ("alpha", (0.1, 0.5, 0.9)),
    ("beta", (0.0, 15.0, 60.0)),
    ("gamma", (0.1, 0.5, 1.0)),
)


@dataclass(frozen=True, eq=False)
class Moment:
    """Generator and discriminator after an epoch."""

    fence: np.ndarray  #: generated points
    normality: np.ndarray  #: the discriminator's score over the plane


@dataclass(frozen=True, eq=False)
class PlaneFit:
    """A Fence GAN of the plane, watched."""

    x: np.ndarray
    moments: dict[int, Moment]  #: by training epoch; the last one always
    auroc: list[float]  #: on the test points, after every training epoch
    history: list[dict[str, Any]]
    settings: dict[str, Any]
    made: str


@functools.lru_cache(maxsize=16)
def plane_fit(budget: Budget, changes: tuple[tuple[str, Any], ...] = ()) -> PlaneFit:
    """The recipe of the table ``fencegan-2d`` with other settings, or the same fit again."""
    task = Fit("fencegan-2d", "FenceGAN", "normal", changes).task(budget, None)
    at_hand = prepared(task)
    model: Any = at_hand.model
    wanted = {max(1, round(share * model.epochs)) for share in (0.01, 0.1, 0.4, 1.0)}
    moments: dict[int, Moment] = {}
    auroc: list[float] = []
    each = max(1, model.epochs // 100)

    def watch(model: Any) -> None:
        row = model.history_[-1]
        if row["stage"] != "training":
            return
        if row["epoch"] in wanted:
            moments[row["epoch"]] = Moment(model.sample(300, random_state=0), normality(model))
        if row["epoch"] % each == 0:
            auroc.append(float(roc_auc_score(at_hand.split.y_test, model.anomaly_score(at_hand.x_test))))

    model.fit(at_hand.x, on_epoch=watch)
    made = described("FenceGAN", task, model, at_hand.x)
    return PlaneFit(at_hand.x, moments, auroc, model.history_, model.get_params(), made)


def normality(model: Any) -> np.ndarray:
    """The discriminator's score over the plane, (side, side)."""
    axis = (np.arange(_SIDE) + 0.5) * _WORLD / _SIDE
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    score = np.clip(np.asarray(model.anomaly_score(grid), np.float64), -50, 50)
    found: np.ndarray = (1 / (1 + np.exp(score))).reshape(_SIDE, _SIDE)
    return found


def field(ax: Any, fit: PlaneFit, moment: Moment, title: str) -> Any:
    """One panel of Figure 1: the discriminator's level behind data and generated points."""
    shown = ax.imshow(
        moment.normality, origin="lower", extent=(0, _WORLD, 0, _WORLD), cmap=style.LEVELS, vmin=0, vmax=1
    )
    ax.scatter(*fit.x[:300].T, s=2, c=style.ANOMALOUS, linewidths=0, label="data")
    inside = np.abs(moment.fence - _CENTRE).max(1) < _CENTRE
    ax.scatter(
        *moment.fence[inside].T, s=6, c="white", edgecolors="black", linewidths=0.3, marker="o", label="generated"
    )
    ax.set(xlim=(0, _WORLD), ylim=(0, _WORLD), title=title)
    style.bare(ax)
    if (~inside).mean() >= 0.005:
        ax.text(0.98, 0.02, f"{100 * (1 - inside.mean()):.0f} % outside", transform=ax.transAxes, ha="right",
                fontsize=6, color="white")  # fmt: skip
    return shown


def _said(settings: dict[str, Any]) -> str:
    """The three settings of the losses, in the paper's letters."""
    return f"α {settings['alpha']:g}, β {settings['beta']:g}, γ {settings['gamma']:g}"


def _fence_legend(figure: Any, axes: np.ndarray, shown: Any) -> None:
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center", markerscale=2)
    figure.colorbar(shown, ax=axes, shrink=0.6, label="discriminator score", pad=0.02)


def fence(asked: Asked) -> Drawing:
    """Figure 1: snapshots of a good fence, then four fits that go wrong."""
    figure, axes = style.page(2, 4, 7.6, 4.3)
    base = plane_fit(asked.budget)
    for ax, (epoch, moment) in zip(axes[0], sorted(base.moments.items())):
        shown = field(ax, base, moment, f"(A) pass {epoch}, {epoch * 16:,} steps")
    for ax in axes[0, len(base.moments) :]:
        ax.set_visible(False)  # at smoke there is one pass, so one snapshot
    for ax, (title, changes) in zip(axes[1], _PANELS):
        fit = plane_fit(asked.budget, tuple(changes.items()))
        shown = field(ax, fit, fit.moments[max(fit.moments)], f"{title}\n{_said(fit.settings)}")
    _fence_legend(figure, axes, shown)
    return Drawing(figure, f"(A): {base.made}, {_said(base.settings)}. (B)-(E): as long, our settings")


def ablation(asked: Asked) -> Drawing:
    """Each of the three settings at three values, the others as published."""
    figure, axes = style.page(3, 3, 5.6, 5.9)
    base = plane_fit(asked.budget)
    for row, (name, values) in zip(axes, _ABLATION):
        for ax, value in zip(row, values):
            changed = () if value == base.settings[name] else ((name, value),)
            fit = plane_fit(asked.budget, changed)
            moment = fit.moments[max(fit.moments)]
            published = "" if changed else " (preset)"
            shown = field(ax, fit, moment, f"{name} {value:g}{published}\nAUROC {fit.auroc[-1]:.3f}")
    _fence_legend(figure, axes, shown)
    return Drawing(figure, f"{base.made} each; what is not named is as in the preset rings")


def curves(asked: Asked) -> Drawing:
    """Losses and AUROC by pass, of the fence and of a regular GAN with the same networks."""
    figure, axes = style.page(2, 2, 6.6, 4.4, sharex=True)
    names = {
        "discriminator/real": ("D, data", style.NORMAL, "-"),
        "discriminator/fence": ("D, generated", style.ANOMALOUS, "-"),
        "generator/encirclement": ("G, encirclement", "#009E73", "--"),
        "generator/dispersion": ("G, beta x dispersion", "#CC79A7", "--"),
    }
    made = ""
    for column, (title, changes) in enumerate((("Fence GAN", {}), ("regular GAN", _REGULAR))):
        fit = plane_fit(asked.budget, tuple(changes.items()))
        made = made or fit.made
        rows = [row for row in fit.history if row["stage"] == "training"]
        top, below = axes[:, column]
        for key, (label, colour, dash) in names.items():
            values = [row.get(key, np.nan) for row in rows]
            marker = "o" if len(rows) == 1 else None
            top.plot(range(1, len(rows) + 1), values, dash, marker=marker, lw=0.9, color=colour, label=label)
        top.set(title=title, ylim=(0, 4), ylabel="loss" if not column else "")  # the first passes are above
        at = np.linspace(len(rows) / len(fit.auroc), len(rows), len(fit.auroc))
        below.plot(at, fit.auroc, marker="." if len(at) == 1 else None, lw=0.9, color="black")
        best = int(np.argmax(fit.auroc))
        below.annotate(f"best {fit.auroc[best]:.3f}, last {fit.auroc[-1]:.3f}", (0.98, 0.06), xycoords="axes fraction",
                       ha="right", fontsize=7)  # fmt: skip
        below.set(xlabel="pass", ylim=(0, 1.02), ylabel="AUROC on test points" if not column else "")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center")
    return Drawing(figure, f"{made}; the regular GAN as long. No pass is chosen by the lower curves")


def ship(asked: Asked) -> tuple[Any, np.ndarray]:
    """The fit of Figures 4 and 5, and the discriminator's scores of generated images."""
    fit = fitted(of_images(asked, Fit("fencegan-cifar10", "FenceGAN", "ship"), "8"), asked.budget, asked.data_dir)
    drawn = fit.model.sample(min(1000, 2 * len(fit.x_test)), random_state=0)
    return fit, _level(fit.model.anomaly_score(drawn))


def _level(score: np.ndarray) -> np.ndarray:
    """The discriminator's probability; the anomaly score is minus its logit."""
    found: np.ndarray = 1 / (1 + np.exp(np.clip(np.asarray(score, np.float64), -50, 50)))
    return found


def average_scores(asked: Asked) -> Drawing:
    """Figure 4: mean discriminator scores of the held-out class, of the other nine and of generated images."""
    fit, drawn = ship(asked)
    level = _level(fit.scores)
    held_out = fit.names[fit.y_test == 1][0]
    names = [held_out, *sorted(set(fit.names) - {held_out}), "generated"]
    means = [float(level[fit.names == name].mean()) for name in names[:-1]] + [float(drawn.mean())]
    figure, axes = style.page(1, 1, 6.4, 3.2)
    colours = [style.ANOMALOUS] + [style.NORMAL] * (len(names) - 2) + [style.GENERATED]
    axes[0, 0].bar(range(len(names)), means, color=colours, edgecolor="#666666", linewidth=0.4)
    axes[0, 0].set_xticks(range(len(names)), names, rotation=35, ha="right")
    axes[0, 0].set(ylabel="mean discriminator score", ylim=(0, 1))
    return Drawing(figure, f"{fit.made}; test images, {len(drawn):,} generated")


def score_histograms(asked: Asked) -> Drawing:
    """Figure 5: densities of discriminator scores of normal, generated and anomalous images."""
    fit, drawn = ship(asked)
    level = _level(fit.scores)
    groups = (
        ("(a) normal test images", level[fit.y_test == 0], style.NORMAL),
        ("(b) generated images", drawn, style.GENERATED),
        ("(c) anomalous test images", level[fit.y_test == 1], style.ANOMALOUS),
    )
    figure, axes = style.page(1, 3, 7.2, 2.6, sharex=True)
    for ax, (title, values, colour) in zip(axes[0], groups):
        ax.hist(values, np.linspace(0, 1, 41), density=True, color=colour, edgecolor="#666666", linewidth=0.3)
        ax.set(title=f"{title} ({len(values):,})", xlabel="discriminator score", xlim=(0, 1))
    axes[0, 0].set_ylabel("density")
    return Drawing(figure, fit.made)


_LINES = ("FenceGAN", "EGBAD-fm", "EGBAD-sigma", "AnoGAN", "VAE", "1-NN, PCA", "LOF", "untrained network")
_COLOUR_LINES = ("FenceGAN", "GANomaly", "EGBAD-fm", "AnoGAN", "1-NN, PCA", "LOF", "untrained network")
_PAPER = "fence-gan"
FIGURES = (
    Entry(
        "fence-gan-1", _PAPER, "Fig. 1", "in the plane, a fence that closes and four that do not",
        "five fits to points of the plane; no file", fence,
        differs="the paper does not print the settings of panels (B) to (E); those here are ours",
    ),
    Entry(
        "fence-gan-2", _PAPER, "Fig. 2", "MNIST, AUPRC by anomalous digit, anomalies positive",
        "rows of fencegan-mnist",
        bar_chart("fencegan-mnist", _LINES, "pr_area_trapezoid", "anomalous digit", "AUPRC, anomalies positive"),
        differs="the published VAE bars are below what any ranking can have on this split",
    ),
    Entry(
        "fence-gan-3", _PAPER, "Fig. 3", "CIFAR-10, AUROC by anomalous class",
        "rows of fencegan-cifar10",
        bar_chart("fencegan-cifar10", _COLOUR_LINES, "auroc", "anomalous class", "AUROC"),
        differs="the paper's ALAD bars are reruns on its split; ALAD is measured under study-cifar10",
    ),
    Entry(
        "fence-gan-4", _PAPER, "Fig. 4", "Mean discriminator scores: the held-out ship, nine classes, generated images",
        "one fit to CIFAR-10 (digits at smoke)", average_scores,
    ),
    Entry(
        "fence-gan-5", _PAPER, "Fig. 5", "Discriminator scores with the ship held out",
        "the same fit", score_histograms,
    ),
    Entry(
        "fence-gan-ablation", _PAPER, "", "What alpha, beta and gamma do to the fence",
        "seven fits to points of the plane; no file", ablation,
        differs="the paper shows four bad settings in Fig. 1 and names none",
    ),
    Entry(
        "fence-gan-curves", _PAPER, "", "losses and AUROC in the plane, by pass",
        "two of the same fits", curves,
    ),
)  # fmt: skip
