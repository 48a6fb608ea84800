"""Small made-up photos, and backbones with random weights of the right names."""

import numpy as np
import torch

from ganad.nets import backbones


def plates(n: int, seed: int = 0, sides: tuple[int, int] = (60, 130)) -> list[np.ndarray]:
    """Photos of brushed metal, each of another size: smooth shading, fine lines and a little noise."""
    rng = np.random.default_rng(seed)
    return [_plate(rng, *rng.integers(*sides, 2)) for _ in range(n)]


def _plate(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    shade = 110 + 30 * np.sin(np.linspace(0, 3, height) + rng.uniform(0, 6))[:, None]
    lines = 12 * rng.normal(size=(height, 1)) + np.zeros((1, width))
    return np.clip(shade + lines + 4 * rng.normal(size=(height, width)), 0, 255).astype(np.uint8)


def scratched(photo: np.ndarray, seed: int, length: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """The photo with a bright scratch across its lines, and the mask of the scratch."""
    rng = np.random.default_rng(seed)
    top, left = (int(rng.integers(5, side - length - 5)) for side in photo.shape)
    mask = np.zeros(photo.shape, bool)
    steps = np.arange(length)
    for wide in range(2):
        mask[top + steps, left + steps + wide] = True
    return np.where(mask, 235, photo).astype(np.uint8), mask


def weights(tmp_path, name: str = "resnet18", layers=(1, 2, 3, 4)) -> str:
    """A file of random weights for a backbone."""
    torch.manual_seed(0)
    path = tmp_path / f"{name}.pth"
    torch.save(backbones.build(name, layers).state_dict(), path)
    return str(path)
