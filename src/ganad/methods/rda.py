"""RDA, robust deep autoencoder: training data are split into a part that an autoencoder redraws and a sparse rest.

C. Zhou, R. C. Paffenroth, "Anomaly detection with robust deep autoencoders", KDD 2017; code
zc8340311/RobustAutoencoder (TensorFlow 1).

RDA is for training data with anomalies among them. It is robust principal component analysis with an autoencoder in
place of the low-rank part. What the autoencoder cannot redraw moves to S, and the autoencoder no longer trains on it.

    objective   ||L - D(E(L))||^2 / 2 + w_sparse R(S), X = L + S, minimised in turns from S = 0:
      train     the autoencoder on L = X - S for ``epochs`` passes; its output is then held, R = D(E(L))
      shrink    S = prox(X - R): a group g of entries becomes g max(0, 1 - w_sparse / ||g||)
    R(S)        "rows":    sum over samples of ||S_i||, if whole samples are odd: the anomaly detector
                "columns": sum over features of ||S_j||, if whole features are odd
                "entries": sum of |s_ij|, if single values are odd: a denoiser
    score       ||x - D(E(x))||^2, without S, because only training samples have a part in S

With a given ``w_sparse`` every half-turn lowers the objective: shrinking minimises it exactly, training as far as it
comes. Without ``w_sparse`` the weight changes from turn to turn, and so does the objective. ``objective_`` has the
objective per sample after each half-turn. ``sparse_`` has the norm of every training sample's part in S. The paper
calls a sample an anomaly if this norm is above zero.

Differs from the paper and the code:
- ``w_sparse=None`` shrinks all but the share ``contamination`` of the groups to zero in every turn. The code chooses
  the weight by labels, and its weights depend on the number of samples. "mnist" has its best weight in our units.
- The error is squared and halved, so that shrinking minimises the objective exactly. The theory prints its root.
- The default network has ReLU, a linear code and a linear output, so inputs need no bounds. "sigmoid" is the code's
  network. Its output is in the range of the training data if scaling is "minmax" (for images it is).
- Weights are kept from turn to turn. ``restart=True`` draws them anew, as the code's detector does.
- Samples are shuffled. Images are flattened, as in the paper. The whole training set and S are kept in memory.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from ..detector import Batches, NetworkDetector, Updates
from ..losses import per_sample
from ..nets import row_linear
from ..settings import Count
from ..training import TrainingSet

Penalty = Literal["rows", "columns", "entries"]


class RobustAutoEncoder(NetworkDetector):
    """An autoencoder that sets aside what it cannot redraw, while it trains."""

    penalty: Literal["rows", "columns", "entries"] = "rows"  #: groups of which few are in the rest
    w_sparse: float | None = None  #: weight of the rest's norm; None: set by contamination in every turn
    n_turns: Count = 5  #: turns of training and shrinking
    restart: bool = False  #: begin every turn with new weights
    activation: Literal["relu", "sigmoid"] = "relu"  #: between layers; "sigmoid" is also on code and output
    hidden: tuple[int, ...] = ()  #: widths of the encoder; empty: half and a quarter of the input, at most 400 and 200
    lr: float = 1e-3  #: step size of Adam
    betas: tuple[float, float] = (0.9, 0.999)  #: decay rates of Adam's two moments
    batch_size: int = 128  #: samples a training step draws
    updates: Count = 200  #: batches of every turn where ``epochs`` is None

    LEAST_EPOCHS = (5, 20)
    PRESETS = {
        "mnist": dict(
            w_sparse=9.74, n_turns=20, restart=True, activation="sigmoid", hidden=(400, 200), batch_size=133, epochs=50
        ),
        "kddcup99": dict(hidden=(60, 30), n_turns=3, batch_size=256, epochs=3),
    }
    LEARNS = {"objective_": "list", "sparse_": "float32[n]"}

    def build(self, shape: tuple[int, ...]) -> dict[str, nn.Module]:
        d = math.prod(shape)
        hidden = self.hidden or (max(1, min(d // 2, 400)), max(1, min(d // 4, 200)))
        return dict(autoencoder=Tied((d, *hidden), self.activation))

    def train(self, x: TrainingSet) -> None:
        net = self.nets_.autoencoder
        data = self.map_batches(lambda batch: batch.flatten(1), x)
        sparse = torch.zeros_like(data)
        self.objective_: list[float] = []
        for turn in range(self.n_turns):
            if turn and self.restart:
                net.reset()
            self.run(self.training_step, TrainingSet(data - sparse, self.device_))
            rest = data - self.map_batches(net, data - sparse)
            weight = self.w_sparse if self.w_sparse is not None else self._quantile(group_norms(rest, self.penalty))
            self.objective_.append(objective(rest, sparse, weight, self.penalty))
            sparse = shrink(rest, weight, self.penalty)
            self.objective_.append(objective(rest, sparse, weight, self.penalty))
        self.sparse_ = sparse.norm(dim=1).cpu().numpy()

    def _quantile(self, norms: Tensor) -> float:
        """The norm that a share ``contamination`` of the groups exceeds."""
        rank = math.ceil((1 - self.contamination) * norms.numel())
        return norms.flatten().kthvalue(max(1, rank)).values.item()  # torch.quantile takes at most 2^24 numbers

    def training_step(self, batches: Batches) -> Updates:
        x = next(batches)
        yield "autoencoder", dict(reconstruction=per_sample((x - self.nets_.autoencoder(x)).square()).mean())

    def score_batch(self, x: Tensor) -> Tensor:
        return per_sample((x - self.reconstruct_batch(x)).square())

    def reconstruct_batch(self, x: Tensor) -> Tensor:
        return torch.unflatten(self.nets_.autoencoder(x.flatten(1)), 1, x.shape[1:])


def group_norms(v: Tensor, penalty: Penalty) -> Tensor:
    """Norms of the rows ``(n, 1)``, of the columns ``(1, d)`` or of the entries ``(n, d)`` of a matrix."""
    return v.abs() if penalty == "entries" else v.norm(dim=1 if penalty == "rows" else 0, keepdim=True)


def shrink(v: Tensor, weight: float, penalty: Penalty) -> Tensor:
    """The S that minimises ||v - S||^2 / 2 + weight x the sum of the norms of its groups."""
    norms = group_norms(v, penalty)
    return v * (1 - weight / norms.clamp_min(torch.finfo(v.dtype).tiny)).clamp_min(0)


def objective(rest: Tensor, sparse: Tensor, weight: float, penalty: Penalty) -> float:
    """||rest - sparse||^2 / 2 + weight x the sum of the groups' norms, per sample, in float64."""
    error = (rest - sparse).double().square().sum() / 2
    return ((error + weight * group_norms(sparse, penalty).double().sum()) / len(rest)).item()


class Tied(nn.Module):
    """A dense autoencoder; the decoder has the encoder's weights, transposed, and its own biases."""

    def __init__(self, sizes: tuple[int, ...], activation: str):
        super().__init__()
        self.sigmoid = activation == "sigmoid"
        self.weights = nn.ParameterList([torch.empty(b, a) for a, b in zip(sizes, sizes[1:])])
        self.up = nn.ParameterList([torch.empty(b) for b in sizes[1:]])
        self.down = nn.ParameterList([torch.empty(a) for a in sizes[:-1]])
        self.reset()

    def reset(self) -> None:
        """Draw the weights by Glorot's uniform rule, and biases between -0.1 and 0.1."""
        for weight in self.weights:
            nn.init.xavier_uniform_(weight)
        for bias in (*self.up, *self.down):
            nn.init.uniform_(bias, -0.1, 0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Rows ``(n, d)`` to rows; with sigmoids both lie in [-1, 1]."""
        h = (x + 1) / 2 if self.sigmoid else x
        last = len(self.weights) - 1
        for i, (weight, bias) in enumerate(zip(self.weights, self.up)):
            h = self._activate(row_linear(h, weight, bias), linear_here=i == last)
        for i in range(last, -1, -1):
            h = self._activate(row_linear(h, self.weights[i].T, self.down[i]), linear_here=i == 0)
        return 2 * h - 1 if self.sigmoid else h

    def _activate(self, a: Tensor, *, linear_here: bool) -> Tensor:
        if self.sigmoid:
            return a.sigmoid()
        return a if linear_here else a.relu()
