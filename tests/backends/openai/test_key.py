"""The key: where it comes from, and that nobody is told of it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import socket
import subprocess
import sys
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from pytest_lem.backends.openai.client import Post
from pytest_lem.backends.openai.key import hidden, key_in
from pytest_lem.backends.openai.options import OpenAiOptions
from pytest_lem.backends.openai.server import Server, server_of
from pytest_lem.backends.openai.sieve import copy
from pytest_lem.errors import LemError
from pytest_lem.workloads.workload import Workload

KEY = "hush-5711"
deterministic = settings(derandomize=True, deadline=None, max_examples=80)


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    """Put the key where it belongs, and where the stub finds its own."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("STUB_KEY", KEY)
    return KEY


@pytest.mark.parametrize(
    ("value", "found"), [(None, None), ("", None), (" \n", None), (f" {KEY}\r\n", KEY)]
)
def test_a_key_is_what_stands_in_its_variable(
    monkeypatch: pytest.MonkeyPatch, value: str | None, found: str | None
) -> None:
    """Without the line end that files have."""
    monkeypatch.delenv("LLM_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("LLM_KEY", value)
    assert key_in("LLM_KEY") == found


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        (f"Bearer {KEY}, not {KEY}.", KEY, "Bearer ***, not ***."),
        (repr("sk'-\"quoted\\"), "sk'-\"quoted\\", "'***'"),
        ("nothing of the kind", KEY, "nothing of the kind"),
        ("EMPTY is none", "EMPTY", "EMPTY is none"),
        ("none", None, "none"),
    ],
)
def test_a_key_is_taken_out_of_a_text(text: str, key: str | None, expected: str) -> None:
    """But for a placeholder, which is no secret and may stand anywhere."""
    assert hidden(text, key) == expected


@deterministic
@given(st.lists(st.integers(0, 60), max_size=8))
@example([15])
@example([8, 15, 16, 35])
def test_a_sieve_finds_a_key_wherever_it_is_cut(cuts: list[int]) -> None:
    """What was printed in pieces comes out whole but for the key."""
    data = f"hus hush-hush-5711 then hush-571 and {KEY}{KEY}, hush-5".encode()
    edges = [0, *sorted(cut % len(data) for cut in cuts), len(data)]
    inlet, feed = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    outlet, sink = os.pipe()
    with inlet, feed:
        for start, end in pairwise(edges):
            if start < end:
                feed.send(data[start:end])
        feed.close()
        copy(inlet.fileno(), sink, KEY.encode())
    os.close(sink)
    with os.fdopen(outlet, "rb") as file:
        assert file.read() == b"hus hush-*** then hush-571 and ******, hush-5"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("command", {"command": f"serve --port {{port}} --api-key {KEY}"}),
        ("url", {"url": f"http://127.0.0.1:8000/{KEY}"}),
        ("extra_body", {"url": "http://a", "extra_body": {"user": ["a", {"key": KEY}]}}),
        ("served_model", {"url": "http://a", "served_model": KEY}),
    ],
)
def test_a_key_in_an_option_is_refused(key: str, name: str, options: dict[str, Any]) -> None:
    """Options are stored; the sentence names the option, and not what is in it."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(OpenAiOptions).validate_python(options)
    (error,) = caught.value.errors()
    assert error["msg"] == (
        f"Value error, {name} has the key of OPENAI_API_KEY in it, and options are stored; take it "
        "out: requests carry the key anyway, and a server that is started finds it in a variable "
        "of its environment (vLLM in VLLM_API_KEY)"
    )


def test_a_placeholder_in_an_option_is_none_of_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers without keys are often given one, such as EMPTY."""
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    assert OpenAiOptions(command="serve --port {port} --cache none").command


def test_a_key_in_the_place_of_its_name_is_refused() -> None:
    """Without a word of it."""
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(OpenAiOptions).validate_python({"api_key_env": "sk-hush-5711"})
    (error,) = caught.value.errors()
    assert "takes the name of a variable of the environment" in error["msg"]
    assert "hush" not in error["msg"]


def test_a_server_that_tells_the_key_is_told_without_it(key: str, ends: Any) -> None:
    """Whatever it answers while it is not ready, cut or not."""
    answer = (
        "import http.server as h\n"
        "class A(h.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_error(503, 'busy', 'x' * 175 + self.headers['Authorization'] + 'y')\n"
        "        self.server.shutdown_request(self.connection)\n"
        "    def send_error(self, code, message, text):\n"
        "        self.send_response(code)\n"
        "        self.end_headers()\n"
        "        self.wfile.write(text.encode())\n"
        "import sys; h.HTTPServer(('127.0.0.1', int(sys.argv[1])), A).serve_forever()"
    )
    source = shlex.join([sys.executable, "-c", answer, "{port}"])
    with pytest.raises(LemError) as caught:
        server_of(OpenAiOptions(command=source, start_timeout_s=3.0), "stub", None)
    assert re.search(r"\(HTTP 503 x{175}Bearer \*\*\*y\)", str(caught.value))
    assert "hush" not in str(caught.value)


def test_a_wrong_key_is_not_told_by_the_health_of_a_server(
    key: str, command: Any, ends: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where that needs a key as well."""
    url = server_of(OpenAiOptions(command=command()), "stub", None).url
    monkeypatch.setenv("OPENAI_API_KEY", "hush-wrong")
    with pytest.raises(LemError) as caught:
        server_of(OpenAiOptions(url=url, health="/v1/models"), "stub", None)
    assert str(caught.value) == (
        f"{url}/v1/models answers HTTP 401 Incorrect API key provided: Bearer ***; check "
        "`backends.openai.health`"
    )


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("401@0", r"HTTP 401 Unauthorized: Incorrect API key provided: Bearer \*\*\*"),
        (
            "babbling@0",
            r"the server sent what is no JSON object: b'(not {json, ){13}but \*\*\*, .*\.\.\.",
        ),
        ("telling@0", r"the server reports: \*\*\* is unknown"),
    ],
)
def test_a_reason_has_no_key(load: Any, key: str, fault: str, reason: str) -> None:
    """Nor half of one, where it is cut."""
    backend, _ = load("--faults", fault)
    workload = Workload(prompts=("The sun",), output_tokens=2)
    prepared = backend.prepare(workload, 1)

    async def send() -> Any:
        async with backend.sender(prepared.batches) as client:
            return await client.send(0)

    error = asyncio.run(send()).error
    assert re.fullmatch(reason, error)
    assert "hush" not in error


def test_a_text_has_no_key(load: Any, key: str) -> None:
    """A model may repeat what it is shown, and the first text is kept."""
    backend, _ = load()
    body = {"choices": [{"text": f"You are {KEY}."}], "usage": {"completion_tokens": 4}}
    pieces = [(1.0, json.dumps(body).encode())]
    request = backend.sender([])._answered(Post("http://a", b"", False), 0.0, pieces)
    assert (request.text, request.output_tokens) == ("You are ***.", 4)


def test_what_a_server_prints_has_no_key(load: Any, key: str, capfd: Any, ends: Any) -> None:
    """And is in the log all the same."""
    load("--log")
    for end in ends:
        end()
    out = capfd.readouterr().out
    assert "GET /v1/models HTTP/1.1" in out
    assert "Authorization: Bearer ***" in out
    assert "hush" not in out


def test_the_last_words_of_a_server_are_in_the_log(key: str, capfd: Any) -> None:
    """Before it is told that it has ended, to the last letter."""
    source = (
        f"import os; os.write(1, b'x' * 100000 + b'{KEY[:4]}' + b'{KEY[4:]}'); os.write(2, b'hush')"
        "; os._exit(3)"
    )
    command = shlex.join([sys.executable, "-c", source, "{port}"])
    with pytest.raises(LemError, match="the server ended with 3 before it was ready"):
        server_of(OpenAiOptions(command=command), "stub", None)
    assert capfd.readouterr().out == "x" * 100000 + "***hush"


def test_nothing_is_told_of_an_end_before_the_sieve_is_done() -> None:
    """Whoever hears of it looks into the log at once."""
    waited: list[float] = []
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        sieve: Any = SimpleNamespace(wait=waited.append)
        server = Server("http://127.0.0.1:1", KEY, process, sieve)
        for _ in range(3):  # many requests may find that it has ended
            with pytest.raises(LemError, match="the server ended with 0 while requests were"):
                server.check()
    assert waited == [5.0]
