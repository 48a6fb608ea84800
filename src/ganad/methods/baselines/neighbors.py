"""Exact nearest neighbours in two steps: candidates from distances in 32 bits, then their distances in 64.

A matrix product in 32 bits takes half the time of one in 64, and its rounding errors are bounded (N. Higham, "Accuracy
and Stability of Numerical Algorithms", 2002, section 3.5). A row has a few candidates more than neighbours. If the last
candidate lies farther than the last neighbour by more than two such errors, no other sample can be a neighbour. Rows of
which this is not so, as of many equal distances, are left to the caller.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...nets import row_linear

BLOCK = 2048  #: samples whose distances are computed at a time, so that they stay in the cache
_FEWEST = 4096  # samples, from which on two steps are faster than one
_MORE = 24  # candidates more than neighbours
_COPIED = 0.01  # share of samples with more copies than that, up to which two steps are faster
_UNIT = 2.0**-24  # half the distance from 1 to the next number of 32 bits
_GROUP = 32  # samples of which only the nearest is looked at first
_NUMBERS = 2**19  # of 64 bits, of the candidates that are looked at at a time, for the same reason


class Candidates:
    """The kept samples in 32 bits, about their mean, from which sums of squares lose least."""

    def __init__(self, samples: np.ndarray):
        self.origin = samples.mean(0)
        centred = samples - self.origin
        norms = np.einsum("ij,ij->i", centred, centred)
        self.samples, self.norms = centred.astype(np.float32), norms.astype(np.float32)
        self.longest = float(norms.max())
        copies = np.unique(samples, axis=0, return_counts=True)[1]
        self.pay = bool(copies[copies > _MORE].sum() <= _COPIED * len(samples))  #: else too few rows are certain

    @staticmethod
    def possible(n: int, k: int) -> bool:
        """Whether two steps are possible here, and ``n`` samples enough for them to find ``k`` neighbours."""
        precise = torch.get_float32_matmul_precision() == "highest"  # else products have fewer than 32 bits
        enough = n >= max(_FEWEST, _GROUP * (k + _MORE))  # a group for each candidate
        return enough and precise and not torch.compiler.is_exporting()

    def nearest(self, z: Tensor, refs: Tensor, k: int, placed: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, ...]:
        """Squared distances and numbers ``(n, k)`` of the nearest ``refs`` ``(m, d)``, and which rows are certain.

        placed: origin, samples and norms on the device of ``z``.
        """
        origin, samples, norms = placed
        with torch.no_grad(), torch.autocast(z.device.type, enabled=False):
            centred = z.detach() - origin
            own, short = centred.square().sum(1), centred.float()
            near, index = _lowest(_relative(short, samples, norms), k + _MORE)
            error = 2 * (z.shape[1] + 16) * _UNIT * (own + self.longest)
            certain = near[:, -1].double() - near[:, k - 1].double() > 2 * error
            index = index.sort(1).values  # so that the order among equal distances is that of the samples
        rows = max(1, _NUMBERS // (index.shape[1] * z.shape[1]))
        parts = [slice(i, i + rows) for i in range(0, len(z), rows)]
        exact = torch.cat([(refs[index[part]] - z[part, None]).square().sum(2) for part in parts])
        exact, order = exact.sort(dim=1, stable=True)
        return exact[:, :k], index.gather(1, order[:, :k]), certain


def _relative(z: Tensor, samples: Tensor, norms: Tensor) -> Tensor:
    """Squared distances ``(n, m)`` without the rows' own squared lengths."""
    out = z.new_empty(len(z), len(samples))
    for i in range(0, len(samples), BLOCK):
        out[:, i : i + BLOCK] = row_linear(-2 * z, samples[i : i + BLOCK], norms[i : i + BLOCK])
    return out


def _lowest(values: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k lowest of each row ``(n, m)``, in order, and their numbers: they lie in the k groups of lowest minima."""
    n, m = values.shape
    whole = m - m % _GROUP
    groups = values[:, :whole].view(n, -1, _GROUP)
    first = groups.amin(2).topk(k, largest=False).indices * _GROUP
    numbers = (first[:, :, None] + torch.arange(_GROUP, device=values.device)).flatten(1)
    rest = torch.arange(whole, m, device=values.device).expand(n, -1)
    numbers = torch.cat([numbers, rest], 1)
    found = values.gather(1, numbers).topk(k, largest=False)
    return found.values, numbers.gather(1, found.indices)
