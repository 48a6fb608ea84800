"""Requests that are answered with a reason instead of scores."""

from __future__ import annotations

from .limits import Limits

RETRY = {"Retry-After": "1"}
LAST = {"Connection": "close"}  # nobody will read the rest of the body


class Refused(Exception):
    """A request that is answered with an HTTP status and a sentence."""

    def __init__(self, status: int, message: str, **headers: str):
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers


def refuse_more(count: int, limits: Limits) -> None:
    """Refused with 413 for more rows than one request may bring; called before they cost more than their body."""
    if count > limits.samples:
        raise Refused(413, f"more than the {limits.samples:,} rows allowed in one request")
