"""The page of a detector in one call: arrays and Samples, tables and images, calibrated or not."""

import base64
import copy
import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

import ganad
from ganad import IGMMGAN, AutoEncoder, InputError, IsolationForest, calibrate, reporting
from ganad.data import Samples, Unreadable
from ganad.errors import UntrustedFit

from ..samples import fitted, normal, small


def data_of(path):
    """What a page holds for its script."""
    text = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text("utf-8"), re.DOTALL)
    return json.loads(text[1])


def unpacked(text, kind):
    return np.frombuffer(base64.b64decode(text), kind)


@pytest.mark.parametrize("kind", ["table", "images"])
def test_an_array_gives_scores_pictures_or_rows_training_and_settings(tmp_path, kind):
    model, x = fitted(AutoEncoder, kind), normal(kind)
    path = ganad.report(model, x, tmp_path / "page.html")
    assert path == tmp_path / "page.html" and list(tmp_path.iterdir()) == [path]
    data = data_of(path)
    assert data["n"] == len(x) and data["names"] == [str(i) for i in range(len(x))]
    np.testing.assert_array_equal(unpacked(data["scores"], "<f8"), model.anomaly_score(x))
    assert data["threshold"] == model.threshold_
    assert data["title"] == "AutoEncoder report" and data["settings"]["epochs"] == "1"
    assert data["facts"]["ganad"] == ganad.__version__ and "torch" in data["facts"]
    assert [panel["stage"] for panel in data["training"]] == ["training"]
    assert data["p_values"] is None and data["labels"] is None
    shown, empty = ("pictures", "rows") if kind == "images" else ("rows", "pictures")
    assert len(data[shown]) == 200 and data[empty] == {}


@pytest.mark.parametrize("kind", ["table", "images"])
def test_samples_bring_names_columns_and_what_could_not_be_read(tmp_path, kind):
    x = normal(kind)[:30]
    names, columns = [f"part {i}" for i in range(30)], [f"sensor {i}" for i in range(6)]
    samples = Samples(x, names=names, columns=columns, unreadable=[Unreadable("bad.png", "empty file")])
    data = data_of(ganad.report(fitted(AutoEncoder, kind), samples, tmp_path / "page.html"))
    assert data["names"] == names and data["unreadable"] == [["bad.png", "empty file"]]
    if kind == "table":
        assert {column for row in data["rows"].values() for column, *_ in row} <= set(columns)


def test_a_calibrated_detector_brings_p_values_and_its_own_reference(tmp_path):
    x = normal("table")
    model = copy.deepcopy(fitted(AutoEncoder, "table")).calibrate(x[:50])
    data = data_of(ganad.report(model, x[50:], tmp_path / "page.html"))
    np.testing.assert_allclose(unpacked(data["p_values"], "<f4"), model.p_values(x[50:]), rtol=1e-6)
    assert data["reference"]["what"] == "held-out normal samples" and data["reference"]["n"] == 50


def test_scores_labels_and_facts_are_taken_as_given(tmp_path):
    x = normal("table")[:40]
    scores, labels = np.arange(40.0), np.arange(40) >= 30
    path = ganad.report(
        fitted(AutoEncoder, "table"), x, tmp_path / "page.html", scores=scores, labels=labels, facts={"line": 7}
    )
    data = data_of(path)
    np.testing.assert_array_equal(unpacked(data["scores"], "<f8"), scores)
    assert data["figures"]["auroc"] == 1 and data["n_odd"] == 10 and data["facts"]["line"] == 7


def test_other_detectors_are_compared_at_their_own_thresholds(tmp_path):
    x, labels = normal("table")[:40], np.arange(40) >= 30
    own, other = fitted(AutoEncoder, "table"), copy.deepcopy(fitted(IsolationForest, "table"))
    other.calibrate(x[:20], false_alarm_rate=0.2)
    data = data_of(ganad.report(own, x, tmp_path / "page.html", labels=labels, rivals={"a forest": other}))
    mine, forest = data["comparison"]
    assert mine["name"] == "AutoEncoder" and mine["auroc"] == pytest.approx(data["figures"]["auroc"])
    flagged = other.anomaly_score(x) > other.threshold_
    assert forest == {
        "name": "a forest",
        "auroc": pytest.approx(roc_auc_score(labels, other.anomaly_score(x))),
        "found": flagged[30:].sum(),
        "false_alarms": flagged[:30].sum(),
    }
    assert 0 < forest["found"] + forest["false_alarms"] < 40
    without = data_of(ganad.report(own, x, tmp_path / "page.html", rivals={"a forest": other}))
    assert without["comparison"] == []  # nothing to count without labels


def test_what_a_method_cannot_do_is_left_out(tmp_path):
    data = data_of(ganad.report(fitted(IsolationForest, "images"), normal("images"), tmp_path / "page.html"))
    assert {tuple(picture) for picture in data["pictures"].values()} == {("image",)}  # a forest explains nothing
    assert data["generated"] == [] and data["maps"]["own"] is False  # codes, but no mixture of its own
    data = data_of(ganad.report(fitted(AutoEncoder, "images"), normal("images"), tmp_path / "page.html"))
    assert data["maps"] is None


def test_floats_from_0_to_1_are_drawn_like_bytes_and_generated_alike(tmp_path):
    x = (normal("images") / 255).astype(np.float32)
    model = small(IGMMGAN).fit(x)
    path = ganad.report(model, x[:20], tmp_path / "page.html")
    data = data_of(path)
    assert len(data["generated"]) == 16 and data["pictures"].keys() == {str(i) for i in range(20)}
    grey = {level for address in data["generated"] for level in np.unique(pixels(address))}
    assert len(grey) > 10  # not black and white alone


def pixels(address):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(scores=np.ones(3)), r"scores of shape \(3,\) do not fit 400 samples"),
        (dict(scores=np.ones((400, 1))), r"scores of shape \(400, 1\)"),
        (dict(labels=np.full(400, -1)), "labels must be 1 for anomalies"),
        (dict(path="missing/page.html"), "no such folder"),
        (dict(path="."), "is a folder"),
        (dict(samples=normal("images")), "AutoEncoder"),
    ],
)
def test_what_cannot_be_reported_is_refused_and_nothing_is_written(tmp_path, monkeypatch, change, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=words):
        ganad.report(fitted(AutoEncoder, "table"), **dict(samples=normal("table"), path="page.html") | change)
    assert list(tmp_path.iterdir()) == []


def test_a_detector_must_be_fitted(tmp_path):
    with pytest.raises(NotFittedError):
        ganad.report(small(AutoEncoder), normal("table"), tmp_path / "page.html")


@pytest.mark.parametrize("method", [AutoEncoder, IGMMGAN])
def test_every_picture_is_explained_and_redrawn(open_page, tmp_path, method):
    x = normal("images")
    model = small(method).fit(x[:150]).calibrate(x[150:], false_alarm_rate=0.1)
    page = open_page(ganad.report(model, x, tmp_path / "out.html").read_text("utf-8"))
    shown = page.evaluate("Object.values(data.pictures).map(p => Object.keys(p).sort().join())")
    assert shown == ["heat,image,redrawn"] * 200
    # an IGMM-GAN brings codes and clusters of its own
    assert page.evaluate("data.maps?.own ?? null") == (True if method is IGMMGAN else None)
    page.locator("#gallery button").first.click()
    assert "50 held-out normal samples" in page.locator("#d-place").inner_text()
    assert ganad.__version__ in page.locator(".facts").inner_text()


def test_infinite_scores_lie_above_threshold_and_others(tmp_path):
    """As the table of scores has them: an anomaly with a text that training did not have is flagged and ranks first."""
    assert reporting.drawable(np.array([1.0, np.inf, 3.0]), 9.0).tolist() == [1.0, 9.4, 3.0]
    assert reporting.drawable(np.array([np.inf]), np.inf).tolist() == [1.0]
    x = normal("table")
    model = small(AutoEncoder).fit(x[:40]).calibrate(x[40:70], false_alarm_rate=0.1)
    scores = model.anomaly_score(x[:30])
    scores[3] = np.inf
    labels = (np.arange(30) == 3).astype(int)
    data = data_of(ganad.report(model, x[:30], tmp_path / "r.html", scores=scores, labels=labels))
    assert data["facts"]["infinite scores"] == "1, drawn beyond the others"
    drawn = unpacked(data["scores"], "<f8")
    assert drawn.max() > model.threshold_ and data["names"][int(drawn.argmax())] == "3"
    p = unpacked(data["p_values"], "<f4")
    assert p[int(drawn.argmax())] == np.float32(calibrate.p_values(scores, model.calibration_)[3])
    with pytest.warns(UntrustedFit):
        model.calibrate_on_scores(np.append(model.calibration_, [np.inf] * 5), false_alarm_rate=0.1)
    assert data_of(ganad.report(model, x[:30], tmp_path / "r.html", scores=scores))["threshold"] is None
