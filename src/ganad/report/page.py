"""Writes the page: template, style, script and data in one HTML file that opens offline and requests nothing.

The page forbids itself every request by a content security policy; its only style and script are named there by
their SHA-256. Names and reasons are data or escaped text, so a hostile file name stays text.
"""

from __future__ import annotations

import base64
import hashlib
import inspect
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import jinja2
import numpy as np
from markupsafe import Markup

from ganad.report.columns import table_data
from ganad.report.contents import Contents, clean_text
from ganad.report.curves import ranking, training_panels
from ganad.report.thumbnails import (
    BYTES_GENERATED,
    BYTES_PER_SAMPLE,
    CRISP,
    as_picture,
    data_address,
    heat_addresses,
)

SCRIPTS = ("charts.js", "samples.js", "page.js")
GENERATED = 48  #: generated samples shown, at most
REFERENCE_POINTS = 2_000  #: training scores are kept as at most that many quantiles
# controls, and characters that turn the direction of text, could make one name look like another
INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")

P = ParamSpec("P")


@dataclass(frozen=True, kw_only=True)
class ReportSummary:
    """What was written: the figures a caller prints or a test compares."""

    path: Path
    n_bytes: int  #: size of the file
    n_samples: int
    n_flagged: int  #: scores above the threshold
    n_unreadable: int
    n_shown: int  #: samples with a picture, or with their columns, on the page
    auroc: float | None  #: None without labels of both classes
    average_precision: float | None


def _taking(
    contents: Callable[P, Contents],
) -> tuple[Callable[P, str], Callable[Concatenate[str | os.PathLike[str], P], ReportSummary]]:
    """`build` and `write` with the fields of Contents as keywords, which so are declared and typed only once."""

    def build(*args: P.args, **kwargs: P.kwargs) -> str:
        """The page as text; takes the fields of `ganad.report.contents.Contents`, raises InputError as it does."""
        return _html(contents(*args, **kwargs))[0]

    def write(path: str | os.PathLike[str], *args: P.args, **kwargs: P.kwargs) -> ReportSummary:
        """Write the page to `path`, all or nothing; keywords and InputError as in `build`, OSError from the disk."""
        page = contents(*args, **kwargs)
        html, figures = _html(page)
        data = html.encode("utf-8")
        _write_atomically(Path(path), data)
        return ReportSummary(
            path=Path(path),
            n_bytes=len(data),
            n_samples=len(page.scores),
            n_flagged=int(page.flagged.sum()),
            n_unreadable=len(list(page.unreadable)),
            n_shown=len(page.shown),
            auroc=figures["auroc"] if figures else None,
            average_precision=figures["average_precision"] if figures else None,
        )

    keywords = inspect.signature(contents)
    path = inspect.Parameter("path", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    build.__signature__ = keywords.replace(return_annotation=str)  # type: ignore[attr-defined]
    write.__signature__ = keywords.replace(  # type: ignore[attr-defined]
        parameters=[path, *keywords.parameters.values()], return_annotation=ReportSummary
    )
    return build, write


build, write = _taking(Contents)


def _html(contents: Contents) -> tuple[str, dict[str, Any] | None]:
    """The page and the ranking figures on it."""
    figures = ranking(contents.labels, contents.scores) if contents.labels is not None else None
    style = _resource("page.css")
    script = "(() => {\n'use strict';\n" + "\n".join(_resource(name) for name in SCRIPTS) + "\n})();\n"
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["value"] = _as_text
    environment.filters["number"] = _number
    html = environment.from_string(_resource("template.html.j2")).render(
        page=contents,
        title=_as_text(contents.title or (f"{contents.method}: anomaly report" if contents.method else "Anomaly report")),
        n=len(contents.scores),
        counts=_counts(contents),
        figures=figures,
        data=_json_block(_page_data(contents, figures)),
        style=Markup(style),  # noqa: S704 our own file, which the policy names by its hash
        script=Markup(script),  # noqa: S704
        policy=(
            "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
            f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
        ),
    )
    return html, figures


def _page_data(contents: Contents, figures: dict[str, Any] | None) -> dict[str, Any]:
    """All that the script draws; keys are read by name in page.js."""
    labels, rows = contents.labels, contents.rows
    return {
        "threshold": contents.threshold,
        "scores": _packed(contents.scores),
        "names": contents.names,
        "labels": None if labels is None else "".join(map(str, labels)),
        "p": None if contents.p_values is None else _packed(contents.p_values),
        "shown": contents.shown.tolist(),
        "pictures": _pictures(contents),
        "table": None if rows is None else table_data(contents),
        "training": None if contents.training_scores is None else _packed(_quantiles(contents.training_scores)),
        "n_training": 0 if contents.training_scores is None else len(contents.training_scores),
        "figures": figures,
        "history": training_panels(contents.history or ()),
        "latent": None if contents.latent is None else _packed(np.ravel(contents.latent).astype(np.float32)),
        "clusters": contents.clusters,
        "generated": _generated(contents),
    }


def _pictures(contents: Contents) -> dict[str, Any] | None:
    """Data addresses of the shown samples: image, and heat map and reconstruction where given."""
    if contents.images is None:
        return None
    # the picture itself is what a person looks at; the others are read beside it
    share = {"image": 3, "heat": 1 if contents.heatmaps else 0, "reconstruction": 2 if contents.reconstructions else 0}
    budget = {kind: BYTES_PER_SAMPLE * part // sum(share.values()) for kind, part in share.items()}
    pictures = [data_address(image, budget["image"]) for image in contents.images]
    sizes = [as_picture(image, "images").size for image in contents.images]
    return {
        "image": pictures,
        "size": sizes,
        "crisp": CRISP,
        "heat": heat_addresses(contents.heatmaps, budget["heat"]) if contents.heatmaps else None,
        "reconstruction": [
            data_address(image, budget["reconstruction"], "reconstructions") for image in contents.reconstructions
        ]
        if contents.reconstructions
        else None,
    }


def _generated(contents: Contents) -> dict[str, Any] | None:
    """Samples drawn from the model, as pictures or as rows."""
    if contents.generated is None or not len(contents.generated):
        return None
    some = [np.asarray(contents.generated[i]) for i in range(min(GENERATED, len(contents.generated)))]
    if some[0].ndim > 1:
        side = max(max(image.shape[:2]) for image in some)
        return {
            "image": [data_address(image, BYTES_GENERATED, "generated") for image in some],
            "crisp": side <= CRISP,
        }
    return {"rows": [[float(f"{v:.4g}") for v in row] for row in some[:8]]}


def _packed(values: np.ndarray) -> dict[str, str]:
    """Little-endian floats in base64, exact: 32-bit where that loses nothing, as for scores that came from torch."""
    with np.errstate(over="ignore"):
        single = values.astype("<f4")
    exact = bool((single == values).all())
    data = (single if exact else values.astype("<f8")).tobytes()
    return {"type": "f4" if exact else "f8", "base64": base64.b64encode(data).decode("ascii")}


def _quantiles(values: np.ndarray) -> np.ndarray:
    """The values in rising order, or that many quantiles of them if there are more."""
    rising = np.sort(values)
    if len(rising) <= REFERENCE_POINTS:
        return rising
    return rising[np.linspace(0, len(rising) - 1, REFERENCE_POINTS).round().astype(np.intp)]


def _counts(contents: Contents) -> dict[str, int]:
    """Verdicts at the threshold, and with labels the four cells of the confusion table."""
    flagged = contents.flagged
    counts = {"flagged": int(flagged.sum()), "passed": int((~flagged).sum())}
    if contents.labels is not None:
        anomaly = contents.labels == 1
        counts |= {
            "caught": int((flagged & anomaly).sum()),
            "missed": int((~flagged & anomaly).sum()),
            "false_alarm": int((flagged & ~anomaly).sum()),
            "cleared": int((~flagged & ~anomaly).sum()),
        }
    return counts


def _json_block(data: Mapping[str, Any]) -> Markup:
    """JSON that cannot end its script element: ASCII, and no <, > or & (which also covers <!-- and ]]>)."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 escaped in the line above


def _as_text(value: Any) -> str:
    """A setting or a name as one line of text, its invisible characters written out."""
    if isinstance(value, float):
        return _number(value)
    text = json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, (dict, list, tuple)) else value
    return INVISIBLE.sub(lambda found: f"\\u{ord(found[0]):04x}", clean_text(text))


def _number(value: float) -> str:
    return f"{value:.6g}"


def _resource(name: str) -> str:
    # through importlib.resources, so that it is found in a wheel or a zip; bytes, so that newlines stay as they are
    return files("ganad.report").joinpath(name).read_bytes().decode("utf-8").replace("\r\n", "\n")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def _write_atomically(path: Path, data: bytes) -> None:
    """A reader sees the old page or the new one, never half of one."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        # mkstemp makes a private file; a report has the permissions that open() would have given it
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
