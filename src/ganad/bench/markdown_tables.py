"""The tables as Markdown."""

from __future__ import annotations

import itertools

from .table_lines import Table
from .table_text import Body, caption, cells, heading, measures, notes


def markdown(tables: list[Table], title: str, introduction: str) -> str:
    """Contents, then a section for each suite with its notes at the end."""
    sections = [(name, list(group)) for name, group in itertools.groupby(tables, lambda t: t.suite.name)]
    out = [f"# {title}\n", introduction]
    out += [f"- [{name}](#{name}): {', '.join(dict.fromkeys(t.metric for t in group))}" for name, group in sections]
    for name, group in sections:
        out.append(f"\n## {name}")
        for table in group:
            out += [f"\n### {heading(table)}\n", caption(table), "", *_rows(*cells(table))]
            if table.metric == "auroc":
                out += [f"\n### {heading(table, 'other measures of these rows')}\n", *_rows(*measures(table))]
        out += ["", *[f"- {note}" for note in notes(group)]]
    return "\n".join(out).rstrip() + "\n"


def _rows(head: list[str], body: Body) -> list[str]:
    out = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for line, values in body:
        label = f"*{values[0]}*" if line.is_baseline else values[0]
        out.append("| " + " | ".join([label, *values[1:]]) + " |")
    return out
