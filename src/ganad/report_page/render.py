"""The page around its data. Its content policy names the hashes of style and script, so nothing else can run."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from ..atomic import write_text
from .contents import Contents
from .prepare import prepare


def write(path: str | Path, contents: Contents) -> Path:
    """Write the page to ``path``, completely or not at all. Raises InputError for contents that cannot be drawn."""
    path = Path(path)
    page = build(contents)
    write_text(path, page)
    return path


def build(contents: Contents) -> str:
    """The page as a string. Raises InputError for contents that cannot be drawn."""
    return render(prepare(contents))


def render(data: Mapping[str, Any]) -> str:
    """The page around the data."""
    here = files(__package__)
    style, lens, page, template = (
        here.joinpath(name).read_text("utf-8") for name in ("page.css", "lens.js", "page.js", "page.html.j2")
    )
    script = page.replace('"use strict";\n', f'"use strict";\n{lens}', 1)
    # "<" cannot end the script element early, and U+2028 is a line end to old parsers
    text = json.dumps(data, allow_nan=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template).render(
        data=data, json=Markup(text), style=Markup(style), script=Markup(script), csp=_policy(style, script)
    )


def _policy(style: str, script: str) -> str:
    hashes = [base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in (style, script)]
    return (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'"
    )
