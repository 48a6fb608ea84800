"""The contract of every detector, over Regions: its checks see photos of 25 digits, and noise as anomalies.

Three checks do not apply. ``check_every_network_learns``: Regions trains no network of its own; those of the inner
detector have this check themselves. ``check_unusable_input_is_refused``: photos may have any size, and bytes are never
NaN; what is refused instead is below. ``check_every_preset_builds``: Regions has no presets. ``check_every_variant_
scores``: nor variants.
"""

import pickle
from functools import partial
from unittest import SkipTest

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from ganad import AutoEncoder, Ensemble, FenceGAN, Gaussian, InputError, NearestNeighbor, PCAResidual
from ganad.detector.network import NetworkDetector
from ganad.nets.backbone_weights import PACKAGES
from ganad.photos import Backbone, Regions, Tiles
from ganad.testing import contract, samples

_DIGITS = samples.normal("images")
_LEFT_OUT = {
    "check_every_network_learns",
    "check_unusable_input_is_refused",
    "check_every_preset_builds",
    "check_every_variant_scores",
}
_SETTINGS = dict(max_regions=120, verbose=0)
DETECTORS = {
    "fence-gan-tiles": Regions(FenceGAN(epochs=1, batch_size=32), Tiles(8, 8), **_SETTINGS),
    "nearest-backbone": Regions(NearestNeighbor(k=1), Backbone(), **_SETTINGS),
    "gaussian-places": Regions(Gaussian(apart=True), Backbone(cells=2), **_SETTINGS | dict(max_regions=400)),
    "white-backbone": Regions(
        AutoEncoder(epochs=1, batch_size=32), Backbone(cells=2), whiten="place", **_SETTINGS | dict(max_regions=400)
    ),
    "ensemble-tiles": Regions(
        Ensemble(members=[PCAResidual(n_components=4), NearestNeighbor()]), Tiles(8, 8), **_SETTINGS
    ),
}
#: Seconds long; each has a twin here that is not.
_SLOW = {
    "fence-gan-tiles": {
        "resumed_fit",
        "threads",
        "constant_columns",
        "contamination",
        "save_and_load",
        "17x30",
        "128x",
    },
    "nearest-backbone": {"same_seed", "threads", "constant_columns", "contamination", "planted"},
    "gaussian-places": {"same_seed", "threads", "constant_columns", "contamination", "resumed_fit", "128x", "17x30"},
    "white-backbone": {"check_"},  # all; test_whitening.py has what is quick
    "ensemble-tiles": {"save_and_load", "128x128"},
}


def _photos(seed: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    digits = _DIGITS[rng.integers(0, len(_DIGITS), (n, 5, 5))]
    return digits.transpose(0, 1, 3, 2, 4).reshape(n, 40, 40)


NORMAL = _photos(0, 70)
ANOMALOUS = np.random.default_rng(1).choice(np.array([0, 255], np.uint8), size=(6, 40, 40))


def _cases():
    for name in DETECTORS:
        for check in contract.CHECKS:
            if check.__name__ in _LEFT_OUT:
                continue
            of_shapes = check.__name__ == "check_samples_of_any_shape"
            for more in [dict(shape=shape) for shape in contract.SHAPES["images"]] if of_shapes else [{}]:
                words = "-".join([check.__name__, *("x".join(map(str, shape)) for shape in more.values())])
                slow = any(part in words for part in _SLOW[name])
                marks = [pytest.mark.slow] if slow else []
                yield pytest.param(name, partial(check, kind="images", **more), id=f"{name}-{words}", marks=marks)


@pytest.fixture(autouse=True)
def photos_for_the_checks(monkeypatch):
    for module in (contract, samples):
        monkeypatch.setattr(module, "normal", lambda kind: NORMAL)
        monkeypatch.setattr(module, "anomalous", lambda kind: ANOMALOUS)
        # whose steps a fit takes, and whose draws depend on the seed
        monkeypatch.setattr(module, "has_networks", lambda d, kind: isinstance(d.detector, NetworkDetector))


@pytest.mark.parametrize(("name", "check"), list(_cases()))
def test_contract(name, check):
    if "backbone" in name:
        pytest.importorskip(PACKAGES["efficientnet-lite0"].module, reason="ganad[backbone] is not installed")
    try:
        check(DETECTORS[name])
    except SkipTest as reason:
        pytest.skip(str(reason))


# -- what the checks left out say of other detectors, said of photos -------------------------------------------


def small(**changes) -> Regions:
    return samples.small(DETECTORS["ensemble-tiles"], **changes)


def test_what_is_no_photo_is_not_scored():
    fitted = samples.fitted(DETECTORS["ensemble-tiles"], "images")
    for given, words in (
        (NORMAL.astype(np.float32), "float32 .* a photo is uint8"),
        (np.full((2, 40, 40), np.nan), "float64 .* a photo is uint8"),
        (NORMAL[:, :7], "sides of 8 or more"),
        (NORMAL[:0], "at least 1 photos, not 0"),
        (np.stack([NORMAL] * 3, -1), "3 channels, the others have 1"),
        ("photos", "takes a list of photos, not str"),
        (None, "takes a list of photos, not NoneType"),
    ):
        for use in (fitted.anomaly_score, fitted.predict, fitted.explain, fitted.calibrate):
            with pytest.raises(InputError, match=words):
                use(given)


def test_impossible_settings_are_refused_before_anything_is_read():
    for changes, words in (
        (dict(contamination=0.7), "contamination=0.7 must lie between"),
        (dict(device="nonsense"), "device='nonsense' cannot be used here"),
        (dict(max_regions=0), "max_regions=0"),
        (dict(detector=NearestNeighbor(k=-1)), "k=-1"),
    ):
        with pytest.raises(InputError, match=words):
            small().set_params(**changes).fit(NORMAL)


def test_what_is_not_fitted_says_so(tmp_path):
    model = small()
    for use in (
        lambda: model.anomaly_score(NORMAL),
        lambda: model.predict(NORMAL),
        lambda: model.explain(NORMAL),
        lambda: model.regions(NORMAL[0]),
        lambda: model.calibrate(NORMAL),
        lambda: model.save(tmp_path / "m.ganad"),
    ):
        with pytest.raises(NotFittedError):
            use()


@pytest.mark.parametrize("name", DETECTORS)
def test_a_fitted_one_can_be_sent_and_more_threads_change_rounding_at_most(name):
    if "backbone" in name:
        pytest.importorskip(PACKAGES["efficientnet-lite0"].module, reason="ganad[backbone] is not installed")
    fitted = samples.fitted(DETECTORS[name], "images")
    scores = fitted.anomaly_score(ANOMALOUS)
    sent = pickle.loads(pickle.dumps(fitted))  # noqa: S301
    assert sent.anomaly_score(ANOMALOUS).tolist() == scores.tolist()
    # torch may sum a convolution in another order with more threads
    np.testing.assert_allclose(sent.set_params(threads=2).anomaly_score(ANOMALOUS), scores, rtol=1e-6)


def test_calibration_keeps_the_rate_and_survives_a_file(tmp_path):
    from ganad import load

    fitted = small().fit(NORMAL, hold_out=0.5, false_alarm_rate=0.1)
    assert (fitted.predict(_photos(2, 60)) == -1).mean() < 0.25 and (fitted.predict(ANOMALOUS) == -1).all()
    fitted.save(tmp_path / "m.ganad")
    loaded = load(tmp_path / "m.ganad", device="cpu")
    assert np.array_equal(loaded.p_values(NORMAL), fitted.p_values(NORMAL))
    assert loaded.detector.get_params(deep=False).keys() == fitted.detector.get_params(deep=False).keys()


def test_the_inner_detector_computes_where_and_as_the_outer_one_is_told():
    inner = small(threads=2).fit(NORMAL).inner_
    assert (inner.device, inner.threads, inner.verbose) == ("cpu", 2, 0)
