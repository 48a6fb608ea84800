"""Photos of any size behind the queue: one look at a photo gives its score, its map, and boxes of what stands out."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from functools import partial
from typing import Any, Literal

import numpy as np

from ..data.decode import decode_one
from ..detector import Detector
from ..errors import InputError
from ..photos import Finding, Regions
from ..photos.found import to_scale
from .answers import finite, heat_map, verdicts
from .batching import Batcher, Full
from .bodies import kind_of, shortened
from .engine import make_scorer
from .image_body import depth_of
from .limits import Limits
from .rejections import RETRY, Refused
from .scoring import Keep, Scoring, forget

_MAP_SIDE = 512  # largest side of a heat map in an answer
_BOXES = 100  # regions of a photo in an answer, the highest
_KEPT = 5  # of them in a history

EngineName = Literal["auto", "onnx", "torch"]


def scoring_of(detector: Detector, engine: EngineName, limits: Limits, keep: Keep = forget) -> tuple[str, Scoring]:
    """The engine's name, and what scores with it; ``keep`` gets every answer.

    Raises InputError or MissingExtra for an engine that cannot be had.
    """
    if isinstance(detector, Regions):
        if engine == "onnx":
            raise InputError("the service scores photos of any size with torch; use --engine auto")
        return "torch", PhotoScoring(detector, limits, keep)
    name, scorer = make_scorer(detector, engine)
    return name, Scoring(detector, scorer, limits, keep)


def input_of(detector: Detector) -> dict[str, Any]:
    """What a detector scores: its kind, and the shape of a sample where all have one."""
    if isinstance(detector, Regions):
        return {"kind": "photos", "sample_shape": []}
    return {
        "kind": "images" if detector.input_.is_image else "table",
        "sample_shape": list(detector.input_.sample_shape),
    }


def columns_of(detector: Detector) -> list[str] | int | None:
    """What a table must hold for a detector: its columns in order, or their number; None for images."""
    if input_of(detector)["kind"] != "table":
        return None
    if source := getattr(detector, "source_", None):
        return [recipe["name"] for recipe in source["columns"]]
    return list(getattr(detector, "columns_", None) or []) or int(detector.input_.sample_shape[0])


class PhotoScoring(Scoring):
    """One detector of photos; a body is one photo, and photos are looked at one after the other."""

    def __init__(self, detector: Regions, limits: Limits, keep: Keep = forget):
        super().__init__(detector, self._look, limits, keep)
        self.regions = detector
        self.batcher = Batcher(self._look, waiting=limits.photos, largest=1)

    async def answer(self, body: bytes, content_type: str, explain: bool, name: str = "") -> dict[str, Any]:
        """The threshold and the result of the photo; Refused as ``Scoring.answer`` does."""
        if kind_of(content_type, body) != "image":
            raise Refused(415, f"this model scores photos, and the body is {kind_of(content_type, body)}")
        try:
            async with asyncio.timeout(self.limits.seconds):
                photo = await self.readers.run(partial(self._read, body))
                waiting = np.empty(1, object)  # photos differ in size
                waiting[0] = photo
                [finding] = await self.batcher.submit(waiting)
        except (Full, TimeoutError) as error:
            raise Refused(503, "busy; try again later", **RETRY) from error
        except InputError as error:
            raise Refused(422, shortened(str(error))) from error
        places = _shares(finding) if finding.score > self.detector.threshold_ else []
        self.keep(([name or "image"], photo[None], np.array([finding.score]), {0: places}))
        return {"threshold": finite(self.detector.threshold_), "results": [self._result(finding, explain)]}

    def _read(self, body: bytes) -> np.ndarray:
        mode = "RGB" if self.regions.channels_ == 3 else "L"
        return decode_one(body, None, mode, self.limits.pixels, depth_of(self.regions))

    def _look(self, photos: np.ndarray) -> np.ndarray:
        found = np.empty(len(photos), object)
        found[:] = list(self.regions.inspect(list(photos)))
        return found

    def _result(self, finding: Finding, explain: bool) -> dict[str, Any]:
        [result] = verdicts(self.detector, ["image"], np.array([finding.score]))
        height, width = finding.heat.shape
        result |= {"width": width, "height": height, "regions": [asdict(r) for r in finding.regions[:_BOXES]]}
        if explain:
            step = -(-max(height, width) // _MAP_SIDE)
            threshold = getattr(self.regions, "map_threshold_", float("inf"))
            result["explanation"] = heat_map(to_scale(finding.heat, threshold)[::step, ::step], full=1.0)
        return result


def _shares(finding: Finding) -> list[dict[str, float]]:
    """The highest regions as shares of the photo's sides, as a history keeps them."""
    height, width = finding.heat.shape
    return [
        {"x": r.x / width, "y": r.y / height, "width": r.width / width, "height": r.height / height}
        for r in finding.regions[:_KEPT]
    ]
