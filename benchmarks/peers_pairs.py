"""The pairs of ``benchmarks/peers.py``: a method of ganad, its counterpart of PyOD, and settings that make them equal.

Equal in a pair: widths of the hidden layers, size of the code, batch size, passes over the rows, float32, one thread
of a CPU. Each has its own step sizes, activations, dropout and scaling. The parameters of both are printed, because
some networks cannot be made equal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

CODE, BATCH = 16, 128  # the settings of every pair but MO_GAAL's
SEARCH = 20  #: steps of AnoGAN's search, PyOD's default
SEEDS = 3


class Data(NamedTuple):
    """What settings depend on: rows, columns, and passes of which ``alone`` are a pretraining."""

    n: int
    d: int
    passes: int
    alone: int = 0


Settings = dict[str, Any]


class Pair(NamedTuple):
    """A method of ganad, its counterpart of PyOD as module and class, and the settings of both."""

    ours: str
    theirs: str
    settings: Callable[[Data], tuple[Settings, Settings]]
    note: str
    rows: int = 20_000
    passes: tuple[int, int] = (1, 5)  #: of the two fits whose difference is the speed of training
    seeds: int = SEEDS  #: at most, of the AUROC
    searches: bool = False  #: a score is a search
    unit_scale: bool = False  #: PyOD's does not scale and needs columns in [0, 1]


def alad(x: Data) -> tuple[Settings, Settings]:
    # two branches of 128 and a joint layer of 128 here, layers in a row there: as wide as gives as many parameters
    joint = round((128 * (x.d + CODE + 2) + 256 * 128) / (x.d + CODE + 1 + 128))
    theirs = dict(latent_dim=CODE, enc_layers=[64], dec_layers=[64, 128], preprocessing=True)
    theirs |= dict(disc_xz_layers=[joint, 128], disc_xx_layers=[128], disc_zz_layers=[32], batch_size=BATCH)
    # an "epoch" of PyOD's is one batch
    theirs |= dict(epochs=x.passes * math.ceil(x.n / BATCH), device="cpu")
    return dict(latent_dim=CODE, batch_size=BATCH, epochs=x.passes), theirs


def anogan(x: Data) -> tuple[Settings, Settings]:
    ours = dict(latent_dim=CODE, batch_size=BATCH, epochs=x.passes, n_starts=1, search_steps=SEARCH)
    theirs = dict(latent_dim_G=CODE, G_layers=[64, 128], D_layers=[256, 128, 128], batch_size=BATCH, epochs=x.passes)
    return ours, theirs | dict(epochs_query=SEARCH, preprocessing=True, device="cpu")


def vae(x: Data) -> tuple[Settings, Settings]:
    theirs = dict(encoder_neuron_list=[64, 32], decoder_neuron_list=[32, 64], latent_dim=CODE)
    theirs |= dict(dropout_rate=0.0, batch_size=BATCH, epoch_num=x.passes, verbose=0, device="cpu")
    return dict(latent_dim=CODE, hidden=(64, 32), n_draws=1, batch_size=BATCH, epochs=x.passes), theirs


def autoencoder(x: Data) -> tuple[Settings, Settings]:
    theirs = dict(hidden_neuron_list=[64, CODE], batch_norm=False, dropout_rate=0.0)
    theirs |= dict(batch_size=BATCH, epoch_num=x.passes, verbose=0, device="cpu")
    return dict(hidden=(64, CODE, 64), batch_size=BATCH, epochs=x.passes), theirs


def deep_svdd(x: Data) -> tuple[Settings, Settings]:
    ours = dict(hidden=(64, 32), latent_dim=CODE, pretrain_epochs=x.alone)
    theirs = dict(n_features=x.d, hidden_neurons=[64, 32, CODE], dropout_rate=0.0, batch_size=BATCH)
    return ours | dict(batch_size=BATCH, epochs=x.passes - x.alone), theirs | dict(epochs=x.passes, verbose=0)


def outside(x: Data) -> tuple[Settings, Settings]:
    """PyOD's networks, batches of 500 and ten generators are fixed; its codes have as many values as there are columns.

    The generators stop after a third of the passes.
    """
    ours = dict(latent_dim=x.d, batch_size=500, pretrain_epochs=x.alone, epochs=x.passes - x.alone)
    return ours, dict(stop_epochs=x.passes // 3)


PAIRS = {
    "ALAD": Pair(
        "ALAD",
        "alad.ALAD",
        alad,
        "PyOD's joint critic has no branches and is as large. PyOD shuffles the whole table before every batch",
        passes=(1, 2),
    ),
    "AnoGAN": Pair(
        "AnoGAN",
        "anogan.AnoGAN",
        anogan,
        f"scoring is a search of {SEARCH} steps. PyOD searches for training rows alone, which is timed here. Its "
        "`decision_function` decodes one fixed code for every row, and its AUROC comes of that; the second line is "
        "this scoring in both",
        rows=1000,
        searches=True,
        passes=(1, 41),
        seeds=1,  # PyOD's fit takes a minute here
    ),
    "VAE": Pair("VAE", "vae.VAE", vae, "one draw of z in a score"),
    "AutoEncoder": Pair("AutoEncoder", "auto_encoder.AutoEncoder", autoencoder, "no batch norm, no dropout"),
    "DeepSVDD": Pair(
        "DeepSVDD",
        "deep_svdd.DeepSVDD",
        deep_svdd,
        "ganad's parameters include the decoder of its pretraining, which takes no part in the speed",
    ),
    "FenceGAN, MO_GAAL": Pair(
        "FenceGAN",
        "mo_gaal.MO_GAAL",
        outside,
        "the nearest: generators draw around the data, the discriminator is the detector; other networks",
        passes=(3, 6),
        unit_scale=True,
    ),
}
