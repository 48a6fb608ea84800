"""ONNX files score as the detector does, preprocessing and threshold included, in a real ONNX runtime."""

import json

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from ganad import DETECTORS, KDE, AutoEncoder, GANomaly, InputError, calibrate, load
from ganad.calibrate import SmallCalibrationSet
from ganad.export import export_onnx
from ganad.serve.engine import make_scorer

from .samples import KINDS, has_networks, small

FORWARD = [detector for detector in DETECTORS if not detector.NO_FORWARD_PASS]


#: Scores that are the difference of larger numbers: near zero few of float32's digits are left.
DIFFERENCES = {"DeepSVDD", "GMM", "OCAN", "OCNN", "RGAN"}


def real(kind: str) -> np.ndarray:
    """1,797 digits, no two alike: bytes of 8 x 8 pixels, or a table of 64 columns, of which some are constant."""
    digits = load_digits()
    return digits.data if kind == "table" else np.rint(digits.images * 255 / 16).astype(np.uint8)


def exported(model, path):
    export_onnx(model, path)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def assert_same(session, model, x):
    """Scores to a relative error of 1e-5, and every verdict farther than that from the threshold."""
    score, is_anomaly = session.run(None, {"x": x.astype(np.float32)})
    expected = model.anomaly_score(x)
    least = expected.std() * (1 if type(model).__name__ in DIFFERENCES else 1e-3)
    assert (np.abs(score - expected) / np.maximum(np.abs(expected), least)).max() <= 1e-5
    clear = np.abs(expected - model.threshold_) > 1e-5 * max(abs(model.threshold_), least)
    assert np.array_equal(is_anomaly[clear], (model.predict(x) == -1)[clear])
    assert clear.mean() > 0.5 and is_anomaly.any()


def cases():
    """Every method on tables and images. Images of a method without networks become rows: one shows it for all."""
    plain = [detector for detector in FORWARD if not has_networks(detector)]
    for detector in FORWARD:
        for kind in KINDS:
            repeats = detector in plain[1:] and kind == "images"
            yield pytest.param(detector, kind, id=f"{detector.__name__}-{kind}", marks=[pytest.mark.slow] * repeats)


@pytest.mark.parametrize(("detector", "kind"), list(cases()))
def test_scores_and_decisions_are_those_of_the_detector(detector, kind, tmp_path):
    x = real(kind)
    model = small(detector, contamination=0.1).fit(x)
    session = exported(model, tmp_path / "m.onnx")
    assert_same(session, model, x[:1000])
    one, together = (session.run(["score"], {"x": x[:n].astype(np.float32)})[0] for n in (1, 1000))
    assert np.allclose(one, together[:1], rtol=1e-4, atol=1e-5)
    described = json.loads(session.get_modelmeta().custom_metadata_map["ganad"])
    assert described["class"] == detector.__name__
    assert described["threshold"] == model.threshold_
    assert described["settings"] == json.loads(json.dumps(model.get_params()))


@pytest.mark.slow
def test_a_network_trained_for_a_while_on_28_pixels_scores_the_same_too(tmp_path):
    x = np.stack([np.asarray(Image.fromarray(image).resize((28, 28))) for image in real("images")])
    model = GANomaly(epochs=15, contamination=0.1, random_state=0, device="cpu").fit(x[:800])
    assert_same(exported(model, tmp_path / "m.onnx"), model, x[-1000:])


class Doubtful(AutoEncoder):
    """A method of one's own whose score asks what the data are."""

    def score_batch(self, x):
        return super().score_batch(x) if x.sum() > 0 else x.flatten(1).sum(1)


def test_a_method_that_cannot_be_traced_is_refused_in_a_sentence_and_served_by_torch(tmp_path):
    model = small(Doubtful).fit(real("table"))
    with pytest.raises(InputError, match="Doubtful cannot be exported: torch does not trace it"):
        export_onnx(model, tmp_path / "m.onnx")
    name, score = make_scorer(model, "auto")
    assert name == "torch" and np.array_equal(score(real("table")[:3]), model.anomaly_score(real("table")[:3]))
    assert not list(tmp_path.iterdir())


def test_a_threshold_that_flags_nothing_is_json(tmp_path):
    model = small(AutoEncoder).fit(real("table"))
    with pytest.warns(SmallCalibrationSet):
        model.calibrate(real("table")[:5], false_alarm_rate=0.01)
    export_onnx(model, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    assert '"threshold": null' in session.get_modelmeta().custom_metadata_map["ganad"]


def test_a_loaded_model_scores_the_same_after_its_export(tmp_path):
    x = real("table")
    model = small(KDE).fit(x)
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    export_onnx(loaded, tmp_path / "m.onnx")  # traces with stand-ins for arrays that no score has used yet
    np.testing.assert_array_equal(loaded.anomaly_score(x), model.anomaly_score(x))


def test_resizing_happens_inside_the_graph(tmp_path):
    x = real("images")
    model = small(AutoEncoder, image_size=16).fit(x)
    export_onnx(model, tmp_path / "m.onnx")
    score = onnxruntime.InferenceSession(tmp_path / "m.onnx").run(["score"], {"x": x[:50].astype(np.float32)})[0]
    assert np.allclose(score, model.anomaly_score(x[:50]), rtol=1e-4)


def test_a_method_that_searches_says_why_it_cannot_be_exported(tmp_path):
    class Searching(AutoEncoder):
        NO_FORWARD_PASS = "it searches for the code of every sample"

    model = small(Searching).fit(real("table"))
    with pytest.raises(InputError, match="it searches for the code"):
        export_onnx(model, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_a_sample_that_is_no_number_is_no_good_one(tmp_path):
    x = real("table")
    export_onnx(small(AutoEncoder).fit(x), tmp_path / "m.onnx")
    row = x[:1].astype(np.float32)
    row[0, 0] = np.nan
    score, odd = onnxruntime.InferenceSession(tmp_path / "m.onnx").run(None, {"x": row})
    assert np.isnan(score[0]) and odd[0]


def test_the_service_counts_samples_like_calibration_samples_as_equal():
    """Rows of few kinds, such as switches: most scores occur in the calibration set, and 32 bits part them."""
    rng = np.random.default_rng(0)
    x = rng.binomial(1, 0.1, (600, 6)).astype(float)
    model = KDE(verbose=0).fit(x, hold_out=0.3, false_alarm_rate=0.05)
    name, score = make_scorer(model, "onnx")
    new = rng.binomial(1, 0.1, (3000, 6)).astype(float)
    assert name == "onnx"
    assert np.array_equal(score(new) > model.threshold_, model.predict(new) == -1)
    assert np.array_equal(calibrate.p_values(score(new), model.calibration_), model.p_values(new))
    far = score(x + 0.3)
    np.testing.assert_allclose(far, model.anomaly_score(x + 0.3), rtol=1e-5)
    assert len(np.unique(far)) == len(np.unique(x, axis=0)), "what differs stays different"
