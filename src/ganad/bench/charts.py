"""Pictures for the tables as inline SVG: areas by class, mean ROC curves, histograms of scores."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from .table_lines import Line

_W, _H = 240, 150


def figures(lines: Sequence[Line], classes: Sequence[str]) -> str:
    """One figure per method: areas by class, the ROC curve averaged over classes, and one histogram per class."""
    out = []
    for line in lines:
        if not line.rows:
            continue
        parts = []
        if len(classes) > 1:
            parts.append(bars([float(np.mean(line.measured.get(c, [np.nan]))) for c in classes], classes, line.label))
        parts.append(roc([row["roc"] for row in line.rows], line.label))
        firsts = {row["class"]: row for row in reversed(line.rows)}
        for cls in sorted(firsts, key=lambda c: list(classes).index(c or "")):
            parts.append(histogram(firsts[cls]["histogram"], line.label, cls))
            parts.append(f"<small>{html.escape(cls)}</small>" if cls else "")
        out.append(f"<figure>{''.join(parts)}<figcaption>{html.escape(line.label)}</figcaption></figure>")
    title = f"Charts: {'AUROC by class, ' * (len(classes) > 1)}ROC curve, scores of normal and anomalous samples"
    return f'<details><summary>{title}</summary><div class="charts">{"".join(out)}</div></details>'


def _svg(content: str, label: str) -> str:
    return f'<svg viewBox="0 0 {_W} {_H}" role="img" aria-label="{html.escape(label)}">{content}</svg>'


def bars(values: Sequence[float], names: Sequence[str], label: str) -> str:
    """AUROC by class. The dashed line is chance."""
    width = _W / len(values)
    out = [f'<line x1="0" x2="{_W}" y1="65" y2="65" stroke="var(--line)" stroke-dasharray="4"/>']
    for i, (value, name) in enumerate(zip(values, names)):
        if np.isfinite(value):
            height = 130 * value
            out.append(
                f'<rect x="{i * width + 2:.1f}" y="{130 - height:.1f}" width="{width - 4:.1f}" height="{height:.1f}" '
                f'fill="var(--ink)"><title>{html.escape(name)}: {value:.3f}</title></rect>'
            )
        text = html.escape(name[:5])
        out.append(f'<text x="{(i + 0.5) * width:.1f}" y="145" font-size="10" text-anchor="middle">{text}</text>')
    return _svg("".join(out), f"{label}: AUROC by class")


def roc(curves: Sequence[Sequence[float]], label: str) -> str:
    """True positive rates averaged over classes and seeds at equal false positive rates."""
    mean = np.mean(curves, axis=0)
    points = " ".join(f"{x * _W:.1f},{_H - y * _H:.1f}" for x, y in zip(np.linspace(0, 1, len(mean)), mean))
    content = f'<line x1="0" y1="{_H}" x2="{_W}" y2="0" stroke="var(--line)" stroke-dasharray="4"/>'
    return _svg(
        f'{content}<polyline points="{points}" fill="none" stroke="var(--ink)" stroke-width="2"/>', f"{label}: ROC"
    )


def histogram(counts: dict[str, list[float]], label: str, cls: str | None) -> str:
    """Shares of normal and anomalous samples by score, of one trial."""
    out = []
    for name, colour in (("normal", "var(--ink)"), ("anomalous", "var(--other)")):
        share = np.array(counts[name]) / max(1, sum(counts[name]))
        top = max(share.max(), 1e-9)
        steps = "".join(f"V{_H - s / top * _H:.0f}h{_W / len(share):g}" for s in share)
        out.append(f'<path d="M0 {_H}{steps}V{_H}z" fill="{colour}" fill-opacity=".5"/>')
    return _svg("".join(out), f"{label}: scores of normal and anomalous samples{f', class {cls}' if cls else ''}")
