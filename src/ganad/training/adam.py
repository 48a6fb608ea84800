"""Adam with little Python around its kernel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn


class Adam(torch.optim.Optimizer):
    """``torch.optim.Adam(fused=True)`` for one group of parameters, equal to the bit, with an equal ``state_dict``.

    A step of a small network costs less than the Python around torch's optimisers: hooks, groupings and counters. The
    first of them in a process also imports torch's compiler, which takes longer than to fit a small table. So this one
    shares their interface and does without their construction: it takes no hooks and no second group.

    Raises ValueError for rates that cannot be and for parameters on several devices.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        if not (lr >= 0 and eps >= 0 and weight_decay >= 0 and all(0 <= beta < 1 for beta in betas)):
            raise ValueError(f"Adam cannot step with lr={lr}, betas={betas}, eps={eps}, weight_decay={weight_decay}")
        self.moved = list(params)
        if len({(p.device, p.dtype) for p in self.moved}) != 1:
            raise ValueError("Adam takes parameters of one device and one type; use torch.optim.Adam for others")
        self.defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        self.param_groups = [{"params": self.moved} | self.defaults]
        self.state = defaultdict(dict)
        # steps are counted in one tensor, so that one kernel counts them all
        self.counter = torch.zeros(len(self.moved), dtype=torch.float32, device=self.moved[0].device)
        self.counts = list(self.counter.unbind())
        self.means = [torch.zeros_like(p, memory_format=torch.preserve_format) for p in self.moved]
        self.squares = [torch.zeros_like(p, memory_format=torch.preserve_format) for p in self.moved]

    def zero_grad(self, set_to_none: bool = True) -> None:
        for p in self.moved:
            p.grad = None if set_to_none or p.grad is None else torch.zeros_like(p.grad)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move the parameters that have a gradient."""
        grads: list[Any] = [p.grad for p in self.moved]
        params: list[Any] = self.moved
        means, squares, counts = self.means, self.squares, self.counts
        if all(grad is not None for grad in grads):
            self.counter += 1
        else:
            with_one = [i for i, grad in enumerate(grads) if grad is not None]
            if not with_one:
                return
            lists = (params, grads, means, squares, counts)
            params, grads, means, squares, counts = ([kept[i] for i in with_one] for kept in lists)
            torch._foreach_add_(counts, 1)
        group = self.param_groups[0]
        beta1, beta2 = group["betas"]
        torch._fused_adam_(
            params,
            grads,
            means,
            squares,
            [],
            counts,
            lr=group["lr"],
            beta1=beta1,
            beta2=beta2,
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Any]:
        """What is kept for each parameter that has moved, by number."""
        kept = {
            i: {"step": count, "exp_avg": mean, "exp_avg_sq": square}
            for i, (count, mean, square) in enumerate(zip(self.counts, self.means, self.squares))
            if count > 0
        }
        group = {k: v for k, v in self.param_groups[0].items() if k != "params"}
        return {"state": kept, "param_groups": [group | {"params": list(range(len(self.moved)))}]}

    @torch.no_grad()
    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` of this class or of ``torch.optim.Adam`` returned."""
        for i, kept in state_dict["state"].items():
            self.counts[i].copy_(kept["step"])
            self.means[i].copy_(kept["exp_avg"])
            self.squares[i].copy_(kept["exp_avg_sq"])
