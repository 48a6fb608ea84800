"""What benchmarks that write their tables into pages share."""

from __future__ import annotations


def between(text: str, name: str, table: str) -> str:
    """A page with the table between the marks ``<!-- name -->`` and ``<!-- /name -->``."""
    before, rest = text.split(f"<!-- {name} -->\n")
    after = rest.split(f"<!-- /{name} -->")[1]
    return f"{before}<!-- {name} -->\n{table}\n<!-- /{name} -->{after}"
