"""scaling="contrast": each image without its own brightness and contrast."""

import json

import numpy as np
import onnxruntime
import pytest
import torch

import ganad
from ganad import VAE, AutoEncoder, GANomaly, InputError, NearestNeighbor, PCAResidual
from ganad.detector.scaling import Scaling
from ganad.export import export_onnx

from .samples import normal, small, trained


def scaled(x):
    return Scaling.fit(x, "contrast").apply(torch.from_numpy(x)).numpy()


def test_brightness_and_contrast_of_an_image_do_not_count():
    x = normal("images").astype(np.float64)
    scaling = Scaling.fit(x, "contrast")
    as_is, changed = (scaling.apply(torch.from_numpy(v)).numpy() for v in (x, 0.5 * x + 60))
    assert np.allclose(as_is, changed, atol=1e-5)
    plain = (x[0] - x[0].mean()) / x[0].std()
    assert np.allclose(as_is[0] * scaling.scale + scaling.shift, plain, atol=1e-5)


def test_nearly_all_training_images_lie_where_tanh_can_reach():
    inside = (np.abs(scaled(normal("images"))) <= 1 + 1e-6).all((1, 2)).mean()
    assert 0.97 <= inside < 1


def test_a_blank_image_stays_blank_and_its_noise_faint():
    x = normal("images")
    scaling = Scaling.fit(x, "contrast")
    blank = torch.full((1, 8, 8), 100.0)
    noisy = blank + torch.randint(-2, 3, (1, 8, 8), generator=torch.Generator().manual_seed(0))
    usual = scaling.apply(torch.from_numpy(x)).std()
    assert scaling.apply(blank).std() == 0
    assert scaling.apply(noisy).std() < 0.3 * usual
    assert np.isfinite(scaled(np.full((4, 8, 8), 7, np.uint8))).all()  # and where all training images are blank


def test_a_table_refuses_it_in_one_sentence():
    with pytest.raises(InputError, match='"contrast" is for images, and these data are a table; use "standard"$'):
        small(NearestNeighbor, scaling="contrast").fit(normal("table"))


def test_auto_does_not_choose_it():
    assert Scaling.fit(normal("images"), "auto").contrast is None


def test_what_is_redrawn_has_the_contrast_of_its_sample_and_what_is_drawn_that_of_training():
    x = normal("images")
    model = small(PCAResidual, scaling="contrast", n_components=32).fit(x)
    faint = (x[:20] // 4 + 100).astype(np.uint8)
    redrawn = model.reconstruct(faint)
    assert redrawn.dtype == np.float32
    assert np.abs(redrawn - faint).mean() < np.abs(model.reconstruct(x[:20]) - x[:20]).mean() / 2
    drawn = trained(VAE, scaling="contrast").fit(x).sample(50, random_state=0)
    assert abs(drawn.mean() - x.mean()) < 30 and abs(drawn.std() - x.std()) < 30


def test_a_reconstruction_of_everything_is_the_sample():
    x = normal("images")
    scaling = Scaling.fit(x, "contrast")
    back = scaling.invert(scaling.apply(torch.from_numpy(x))).numpy()
    assert not np.allclose(back, x, atol=20)
    assert np.allclose(scaling.lent(back, x), x, atol=1e-3)


@pytest.mark.parametrize("channels", [(), (3,)], ids=["grey", "colour"])
def test_file_and_batch_give_the_same_bits(tmp_path, channels):
    x = np.random.default_rng(0).integers(0, 256, size=(70, 8, 9, *channels), dtype=np.uint8)
    model = small(AutoEncoder, scaling="contrast", image_size=8).fit(x)
    scores = model.anomaly_score(x)
    assert np.array_equal(model.anomaly_score(x[3:10]), scores[3:10])
    model.save(tmp_path / "m.safetensors")
    again = ganad.load(tmp_path / "m.safetensors", device="cpu")
    assert again.input_.scaling.contrast == model.input_.scaling.contrast
    assert np.array_equal(again.anomaly_score(x), scores)
    assert np.array_equal(again.reconstruct(x), model.reconstruct(x))
    assert again.explain(x[:2]).any()


def test_other_models_say_nothing_of_it_in_their_files(tmp_path):
    small(NearestNeighbor).fit(normal("images")).save(tmp_path / "m.safetensors")
    assert "contrast" not in json.loads(_header(tmp_path / "m.safetensors"))["input"]


def _header(path) -> str:
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        return next(v for v in file.metadata().values() if "sample_shape" in v)


@pytest.mark.parametrize("detector", [NearestNeighbor, GANomaly])
def test_onnx_scores_alike(tmp_path, detector):
    x = normal("images")
    model = small(detector, scaling="contrast").fit(x)
    export_onnx(model, tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    probes = np.concatenate([x[:30], x[:5] // 8, np.full((1, 8, 8), 50, np.uint8)])
    (scores,) = session.run(["score"], {"x": probes.astype(np.float32)})
    assert np.allclose(scores, model.anomaly_score(probes), rtol=1e-4, atol=1e-4)
