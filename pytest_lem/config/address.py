"""Addresses of servers."""

from __future__ import annotations

from urllib.parse import urlsplit


def has_host(url: str) -> bool:
    """Tell whether a URL names a host, and a port that is a number if it names one."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # one that is no number is found here
    except ValueError:
        return False
    return bool(parts.hostname)
