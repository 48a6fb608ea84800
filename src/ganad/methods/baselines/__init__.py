"""Baselines that GAN papers compare with, one file each."""
