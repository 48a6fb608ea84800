"""What a request may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What a request may cost; beyond it the answer is 413, 408 or 503."""

    body_bytes: int = 32 * 2**20  #: of one request
    bodies_bytes: int = 256 * 2**20  #: of all requests under way
    connections: int = 1000  #: open at a time
    heads: int = 128  #: connections of one client whose head has not come, after a moment
    samples: int = 10_000  #: of one request
    pixels: int = 16 * 10**6  #: of one image
    reading: int = 256  #: large bodies being read, or waiting for it
    seconds: float = 30.0  #: to receive a head, to receive a body, and to read and score it
    waiting: int = 4096  #: samples that may wait for their turn
    photos: int = 16  #: photos of their own size that may wait for their turn, decoded
