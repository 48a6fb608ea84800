"""The tables and their charts as one HTML page without scripts."""

from __future__ import annotations

import html
import itertools

from .charts import figures
from .table_lines import Table
from .table_text import Body, caption, cells, heading, measures, notes

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --line: #8886; --ink: #1f6feb; --other: #d4572a; }}
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 100rem; margin: 2rem auto; padding: 0 1rem; }}
p, li {{ max-width: 50rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap; }}
th, td {{ padding: .15rem .6rem; border-bottom: 1px solid var(--line); text-align: left; }}
.published {{ opacity: .75; }}
.baseline th {{ font-style: italic; font-weight: normal; }}
.charts {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; }}
details {{ margin-top: 1rem; }} figure {{ margin: 0; }} figcaption {{ font-size: .85em; }}
svg {{ width: 100%; height: auto; }}
</style></head><body><main>
<h1>{title}</h1>
<p>{introduction}</p>
{body}
</main></body></html>
"""
_CURVES = '<li><a href="#curves">AUROC against training time</a></li>'


def page(tables: list[Table], title: str, introduction: str, curves: str = "") -> str:
    """The tables with charts below them, as HTML that works without scripts. ``curves`` is the section after them."""
    sections = [(name, list(group)) for name, group in itertools.groupby(tables, lambda t: t.suite.name)]
    parts = ["<nav><ul>", *[f'<li><a href="#{html.escape(n)}">{html.escape(n)}</a></li>' for n, _ in sections]]
    parts.append(f"{_CURVES if curves else ''}</ul></nav>")
    for name, group in sections:
        parts.append(f'<h2 id="{html.escape(name)}">{html.escape(name)}</h2>')
        for table in group:
            parts.append(f"<h3>{html.escape(heading(table).replace('`', ''))}</h3><p>{html.escape(caption(table))}</p>")
            parts += _html_rows(*cells(table))
            if table.metric == "auroc":
                parts.append("<details><summary>Other measures of these rows</summary>")
                parts += [*_html_rows(*measures(table)), "</details>", figures(table.lines, table.classes)]
        parts.append("<ul>" + "".join(f"<li>{html.escape(note)}</li>" for note in notes(group)) + "</ul>")
    parts.append(curves)
    return _PAGE.format(
        title=html.escape(title), introduction=html.escape(introduction.replace("`", "")), body="\n".join(parts)
    )


def _html_rows(head: list[str], body: Body) -> list[str]:
    parts = ['<div class="wide" tabindex="0"><table><thead><tr>']
    parts += [f"<th scope=col>{html.escape(h)}</th>" for h in head]
    parts.append("</tr></thead><tbody>")
    for line, values in body:
        kind = "published" if values[1] == "published" else "baseline" if line.is_baseline else "measured"
        tds = "".join(f"<td>{html.escape(v)}</td>" for v in values[1:])
        parts.append(f'<tr class="{kind}"><th scope=row>{html.escape(values[0])}</th>{tds}</tr>')
    return [*parts, "</tbody></table></div>"]
