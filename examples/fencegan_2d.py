"""The two-dimensional experiment of the Fence GAN paper: what the discriminator knows, and where the fence is.

    python examples/fencegan_2d.py [--method RGAN] [--epochs 500] [--output fence.png]

Bright is normal, dark is anomalous; blue: data, orange: generated samples, which should lie around the data.
"""

import argparse

import numpy as np
from PIL import Image
from sklearn.metrics import roc_auc_score

import ganad
from ganad.data import load

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--method", choices=["FenceGAN", "RGAN"], default="FenceGAN")
parser.add_argument("--epochs", type=int, default=500)
parser.add_argument("--output", default="fence.png")
options = parser.parse_args()

settings = dict(ganad.FenceGAN.PRESETS["rings"])
if options.method == "RGAN":  # the same networks and rates without the fence
    settings |= dict(alpha=1.0, beta=0.0, gamma=1.0, pretrain_epochs=0)
train, test = load("blob", split="train"), load("blob", split="test")
detector = ganad.FenceGAN(**settings, epochs=options.epochs, random_state=0).fit(train.x)
auroc = roc_auc_score(test.y == "anomaly", detector.anomaly_score(test.x))
fence = detector.sample(500, random_state=0)
radius = np.linalg.norm(fence - 20, axis=1) / 3
low, high = np.quantile(radius, [0.1, 0.9])
print(f"AUROC {auroc:.4f}; generated samples lie {low:.1f} to {high:.1f} sigma from the centre")

SIDE, WORLD = 480, 40.0
axis = (np.arange(SIDE) + 0.5) * WORLD / SIDE
grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
normality = 1 / (1 + np.exp(detector.anomaly_score(grid))).reshape(SIDE, SIDE)
picture = np.repeat((255 * normality).astype(np.uint8)[:, :, None], 3, 2)
for points, colour in ((train.x[:500], (11, 92, 173)), (fence, (230, 110, 20))):
    for column, row in np.clip(points / WORLD * SIDE, 1, SIDE - 2).astype(int):
        picture[row - 1 : row + 2, column - 1 : column + 2] = colour
Image.fromarray(picture[::-1]).save(options.output)
print(f"picture {options.output}")
