"""`Server.handle_completions` of xllamacpp, all prompts of a batch in one request."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

import xllamacpp


def prepare(settings: dict[str, Any]) -> Callable[[], Any]:
    """Load the model and return what runs all batches."""
    params = xllamacpp.CommonParams()
    params.model.path = settings["model"]
    params.n_parallel = settings["batch_size"]
    params.n_ctx = settings["options"]["n_ctx"] * settings["batch_size"]
    params.kv_unified = False
    params.cache_prompt = False
    if settings["threads"]:
        params.cpuparams.n_threads = settings["threads"]
        params.cpuparams_batch.n_threads = settings["threads"]
    server = xllamacpp.Server(params)
    batches = _batches(server, settings)
    requests = [_request(batch, settings) for batch in batches]
    telling = [_request(batch, settings, verbose=True) for batch in batches]
    reference = _parts(_answers(server, telling))
    return lambda: (_answers(server, requests), reference)


def token_ids(outcome: Any) -> list[list[int]]:
    """Return the ids of every request: of one that told them, if the texts are the same."""
    events, reference = outcome
    texts = {row: text for row, (text, _) in _parts(events).items()}
    is_same = texts == {row: text for row, (text, _) in reference.items()}
    return [ids for _, (_, ids) in sorted(reference.items())] if is_same else []


def _answers(server: Any, requests: list[bytes]) -> list[list[bytes]]:
    events: list[list[bytes]] = []
    for request in requests:
        found: list[bytes] = []
        server.handle_completions(request, found.append)
        events.append(found)
    return events


def _parts(events: list[list[bytes]]) -> dict[tuple[int, int], tuple[str, list[int]]]:
    """Return text and ids of each request, by batch and row."""
    found: dict[tuple[int, int], tuple[str, list[int]]] = {}
    for number, batch in enumerate(events):
        for event in filter(None, map(json.loads, batch)):
            choice = event["choices"][0]
            text, ids = found.get((number, choice["index"]), ("", []))
            ids = ids + event.get("__verbose", {}).get("tokens", [])
            found[number, choice["index"]] = (text + choice["text"], ids)
    return found


def _request(prompts: list[list[int]], settings: dict[str, Any], *, verbose: bool = False) -> bytes:
    request = {
        "prompt": prompts,
        "n_predict": settings["output_tokens"],
        "ignore_eos": True,
        "temperature": 0.0,
        "samplers": ["temperature"],
        "cache_prompt": False,
        "stream": True,
        "verbose": verbose,  # tells the ids
    }
    return json.dumps(request).encode()


def _batches(server: Any, settings: dict[str, Any]) -> list[list[list[int]]]:
    prompts = [_ids(server, text) for text in settings["prompts"]]
    size = settings["batch_size"]
    return [prompts[i : i + size] for i in range(0, len(prompts), size)]


def _ids(server: Any, text: str) -> list[int]:
    message = {"messages": [{"role": "user", "content": text}]}
    prompt = _ask(server, "/apply-template", message)["prompt"]
    return list(_ask(server, "/tokenize", {"content": prompt})["tokens"])


def _ask(server: Any, path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(  # noqa: S310 - the server in this process
        server.listening_address + path,
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return json.load(answer)
