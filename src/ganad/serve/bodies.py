"""What a body holds: told apart by its type, and read as the training data were."""

from __future__ import annotations

from ..data import Samples
from ..detector import Detector
from ..display import shown
from ..errors import InputError
from .image_body import image
from .limits import Limits
from .rejections import Refused
from .table_body import table

_PARQUET = ("application/vnd.apache.parquet", "application/x-parquet", "application/parquet")
_SENTENCE = 500  # characters of an answer, which may name a cell of a megabyte
#: content type -> how the body is read; "" is told by its first bytes
KINDS = {"application/json": "json", "text/csv": "csv", "application/octet-stream": ""}
KINDS |= dict.fromkeys(_PARQUET, "parquet")


def parse(body: bytes, content_type: str, detector: Detector, limits: Limits) -> Samples:
    """Samples and their names; Refused with 422 and a sentence for what cannot be read."""
    kind = kind_of(content_type, body)
    images = detector.input_.is_image
    if images != (kind == "image"):
        wanted = "images" if images else "table rows, as JSON, CSV or Parquet"
        raise Refused(415, f"this model scores {wanted}, and the body is {kind}")
    try:
        return image(body, detector, limits) if images else table(body, kind, detector, limits)
    except InputError as error:
        raise Refused(422, shortened(str(error))) from error


def kind_of(content_type: str, body: bytes) -> str:
    """image, json, csv or parquet; Refused with 415 for anything else."""
    name = content_type.split(";")[0].strip().lower()
    if name.startswith("image/"):
        return "image"
    if name not in KINDS:
        what = f"the content type {shown(repr(name))}" if name else "a body without a content type"
        raise Refused(415, f"{what} is not read; send an image, application/json, text/csv or Parquet")
    return KINDS[name] or ("parquet" if body[:4] == b"PAR1" else "image")


def shortened(sentence: str) -> str:
    return sentence if len(sentence) <= _SENTENCE else sentence[:_SENTENCE] + "…"
