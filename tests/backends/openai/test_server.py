"""Servers that are found, started and ended, and those that are not."""

from __future__ import annotations

import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from pytest_lem.backends.openai.options import OpenAiOptions
from pytest_lem.backends.openai.server import Server, server_of
from pytest_lem.errors import LemError

pytestmark = pytest.mark.usefixtures("ends")


def _python(source: str) -> str:
    return shlex.join([sys.executable, "-c", source, "{port}"])


def _failure(**options: Any) -> tuple[str, str]:
    with pytest.raises(LemError) as caught:
        server_of(OpenAiOptions(**options), "stub", None)
    return caught.value.kind, str(caught.value)


@pytest.fixture
def strange() -> Iterator[Callable[[bytes], str]]:
    """Return a function that listens at a URL where whatever is asked has the given answer."""
    listeners: list[socket.socket] = []

    def answer(listener: socket.socket, data: bytes) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65536)
                connection.sendall(data)

    def start(data: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=answer, args=(listener, data), daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_a_server_is_named_or_started() -> None:
    """Neither is an error in what was asked for."""
    assert _failure() == (
        "config",
        (
            "the backend `openai` needs `backends.openai.url` of a server that runs, or "
            "`backends.openai.command` to start one"
        ),
    )


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (
            {"url": "http://a", "command": "b {port}"},
            "url names a server that runs, command starts one: give one of them",
        ),
        ({"command": "serve"}, "command has to say `{port}` where the server takes its port"),
        ({"url": "127.0.0.1:8000"}, "String should match pattern"),
        ({"url": "ftp://a"}, "String should match pattern"),
        ({"url": "file:///etc"}, "String should match pattern"),
        ({"health": "health"}, "String should match pattern"),
        ({"metrics": "metrics"}, "String should match pattern"),
        ({"metrics": "http://127.0.0.1:8002"}, "String should match pattern"),
        ({"metrics": "ftp://127.0.0.1/metrics"}, "String should match pattern"),
        (
            {"url": "http://a:8000", "metrics": "http://b:8002/metrics"},
            "metrics names another host than that of the server, a, and would be sent its key; n",
        ),
        (
            {"command": "serve {port}", "metrics": "https://a/metrics"},
            "metrics names another host than that of the server, 127.0.0.1, and would be sent its",
        ),
        ({"start_timeout_s": 0.0}, "greater than 0"),
        ({"request_timeout_s": 0.0}, "greater than 0"),
        ({"api_key_env": ""}, "at least 1 character"),
        ({"extra_body": [1]}, "valid dictionary"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, Any], why: str) -> None:
    """Before anything is started."""
    with pytest.raises(ValidationError, match=why.replace("{", r"\{")):
        TypeAdapter(OpenAiOptions).validate_python(options)


@pytest.mark.parametrize(
    ("place", "metrics"),
    [
        ({"url": "http://a:8000/v1"}, "http://A:8002/metrics"),
        ({"url": "http://127.0.0.1:8000"}, "http://localhost:8002/metrics"),
        ({"url": "http://[::1]:8000"}, "http://127.0.0.1:8002/metrics"),
        ({"command": "serve {port}"}, "http://localhost:8002/metrics"),
        ({"url": "http://a:8000"}, "/metrics"),
        ({"url": "http://a:8000"}, None),
    ],
)
def test_metrics_may_have_a_port_of_their_own(place: dict[str, Any], metrics: str | None) -> None:
    """On the server's host, under any name of this one."""
    found = TypeAdapter(OpenAiOptions).validate_python({**place, "metrics": metrics})
    assert found.metrics == metrics


def test_proxies_do_not_stand_before_a_server(
    monkeypatch: pytest.MonkeyPatch, command: Any, strange: Any
) -> None:
    """A proxy has no way to a server that listens in here."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    proxy = strange(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setattr("urllib.request._opener", None)  # of whoever has asked before
    server = server_of(OpenAiOptions(command=command(), start_timeout_s=20.0), "stub", None)
    assert server.version() == "stub-1"


def test_nobody_at_the_url_is_one_sentence() -> None:
    """The port was free a moment ago; it is asked once, since nobody here starts it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert _failure(url=f"http://127.0.0.1:{port}") == (
        "engine",
        (
            f"no server is ready at http://127.0.0.1:{port}/health ([Errno 111] Connection "
            "refused); start it, or check `backends.openai.url`"
        ),
    )


@pytest.mark.parametrize("url", ["http://127.0.0.1:port", "http://127.0.0.1:99999"])
def test_a_url_that_is_none_is_one_sentence(url: str) -> None:
    """No traceback of whatever library notices."""
    kind, sentence = _failure(url=url)
    assert kind == "engine"
    assert sentence.startswith(f"no server is ready at {url}/health (")
    assert sentence.endswith("); start it, or check `backends.openai.url`")


@pytest.mark.parametrize("data", [b"", b"SSH-2.0-OpenSSH_9.6\r\n", b"\x00" * 9])
def test_what_speaks_no_http_is_no_server(strange: Any, data: bytes) -> None:
    """It is told as one that is not ready."""
    kind, sentence = _failure(url=strange(data))
    assert kind == "engine"
    assert "no server is ready at" in sentence
    assert sentence.endswith("; start it, or check `backends.openai.url`")


def test_another_kind_of_server_is_told_by_its_answer(strange: Any) -> None:
    """The status, and a line of what it says."""
    body = b"HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\nno\nway"
    kind, sentence = _failure(url=strange(body))
    assert kind == "config"
    assert sentence.endswith("/health answers HTTP 404 no way; check `backends.openai.health`")


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"data": 3}', b'{"data": [3]}', b"<p>"])
def test_what_lists_no_models_is_no_server_with_the_api(strange: Any, body: bytes) -> None:
    """Whatever else it answers."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    server = server_of(OpenAiOptions(url=strange(head + body)), "stub", None)
    assert server.version() is None
    with pytest.raises(LemError, match="lists no model"):
        server.model_named("stub", is_only_ours=True)


def test_a_command_that_cannot_be_run_is_named() -> None:
    """With the reason of the system."""
    assert _failure(command="no-such-server-5711 {port}") == (
        "config",
        (
            "cannot start the server with `no-such-server-5711` (No such file or directory); check "
            "`backends.openai.command`"
        ),
    )


def test_a_command_that_cannot_be_split_is_named() -> None:
    """It is in words as in a shell."""
    assert _failure(command="serve {port} 'half") == (
        "config",
        "`backends.openai.command` cannot be split: No closing quotation",
    )


@pytest.mark.parametrize(
    ("source", "end"),
    [
        ("import sys; sys.exit(3)", "ended with 3"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL"),
    ],
)
def test_a_server_that_ends_before_it_is_ready_is_not_waited_for(source: str, end: str) -> None:
    """However long it might have taken."""
    assert _failure(command=_python(source), start_timeout_s=600.0) == (
        "engine",
        f"the server {end} before it was ready; the log of the case has what it said",
    )


def test_a_server_that_is_never_ready_is_given_up(command: Any) -> None:
    """After `start_timeout_s`, with the last answer to `health`; and it does not stay."""
    kind, sentence = _failure(command=command(), health="/never", start_timeout_s=1.0)
    assert kind == "timeout"
    assert sentence.endswith(
        "/never (HTTP 404 no /never); raise `backends.openai.start_timeout_s` if it loads for "
        "longer"
    )


def test_health_is_asked_where_it_is(command: Any) -> None:
    """Some servers have no `/health`."""
    server = server_of(OpenAiOptions(command=command(), health="/v1/models"), "stub", None)
    assert server.version() == "stub-1"


def test_a_started_server_ends_with_its_host(command: Any, ends: list[Any]) -> None:
    """What is to happen at the end ends it, and a second time does nothing."""
    server = server_of(OpenAiOptions(command=command()), "stub", None)
    server.check()
    (end,) = ends
    end()
    assert server.process is not None
    assert server.process.poll() == 0
    end()
    with pytest.raises(LemError, match="the server ended with 0 while requests were under way"):
        server.check()


def test_a_server_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has some seconds to end by itself."""
    monkeypatch.setattr("pytest_lem.backends.openai.server._END_S", 0.1)
    source = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True);"
        "signal.pause()"
    )
    process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        process.stdout.readline()
        Server("http://127.0.0.1:1", None, process).stop()
    assert process.wait(30) == -signal.SIGKILL


def test_the_interpreter_of_the_host_is_not_forced_on_the_server(
    monkeypatch: pytest.MonkeyPatch, command: Any, tmp_path: Any
) -> None:
    """It may be another one, whose modules these are not."""
    tmp_path.joinpath("asyncio.py").write_text("raise ImportError('not mine')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert server_of(OpenAiOptions(command=command()), "stub", None).version() == "stub-1"
