"""Find an unusual digit: fit on images, score unseen ones, save, load, look at the worst."""

import tempfile
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

import ganad
from ganad.data import load

digits = load("digits")
normal = digits.y != 0
rng = np.random.default_rng(0)
train = normal & (rng.random(len(normal)) < 0.6)
unseen = digits.subset(~train)

detector = ganad.AutoEncoder(epochs=20, latent_dim=32, random_state=0).fit(digits.x[train])
scores = detector.anomaly_score(unseen.x)
print(f"AUROC {roc_auc_score(unseen.y == 0, scores):.3f} with the 0 held out")

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "digits.safetensors"
    detector.save(path)
    again = ganad.load(path)
assert np.array_equal(again.anomaly_score(unseen.x), scores)

worst = int(np.argmax(scores))
print(f"most unusual: {unseen.names[worst]}, a {unseen.y[worst]}, score {scores[worst]:.1f}")
residual = abs(again.reconstruct(unseen.x[[worst]]) - unseen.x[worst])
print(f"its reconstruction differs by {residual.mean():.0f} grey levels a pixel")
