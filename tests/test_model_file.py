"""Model files: what is altered, foreign or cut short is refused in one sentence, and nothing in a file ever runs."""

import json
import os
import pickle

import numpy as np
import pytest
import safetensors.torch
import torch

import ganad
from ganad import AutoEncoder, InputError, files
from ganad.errors import ModelFileError

from .samples import fitted, normal, small


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    small(AutoEncoder, hidden=(4, 2, 4)).fit(normal("table")).save(path)
    return path


def load_words(path) -> str:
    """The one sentence with which a file is refused."""
    with pytest.raises(InputError) as caught:
        ganad.load(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_flipped_bit_is_noticed(model_file, tmp_path):
    data = model_file.read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "flipped.safetensors"
    for position in rng.choice(len(data), 300, replace=False):
        mutant = bytearray(data)
        mutant[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(mutant)
        with pytest.raises(ModelFileError):
            ganad.load(path)


def test_every_truncation_is_noticed(model_file, tmp_path):
    data = model_file.read_bytes()
    path = tmp_path / "cut.safetensors"
    for length in np.linspace(0, len(data) - 1, 100).astype(int):
        path.write_bytes(data[:length])
        with pytest.raises(ModelFileError):
            ganad.load(path)
    path.write_bytes(data + b"more")
    with pytest.raises(ModelFileError):
        ganad.load(path)


def test_files_that_are_no_model_are_refused_and_never_run(tmp_path):
    class Payload:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    (tmp_path / "a.safetensors").write_bytes(pickle.dumps(Payload()))
    torch.save({"x": Payload()}, tmp_path / "b.safetensors")
    (tmp_path / "c.safetensors").write_text("hello")
    for name in "abc":
        assert "not a ganad model" in load_words(tmp_path / f"{name}.safetensors")
    safetensors.torch.save_file({"x": torch.zeros(2)}, tmp_path / "d.safetensors")
    assert "not one that ganad wrote" in load_words(tmp_path / "d.safetensors")
    assert "no such file" in load_words(tmp_path / "missing")
    assert "no such file" in load_words(tmp_path)
    assert not (tmp_path / "ran").exists()


def rewritten(model_file, path, change, tensors=None):
    """The model with a changed header, its checksums made right again."""
    loaded, header = files.read(model_file, "model")
    header = json.loads(json.dumps(header))
    change(header)
    files.write(path, "model", loaded | (tensors or {}), header)
    return path


def test_another_class_version_shape_or_setting_is_named(model_file, tmp_path):
    path = tmp_path / "changed.safetensors"

    def unknown(header):
        header["class"] = "os.system"

    assert "class 'os.system'" in load_words(rewritten(model_file, path, unknown))

    def wider(header):
        header["settings"]["hidden"] = [4, 3, 4]

    assert "with these settings has float32[3" in load_words(rewritten(model_file, path, wider))

    def huge(header):  # must be refused without building it
        header["settings"]["hidden"] = [10**9, 10**9]

    assert "with these settings has" in load_words(rewritten(model_file, path, huge))

    def foreign(header):
        header["settings"]["colour"] = "red"

    assert "its settings are not those" in load_words(rewritten(model_file, path, foreign))
    weights = {"nets/autoencoder.0.bias": torch.zeros(4, dtype=torch.float64)}
    assert "float64[4]" in load_words(rewritten(model_file, path, lambda header: None, weights))
    data = model_file.read_bytes().replace(b'"ganad_format":"2"', b'"ganad_format":"9"')
    path.write_bytes(data)
    assert "written in format '9'" in load_words(path)


def test_a_checkpoint_is_not_a_model(tmp_path):
    files.write(tmp_path / "c.safetensors", "checkpoint", {"x": torch.zeros(1)}, {})
    assert "a ganad 'checkpoint', not a model" in load_words(tmp_path / "c.safetensors")


def test_a_failed_write_leaves_the_old_file_and_no_debris(tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    files.write(path, "model", {"x": torch.zeros(3)}, {"n": 1})
    before = path.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        files.write(path, "model", {"x": torch.ones(3)}, {"n": 2})
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.safetensors"]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OSError, match="missing"):
        fitted(AutoEncoder, "table").save(tmp_path / "missing" / "model.safetensors")


def test_settings_that_json_cannot_hold_are_refused(tmp_path):
    model = small(AutoEncoder).fit(normal("table"))
    model.extra_ = object()
    with pytest.raises(InputError, match="cannot be saved"):
        model.save(tmp_path / "m.safetensors")
    assert not list(tmp_path.iterdir())


class WithState(AutoEncoder):
    """Leaves one fitted attribute of each kind behind."""

    def train(self, x):
        super().train(x)
        self.array_, self.tensor_ = np.arange(3, dtype=np.float64), torch.arange(4)
        self.pair_, self.words_, self.number_ = (1, 2), np.array(["a", "b"], dtype=object), 0.1


def test_fitted_attributes_of_every_kind_survive(tmp_path):
    model = small(WithState).fit(normal("table"))
    model.save(tmp_path / "m.safetensors")
    again = ganad.load(tmp_path / "m.safetensors")
    assert again.array_.dtype == np.float64
    assert np.array_equal(again.array_, model.array_)
    assert torch.equal(again.tensor_, model.tensor_)
    assert (again.pair_, again.number_, again.words_.tolist()) == ((1, 2), 0.1, ["a", "b"])
