"""Deep SVDD's networks for images, and its normalisation of an image's contrast.

L. Ruff et al., ICML 2018; code lukasruff/Deep-SVDD-PyTorch.
"""

from __future__ import annotations

from torch import Tensor, nn

from .conv import Reshape


def contrast(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and mean absolute deviation of each image (global contrast normalisation, L1)."""
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean, (x - mean).abs().mean((1, 2, 3), keepdim=True).clamp_min(1e-6)


def normalised(x: Tensor) -> Tensor:
    """Images with a mean of 0 and a mean absolute deviation of 1."""
    mean, spread = contrast(x)
    return (x - mean) / spread


def convolutional(shape: tuple[int, ...], latent_dim: int) -> tuple[nn.Sequential, nn.Sequential]:
    """5 x 5 convolutions and pooling: 8 and 4 channels for grey images, 32, 64 and 128 for colour."""
    channels, height, width = shape
    widths = [8, 4] if channels == 1 else [32, 64, 128]

    def conv(a: int, b: int) -> list[nn.Module]:
        layer = nn.Conv2d(a, b, 5, padding=2, bias=False)
        nn.init.xavier_uniform_(layer.weight, gain=nn.init.calculate_gain("leaky_relu", 0.01))
        return [layer, nn.BatchNorm2d(b, eps=1e-4, affine=False), nn.LeakyReLU(0.01)]

    sizes = [(height, width)]
    down: list[nn.Module] = []
    for a, b in zip([channels, *widths], widths):
        down += [*conv(a, b), nn.MaxPool2d(2)]
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    h, w = sizes[-1]
    flat = widths[-1] * h * w
    up: list[nn.Module] = [nn.Linear(latent_dim, flat, bias=False), Reshape(widths[-1], (h, w)), nn.LeakyReLU(0.01)]
    for a, b, size in zip(widths[::-1], [*widths[-2::-1], widths[0]], sizes[-2::-1]):
        up += [nn.Upsample(size), *conv(a, b)]
    last = nn.Conv2d(widths[0], channels, 5, padding=2, bias=False)
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(flat, latent_dim, bias=False))
    return encoder, nn.Sequential(*up, last, nn.Tanh())
