"""The codes of IGMM-GAN on digits with one class held out, drawn by t-SNE: the held-out class in black.

    python examples/latent_map.py [--data mnist --data-dir DATA] [--held-out 0] [--epochs 30] [--out FILE]

Colours are the mixture's clusters, which saw no label; a ring marks a sample above the model's threshold.
"""

import argparse

import numpy as np
from PIL import Image, ImageDraw
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import roc_auc_score

import ganad
from ganad.data import load

COLOURS = "#0b5cad #d4572a #3c8c46 #9a5fc2 #8a7400 #c0457b #1aa3a3 #7a5230 #5566dd #99aa22".split()
SIDE = 900

parser = argparse.ArgumentParser()
parser.add_argument("--data", default="digits")
parser.add_argument("--data-dir")
parser.add_argument("--held-out", default="0")
parser.add_argument("--epochs", type=int, default=30)
parser.add_argument("--n-train", type=int, default=12_000)
parser.add_argument("--latent-dim", type=int, default=32)
parser.add_argument("--batch-size", type=int, default=50)
parser.add_argument("--out", default="docs/igmm_digits.png")
options = parser.parse_args()

samples = load(options.data, data_dir=options.data_dir)
y = samples.y.astype(str)
rng = np.random.default_rng(0)
order = rng.permutation(len(y))
normal = order[y[order] != options.held_out]
train = normal[: min(options.n_train, int(0.6 * len(normal)))]
test = np.concatenate([normal[-1200:], order[y[order] == options.held_out][:300]])

model = ganad.IGMMGAN(
    latent_dim=options.latent_dim, batch_size=options.batch_size, epochs=options.epochs, sweeps=200, random_state=0
)
model.fit(samples.x[train])
scores, codes = model.anomaly_score(samples.x[test]), model.encode(samples.x[test])
cluster = model.mixture_.predict(codes)
held_out = y[test] == options.held_out
print(f"AUROC {roc_auc_score(held_out, scores):.3f}, {len(model.mixture_.counts_)} clusters of {len(train)} codes")
for k in range(len(model.mixture_.counts_)):
    mine = y[test][(cluster == k) & ~held_out]
    names, counts = np.unique(mine, return_counts=True)
    print(f"cluster {k}:", ", ".join(f"{c} x {n}" for n, c in sorted(zip(names, counts), key=lambda pair: -pair[1])))

plane = TSNE(2, init="pca", random_state=0).fit_transform(PCA(min(30, codes.shape[1])).fit_transform(codes))
plane = 30 + (SIDE - 60) * (plane - plane.min(0)) / np.ptp(plane, axis=0)
picture = Image.new("RGB", (SIDE, SIDE), "white")
draw = ImageDraw.Draw(picture)
for (px, py), k, out, score in zip(plane, cluster, held_out, scores):
    colour = "#000000" if out else COLOURS[k % len(COLOURS)]
    draw.ellipse((px - 4, py - 4, px + 4, py + 4), fill=colour)
    if score > model.threshold_:
        draw.ellipse((px - 7, py - 7, px + 7, py + 7), outline=colour)
picture.save(options.out)
