"""Detectors are scikit-learn estimators: a pipeline, a comparison, a method of your own in fifteen lines."""

from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from torch import nn

import ganad
from ganad.losses import per_sample


class Linear(ganad.NetworkDetector):
    """A linear autoencoder: what a method has to write."""

    latent_dim: int = 5  #: size of the code

    def build(self, shape):
        return dict(net=nn.Sequential(nn.Linear(shape[0], self.latent_dim), nn.Linear(self.latent_dim, shape[0])))

    def training_step(self, batches):
        x = next(batches)
        yield "net", dict(error=(x - self.nets_.net(x)).square().mean())

    def score_batch(self, x):
        return per_sample((x - self.nets_.net(x)).square())


X, benign = load_breast_cancer(return_X_y=True)
train, test = X[::2], X[1::2]
for detector in (Linear(epochs=50, lr=1e-2), ganad.AutoEncoder(epochs=50), ganad.GANomaly(epochs=50, latent_dim=5)):
    detector.set_params(random_state=0).fit(train[benign[::2] == 1])
    auroc = roc_auc_score(benign[1::2] == 0, detector.anomaly_score(test))
    print(f"{type(detector).__name__:12} AUROC {auroc:.3f}  flagged {(detector.predict(test) == -1).mean():.0%}")
