"""The service for photos of any size: score, verdict and boxes in the answer and on the page."""

import io

import httpx
import numpy as np
import pytest
from PIL import Image

from ganad import InputError, PCAResidual
from ganad.history import History
from ganad.photos import Regions, Tiles
from ganad.serve import Limits
from ganad.serve.app import create_app
from ganad.serve.board import Board

from ..page.test_page import violations
from ..serve.conftest import running
from .samples import plates

LIMITS = Limits(pixels=40_000)


@pytest.fixture(scope="module")
def model():
    inner = PCAResidual(n_components=5, verbose=0)
    quiet = dict(random_state=0, device="cpu", threads=1, verbose=0)
    model = Regions(inner, Tiles(16, 8), pool="max", max_regions=400, **quiet)
    return model.fit(plates(40), hold_out=0.5, false_alarm_rate=0.1)


@pytest.fixture(scope="module")
def url(model):
    with running(model, limits=LIMITS) as address:
        yield address


def spotted(photo):
    bad = photo.copy()
    bad[20:28, 30:42] = 255
    return bad


def png(photo):
    out = io.BytesIO()
    Image.fromarray(photo).save(out, "PNG")
    return out.getvalue()


def posted(url, body, kind="image/png", **query):
    return httpx.post(f"{url}/score", params=query, content=body, headers={"Content-Type": kind}, timeout=60)


def test_a_photo_of_any_size_is_answered_as_python_scores_it(url, model):
    for photo in (plates(1, seed=7)[0], spotted(plates(1, seed=8)[0])):
        [result] = posted(url, png(photo)).json()["results"]
        assert result["score"] == model.anomaly_score([photo])[0]
        assert result["p_value"] == model.p_values([photo])[0]
        assert (result["width"], result["height"]) == photo.shape[::-1]
        assert result["regions"] == [vars(region) for region in model.regions(photo)]
        assert "explanation" not in result
    assert result["is_anomaly"]
    best = result["regions"][0]
    assert best["x"] <= 36 <= best["x"] + best["width"] and best["y"] <= 24 <= best["y"] + best["height"]
    assert posted(url, png(photo), explain=True).json()["results"][0]["explanation"].startswith("data:image/png")


def test_a_history_keeps_photos_of_any_size_with_the_places_in_flagged_ones(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    board = Board(History(tmp_path / "h.db"), tmp_path / "model.safetensors", spot_checks=0.0)
    good, bad = plates(1, seed=7)[0], spotted(plates(1, seed=8)[0])
    with running(model, limits=LIMITS, board=board) as url:
        assert httpx.get(f"{url}/model").json()["kind"] == "photos"
        for name, photo in (("good", good), ("cut", good[:-7, :-3]), ("bad", bad)):
            assert posted(url, png(photo), name=name).status_code == 200
        assert httpx.get(f"{url}/board").status_code == 200
    with History(tmp_path / "h.db") as history:  # the end of the service has kept what waited
        rows = {row.name: row for row in history.rows()}
    assert rows.keys() == {"good", "cut", "bad"} and rows["good"].score == model.anomaly_score([good])[0]
    assert rows["bad"].is_anomaly and rows["bad"].thumbnail and rows["bad"].p_value == model.p_values([bad])[0]
    best = rows["bad"].boxes[0]
    assert best["x"] <= 36 / bad.shape[1] <= best["x"] + best["width"]
    assert not rows["good"].boxes or rows["good"].is_anomaly


def test_what_is_no_photo_and_what_is_too_large_is_refused(url, model):
    assert posted(url, b'{"rows": [[1]]}', "application/json").status_code == 415
    assert posted(url, b"no picture").status_code == 422
    assert posted(url, png(np.zeros((201, 200), np.uint8))).status_code == 422
    assert posted(url, png(np.zeros((7, 90), np.uint8))).status_code == 422
    assert httpx.get(f"{url}/model").json()["kind"] == "photos"
    with pytest.raises(InputError, match="with torch"):
        create_app(model, engine="onnx")


def test_the_page_draws_the_boxes_of_a_dropped_photo(url, model, browser):
    page = browser.new_page(viewport={"width": 400, "height": 800})
    troubles = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", lambda message: troubles.append(message.text) if message.type == "error" else None)
    page.goto(url)
    page.wait_for_selector("#model:has-text('scores photos')")
    photo = spotted(plates(1, seed=8)[0])
    page.set_input_files("#file", {"name": "plate.png", "mimeType": "image/png", "buffer": png(photo)})
    page.wait_for_selector("article .anomalous")
    assert page.locator("article rect").count() == len(model.regions(photo)) > 0
    box, picture = page.locator("article rect").first.bounding_box(), page.locator("article img").first.bounding_box()
    scale = picture["width"] / photo.shape[1]
    best = model.regions(photo)[0]
    assert box["x"] - picture["x"] == pytest.approx(best.x * scale, abs=2)
    assert box["width"] == pytest.approx(best.width * scale, abs=4)
    assert f"{best.width} × {best.height} pixels at {best.x}, {best.y}" in page.inner_text("article")
    assert violations(page) == [] and troubles == []
    page.close()
