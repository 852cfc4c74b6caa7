"""Delivery of small messages by HTTP, in little time or not at all."""

from __future__ import annotations

import json
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from pytest_lem.config.address import has_host

_SCHEMES = ("http", "https")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Another address than the one that was given would be sent the token as well."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Take the answer as it is."""


class Courier:
    """Posts JSON to addresses that are known by the names of the variables that hold them.

    An address that fails once is not tried again: a dead one costs one wait in a whole session.
    Neither addresses nor tokens appear in `faults`.

    Attributes:
        faults: why an address was given up, by its name.

    """

    def __init__(
        self, addresses: Mapping[str, str | None], *, token: str | None, timeout_s: float
    ) -> None:
        self.faults: dict[str, str] = {}
        self._timeout_s = timeout_s
        self._headers = {"Content-Type": "application/json", "User-Agent": "pytest-lem"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._addresses: dict[str, str] = {}
        for name, address in addresses.items():
            if address and _is_address(address):
                self._addresses[name] = address
            else:
                self.faults[name] = "holds no http address" if address else "is not set"

    def send(self, message: Mapping[str, Any]) -> None:
        """Post a message to all addresses at once; return when all answered or the time is over."""
        content = json.dumps(message, allow_nan=False).encode()
        names = [name for name in self._addresses if name not in self.faults]
        answers: dict[str, str | None] = {}

        def post(name: str) -> None:
            answers[name] = self._post(self._addresses[name], content)

        threads = {name: Thread(target=post, args=(name,), daemon=True) for name in names}
        for thread in threads.values():
            thread.start()
        end_s = time.monotonic() + self._timeout_s
        for name, thread in threads.items():
            # Looking a name up, and a server that answers a byte at a time, know no limit.
            thread.join(max(0.0, end_s - time.monotonic()))
            if fault := answers.get(name, self._too_slow):
                self.faults[name] = fault

    @property
    def _too_slow(self) -> str:
        return f"did not answer within {self._timeout_s:g} s"

    def _post(self, address: str, content: bytes) -> str | None:
        """Return what went wrong, in words that name no part of the address; None: nothing."""
        request = urllib.request.Request(address, content, self._headers, method="POST")  # noqa: S310 - checked
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(request, timeout=self._timeout_s):
                return None
        except urllib.error.HTTPError as error:
            error.close()
            return f"answered with status {error.code}"
        except urllib.error.URLError as error:
            return self._why(error.reason)
        except (OSError, HTTPException, ValueError) as error:
            return self._why(error)

    def _why(self, error: object) -> str:
        if isinstance(error, TimeoutError):
            return self._too_slow
        if isinstance(error, ConnectionRefusedError):
            return "refused the connection"
        if isinstance(error, socket.gaierror):
            return "names a host that is not known"
        if isinstance(error, ssl.SSLError):
            return "has no certificate that is trusted here"
        return "could not be reached" if isinstance(error, OSError) else "gave no valid answer"


def _is_address(text: str) -> bool:
    return has_host(text) and urlsplit(text).scheme in _SCHEMES and text.isprintable()
