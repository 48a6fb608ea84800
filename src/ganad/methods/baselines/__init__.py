"""Detectors that no GAN paper proposes and many compare with, one a file."""
