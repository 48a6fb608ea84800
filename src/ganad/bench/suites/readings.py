"""Other readings of the papers, measured on the digits: printed formulas, other scores, other steps."""

from __future__ import annotations

from ..recipes import Recipe
from .shared import DENSE, DIGIT_NETS, search

_SMALL_ALAD = DIGIT_NETS | dict(width=32)
_SMALL_FANOGAN = DIGIT_NETS | dict(width=16)
_SMALL_OCGAN = dict(latent_dim=32, batch_size=50, width=32)
READINGS = (  # a line with a twin in "digits" has its settings; the others are as small as their twin here
    Recipe(
        "FenceGAN, printed log", "FenceGAN", settings=dict(batch_size=50, encirclement="log"), quick=dict(epochs=30)
    ),
    Recipe("FenceGAN, two steps", "FenceGAN", settings=dict(batch_size=50, separate_steps=True), quick=dict(epochs=30)),
    Recipe("FenceGAN, last weights", "FenceGAN", settings=dict(batch_size=50, ema=0.0), quick=dict(epochs=30)),
    Recipe("FenceGAN, patience 5", "FenceGAN", settings=dict(batch_size=50, patience=5), quick=dict(epochs=30)),
    Recipe(
        "EGBAD-sigma of the redrawn", "EGBAD", settings=DIGIT_NETS | dict(variant="sigma_rec"), quick=dict(epochs=30)
    ),
    Recipe(
        "AnoGAN, cross-entropy",
        "AnoGAN",
        settings=DIGIT_NETS | dict(variant="cross-entropy"),
        quick=dict(epochs=30) | search(100),
    ),
    Recipe("GANomaly, fooling", "GANomaly", settings=dict(latent_dim=32, adversarial="bce"), quick=dict(epochs=30)),
    Recipe("GANomaly, L1", "GANomaly", settings=dict(latent_dim=32, variant="l1"), quick=dict(epochs=30)),
    Recipe("SkipGANomaly, code", "SkipGANomaly", settings=dict(discriminator_matches=True), quick=dict(epochs=30)),
    *(
        Recipe(f"ALAD, {name}", "ALAD", settings=_SMALL_ALAD | settings, quick=dict(epochs=30))
        for name, settings in (
            ("features", dict(variant="features")),
            ("logits", dict(variant="logits")),
            ("L1", dict(variant="l1")),
            ("L2", dict(variant="l2")),
            ("no latent cycle", dict(latent_cycle=False)),
            ("no spectral norm", dict(spectral_norm=False)),
        )
    ),
    *(
        Recipe(
            f"FAnoGAN, {name}", "FAnoGAN", settings=_SMALL_FANOGAN | settings, quick=dict(epochs=30, encoder_epochs=15)
        )
        for name, settings in (
            ("izi_f", {}),
            ("izi", dict(encoder_loss="izi", variant="izi")),
            ("ziz", dict(encoder_loss="ziz")),
            ("latent", dict(variant="latent")),
            ("linear codes", dict(bounded=False)),
        )
    ),
    *(
        Recipe(f"OCGAN, {name}", "OCGAN", settings=_SMALL_OCGAN | settings, quick=dict(epochs=30))
        for name, settings in (
            ("reconstruction", {}),
            ("visual", dict(variant="visual")),
            ("input", dict(variant="input")),
            ("classifier", dict(variant="classifier")),
            ("the code's weights", dict(w_rec=5.0, w_latent=10.0, mine_steps=1, mine_lr=2.0)),
        )
    ),
    *(
        Recipe(f"ADGAN, {name}", "ADGAN", settings=DIGIT_NETS | settings, quick=dict(epochs=60, n_critic=2, n_seeds=4))
        for name, settings in (
            ("critic", dict(variant="critic")),
            ("prior", dict(variant="prior")),
            ("one generator a sample", dict(moving="sample")),
            ("still generator", dict(moving="none")),
            ("clipping", dict(lipschitz="clip", lr=5e-5)),
        )
    ),
    Recipe("OCAN, code", "OCAN", settings=dict(reading="code", w_entropy=1.85), quick=dict(epochs=30)),
    *(
        Recipe(f"MMOCGAN, {name}", "MMOCGAN", settings=DENSE | settings, quick=dict(epochs=60))
        for name, settings in (
            ("printed signs", dict(reading="printed")),
            ("mix", dict(injection="mix")),
            ("one code", dict(n_codes=1)),
            ("raw pixels", dict(representation="none")),
        )
    ),
    Recipe("IGMMGAN, sigma", "IGMMGAN", settings=DIGIT_NETS | dict(variant="sigma"), quick=dict(epochs=30, sweeps=10)),
    Recipe("VAE, Bernoulli", "VAE", settings=dict(latent_dim=32, likelihood="bernoulli"), quick=dict(epochs=30)),
    Recipe("VAE, recon_prob", "VAE", settings=dict(latent_dim=32, variant="recon_prob"), quick=dict(epochs=30)),
    Recipe("VAE, KL", "VAE", settings=dict(latent_dim=32, variant="kl"), quick=dict(epochs=30)),
    Recipe("RDA, entries", "RobustAutoEncoder", settings=dict(penalty="entries"), quick=dict(epochs=20, n_turns=3)),
    Recipe("DeepSVDD, soft", "DeepSVDD", settings=dict(objective="soft"), quick=dict(epochs=30, pretrain_epochs=20)),
)
