"""Both pipes of a conversation in lines."""

from __future__ import annotations

import math
import os
import select

_CHUNK = 1 << 16


class Pipes:
    """Says and hears lines; neither a full pipe nor a silent one ever holds up its owner.

    `is_closed` tells that the other side is gone.
    """

    def __init__(self, inbox: int, outbox: int) -> None:
        self.is_closed = False
        self._inbox = inbox
        self._outbox = outbox
        self._heard = b""
        self._unsaid = bytearray()
        self._poll = select.poll()
        self._poll.register(inbox, select.POLLIN)
        for descriptor in (inbox, outbox):
            os.set_blocking(descriptor, False)

    def say(self, text: str) -> None:
        """Say a line, or several, while this side waits."""
        self._unsaid += text.encode() + b"\n"
        self._poll.register(self._outbox, select.POLLOUT)

    def wait(self, timeout_s: float) -> list[bytes]:
        """Wait until there is something to read or write, and return the lines that came."""
        timeout_ms = math.ceil(max(timeout_s, 0) * 1000)
        ready = {descriptor for descriptor, _ in self._poll.poll(timeout_ms)}
        if self._outbox in ready:
            self._write()
        return self._read() if self._inbox in ready else []

    def _write(self) -> None:
        try:
            del self._unsaid[: os.write(self._outbox, self._unsaid[:_CHUNK])]
        except BlockingIOError:
            return
        except OSError:
            self.is_closed = True
        if not self._unsaid:
            self._poll.unregister(self._outbox)

    def _read(self) -> list[bytes]:
        chunk = os.read(self._inbox, _CHUNK)
        self.is_closed = self.is_closed or not chunk
        *lines, self._heard = (self._heard + chunk).split(b"\n")
        return lines
