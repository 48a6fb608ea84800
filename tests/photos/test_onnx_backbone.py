"""A network in an ONNX file as a backbone: its maps are those of the network, and a hostile file is one sentence."""

import copy
import dataclasses
import pickle
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from typer.testing import CliRunner

import ganad
from ganad import InputError, NearestNeighbor, devices, files
from ganad.cli.main import build_app
from ganad.errors import ModelFileError
from ganad.export import export_onnx
from ganad.nets import backbone_weights, onnx_maps
from ganad.nets.backbones import IMAGENET, WINDOW
from ganad.photos import Backbone, Regions

from .samples import plates, weights

CPU = torch.device("cpu")
QUIET = dict(random_state=0, device="cpu", threads=1, verbose=0, max_regions=100)
PHOTOS = plates(5)


class Unscaled(nn.Module):
    """A network that scales pixels itself, behind the scaling that files are given."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        mean, sd = (torch.tensor(values).view(3, 1, 1) for values in IMAGENET)
        return tuple(self.network(x * sd + mean))


def exported(network, path, free=True):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the older exporter takes a tenth of the newer one's time
        torch.onnx.export(
            Unscaled(network).eval(),
            (torch.rand(1, 3, 64, 96),),
            path,
            dynamo=False,
            opset_version=17,
            input_names=["x"],
            dynamic_axes={"x": {2: "H", 3: "W"}} if free else None,
        )
    return Backbone("onnx", weights=str(path))


def vectors(view, photo):
    numbers, found = map(np.concatenate, zip(*view.blocks(photo, view.network(), CPU)))
    return found[np.argsort(numbers)]


def agree(view, twin, shape):
    photo = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    wanted = vectors(twin, photo)
    np.testing.assert_allclose(vectors(view, photo), wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())


def test_the_packaged_network_exported_gives_its_vectors(tmp_path):
    pytest.importorskip(backbone_weights.PACKAGES["efficientnet-lite0"].module, reason="its weights are missing")
    view = exported(Backbone().network(), tmp_path / "m.onnx")
    agree(view, Backbone(), (96, 160))
    agree(view, Backbone(), (64, WINDOW + 96))  # in two windows
    # traced, its convolutions are padded for even sides, so photos are brought to multiples of its coarsest stride
    assert view.size_of((100, 140), view.network()) == (96, 128)


def test_a_network_whose_maps_round_up_sees_photos_as_they_are(tmp_path):
    twin = Backbone("resnet18", layers=(1, 2), weights=weights(tmp_path))
    view = exported(twin.network(), tmp_path / "m.onnx")
    for shape in ((50, 77), (61, 90, 3)):
        agree(view, twin, shape)
    second = Backbone("onnx", layers=(2,), weights=view.weights)
    agree(second, Backbone("resnet18", layers=(2,), weights=twin.weights), (50, 77))
    assert second.network().stride == 8 and view.network().stride == 4


def test_photos_are_resized_to_the_only_size_that_a_file_takes(tmp_path):
    view = exported(Backbone("resnet18", layers=(2,), weights=weights(tmp_path)).network(), tmp_path / "m.onnx", False)
    network = view.network()
    assert (network.size, network.stride) == ((64, 96), 8)
    grid = view.grid((128, 288), network)
    assert grid.shape == (8, 12) and grid.ys[0] == pytest.approx(7.5) and grid.xs[0] == pytest.approx(11.5)
    fitted = Regions(NearestNeighbor(verbose=0), view, **QUIET).fit(PHOTOS)
    assert [scores.shape for _, scores in fitted.region_scores(PHOTOS[:2])] == [(8, 12)] * 2
    assert [heat.shape for heat in fitted.maps(PHOTOS[:2])] == [photo.shape for photo in PHOTOS[:2]]
    with pytest.raises(InputError, match="takes photos of 96 x 64 pixels alone"):
        Backbone("onnx", weights=view.weights, side=64).network()


# -- files made by hand --------------------------------------------------------------------------------------


def file(tmp_path, nodes=None, inputs=None, outputs=("map",), consts=(), change=None, **made):
    """An ONNX file of these nodes; without, the mean of 4 x 4 pixels as ``map`` and their mean as ``vector``."""
    nodes = nodes or [
        helper.make_node("AveragePool", ["x"], ["map"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("ReduceMean", ["map"], ["vector"], axes=[2, 3], keepdims=0),
    ]
    inputs = inputs or [("x", [1, 3, "H", "W"])]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(values, name) for name, values in dict(consts).items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("other", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9, **made)
    if change:
        change(model)
    path = tmp_path / "made.onnx"
    path.write_bytes(model.SerializeToString())
    return Backbone("onnx", weights=str(path))


def scaled(photo):
    mean, sd = (np.array(values)[:, None, None] for values in IMAGENET)
    return (photo[None] / 255 - mean) / sd


def test_maps_are_the_files_outputs_on_pixels_scaled_as_torchvision_does(tmp_path):
    photo = np.random.default_rng(0).integers(0, 256, (8, 12), dtype=np.uint8)
    means = scaled(photo).reshape(3, 2, 4, 3, 4).mean((2, 4))
    neighbours = means.mean(1)[:, [0, 1]].mean(1), means.mean((1, 2)), means.mean(1)[:, [1, 2]].mean(1)
    np.testing.assert_allclose(vectors(file(tmp_path), photo), np.tile(neighbours, (2, 1)), rtol=1e-4, atol=1e-5)
    grey = file(tmp_path, inputs=[("x", [1, 1, "H", "W"])])
    np.testing.assert_allclose(vectors(grey, photo), np.tile(neighbours, (2, 1)).mean(1, keepdims=True), rtol=1e-4)


def test_a_vector_is_one_a_photo_and_no_region(tmp_path):
    view = file(tmp_path, outputs=("map", "vector"))
    assert view.network().names == ["map"]
    with pytest.raises(InputError, match="its output 2 is one vector a picture"):
        Backbone("onnx", layers=(2,), weights=view.weights).network()
    with pytest.raises(InputError, match="layers=\\(3,\\), but it has 2 outputs"):
        Backbone("onnx", layers=(3,), weights=view.weights).network()
    whole = Backbone("onnx", layers=(2,), weights=view.weights, regions=False)
    fitted = Regions(NearestNeighbor(verbose=0), whole, **QUIET).fit([photo[:40, :40] for photo in PHOTOS])
    wanted = np.array([scaled(photo[:40, :40]).mean((1, 2)) for photo in PHOTOS])
    samples = fitted.inner_.input_.to_user(torch.from_numpy(fitted.inner_.samples_))
    np.testing.assert_allclose(np.sort(samples, 0), np.sort(wanted, 0), rtol=1e-4, atol=1e-4)
    large = np.zeros((8, WINDOW + 8), np.uint8)
    assert len(vectors(whole, large)) == 2  # a window each, of which the photo's is the mean
    both = Backbone("onnx", weights=view.weights, regions=False)
    assert both.network().names == ["map", "vector"] and vectors(both, PHOTOS[0]).shape[1] == 6


def test_a_network_can_be_copied_and_threads_change_no_bit(tmp_path):
    view = exported(Backbone("resnet18", layers=(1, 2), weights=weights(tmp_path)).network(), tmp_path / "m.onnx")
    network = view.network()
    found, sent = [], pickle.loads(pickle.dumps(network))  # noqa: S301
    for threads, copied in ((1, network), (2, copy.deepcopy(network)), (1, sent)):
        with devices.use_threads(threads):
            [(_, values)] = view.blocks(PHOTOS[0], copied, CPU)
        found.append(values)
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])


def test_a_model_file_needs_the_same_file_or_holds_it(tmp_path):
    view = file(tmp_path, outputs=("map", "vector"))
    for embed in (False, True):
        fitted = Regions(NearestNeighbor(verbose=0), view, embed=embed, **QUIET).fit(PHOTOS)
        fitted.save(tmp_path / f"{embed}.ganad")
        loaded = ganad.load(tmp_path / f"{embed}.ganad", device="cpu")
        assert loaded.anomaly_score(PHOTOS).tolist() == fitted.anomaly_score(PHOTOS).tolist()
        assert loaded.view == view and loaded.backbone_sha256_ == files.sha256_of(view.weights)
    view.file.write_bytes(b"another")
    with pytest.raises(InputError, match="with SHA-256"):
        ganad.load(tmp_path / "False.ganad", device="cpu")
    assert ganad.load(tmp_path / "True.ganad", device="cpu").anomaly_score(PHOTOS).shape == (5,)
    tensors, header = files.read(tmp_path / "True.ganad", "model")
    for wrong in (tensors["backbone/onnx"][:-9], torch.zeros(3), torch.zeros(0, dtype=torch.uint8)):
        files.write(tmp_path / "wrong", "model", tensors | {"backbone/onnx": wrong}, header)
        with pytest.raises(ModelFileError, match="ONNX"):
            ganad.load(tmp_path / "wrong", device="cpu")


@pytest.mark.parametrize(("operator", "opset"), [("GroupNormalization", 18), ("RMSNormalization", 23)])
def test_operators_that_the_exported_graph_cannot_have_are_named(tmp_path, operator, opset):
    settings = dict(num_groups=1) if operator == "GroupNormalization" else dict(axis=1)
    weights = dict.fromkeys("ab" if settings.get("num_groups") else "a", np.ones(1, np.float32))
    nodes = [
        helper.make_node("AveragePool", ["x"], ["pooled"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node(operator, ["pooled", *weights], ["map"], **settings),
    ]

    def change(model):
        model.opset_import[0].version = opset

    fitted = Regions(NearestNeighbor(verbose=0), file(tmp_path, nodes, consts=weights, change=change), **QUIET)
    with pytest.raises(InputError, match=f"cannot be brought to opset 20 .*{operator}.*other operators"):
        export_onnx(fitted.fit(PHOTOS), tmp_path / "e.onnx", photo_shape=(64, 80))
    assert not (tmp_path / "e.onnx").exists()


def test_what_the_maps_do_not_need_stays_out_of_an_exported_graph(tmp_path):
    nodes = [
        helper.make_node("AveragePool", ["x"], ["map"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Add", ["map", "unused"], ["head"]),
    ]
    consts = dict(unused=np.zeros((1, 3, 1, 1), np.float32))
    fitted = Regions(NearestNeighbor(verbose=0), file(tmp_path, nodes, consts=consts), **QUIET).fit(PHOTOS)
    export_onnx(fitted, tmp_path / "e.onnx", photo_shape=(64, 80))
    assert not [node for node in onnx.load(tmp_path / "e.onnx").graph.node if "unused" in "".join(node.output)]


@pytest.mark.parametrize("case", ["map and vector", "free size", "one size", "cells"])
def test_it_becomes_a_part_of_an_exported_graph(tmp_path, case):
    if case == "map and vector":
        view = dataclasses.replace(file(tmp_path, outputs=("map", "vector")), regions=False)
    else:
        twin = Backbone("resnet18", layers=(1, 2), weights=weights(tmp_path))
        view = exported(twin.network(), tmp_path / "b.onnx", free=case != "one size")
        view = dataclasses.replace(view, cells=3) if case == "cells" else view
    photos = [photo[:64, :80] for photo in plates(5, sides=(80, 90))]
    fitted = Regions(NearestNeighbor(verbose=0), view, **QUIET).fit(photos)
    export_onnx(fitted, tmp_path / "e.onnx", photo_shape=(64, 80))
    model = onnx.load(tmp_path / "e.onnx")
    assert not model.functions and {node.domain for node in model.graph.node} <= {"", "ai.onnx"}
    session = onnxruntime.InferenceSession(tmp_path / "e.onnx", providers=["CPUExecutionProvider"])
    for photo in photos[:2]:
        score, _, heat = session.run(None, {"x": photo[None].astype(np.float32)})
        [(_, scores)] = fitted.region_scores([photo])
        assert score[0] == pytest.approx(fitted.anomaly_score([photo])[0], rel=1e-5)
        np.testing.assert_allclose(heat, scores, rtol=1e-4, atol=1e-6)


def test_the_command_line_takes_a_file_and_names_the_choice(tmp_path):
    from PIL import Image

    (tmp_path / "normal").mkdir()
    for i, photo in enumerate(PHOTOS):
        Image.fromarray(photo).save(tmp_path / "normal" / f"{i}.png")
    fit = ["fit", str(tmp_path / "normal"), "-o", str(tmp_path / "m.ganad"), "--method", "nearest-neighbor"]
    for given, words in (
        (f"onnx:{file(tmp_path).weights}", "5 normal samples"),
        ("vgg", "nor onnx with a file, onnx:FILE"),
        ("onnx", "onnx needs a file; on the command line --backbone onnx:FILE"),
        (f"onnx:{tmp_path}/none.onnx", "no such file; give an ONNX file"),
    ):
        made = CliRunner().invoke(build_app(fit), [*fit, "--backbone", given])
        assert words in " ".join(made.output.split()) and "Traceback" not in made.output, made.output


# -- hostile files -------------------------------------------------------------------------------------------


def outside(model):
    weight = model.graph.initializer.add()
    weight.CopyFrom(numpy_helper.from_array(np.zeros(3, np.float32), "w"))
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    entry = weight.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def outside_in_a_branch(model):
    outside(model)
    then = helper.make_graph([], "then", [], [], [model.graph.initializer.pop()])
    model.graph.node.append(helper.make_node("If", ["map"], ["y"], then_branch=then))


def lying(model):
    weight = model.graph.initializer.add()
    weight.CopyFrom(numpy_helper.from_array(np.zeros(3, np.float32), "w"))
    weight.dims[0] = 10**9
    model.graph.node.append(helper.make_node("Add", ["map", "w"], ["y"]))


def function(model):
    made = helper.make_function("other", "F", ["x"], ["y"], [helper.make_node("Relu", ["x"], ["y"])], [])
    model.functions.append(made)


def node(kind, inputs=("x",), output="map", **attributes):
    return helper.make_node(kind, list(inputs), [output], **attributes)


POOL = dict(kernel_shape=[4, 4], strides=[4, 4])
LOOP = helper.make_graph([], "body", [], [])
HOSTILE = {
    "external": (dict(change=outside), "weights in other files"),
    "external-in-a-branch": (dict(change=outside_in_a_branch), "weights in other files"),
    "custom": (dict(nodes=[node("Harm", domain="other")]), "'?other'?.'?Harm'? is not one of ONNX's own"),
    "unknown": (dict(nodes=[node("Harm")]), "ONNX Runtime does not take it|contradict"),
    "function": (dict(change=function), "functions of its own"),
    "loop": (dict(nodes=[node("Loop", ["", "", "x"], body=LOOP)]), "Loop may run for ever"),
    "no-picture": (dict(inputs=[("x", [1, 40])]), "its input is not a picture"),
    "five-channels": (dict(inputs=[("x", [1, 5, "H", "W"])]), "its input is not a picture"),
    "batch-of-two": (dict(inputs=[("x", [2, 3, "H", "W"])]), "its input is not a picture"),
    "two-inputs": (dict(inputs=[("x", [1, 3, "H", "W"]), ("y", [1])]), "has 2 inputs"),
    "no-input": (dict(nodes=[node("Relu", ["w"])], consts={"w": np.ones(3, np.float32)}, inputs=[("w", [3])]), "has 0"),
    "one-side": (dict(inputs=[("x", [1, 3, 64, "W"])]), "fix both or none"),
    "negative": (dict(inputs=[("x", [1, 3, -64, -64])]), "its input is not a picture"),
    "huge": (dict(inputs=[("x", [1, 3, 10**6, 10**6])]), "largest tensor needs .* of memory"),
    "huge-within": (
        dict(
            nodes=[node("AveragePool", output="m", **POOL), node("Expand", ["w", "s"], "e"), node("Add", ["m", "e"])],
            consts={"w": np.ones(1, np.float32), "s": np.array([1, 10**6, 1000, 1000])},
        ),
        "largest tensor needs .* of memory",
    ),
    "lying": (dict(change=lying), "ONNX Runtime|of memory"),
    "rank": (
        dict(nodes=[node("Flatten", output="f"), node("Unsqueeze", ["f", "a"])], consts={"a": np.array([2])}),
        "map",
    ),
    "overlapping": (
        dict(nodes=[node("AveragePool", kernel_shape=[9, 9], strides=[4, 4])]),
        "whole number of pixels apart",
    ),
    "nan": (dict(nodes=[node("AveragePool", output="m", **POOL), node("Log", ["m"])]), "is not finite"),
    "one-size": (
        dict(nodes=[node("Reshape", ["x", "s"])], consts={"s": np.array([1, 3, 16, 16])}),
        "cannot be run on a picture of 448 x 448",
    ),
    "empty": (dict(nodes=[node("Slice", ["x", "z", "z"])], consts={"z": np.array([0])}), "has the shape|ONNX Runtime"),
    "cycle": (dict(nodes=[node("Relu", ["y"]), node("Add", ["x", "map"], "y")]), "ONNX Runtime|contradict"),
    "no-output": (dict(outputs=()), "no float32 map|ONNX Runtime"),
}


def refusal(view) -> str:
    with pytest.raises(InputError) as caught:
        view.network()
    words = str(caught.value)
    assert words.isprintable() and len(words) < 600
    return words


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_one_sentence(tmp_path, kind):
    made, words = HOSTILE[kind]
    with pytest.raises(InputError, match=words):
        file(tmp_path, **made).network()
    refusal(file(tmp_path, **made))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not an ONNX file"),
        (b"weights of mine\n" * 20, "not an ONNX file"),
        (b"\x3a" + b"\xff\xff\xff\xff\x27" + b"x" * 40, "cut short, damaged"),  # a graph of 10 GB
        (pickle.dumps({"a": 1}), "not an ONNX file"),
        (b"\x12\x02\xff\xfe:\x08\x0a\x06\x22\x04Relu", "not an ONNX file, damaged"),  # its maker's name is no text
    ],
    ids=["empty", "text", "header", "pickle", "bytes"],
)
def test_what_is_no_onnx_file_is_one_sentence(tmp_path, data, words):
    (tmp_path / "m.onnx").write_bytes(data)
    assert words in refusal(Backbone("onnx", weights=str(tmp_path / "m.onnx")))


def test_a_file_cut_anywhere_is_refused(tmp_path):
    data = file(tmp_path).file.read_bytes()
    for end in range(0, len(data), 7):
        (tmp_path / "m.onnx").write_bytes(data[:end])
        refusal(Backbone("onnx", weights=str(tmp_path / "m.onnx")))


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    with open(tmp_path / "m.onnx", "wb") as sparse:
        sparse.truncate(10 * 2**30)
    assert "more than the" in refusal(Backbone("onnx", weights=str(tmp_path / "m.onnx")))


def test_too_many_operators_are_refused_before_they_are_run(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_maps, "_MOST_NODES", 1)
    assert "more than 1 operators" in refusal(file(tmp_path))
