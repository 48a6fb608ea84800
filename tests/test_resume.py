"""A fit that is killed with SIGKILL and resumed ends in the weights of the fit that was not."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from ganad import EGBAD, AutoEncoder, InputError, files
from ganad.errors import ModelFileError
from ganad.training import Checkpoint

from .samples import normal, small

FIT = """
import hashlib, sys, numpy as np, torch
from sklearn.datasets import load_digits
import ganad
name, folder, resume = sys.argv[1], sys.argv[2] or None, sys.argv[3] == "resume"
x = (load_digits().images[:600] * 255 / 16).astype(np.uint8)
settings = dict(epochs=EPOCHS, batch_size=50, ema=0.9, random_state=0, threads=1, device="cpu")
detector = getattr(ganad, name)(**settings)
detector.fit(x, checkpoint=folder, resume=resume, checkpoint_every=0.2)
print(hashlib.sha256(b"".join(v.numpy().tobytes() for v in detector.nets_.state_dict().values())).hexdigest())
"""


def fit(name: str, epochs: int, folder: str, resume: str = "") -> subprocess.Popen:
    code = FIT.replace("EPOCHS", str(epochs))
    return subprocess.Popen(
        [sys.executable, "-c", code, name, folder, resume], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen) -> str:
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return out.strip()


def killed_and_resumed(
    name: str, epochs: int, folder: str, kills: int, seed: int, within: float = 4
) -> tuple[str, int]:
    """The final hash after ``kills`` SIGKILLs, each ``within`` seconds of a checkpoint, and how many hit."""
    moments, hits, resume = random.Random(seed), 0, ""
    while hits < kills:
        process = fit(name, epochs, folder, resume)
        deadline = time.monotonic() + 60
        while not os.path.exists(f"{folder}/current.safetensors") and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        # a start of Python takes two seconds or so; the moment falls in it, in training or in a save
        time.sleep(moments.uniform(0, within))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        hits, resume = hits + 1, "resume"
    return finish(fit(name, epochs, folder, "resume")), hits


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_killed_once(tmp_path):
    unbroken = fit("EGBAD", 3, "")
    got, hits = killed_and_resumed("EGBAD", 3, str(tmp_path / "c"), 1, seed=0, within=0.5)
    assert hits == 1
    assert got == finish(unbroken)


#: Long enough for twenty lives of a few seconds each.
EPOCHS = {"FenceGAN": 60, "GANomaly": 60, "EGBAD": 60, "AutoEncoder": 150}


@pytest.mark.slow
@pytest.mark.parametrize("name", EPOCHS)
def test_killed_twenty_times(tmp_path, name):
    unbroken = finish(fit(name, EPOCHS[name], ""))
    got, hits = killed_and_resumed(name, EPOCHS[name], str(tmp_path / "c"), 20, seed=1)
    assert hits == 20
    assert got == unbroken


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_keeps_a_checkpoint_between_two_steps(tmp_path):
    folder = tmp_path / "c"
    process = fit("EGBAD", 500, str(folder))
    while not (folder / "current.safetensors").exists():
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "stopped; checkpoint kept in" in err


def test_a_checkpoint_of_other_data_or_settings_is_refused(tmp_path):
    x = normal("table")
    small(AutoEncoder, epochs=2).fit(x, checkpoint=tmp_path / "c")
    for changed, data in ((small(AutoEncoder, epochs=3), x), (small(AutoEncoder, epochs=2), x + 1)):
        with pytest.raises(InputError, match="other data, settings or versions"):
            changed.fit(data, checkpoint=tmp_path / "c", resume=True)
    small(AutoEncoder, epochs=3).fit(x, checkpoint=tmp_path / "c")  # without resume it starts over


def test_another_random_state_is_refused_and_an_equal_one_goes_on(tmp_path):
    def fit(seed, resume):
        detector = small(AutoEncoder, epochs=2, random_state=np.random.RandomState(seed))
        return detector.fit(normal("table"), checkpoint=tmp_path / "c", resume=resume)

    first = fit(0, False)
    assert fit(0, True).threshold_ == first.threshold_
    with pytest.raises(InputError, match="other data, settings or versions"):
        fit(1, True)


def test_debris_of_a_killed_save_is_removed(tmp_path):
    (tmp_path / ".current.safetensors.123.tmp").write_bytes(b"half")
    Checkpoint(tmp_path, "", resume=True)
    assert not list(tmp_path.iterdir())


def test_without_a_seed_a_resumed_fit_finds_the_one_it_began_with(tmp_path):
    x = normal("images")
    first = small(EGBAD, random_state=None).fit(x, checkpoint=tmp_path / "c").nets_.state_dict()
    again = small(EGBAD, random_state=None).fit(x, checkpoint=tmp_path / "c", resume=True).nets_.state_dict()
    digest = [hashlib.sha256(b"".join(v.numpy().tobytes() for v in s.values())).hexdigest() for s in (first, again)]
    assert digest[0] == digest[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t, h: h.update(epoch=-1), "epoch"),
        (lambda t, h: h.update(position=10**6), "batch 1000000 of a pass"),
        (lambda t, h: h.update(history=[{"stage": 1}]), "history"),
        (lambda t, h: h["counts"].clear() or h["counts"].update(x=1), "sums of other losses"),
        (lambda t, h: t.update({next(k for k in t if k.endswith("exp_avg")): torch.zeros(1, 2, 3)}), "of other shapes"),
        (lambda t, h: t.pop(next(k for k in t if k.endswith("exp_avg"))), "of other parameters"),
        (lambda t, h: t.pop(next(k for k in t if k.startswith("nets/"))), "weights of other names"),
    ],
)
def test_a_checkpoint_that_was_forged_is_refused_before_it_is_used(tmp_path, change, words):
    x = normal("table")
    small(AutoEncoder, epochs=2).fit(x, checkpoint=tmp_path / "c")
    file = tmp_path / "c" / "run-0.safetensors"
    tensors, header = files.read(file, "checkpoint")
    change(tensors, header)
    files.write(file, "checkpoint", tensors, header)
    with pytest.raises(ModelFileError, match=words) as said:
        small(AutoEncoder, epochs=2).fit(x, checkpoint=tmp_path / "c", resume=True)
    assert "fit without resume" in str(said.value)
