"""The names that the service answers to. A request for another one may come from a page whose name points here."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from ..display import shown
from ..errors import InputError


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def name_of(authority: str) -> str:
    """The name in ``name:port``, in small letters and without brackets; empty where it cannot be read."""
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""


def names_of(hosts: Iterable[str]) -> frozenset[str]:
    """Names in small letters; InputError for one with more than the name."""
    hosts = list(hosts)
    for host in hosts:
        if not host or name_of(host) != host.lower():
            raise InputError(f"{shown(host)!r} is no host's name; give it without https:// and port: ganad.example.org")
    return frozenset(map(name_of, hosts))
