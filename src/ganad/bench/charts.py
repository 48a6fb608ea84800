"""Pictures for the tables as SVG: areas by class, mean ROC curves, histograms of scores, AUROC against time."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .table_lines import Line

_W, _H = 240, 150
_AXIS, _TOP = 26, 20  # room for the ticks on the left, and for the title of a panel
_MINUTES = (0.01, 0.1, 1, 10, 100, 1000)
#: colours of a picture that stands alone; a page sets the variables itself
_STYLE = """<style>.time{--axis:#57606a;font:10px system-ui,sans-serif}.time text{fill:var(--axis)}
@media(prefers-color-scheme:dark){.time{--axis:#9198a1}}</style>"""


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


@dataclass(frozen=True)
class Panel:
    """AUROC against training time for one class."""

    title: str
    curves: Sequence[tuple[Sequence[float], Sequence[float]]]  #: seconds and AUROC, a pair a seed
    levels: Sequence[tuple[str, float]]  #: lines across: what is published, then rivals


def against_time(panels: Sequence[Panel], label: str) -> str:
    """Panels side by side on one scale of time, as a picture that can also stand alone.

    The first point of a curve, after one step, is drawn at the left edge, because a logarithm has no zero.
    """
    seconds = [s for panel in panels for times, _ in panel.curves for s in times[1:]] or [60.0]
    low, high = min(seconds), max(*seconds, 1.01 * min(seconds))
    rows = max(len(panel.levels) for panel in panels)
    height = _TOP + _H + 30 + 13 * rows
    body = "".join(
        f'<g transform="translate({i * (_W + 10)} 0)">{_panel(panel, low, high)}</g>' for i, panel in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="time" viewBox="0 0 {len(panels) * (_W + 10)} {height}" '
        f'role="img" aria-label="{html.escape(label)}: AUROC against training time">{_STYLE}{body}</svg>'
    )


def _panel(panel: Panel, low: float, high: float) -> str:
    def x(second: float) -> float:
        share = np.log(max(second, low) / low) / np.log(high / low)
        return float(_AXIS + share * (_W - _AXIS))

    def y(auroc: float) -> float:
        return _TOP + _H * (1 - auroc)

    out = [f'<text x="{_AXIS}" y="12" font-weight="bold">{html.escape(panel.title)}</text>']
    for tick in (0, 0.5, 1):
        out.append(f'<text x="{_AXIS - 4}" y="{y(tick) + 3:.1f}" text-anchor="end">{tick:g}</text>')
        out.append(_across(y(tick), "#8886", "4" if tick == 0.5 else ""))
    for tick in (t for t in _MINUTES if low <= 60 * t <= high):
        out.append(f'<text x="{x(60 * tick):.1f}" y="{_TOP + _H + 13}" text-anchor="middle">{tick:g} min</text>')
    for i, (name, auroc) in enumerate(panel.levels):
        colour, dash = ("var(--other, #d4572a)", "") if name.startswith("published") else ("#8a8a8a", "246"[i % 3])
        out.append(_across(y(auroc), colour, dash))
        under = _TOP + _H + 28 + 13 * i
        out.append(f'<line x1="{_AXIS}" x2="{_AXIS + 16}" y1="{under - 3}" y2="{under - 3}" {_stroke(colour, dash)}/>')
        out.append(f'<text x="{_AXIS + 21}" y="{under}">{html.escape(name)} {auroc:.3f}</text>')
    for seconds, aurocs in panel.curves:
        points = " ".join(f"{x(s):.1f},{y(a):.1f}" for s, a in zip(seconds, aurocs))
        out.append(f'<polyline points="{points}" fill="none" {_stroke("var(--ink, #1f6feb)", "")} stroke-width="2"/>')
    return "".join(out)


def _across(y: float, colour: str, dash: str) -> str:
    return f'<line x1="{_AXIS}" x2="{_W}" y1="{y:.1f}" y2="{y:.1f}" {_stroke(colour, dash)}/>'


def _stroke(colour: str, dash: str) -> str:
    return f'stroke="{colour}"' + (f' stroke-dasharray="{dash}"' if dash else "")
