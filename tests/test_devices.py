"""Choices of device, precision and threads, and what is put back afterwards."""

import pytest
import torch

from ganad import InputError, devices


def test_auto_takes_a_gpu_only_where_there_is_one(monkeypatch):
    assert devices.choose_device("cpu") == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert devices.choose_device() == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert devices.choose_device() == torch.device("cuda")


@pytest.mark.parametrize("name", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(InputError, match="cannot be used here"):
        devices.choose_device(name)


def test_precision(monkeypatch):
    cpu = torch.device("cpu")
    for fast in (True, False):
        monkeypatch.setattr(devices, "has_fast_bf16", lambda kind, fast=fast: fast)
        assert devices.choose_dtype("auto", cpu, is_image=True) == (torch.bfloat16 if fast else torch.float32)
        assert devices.choose_dtype("auto", cpu, is_image=False) == torch.float32
        assert devices.choose_dtype("fp32", cpu, is_image=True) == torch.float32
        assert devices.choose_dtype("bf16", cpu, is_image=False) == torch.bfloat16


def test_threads(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for cores, expected in ((1, 1), (2, 1), (8, 4), (64, 8)):
        monkeypatch.setattr(devices, "available_cores", lambda n=cores: n)
        assert devices.choose_threads(None, is_image=True) == expected
        assert devices.choose_threads(None, is_image=False) == 1
    assert devices.choose_threads(3, is_image=False) == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert devices.choose_threads(None, is_image=False) == 5
    before = torch.get_num_threads()
    with devices.use_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
