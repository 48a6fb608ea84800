"""Discriminators whose last hidden layer is a feature vector that losses and scores use."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .layers import Layer


class Critic(nn.Module):
    """``critic(x)`` is the logit ``(n,)``; ``critic.features(x)`` is the input of the last layer."""

    features: Layer
    head: Layer

    def __init__(self, features: nn.Module, head: nn.Module):
        super().__init__()
        self.features, self.head = features, head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x)).flatten()


class JointCritic(nn.Module):
    """A critic of pairs ``(x, z)``: a branch for each, then layers on both."""

    joint: Layer
    head: Layer

    def __init__(self, x_branch: nn.Module, z_branch: nn.Module, joint: nn.Module, head: nn.Module):
        super().__init__()
        self.x_branch, self.z_branch, self.joint, self.head = x_branch, z_branch, joint, head

    def features(self, x: Tensor, z: Tensor) -> Tensor:
        return self.joint(torch.cat([self.x_branch(x), self.z_branch(z)], dim=1))

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return self.head(self.features(x, z)).flatten()
