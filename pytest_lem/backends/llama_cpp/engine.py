"""llama.cpp's server within this process: started, asked, told of."""

from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Callable
from typing import Any

from pytest_lem.backends.llama_cpp.log import StartLog, first_error, is_out_of_memory
from pytest_lem.errors import FailureKind, LemError, config_error

_BAD_MODEL = "error loading model: "


class Engine:
    """A running server. Completions are asked of it directly, all else over HTTP on 127.0.0.1.

    `log` is what it logged while it started, `slots` what it says of the places for its requests.
    Raises MemoryError and LemError (`data`, `config`) for what keeps it from starting.
    """

    def __init__(self, params: Any) -> None:
        import xllamacpp

        self._key = secrets.token_hex()
        params.api_keys = [self._key]
        params.ui = False
        with StartLog() as log:
            try:
                self._server = xllamacpp.Server(params)
            except RuntimeError as error:
                raise _not_started(params.model.path, log.text()) from error
            self.log = log.text()
        self._address = self._server.listening_address.removeprefix("http://")
        # Its loop answers this. To end a server whose loop has not begun would take forever.
        self.slots: list[dict[str, Any]] = self.ask("/slots")

    def complete(self, request: bytes, callback: Callable[[bytes], object]) -> None:
        """Run a request to its end; every event of its stream is given to the callback."""
        self._server.handle_completions(request, callback)

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the answer to a GET or, with a body, a POST; raises LemError if it is refused."""
        connection = http.client.HTTPConnection(self._address)
        headers = {"Authorization": f"Bearer {self._key}"}
        try:
            if body is None:
                connection.request("GET", path, headers=headers)
            else:
                connection.request("POST", path, json.dumps(body).encode(), headers)
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        if "error" in answer:
            raise refusal(answer)
        return answer


def refusal(answer: dict[str, Any]) -> LemError:
    """Return the error for an answer in which llama.cpp refuses."""
    return LemError(
        f"llama.cpp refused the request: {answer['error']['message']}", kind=FailureKind.ENGINE
    )


def _not_started(model: str, log: str) -> Exception:
    """Return the error for the log of an engine that did not start."""
    reason = first_error(log) or "it gives no reason"
    if is_out_of_memory(log):
        return MemoryError(reason)
    if _BAD_MODEL in log:
        return LemError(
            f"cannot load the model {model}: {reason.removeprefix(_BAD_MODEL)}",
            kind=FailureKind.DATA,
        )
    return config_error(f"llama.cpp does not take these settings: {reason}")
