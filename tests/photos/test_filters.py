"""The fixed filters: edges and lines as a backbone that has no weights."""

import dataclasses

import numpy as np
import onnxruntime
import pytest
import torch

import ganad
from ganad import Gaussian, InputError, NearestNeighbor, files
from ganad.errors import ModelFileError
from ganad.export import export_onnx
from ganad.nets.filters import Filters
from ganad.photos import Backbone, Regions, choice

from .samples import plates, scratched, weights

FILTERS = Backbone("filters")
QUIET = dict(verbose=0, threads=1, random_state=0)


def vectors(photo: np.ndarray, view: Backbone = FILTERS) -> np.ndarray:
    network = view.network()
    grid = view.grid(photo.shape, network)
    out = np.full((grid.shape[0] * grid.shape[1], 59), np.nan, np.float32)
    for numbers, found in view.blocks(photo, network, torch.device("cpu")):
        out[numbers] = found
    return out.reshape(*grid.shape, 59)


def test_there_is_a_vector_for_every_eight_pixels():
    photo = np.random.default_rng(0).integers(0, 256, (83, 49, 3), dtype=np.uint8)
    found = vectors(photo)
    assert found.shape == (11, 7, 59) and np.isfinite(found).all()
    grey = vectors(photo[..., 0])
    np.testing.assert_allclose(grey[..., 1:3], 0, atol=1e-6)  # no colours
    assert (vectors(np.full((40, 40), 90, np.uint8))[..., 3:] < np.log(2.1e-3)).all()  # and no edges


@pytest.mark.parametrize("shape", [(8, 8), (8, 40), (40, 8, 3)])
def test_a_side_of_eight_pixels_has_one_vector(shape):
    found = vectors(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    assert found.shape == (shape[0] // 8, shape[1] // 8, 59) and np.isfinite(found).all()


@pytest.mark.parametrize("k", range(4))
def test_a_line_excites_the_filters_across_it(k):
    along = np.pi * k / 4 + np.pi / 2  # the direction in which the k-th filter is blind
    ys, xs = np.mgrid[:64, :64] - 32.0
    photo = np.where(abs(xs * np.sin(along) - ys * np.cos(along)) < 1, 255, 0).astype(np.uint8)
    middle = Filters()(torch.from_numpy(photo / 255).float().expand(1, 3, -1, -1))[0][0, 3:11, 4, 4]
    lines = middle[1::2]  # second derivatives, by their directions
    assert int(lines.argmax()) == k


def test_a_large_photo_passes_in_windows_and_gives_the_same_vectors():
    photo = plates(1, seed=3, sides=(1500, 1501))[0][:700]
    whole = vectors(photo)
    network = FILTERS.network()
    x = FILTERS._prepared(photo, network, torch.device("cpu"))
    at_once = FILTERS.vectors(network, x).permute(1, 2, 0).numpy()
    np.testing.assert_allclose(whole, at_once, atol=1e-5)


def test_every_octave_is_centred_on_the_positions():
    photo = torch.rand(1, 3, 64, 48, generator=torch.Generator().manual_seed(0))
    found, mirrored = (Filters()(x)[0] for x in (photo, photo.flip(3)))
    upright = [0, 2]  # directions that a mirror leaves as they are
    for first, count in ((3, 2), (19, 2), (35, 2), (51, 1)):  # of each octave, means and maxima
        for k in range(count):
            for direction in upright:
                channels = [first + 8 * k + 2 * direction, first + 8 * k + 2 * direction + 1]
                torch.testing.assert_close(mirrored[:, channels], found[:, channels].flip(3), atol=1e-4, rtol=0)


def test_a_file_with_weights_of_filters_is_refused(model, tmp_path):
    model.save(tmp_path / "m.safetensors")
    tensors, header = files.read(tmp_path / "m.safetensors", "model")
    other = tmp_path / "n.safetensors"
    files.write(other, "model", tensors | {"backbone/x": torch.ones(3)}, header)
    with pytest.raises(ModelFileError, match="filters have none"):
        ganad.load(other)
    header["state"]["backbone_sha256_"] = "ab" * 32
    files.write(other, "model", tensors, header)
    with pytest.raises(ModelFileError, match="its backbone has none"):
        ganad.load(other)


@pytest.fixture(scope="module")
def model():
    view = dataclasses.replace(FILTERS, cells=8)
    return Regions(Gaussian(apart=True), view, max_regions=10_000, pool="max", **QUIET).fit(plates(40))


def test_a_scratch_is_found_and_located(model):
    good = plates(20, seed=9)
    bad, masks = zip(*(scratched(photo, i) for i, photo in enumerate(good)))
    assert np.mean(model.anomaly_score(list(bad)) > model.anomaly_score(good)) > 0.9
    near = 0
    for found, mask in zip(model.inspect(list(bad)), masks):
        peak = np.unravel_index(found.heat.argmax(), found.heat.shape)
        near += np.abs(np.argwhere(mask) - peak).max(1).min() <= 16
    assert near >= 16


def test_the_model_file_needs_no_other_file(model, tmp_path):
    assert model.backbone_sha256_ is None
    photos = plates(3, seed=5)
    for embed in (False, True):
        model.set_params(embed=embed).save(tmp_path / "m.safetensors")
        again = ganad.load(tmp_path / "m.safetensors")
        np.testing.assert_allclose(again.anomaly_score(photos), model.anomaly_score(photos), rtol=1e-6)
        assert again.view == model.view


def test_the_exported_graph_agrees(model, tmp_path):
    photo = plates(1, seed=6)[0][:57, :60]
    export_onnx(model, tmp_path / "m.onnx", photo_shape=photo.shape)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    score = session.run(["score"], {session.get_inputs()[0].name: photo[None].astype(np.float32)})[0]
    np.testing.assert_allclose(score[0], model.anomaly_score([photo])[0], rtol=1e-4)


@pytest.fixture(scope="module")
def beside(tmp_path_factory):
    """A network and the filters at once."""
    return Backbone("resnet18", layers=(0, 2), weights=weights(tmp_path_factory.mktemp("weights")), cells=4)


def test_layer_0_is_that_of_the_filters_beside_the_network(beside):
    photo, cpu = plates(1)[0], torch.device("cpu")
    views = (beside, FILTERS, dataclasses.replace(beside, layers=(2,)))
    joined, own, network = (next(iter(view.blocks(photo, view.network(), cpu)))[1] for view in views)
    np.testing.assert_allclose(joined, np.concatenate([own, network], 1), rtol=1e-5, atol=1e-6)
    coarse = dataclasses.replace(beside, layers=(0, 4)).network()
    assert (coarse.stride, coarse.step) == (8, 32)


@pytest.mark.parametrize("embed", [False, True])
def test_a_model_with_layer_0_is_saved_and_exported(beside, tmp_path, embed):
    model = Regions(Gaussian(apart=True), beside, max_regions=1000, embed=embed, **QUIET).fit(plates(12))
    photos = plates(2, seed=5)
    model.save(tmp_path / "m.safetensors")
    again = ganad.load(tmp_path / "m.safetensors")
    np.testing.assert_allclose(again.anomaly_score(photos), model.anomaly_score(photos), rtol=1e-6)
    export_onnx(model, tmp_path / "m.onnx", photo_shape=photos[0].shape)
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    score = session.run(["score"], {"x": photos[0][None].astype(np.float32)})[0]
    np.testing.assert_allclose(score[0], model.anomaly_score(photos[:1])[0], rtol=1e-4)


def test_layer_0_is_joined_to_others_of_a_network_alone():
    for settings in (dict(layers=(0,)), dict(name="onnx", weights="a.onnx", layers=(0, 1))):
        with pytest.raises(InputError, match="must be"):
            Backbone(**settings).check()


def test_auto_takes_them_where_no_weights_are_installed(monkeypatch):
    installed: set[str] = set()
    monkeypatch.setattr(choice, "weights_installed", installed.__contains__)
    assert choice.choice_here() is choice.FILTERS and "ganad[backbone]" in choice.FILTERS.more
    installed.add("efficientnet-lite0")
    assert choice.choice_here() is choice.SMALLER and "EfficientNet-Lite0" in choice.SMALLER.words
    installed.add("efficientnet-lite2")
    assert choice.choice_here() is choice.PLACES and "EfficientNet-Lite2" in choice.PLACES.words


def test_settings_that_they_do_not_have():
    for settings, words in ((dict(weights="a.pth"), "no weights"), (dict(layers=(1,)), "no layers")):
        with pytest.raises(InputError, match=words):
            Regions(NearestNeighbor(), dataclasses.replace(FILTERS, **settings)).fit(plates(2))
