"""One step's losses and the formulas in NumPy that they are held against."""

import numpy as np
import torch

from ganad.training import Stream, TrainingSet


def losses(model, x, step="training_step") -> list[tuple[str, dict[str, float]]]:
    """What one step yields on the batch ``x``, as numbers; no player moves. Dropout is off, batch norm in eval mode."""
    model.nets_.eval()
    stream = Stream(TrainingSet(x, x.device), len(x), "")
    updates = getattr(model, step)(stream)
    return [(player, {name: float(value.detach()) for name, value in terms.items()}) for player, terms in updates]


def inputs(model, X) -> torch.Tensor:
    return model.input_.to_network(torch.from_numpy(X))


def fixed_noise(model, n) -> torch.Tensor:
    """Codes that every draw of the model gives from now on."""
    z = torch.randn(n, model.latent_dim, generator=torch.Generator().manual_seed(0))
    model.noise = lambda n: z
    return z


def real(logit) -> float:
    """Mean of -log sigma(logit)."""
    return np.logaddexp(0, -logit.detach().double().numpy()).mean()


def fake(logit) -> float:
    """Mean of -log(1 - sigma(logit))."""
    return np.logaddexp(0, logit.detach().double().numpy()).mean()
