"""Building blocks of the published networks, for any image size."""

from .conv import Reshape, SameConv2d, SameDeconv2d, pyramid
from .critic import Critic, JointCritic
from .dcgan import dcgan_critic, dcgan_generator
from .init import dcgan_init, glorot_normal, he_normal, normal_init, start_anew, xavier_uniform
from .layers import Layer, keras_norm1d, keras_norm2d, leaky_fifth, leaky_tenth
from .mlp import Cube, RowLinear, filled, mlp, row_linear
from .spectral import SpectralNorm

__all__ = [
    "Critic",
    "Cube",
    "JointCritic",
    "Layer",
    "Reshape",
    "RowLinear",
    "SameConv2d",
    "SameDeconv2d",
    "SpectralNorm",
    "dcgan_critic",
    "dcgan_generator",
    "dcgan_init",
    "filled",
    "glorot_normal",
    "he_normal",
    "keras_norm1d",
    "keras_norm2d",
    "leaky_fifth",
    "leaky_tenth",
    "mlp",
    "normal_init",
    "pyramid",
    "row_linear",
    "start_anew",
    "xavier_uniform",
]
