"""How /score is described in /openapi.json."""

from __future__ import annotations

from typing import Any

BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {"schema": {}, "example": {"rows": [{"column": 1.0}]}},
            "text/csv": {"schema": {"type": "string"}},
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
        },
    },
}
_NUMBER = {"type": ["number", "null"], "description": "null where it is infinite"}
_RESULT = {
    "type": "object",
    "required": ["name", "score", "is_anomaly"],
    "properties": {
        "name": {"type": "string"},
        "score": _NUMBER,
        "is_anomaly": {"type": "boolean"},
        "p_value": {"type": "number", "description": "of a calibrated model"},
        "width": {"type": "integer", "description": "of a photo that keeps its size, in pixels"},
        "height": {"type": "integer"},
        "regions": {
            "type": "array",
            "description": "of a photo that keeps its size: the boxes of what stands out, the highest first",
            "items": {
                "type": "object",
                "properties": {name: {"type": "integer"} for name in ("x", "y", "width", "height", "area")}
                | {"score": {"type": "number"}},
            },
        },
        "explanation": {
            "description": "with explain=true: an image's heat map as a PNG in a data URL, or a row's columns",
            "oneOf": [
                {"type": ["string", "null"]},
                {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"column": {"type": "string"}, "contribution": _NUMBER},
                    },
                },
            ],
        },
    },
}


def _schema(description: str, required: list[str], **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "required": required, "properties": properties}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


ANSWERS: dict[int | str, dict[str, Any]] = {
    200: _schema("scores", ["threshold", "results"], threshold=_NUMBER, results={"type": "array", "items": _RESULT}),
    **{
        code: _schema(text, ["error"], error={"type": "string"})
        for code, text in {
            400: "no body",
            408: "the body came too slowly",
            413: "too large",
            415: "not a kind of body that this model scores",
            422: "cannot be read; the sentence says where",
            500: "the service failed",
            503: "busy; try again after Retry-After",
        }.items()
    },
}
