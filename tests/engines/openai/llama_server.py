"""llama.cpp's own server, started from its Python package: `llama_server.py GGUF PORT [SLOTS]`."""

from __future__ import annotations

import signal
import sys

import xllamacpp


def main(gguf: str, port: str, slots: str = "4") -> None:
    """Serve until SIGTERM."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    params = xllamacpp.CommonParams()
    params.model.path = gguf
    params.port = int(port)
    params.n_parallel, params.n_ctx = int(slots), 1024 * int(slots)
    params.endpoint_metrics, params.ui = True, False
    server = xllamacpp.Server(params)
    assert server.listening_address
    signal.sigwait([signal.SIGTERM])


if __name__ == "__main__":
    main(*sys.argv[1:])
