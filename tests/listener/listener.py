"""A real server in a thread, which is good, or slow, or refuses."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


class Listener:
    """What a server was sent, and how it answers.

    Attributes:
        status: that of the answer; 0: the connection is closed without one.
        released: set by a test, or when it is over, to let a server answer that holds back.

    """

    def __init__(self) -> None:
        self.status = 204
        self.is_silent = False
        self.messages: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.released = threading.Event()
        self.url = ""


def _handler(listener: Listener) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            listener.messages.append(json.loads(self.rfile.read(length)))
            listener.headers.append(dict(self.headers))
            if listener.is_silent:
                listener.released.wait()
            if listener.status:
                self.send_response(listener.status)
                self.send_header("Location", listener.url)
                self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    return Handler


@pytest.fixture
def listen() -> Iterator[Callable[[], Listener]]:
    """Return a function that starts a server on a free port of this machine."""
    servers: list[tuple[Listener, ThreadingHTTPServer, threading.Thread]] = []

    def start() -> Listener:
        listener = Listener()
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(listener))
        server.daemon_threads = True
        listener.url = f"http://127.0.0.1:{server.server_port}/hook/s3cret"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        servers.append((listener, server, thread))
        return listener

    yield start
    for listener, server, thread in servers:
        listener.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
