"""The backend on a real server without a model: batches, faults, and what each option does."""

from __future__ import annotations

import asyncio
import json
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from pytest_lem.backends.openai import OpenAiBackend
from pytest_lem.backends.openai.client import Client
from pytest_lem.backends.protocol import Request
from pytest_lem.errors import LemError
from pytest_lem.workloads.workload import Workload

WORKLOAD = Workload(prompts=("The sun", "A river"), output_tokens=5)


def _prepared(backend: OpenAiBackend, batch_size: int = 1, **fields: Any) -> Any:
    plain = WORKLOAD.plain()
    return backend.prepare(Workload.from_plain({**plain, **fields}), batch_size)


def _run(backend: OpenAiBackend, batch_size: int = 1, **fields: Any) -> list[Request]:
    (batch, *_) = _prepared(backend, batch_size, **fields).batches
    return backend.requests(backend.run(batch))


def _sent(backend: OpenAiBackend, count: int, **fields: Any) -> list[Request]:
    """Send requests one after the other, as traffic does."""

    async def send(client: Client) -> list[Request]:
        async with client:
            return [await client.send(number) for number in range(count)]

    return asyncio.run(send(backend.sender(_prepared(backend, **fields).batches)))


def _asked(backend: OpenAiBackend) -> dict[str, Any]:
    """Return the body that the server got last."""
    body: dict[str, Any] = backend._server.get("/last")["body"]
    return body


def _failure(call: Any, *arguments: Any, **keywords: Any) -> tuple[str, str]:
    with pytest.raises(LemError) as caught:
        call(*arguments, **keywords)
    return caught.value.kind, str(caught.value)


@pytest.mark.parametrize("is_chat", [None, True, False])
@pytest.mark.parametrize("is_streaming", [True, False])
def test_a_batch_is_answered(load: Any, is_chat: bool | None, is_streaming: bool) -> None:
    """All at once, each with its counts, its times if they are known, and its text."""
    backend, _ = load("--itl", "0.001", "--cached", "3")
    found = _run(backend, 2, chat=is_chat, streaming=is_streaming)
    assert len(found) == 2
    for request in found:
        assert (request.input_tokens, request.output_tokens, request.cached_tokens) == (7, 5, 3)
        assert (request.reported_tokens, request.error, request.batch) == (None, None, None)
        assert request.text == "a " * 5
        assert len(request.token_times_s) == (5 if is_streaming else 0)
        times_s = [request.sent_s, *request.token_times_s, request.done_s]
        assert times_s == sorted(times_s)
    last = backend._server.get("/last")
    assert last["path"] == ("/v1/completions" if is_chat is False else "/v1/chat/completions")
    assert last["body"].get("stream", False) is is_streaming


def test_a_connection_that_the_server_closed_costs_no_request(load: Any) -> None:
    """The server never saw it, so it is sent again on another one."""
    backend, _ = load("--once")
    assert [request.error for request in _sent(backend, 3)] == [None] * 3
    prepared = _prepared(backend, 2, requests=4)
    answered = [request for batch in prepared.batches for request in backend.run(batch)]
    assert [request.output_tokens for request in answered] == [5] * 4


def test_a_workload_is_prepared_as_requests(load: Any) -> None:
    """As many as were asked for, of a length that only the server knows; a batch may be short."""
    backend, _ = load()
    prepared = _prepared(backend, 2, requests=3)
    assert (prepared.requests, prepared.input_tokens) == (3, None)
    assert [len(batch) for batch in prepared.batches] == [2, 1]
    bodies = [json.loads(backend._posts[n].body) for batch in prepared.batches for n in batch]
    assert [body["messages"][0]["content"] for body in bodies] == ["The sun", "A river", "The sun"]


def test_a_greedy_request_has_the_fields_of_the_api(load: Any) -> None:
    """And none besides, but for the one that makes every answer as long as the other."""
    backend, _ = load()
    _run(backend)
    assert _asked(backend) == {
        "model": "stub",
        "messages": [{"role": "user", "content": "The sun"}],
        "max_tokens": 5,
        "temperature": 0.0,
        "top_p": 1.0,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_what_a_workload_asks_for_reaches_the_request(load: Any) -> None:
    """Sampling has a seed for each row, and the fewest tokens their own field."""
    backend, _ = load()
    fields = {"temperature": 0.7, "top_p": 0.9, "seed": 40, "ignore_eos": False,
              "min_output_tokens": 2, "streaming": False, "chat": False}  # fmt: skip
    (batch,) = _prepared(backend, 2, **fields).batches
    assert json.loads(backend._posts[batch[1]].body) == {
        "model": "stub",
        "prompt": "A river",
        "max_tokens": 5,
        "temperature": 0.7,
        "top_p": 0.9,
        "seed": 41,
        "min_tokens": 2,
    }


def test_further_fields_reach_the_request(load: Any) -> None:
    """They go over those of the harness, since whoever writes them means it."""
    backend, _ = load(extra_body={"repetition_penalty": 1.5, "top_p": 0.5})
    _run(backend)
    assert (_asked(backend)["repetition_penalty"], _asked(backend)["top_p"]) == (1.5, 0.5)


FAULTS = {
    "429": "HTTP 429 Too Many Requests: slow down",
    "500": "HTTP 500 Internal Server Error: something broke",
    "malformed": "the server sent what is no JSON object: b'{not json'",
    "midway": "the server reports: the engine is gone",
    "no_usage": "the server did not tell how many tokens it generated (`usage`)",
    "half": "the stream ended before the answer did",
}


def test_each_fault_is_a_request_with_its_reason(load: Any) -> None:
    """The next request goes on a connection that works."""
    backend, _ = load("--faults", " ".join(f"{name}@{n}" for n, name in enumerate(FAULTS)))
    *found, good = _sent(backend, len(FAULTS) + 1)
    assert dict(zip(FAULTS, (r.error for r in found), strict=True)) == FAULTS
    assert good.error is None
    for request in found:
        assert (request.output_tokens, request.input_tokens, request.text) == (None, None, None)
        assert request.token_times_s == []
        assert request.done_s >= request.sent_s


@pytest.mark.parametrize(
    ("fault", "streaming", "counts"),
    [
        ("pairs", True, (5, None, 3)),
        ("liar", True, (3, 5, 5)),
        ("liar", False, (3, None, 0)),
    ],
)
def test_the_servers_counts_are_checked_against_its_pieces(
    load: Any, fault: str, streaming: bool, counts: tuple[int, int | None, int]
) -> None:
    """Several tokens may come in one piece; fewer tokens than pieces are a lie."""
    backend, _ = load("--faults", f"{fault}@*")
    (request,) = _sent(backend, 1, streaming=streaming)
    found = (request.output_tokens, request.reported_tokens, len(request.token_times_s))
    assert found == counts


def test_a_fault_ends_a_batch(load: Any) -> None:
    """An offline batch is whole or nothing."""
    backend, _ = load("--faults", "429@1")
    assert _failure(_run, backend, 2) == (
        "engine",
        "a request failed: HTTP 429 Too Many Requests: slow down",
    )


@pytest.mark.parametrize("is_traffic", [True, False])
def test_a_server_that_dies_is_named(load: Any, is_traffic: bool) -> None:
    """It is no request that failed, but the end."""
    backend, applied = load("--faults", "die@1")
    call = _sent if is_traffic else _run
    assert _failure(call, backend, 2) == (
        "engine",
        (
            "the server was killed by SIGKILL while requests were under way; the log of the case "
            "has what it said"
        ),
    )
    assert applied["server_pid"] == backend._server.process.pid


def test_a_request_may_take_so_long(load: Any) -> None:
    """After `request_timeout_s` it has failed."""
    backend, _ = load("--faults", "never@0", request_timeout_s=0.1)
    slow, good = _sent(backend, 2)
    assert slow.error == "no whole answer within 0.1 s (request_timeout_s)"
    assert good.error is None


def test_what_is_applied_says_where_the_server_is(load: Any) -> None:
    """And all that the server tells of itself."""
    backend, applied = load()
    assert applied == {
        "url": backend._server.url,
        "server_pid": backend._server.process.pid,
        "served_model": "stub",
        "backend_version": "stub-1",
        "context_length": 4096,
        "model_location": None,
        "model_sha256": None,
        "options": {},
    }
    assert applied["url"].startswith("http://127.0.0.1:")


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/"])
def test_a_server_that_runs_is_used_and_left(load: Any, ending: str) -> None:
    """At its URL, with the path of the API or without."""
    first, applied = load()
    second, found = load(url=applied["url"] + ending)
    assert found == {**applied, "server_pid": None}
    assert _run(second)[0].error is None
    second._server.stop()
    assert first._server.process.poll() is None


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "LLM_KEY"])
def test_a_key_comes_from_its_variable(
    load: Any, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """It goes to the server and stands nowhere else."""
    for name in (variable, "STUB_KEY"):
        monkeypatch.setenv(name, "hush-5711")
    backend, applied = load(api_key_env=variable)
    (request,) = _run(backend)
    assert request.error is None
    assert asyncio.run(_looked(backend))
    assert "hush" not in f"{applied} {request}"


@pytest.mark.parametrize("key", [None, "wrong"])
def test_a_server_that_wants_another_key_says_what_to_check(
    load: Any, monkeypatch: pytest.MonkeyPatch, key: str | None
) -> None:
    """The sentence names both settings, and no key."""
    if key:
        monkeypatch.setenv("OPENAI_API_KEY", key)
    kind, sentence = _failure(load, "--key", "hush-5711")
    assert kind == "config"
    assert sentence.partition("/v1/models ")[2] == (
        "lists no model, so this is no server with the OpenAI API, or it wants an API key; check "
        "`backends.openai.url` and `api_key_env`"
    )


@pytest.mark.parametrize(
    ("asked", "hint"), [("stup", "did you mean `stub`?"), ("gpt-9000", "known: stub")]
)
def test_a_model_that_is_not_served_has_a_near_match(load: Any, asked: str, hint: str) -> None:
    """Or all that there is; another is never taken in its place."""
    kind, sentence = _failure(load, model=asked)
    assert kind == "config"
    assert f"offers no model `{asked}`: {hint}; name it with --lem-model, or in" in sentence


def test_a_model_may_be_served_under_another_name(load: Any) -> None:
    """`served_model` is what the server is asked for."""
    backend, applied = load("--model", "other", model="stub", served_model="other")
    _run(backend)
    assert (applied["served_model"], _asked(backend)["model"]) == ("other", "other")
    assert "offers no model `third`" in _failure(load, "--model", "other", served_model="third")[1]


def test_a_command_gets_the_model(load: Any, tmp_path: Any) -> None:
    """Its directory, whose files are known; a server that has only ours may name it as it likes."""
    tmp_path.joinpath("config.json").write_text("{}")
    tmp_path.joinpath("model.safetensors").write_bytes(b"weights")
    _, applied = load("--model", "{model}", model=str(tmp_path))
    assert applied["served_model"] == applied["model_location"] == str(tmp_path.resolve())
    assert len(applied["model_sha256"]) == 64
    _, applied = load("--model", "short", "--faults", "{model}@9", model=str(tmp_path))
    assert applied["served_model"] == "short"


def test_a_command_gets_the_file_of_llama_cpp(load: Any, tmp_path: Any) -> None:
    """Where it says `{gguf}`."""
    path = tmp_path / "small.gguf"
    path.write_bytes(b"GGUF")
    _, applied = load("--model", "{gguf}", model=str(path))
    assert applied["served_model"] == applied["model_location"] == str(path)
    assert len(applied["model_sha256"]) == 64


async def _looked(backend: OpenAiBackend, times: int = 1) -> list[dict[str, float]]:
    async with backend.sender(_prepared(backend).batches) as client:
        return [await client.look() for _ in range(times)]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (
            "/metrics",
            {
                "running": 0.0,
                "waiting": 0.0,
                "kv_cache_share": 0.25,
                "prefix_queries": 4.0,
                "prefix_hits": 1.0,
            },
        ),
        (None, {}),
        ("/nothing", {}),
        ("/version", {}),
    ],
)
def test_gauges_are_read_where_they_are(
    load: Any, path: str | None, expected: dict[str, float]
) -> None:
    """A server without them is not an error."""
    backend, _ = load(metrics=path)
    _run(backend)
    assert asyncio.run(_looked(backend, 2)) == [expected, expected]


def test_gauges_may_be_read_at_a_port_of_their_own(load: Any) -> None:
    """As Triton has one."""
    other, applied = load()
    _run(other, 2)
    backend, _ = load(metrics=applied["url"] + "/metrics")
    (found,) = asyncio.run(_looked(backend))
    assert (found["prefix_queries"], found["prefix_hits"]) == (8.0, 2.0)


class _Words:
    """What transformers would load: a tokenizer whose tokens are words."""

    chat_template = None

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
        return {"input_ids": [len(word) for word in text.split()]}


@pytest.fixture
def transformers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Stand in for transformers; return the names of the tokenizers that were loaded."""
    loaded: list[str] = []

    def from_pretrained(name: str) -> _Words:
        loaded.append(name)
        if name != "org/words":
            raise OSError(f"{name} is no tokenizer\nand so on")
        return _Words()

    module = ModuleType("transformers")
    module.AutoTokenizer = SimpleNamespace(from_pretrained=from_pretrained)
    monkeypatch.setitem(sys.modules, "transformers", module)
    return loaded


def test_prompts_of_an_exact_length_are_ids(load: Any, transformers: list[str]) -> None:
    """Of the named tokenizer; they go where plain texts go, since a chat takes none."""
    backend, _ = load(tokenizer="org/words")
    _run(backend, input_tokens=5)
    assert transformers == ["org/words"]
    assert backend._server.get("/last")["path"] == "/v1/completions"
    assert _asked(backend)["prompt"] == [3, 3, 3, 3, 3]


def test_prompts_of_an_exact_length_need_a_tokenizer(load: Any) -> None:
    """The sentence says where to name it."""
    backend, _ = load()
    kind, sentence = _failure(_prepared, backend, input_tokens=5)
    assert kind == "config"
    assert "name it in `backends.openai.tokenizer`" in sentence


@pytest.mark.parametrize(
    ("fault", "reported"), [("no_such_fault", 5), ("liar", 5)], ids=["honest", "liar"]
)
@pytest.mark.parametrize("streaming", [True, False])
def test_a_tokenizer_counts_the_text_again(
    load: Any, transformers: list[str], streaming: bool, fault: str, reported: int
) -> None:
    """What the server tells of must be about what its text has, streamed or not."""
    backend, _ = load("--faults", f"{fault}@*", tokenizer="org/words")
    (request,) = _sent(backend, 1, streaming=streaming)
    assert (request.output_tokens, request.reported_tokens) == (
        3 if fault == "liar" else 5,
        reported if fault != "liar" or streaming else 3,
    )


def test_a_tokenizer_that_is_not_there_is_named(load: Any, transformers: list[str]) -> None:
    """With the first line of what transformers says."""
    assert _failure(load, tokenizer="org/none") == (
        "config",
        "cannot load the tokenizer org/none: org/none is no tokenizer",
    )


def test_a_tokenizer_needs_transformers(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence has the command that installs it."""
    monkeypatch.setitem(sys.modules, "transformers", None)
    kind, sentence = _failure(load, tokenizer="org/words")
    assert kind == "config"
    assert sentence.endswith("python -m pip install 'pytest-lem[transformers]'")


def test_a_server_gives_texts_and_no_ids(load: Any) -> None:
    """So there is nothing to decode, and nothing to wait for."""
    backend, _ = load()
    backend.synchronise()
    assert backend.decode([1, 2]) == ""
