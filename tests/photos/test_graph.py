"""A model of photos as one ONNX graph: backbone or tiles, inner score and pooling, against the model itself."""

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from ganad import AutoEncoder, FenceGAN, Gaussian, InputError, NearestNeighbor, NotSupported, PCAResidual
from ganad.export import export_onnx
from ganad.photos import Backbone, Regions, Tiles

from .samples import plates, weights

QUIET = dict(random_state=0, device="cpu", threads=1, verbose=0, max_regions=120)
NETWORK = dict(epochs=1, batch_size=32, verbose=0)


def photos(n, seed=0, shape=(70, 90)):
    return [photo[: shape[0], : shape[1]] for photo in plates(n, seed, (90, 91))]


def check(model, path, shape=(70, 90)):
    export_onnx(model, path, photo_shape=shape)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    colour = model.channels_ == 3
    for photo in photos(3, seed=1, shape=shape):
        photo = np.stack([photo] * 3, -1) if colour else photo
        score, is_anomaly, heat = session.run(None, {"x": photo[None].astype(np.float32)})
        [(_, scores)] = model.region_scores([photo])
        assert score[0] == pytest.approx(model.anomaly_score([photo])[0], rel=1e-5)
        np.testing.assert_allclose(heat, scores, rtol=1e-4, atol=1e-5 * np.nanstd(scores))
        assert is_anomaly[0] == (model.predict([photo])[0] == -1)


@pytest.mark.parametrize("pool", ["top5", pytest.param("mean", marks=pytest.mark.slow)])
def test_backbone_core_set_and_pooling(tmp_path, pool):
    view = Backbone("resnet18", layers=(1, 2), weights=weights(tmp_path))
    model = Regions(NearestNeighbor(k=1, verbose=0), view, pool=pool, choose="coreset", **QUIET)
    check(model.fit(photos(4)), tmp_path / "m.onnx")


def test_tiles_of_a_photo_that_is_smaller_than_one_and_of_a_larger_one(tmp_path):
    model = Regions(AutoEncoder(**NETWORK), Tiles(32, 24), pool="max", **QUIET).fit(photos(4))
    check(model, tmp_path / "m.onnx", (30, 57))
    check(model, tmp_path / "m.onnx")


@pytest.mark.slow
def test_a_gan_on_vectors_of_a_part_in_colour(tmp_path):
    y, x = np.mgrid[:70, :90]
    Image.fromarray(np.uint8(255 * (np.hypot(y - 35, x - 45) < 30))).save(tmp_path / "part.png")
    view = Backbone("resnet18", layers=(1,), weights=weights(tmp_path))
    colour = [np.stack([photo] * 3, -1) for photo in photos(4)]
    model = Regions(FenceGAN(**NETWORK), view, part=str(tmp_path / "part.png"), crop="10,5,70,60", **QUIET)
    check(model.fit(colour), tmp_path / "m.onnx")


def test_a_gaussian_a_place(tmp_path):
    view = Backbone("resnet18", layers=(1,), weights=weights(tmp_path), cells=3)
    settings = QUIET | dict(max_regions=1000)
    check(Regions(Gaussian(apart=True, verbose=0), view, **settings).fit(photos(8)), tmp_path / "m.onnx")


@pytest.mark.slow
def test_one_vector_a_photo(tmp_path):
    view = Backbone("resnet18", layers=(1, 2), weights=weights(tmp_path), regions=False)
    check(Regions(NearestNeighbor(k=1, verbose=0), view, **QUIET).fit(photos(6)), tmp_path / "m.onnx")


def test_what_cannot_be_exported_says_why(tmp_path, monkeypatch):
    view = Backbone("resnet18", layers=(1,), weights=weights(tmp_path))
    model = Regions(PCAResidual(verbose=0), view, **QUIET).fit(photos(4))
    with pytest.raises(NotSupported, match="several windows"):
        export_onnx(model, tmp_path / "m.onnx", photo_shape=(700, 90))
    cropped = Regions(PCAResidual(verbose=0), view, crop="10,10,60,60", **QUIET).fit(photos(4))
    export_onnx(cropped, tmp_path / "c.onnx", photo_shape=(700, 90))  # of which 60 x 60 pixels are looked at
    with pytest.raises(InputError, match="is none; leave it out"):
        export_onnx(model.inner_, tmp_path / "m.onnx", photo_shape=(70, 90))
    monkeypatch.setattr(PCAResidual, "NO_FORWARD_PASS", "it searches")
    with pytest.raises(NotSupported, match="PCAResidual cannot be exported: it searches"):
        export_onnx(model, tmp_path / "m.onnx", photo_shape=(70, 90))
    assert not (tmp_path / "m.onnx").exists()
