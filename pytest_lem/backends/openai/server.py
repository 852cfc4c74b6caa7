"""The server: found where it runs, or started and ended with all its children."""

from __future__ import annotations

import atexit
import http.client
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_lem.backends.demo import DEMO_MODEL, demo_gguf
from pytest_lem.backends.openai.key import hidden, is_secret, key_in
from pytest_lem.backends.openai.options import GGUF, MODEL, PORT, OpenAiOptions
from pytest_lem.backends.openai.stream import error_in, short
from pytest_lem.errors import FailureKind, LemError, config_error, did_you_mean

#: Proxies of the environment are for the world outside, and would not find a server in here.
#: Requests pass them by as well, since aiohttp asks no proxy.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_ASK_TIMEOUT_S = 10.0
_POLL_S = 0.2
#: What urllib raises where nobody answers, or nobody that speaks HTTP.
_NO_ANSWER = (OSError, ValueError, http.client.HTTPException)
#: What a server has for ending by itself; whatever is left of it then is killed with the host.
_END_S = 5.0
#: What the key is taken out with, of all that a server prints.
_SIEVE = Path(__file__).with_name("sieve.py")
#: How servers tell their version, where they do.
_VERSIONS = (("/version", "version"), ("/get_server_info", "version"), ("/props", "build_info"))


@dataclass(slots=True)
class Server:
    """A server that answers.

    Attributes:
        url: where, without a slash at the end.
        key: the API key, which is sent and never told.
        process: what runs it, if it was started here.
        sieve: what takes the key out of all that it prints, if there is one.

    """

    url: str
    key: str | None = None
    process: subprocess.Popen[bytes] | None = None
    sieve: subprocess.Popen[bytes] | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """Return what every request is sent with."""
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def get(self, path: str) -> Any:
        """Return the JSON of a page; None where there is none."""
        request = urllib.request.Request(self.url + path, headers=dict(self.headers))  # noqa: S310 - the options allow http alone
        try:
            with _OPENER.open(request, timeout=_ASK_TIMEOUT_S) as answer:
                return json.loads(answer.read() or b"null")
        except _NO_ANSWER:
            return None

    def version(self) -> str | None:
        """Return what it says of its version."""
        for path, name in _VERSIONS:
            found = self.get(path)
            if isinstance(found, dict) and isinstance(found.get(name), str):
                return str(found[name])
        return None

    def model_named(self, asked: str, *, is_only_ours: bool) -> dict[str, Any]:
        """Return the model that has a name; the only one there is may have another if it is ours.

        Raises LemError (`config`) where the server offers no such model.
        """
        listed = self.get("/v1/models")
        data = listed.get("data") if isinstance(listed, dict) else None
        data = data if isinstance(data, list) else []
        models = {str(m["id"]): m for m in data if isinstance(m, dict) and "id" in m}
        if asked in models:
            return models[asked]
        if len(models) == 1 and is_only_ours:
            return next(iter(models.values()))
        if not models:
            raise config_error(
                f"{self.url}/v1/models lists no model, so this is no server with the OpenAI API, "
                "or it wants an API key; check `backends.openai.url` and `api_key_env`"
            )
        hint = did_you_mean(asked, list(models))
        raise config_error(
            f"the server at {self.url} offers no model `{asked}`: {hint}; "
            "name it with --lem-model, or in `backends.openai.served_model`"
        )

    def check(self) -> None:
        """Raise LemError (`engine`) if the process has ended."""
        if self.process is not None and self.process.poll() is not None:
            how = self.end_of(self.process)
            raise LemError(
                f"the server {how} while requests were under way; the log of the "
                "case has what it said",
                kind=FailureKind.ENGINE,
            )

    def end_of(self, process: subprocess.Popen[bytes]) -> str:
        """Return how the process has ended, once its last words are in the log."""
        self._settle()
        code = process.returncode
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"

    def stop(self) -> None:
        """Ask the process to end and wait a little."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._settle()

    def _settle(self) -> None:
        """Wait once for the sieve, which ends with the last of those that print into it."""
        sieve, self.sieve = self.sieve, None
        if sieve is not None:
            with suppress(subprocess.TimeoutExpired):
                sieve.wait(_END_S)


def server_of(options: OpenAiOptions, model: str, location: str | None) -> Server:
    """Return the server that the options name, or start it; it can work when this returns.

    Raises LemError: `config` where none is named or a command cannot be run, `engine` for one that
    ends, `timeout` for one that is not there in time.
    """
    key = key_in(options.api_key_env)
    if options.command is None:
        if options.url is None:
            raise config_error(
                "the backend `openai` needs `backends.openai.url` of a server that runs, or "
                "`backends.openai.command` to start one"
            )
        server = Server(options.url.rstrip("/").removesuffix("/v1"), key)
        _await_health(server, options.health, _ASK_TIMEOUT_S)
        return server
    port = _free_port()
    words = _words(options.command, port, model, location)
    process, sieve = _started(words, options.api_key_env if is_secret(key) else None)
    server = Server(f"http://127.0.0.1:{port}", key, process, sieve)
    atexit.register(server.stop)
    _await_health(server, options.health, options.start_timeout_s)
    return server


def _words(command: str, port: int, model: str, location: str | None) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise config_error(f"`backends.openai.command` cannot be split: {error}") from None
    values = {PORT: str(port), MODEL: location or model}
    if GGUF in command:
        values[GGUF] = str(demo_gguf()) if model == DEMO_MODEL else model
    for name, value in values.items():
        words = [word.replace(name, value) for word in words]
    return words


def _started(
    words: list[str], variable: str | None
) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes] | None]:
    """Start the server; it prints into the log of the host, through a sieve where there is a key.

    `variable` is the one that holds it.
    """
    out, err = (subprocess.PIPE, subprocess.STDOUT) if variable else (None, None)
    ours = ("PYTHONPATH", "PYTHONHOME")  # of another interpreter, perhaps
    env = {name: value for name, value in os.environ.items() if name not in ours}
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own command
            words, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err
        )
    except OSError as error:
        raise config_error(
            f"cannot start the server with `{words[0]}` ({error.strerror}); check "
            "`backends.openai.command`"
        ) from error
    if variable is None or process.stdout is None:
        return process, None
    with process.stdout:
        sieve = subprocess.Popen(  # noqa: S603 - our own file
            [sys.executable, "-IS", str(_SIEVE), variable], stdin=process.stdout
        )
    return process, sieve


def _await_health(server: Server, path: str, limit_s: float) -> None:
    deadline = time.monotonic() + limit_s
    while (why := _ill(server, path)) is not None:
        process = server.process
        if process is None and why.startswith("HTTP"):
            raise config_error(f"{server.url}{path} answers {why}; check `backends.openai.health`")
        if process is not None and process.poll() is not None:
            raise LemError(
                f"the server {server.end_of(process)} before it was ready; the log of the case "
                "has what it said",
                kind=FailureKind.ENGINE,
            )
        if process is None or time.monotonic() >= deadline:
            raise LemError(
                f"no server is ready at {server.url}{path} ({why}); "
                + ("start it, or check `backends.openai.url`" if process is None else
                   "raise `backends.openai.start_timeout_s` if it loads for longer"),
                kind=FailureKind.TIMEOUT if process else FailureKind.ENGINE,
            )  # fmt: skip
        time.sleep(_POLL_S)


def _ill(server: Server, path: str) -> str | None:
    """Return why the server is not ready, without the key; None if it is."""
    request = urllib.request.Request(server.url + path, headers=dict(server.headers))  # noqa: S310
    try:
        with _OPENER.open(request, timeout=_ASK_TIMEOUT_S):
            return None
    except urllib.error.HTTPError as error:
        with error:
            why = f"HTTP {error.code} {error_in(error.read())}"
    except _NO_ANSWER as error:
        why = str(getattr(error, "reason", error)) or type(error).__name__
    return short(hidden(why, server.key))


def _free_port() -> int:
    """Return a port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
