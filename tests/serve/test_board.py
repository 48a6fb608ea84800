"""The board in a real browser, what feeds it, and what a person says on it."""

import contextlib
import json
import sqlite3
import time

import httpx
import numpy as np
import pytest

from ganad.history import Entry, History
from ganad.serve.board import Board
from ganad.serve.served import ModelFile

from ..page.test_page import violations
from ..samples import normal
from .conftest import running
from .test_service import png, post

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def at_work(picture_model, tmp_path):
    """URL, history and board of a service that keeps one."""
    picture_model.save(tmp_path / "model.safetensors")
    history = History(tmp_path / "history.db")
    board = Board(history, tmp_path / "model.safetensors", spot_checks=0.5)
    file = ModelFile(tmp_path / "model.safetensors")
    with running(picture_model, board=board, file=file, engine="torch") as url:
        yield url, history, board


def wait_until(true, seconds=20):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def entries(model, n=60, anomalies=4, start=0):
    """Samples as a model might score them, the last ones flagged."""
    rng = np.random.default_rng(start)
    return [
        Entry(
            name=f"part {start + i}",
            score=float(9 if i >= n - anomalies else rng.random()),
            is_anomaly=i >= n - anomalies,
            threshold=2.0,
            seen_at=time.time() - n + i,
            model=model,
            p_value=0.5,
            spot_check=i == 1,
            traits={"brightness": 0.5},
            thumbnail=png(np.zeros((20, 40), np.uint8)) if i == n - 1 else None,
            boxes=[{"x": 0.25, "y": 0.5, "width": 0.5, "height": 0.25, "share": 0.9}] if i == n - 1 else None,
        )
        for i in range(n)
    ]


def test_what_is_scored_is_kept_with_pictures_traits_and_spot_checks(at_work, picture_model):
    url, history, board = at_work
    x = normal("images")[:40]
    for i, image in enumerate(x):
        answer = post(url, png(image), "image/png", explain="true" if i == 0 else "false")
        assert answer.status_code == 200
    wait_until(lambda: history.count() == 40)
    rows = history.rows()
    scores = picture_model.anomaly_score(x)
    np.testing.assert_allclose([row.score for row in rows], scores, rtol=1e-5)
    assert [row.is_anomaly for row in rows] == (scores > picture_model.threshold_).tolist()
    assert rows[3].p_value == pytest.approx(picture_model.p_values(x[3:4])[0])
    assert rows[3].traits == pytest.approx({"brightness": x[3].mean() / 255, "contrast": x[3].std() / 255})
    assert {row.model for row in rows} == {httpx.get(f"{url}/model").json()["sha256"]}
    checked = [row for row in rows if row.spot_check]
    assert 5 <= len(checked) <= 35 and any(not row.is_anomaly for row in checked)
    asked = [row for row in rows if row.spot_check or row.is_anomaly]
    assert all((row.thumbnail or b"").startswith(b"\x89PNG") for row in asked)
    assert board.recorder.dropped == board.recorder.behind == 0
    (model,) = history.models()
    np.testing.assert_array_equal(np.frombuffer(model.calibration), picture_model.calibration_)
    wait_until(lambda: "ganad_history_written 40.0" in httpx.get(f"{url}/metrics").text)
    measured = httpx.get(f"{url}/metrics").text
    assert all(f"ganad_{name}" in measured for name in ("drift_log_martingale", "flagged_share", "history_dropped"))


def test_rows_of_a_table_are_kept(table_model, tmp_path):
    table_model.save(tmp_path / "model")
    history = History(tmp_path / "history.db")
    board = Board(history, tmp_path / "model", spot_checks=0)
    with running(table_model, board=board, file=ModelFile(tmp_path / "model"), engine="torch") as url:
        rows = [{"width": 1, "height": i, "colour": "x"} for i in range(700)]
        assert post(url, json.dumps(rows).encode(), "application/json").status_code == 200
        with httpx.stream("GET", f"{url}/events") as events:
            state = next(json.loads(line[6:]) for line in events.iter_lines() if line.startswith('data: {"problem'))
        assert "not calibrated" in state["sentence"]
        wait_until(lambda: history.count() == 700)
    with History(tmp_path / "history.db") as again:
        row = again.rows(limit=1)[0]
        assert row.thumbnail is None and set(row.traits) == {"width", "height", "colour=x", "colour=y"}


def test_feedback_is_kept_taken_back_and_refused(at_work):
    url, history, _ = at_work
    history.add(entries("m" * 64))

    def mark(body, **headers):
        return httpx.post(f"{url}/feedback", content=body, headers={"Content-Type": "application/json"} | headers)

    assert mark(b'{"id": 3, "feedback": "normal"}').json() == {"id": 3, "feedback": "normal"}
    assert history.rows()[2].feedback == "normal"
    assert mark(b'{"id": 3, "feedback": null}').status_code == 200
    assert history.rows()[2].feedback is None
    own = url.removeprefix("http://")
    assert mark(b'{"id": 3, "feedback": "anomaly"}', Origin=f"http://{own}").status_code == 200
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert mark(b'{"id": 3, "feedback": "normal"}', **headers).status_code == 403
    assert mark(b'{"id": 3, "feedback": "normal"}', **{"Content-Type": "text/plain"}).status_code == 415
    assert history.rows()[2].feedback == "anomaly"
    assert mark(b'{"id": 3000, "feedback": "normal"}').status_code == 404
    assert mark(b"x" * 2000).status_code == 413
    for odd in (b"", b"{}", b"[]", b'{"id": "3", "feedback": "normal"}', b'{"id": 3, "feedback": "perhaps"}'):
        answer = mark(odd)
        assert answer.status_code == 422 and "anomaly" in answer.json()["error"]
    for id in (0, -1, 2**63, 99999999999999999999):
        assert mark(b'{"id": %d, "feedback": "normal"}' % id).status_code == 422
    for id in ("1", "3000", "-1", "0", "x", str(2**63 - 1), str(2**63), "9" * 20, "9" * 5000):
        assert httpx.get(f"{url}/board/{id}.jpg").status_code in (404, 422)
    assert httpx.get(f"{url}/board", headers={"Host": "evil.example"}).status_code == 400


def test_a_history_that_is_away_is_said(at_work, tmp_path):
    url, _, _ = at_work
    with contextlib.closing(sqlite3.connect(tmp_path / "history.db")) as other:
        other.execute("DROP TABLE ganad_samples")
    picture, mark = httpx.get(f"{url}/board/1.jpg"), httpx.post(f"{url}/feedback", json={"id": 1, "feedback": None})
    assert picture.status_code == mark.status_code == 503 and "cannot be reached" in picture.json()["error"]


def test_the_board_shows_what_is_scored_and_takes_feedback_by_mouse_and_keys(at_work, tab):
    url, history, _ = at_work
    model = httpx.get(f"{url}/model").json()["sha256"]
    asked = []
    tab.on("request", lambda request: asked.append(request.url))
    policy = tab.goto(f"{url}/board").headers["content-security-policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy
    tab.wait_for_selector("#sentence:has-text('no sample yet')")
    for image in normal("images")[:30]:
        post(url, png(image), "image/png", name=HOSTILE)
    wait_until(lambda: history.count() == 30)
    tab.wait_for_selector("#sentence:has-text('still as calibrated')")
    tab.wait_for_selector("#latest li:nth-child(24) img", state="attached")
    assert tab.locator("#latest .name").all_inner_texts() == [HOSTILE] * 24
    history.add(entries(model))
    tab.wait_for_selector("#queue li:has-text('part 59')")
    assert tab.inner_text("#latest li:first-child .name") == "part 59"
    tab.wait_for_function("document.querySelector('#queue .frame').getBoundingClientRect().height > 5")
    frame, mark = (tab.locator(f"#queue {part}").first.bounding_box() for part in (".frame", ".mark"))
    assert frame["width"] == pytest.approx(2 * frame["height"], abs=1)
    assert mark["x"] - frame["x"] == pytest.approx(frame["width"] / 4, abs=1)
    assert mark["y"] - frame["y"] == pytest.approx(frame["height"] / 2, abs=1)
    n = int(tab.inner_text("#waiting"))
    assert n == history.count(review=True, feedback="none")
    marked = lambda name: next(row.feedback for row in history.rows() if row.name == name)  # noqa: E731

    tab.click("#queue li:has-text('part 59') button:has-text('Normal')")
    tab.wait_for_selector("#said:has-text('part 59 is normal')")
    assert marked("part 59") == "normal"
    tab.wait_for_selector(f"#waiting:text-is('{n - 1}')")

    tab.focus("#queue li")
    tab.keyboard.press("ArrowDown")
    assert "part 57" in tab.inner_text("li:focus")
    tab.keyboard.press("a")
    tab.wait_for_selector("#said:has-text('part 57 is an anomaly')")
    assert marked("part 57") == "anomaly"
    assert "part 56" in tab.inner_text("li:focus")
    tab.keyboard.press("u")
    tab.wait_for_selector("#said:has-text('part 57 waits again')")
    assert marked("part 57") is None
    tab.wait_for_selector("#queue li:has-text('part 57')")

    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(tab) == []
    tab.emulate_media(color_scheme="dark")
    assert violations(tab) == []
    assert all(address.startswith((url, "data:")) for address in asked)
    assert not tab.errors


def test_drift_is_said_with_what_changed(at_work, picture_model, tab):
    url, history, board = at_work
    model, rng = httpx.get(f"{url}/model").json()["sha256"], np.random.default_rng(0)
    scores = rng.choice(picture_model.calibration_, 1200)
    scores[800:] = picture_model.calibration_.max() + 1 + rng.random(400)
    history.add(
        Entry(
            name=str(i),
            score=float(score),
            is_anomaly=bool(score > picture_model.threshold_),
            threshold=picture_model.threshold_,
            seen_at=1.6e9 + 60 * i,
            model=model,
            p_value=0.5,
            traits={"brightness": float(rng.normal() + 5 * (i >= 800)), "contrast": float(rng.normal())},
        )
        for i, score in enumerate(scores)
    )
    tab.goto(f"{url}/board")
    tab.wait_for_selector("#verdict.drifting")
    sentence = tab.inner_text("#sentence")
    assert sentence.startswith("drifting since") and "no longer keeps 10 %" in sentence
    assert "brightness" in tab.inner_text("#changes") and "contrast" not in tab.inner_text("#changes")
    assert abs(board.live.verdict.since - 1.6e9 - 60 * 800) < 60 * 30
    assert "ganad_drift 1.0" in httpx.get(f"{url}/metrics").text
    tab.emulate_media(color_scheme="dark")
    assert violations(tab) == []


def test_a_service_that_ends_is_said_and_ends_at_once(picture_model, tmp_path, tab):
    picture_model.save(tmp_path / "model")
    with contextlib.ExitStack() as stack:
        board = Board(History(tmp_path / "history.db"), tmp_path / "model")
        options = dict(board=board, file=ModelFile(tmp_path / "model"), engine="torch")
        url = stack.enter_context(running(picture_model, **options))
        tab.goto(f"{url}/board")
        tab.wait_for_selector("#model:has-text('AutoEncoder')")
        stack.close()  # joins the server although a stream is open
    tab.wait_for_selector("#problem:has-text('does not answer')")


def test_without_a_history_there_is_no_board(pictures):
    assert httpx.get(f"{pictures}/board").status_code == 404
    assert httpx.get(f"{pictures}/model").json()["board"] is False
