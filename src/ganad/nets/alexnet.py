"""AlexNet's convolutions with ImageNet weights, as fixed features of images.

A. Krizhevsky et al., NIPS 2012; the one-tower network and the checkpoint are torchvision's, read without torchvision.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..errors import InputError

URL = "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"
SHA256_START = "7be5be79"  #: torchvision puts the first digits of the SHA-256 into the file's name
_SIDE = 224


class AlexNetFeatures(nn.Module):
    """Images ``(n, 1 or 3, H, W)`` in [-1, 1] to ``(n, 256, 6, 6)``: the last convolution, ReLU and pooling."""

    mean: Tensor
    sd: Tensor

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for out, kernel, stride, padding, pool in (
            (64, 11, 4, 2, True),
            (192, 5, 1, 2, True),
            (384, 3, 1, 1, False),
            (256, 3, 1, 1, False),
            (256, 3, 1, 1, True),
        ):
            layers += [nn.Conv2d(channels, out, kernel, stride, padding), nn.ReLU()]
            layers += [nn.MaxPool2d(3, 2)] if pool else []
            channels = out
        self.features = nn.Sequential(*layers)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1))
        self.register_buffer("sd", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = (x.expand(-1, 3, -1, -1) + 1) / 2
        x = interpolate(x, (_SIDE, _SIDE), mode="bilinear", align_corners=False)
        features: Tensor = self.features((x - self.mean) / self.sd)
        return features

    def read(self, path: str | Path) -> None:
        """Read the weights of a torchvision checkpoint. Raises InputError if it holds others."""
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            own = {k.removeprefix("features."): v for k, v in state.items() if k.startswith("features.")}
            self.features.load_state_dict(own)
        except FileNotFoundError as error:
            raise InputError(f"{path}: no such file; it should be torchvision's checkpoint, from {URL}") from error
        except Exception as error:  # the file may be of any kind, and torch.load may raise anything
            raise InputError(f"{path}: not torchvision's AlexNet checkpoint ({error})") from error


def checkpoint(path: str | None) -> Path:
    """``path``, or the public checkpoint from the cache, downloaded and checked if it is not there."""
    if path is not None:
        return Path(path)
    from ..data.fetch import fetch  # data is not needed to use a network

    found = fetch("weights", URL.rpartition("/")[2], None, url=URL)
    digest = hashlib.sha256(found.read_bytes()).hexdigest()
    if not digest.startswith(SHA256_START):
        raise InputError(f"{found}: its SHA-256 is {digest[:16]}..., not {SHA256_START}...; delete it and start again")
    return found
