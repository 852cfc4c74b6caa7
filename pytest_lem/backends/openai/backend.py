"""Offline batches and traffic on a server with the OpenAI API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

from pytest_lem.backends.models import locate, locate_gguf
from pytest_lem.backends.openai.client import Client, Post
from pytest_lem.backends.openai.options import GGUF, MODEL, OpenAiOptions
from pytest_lem.backends.openai.server import Server, server_of
from pytest_lem.backends.protocol import LoadSpec, Prepared, Request
from pytest_lem.backends.tokens import HuggingFaceTokenizer, prompts_of
from pytest_lem.errors import FailureKind, LemError, config_error
from pytest_lem.workloads.prompt import Prompt
from pytest_lem.workloads.workload import Workload

#: Numbers of requests.
Batch = Sequence[int]


class OpenAiBackend:
    """Runs a language model behind a server, on this machine or, without energy, on another."""

    name: ClassVar[str] = "openai"
    requires: ClassVar[tuple[str, ...]] = ("aiohttp", "prometheus_client")
    install: ClassVar[str] = "python -m pip install 'pytest-lem[openai]'"
    precisions: ClassVar[tuple[str, ...]] = ("auto",)
    refuses: ClassVar[tuple[str, ...]] = ()
    is_server: ClassVar[bool] = True
    Options: ClassVar[type[OpenAiOptions]] = OpenAiOptions

    _kept: Client | None = None

    def load(self, spec: LoadSpec) -> dict[str, Any]:
        """Find the server or start it; see `Backend.load`. It tells little of its engine."""
        options: OpenAiOptions = spec.options  # type: ignore[assignment]
        self._options = options
        location, sha256 = _model(spec.model, options)
        self._server = server = server_of(options, spec.model, location)
        self._loop = asyncio.new_event_loop()
        model = self._served(server, spec.model)
        self._model, self._context = str(model["id"]), _whole_number(model.get("max_model_len"))
        self._tokenizer = _tokenizer(options.tokenizer) if options.tokenizer else None
        return {
            "url": server.url,
            "server_pid": server.process.pid if server.process else None,
            "served_model": self._model,
            "backend_version": server.version(),
            "context_length": self._context,
            "model_location": location,
            "model_sha256": sha256,
            "options": {},
        }

    def prepare(self, workload: Workload, batch_size: int) -> Prepared:
        """Write the requests. Lengths are known here where a tokenizer is."""
        rows = [self._batch(prompts, workload) for prompts in workload.batches(batch_size)]
        self._posts = [post for row in rows for post in row]
        self._is_connected = False
        numbers = iter(range(len(self._posts)))
        batches: list[Batch] = [list(islice(numbers, len(row))) for row in rows]
        return Prepared(batches=batches, input_tokens=None, requests=len(self._posts))

    def run(self, batch: Batch) -> list[Request]:
        """Send all requests of a batch at once; raises LemError if one of them fails."""
        return self._loop.run_until_complete(self._gather(batch))

    def synchronise(self) -> None:
        """Answers that are here were waited for."""

    def requests(self, outcome: list[Request]) -> list[Request]:
        """Return the requests as they are."""
        return outcome

    def decode(self, token_ids: Sequence[int]) -> str:  # noqa: ARG002 - of the protocol
        """Return nothing: a server gives texts and no ids."""
        return ""

    def sender(self, batches: Sequence[Batch]) -> Client:
        """Return what sends single requests under traffic."""
        return self._client([self._posts[number] for batch in batches for number in batch])

    async def _gather(self, batch: Batch) -> list[Request]:
        client = await self._connected()
        found = await asyncio.gather(*map(client.send, batch), return_exceptions=True)
        if error := next((x for x in found if isinstance(x, BaseException)), None):
            raise error
        answered = [x for x in found if isinstance(x, Request)]
        if broken := next((request for request in answered if request.error), None):
            raise LemError(f"a request failed: {broken.error}", kind=FailureKind.ENGINE)
        return answered

    async def _connected(self) -> Client:
        """Return the client of all batches; the warm-up makes the connections that windows use."""
        if not self._is_connected:
            if self._kept is not None:
                await self._kept.__aexit__()
            self._kept = await self._client(self._posts).__aenter__()
            self._is_connected = True
        assert self._kept  # noqa: S101 - made above
        return self._kept

    def _client(self, posts: Sequence[Post]) -> Client:
        options, tokenizer = self._options, self._tokenizer
        metrics = options.metrics
        if metrics and metrics.startswith("/"):
            metrics = self._server.url + metrics
        return Client(
            posts,
            headers=self._server.headers,
            key=self._server.key,
            timeout_s=options.request_timeout_s,
            metrics_url=metrics,
            check=self._server.check,
            count=(lambda text: len(tokenizer.encode(text, has_special=False)))
            if tokenizer
            else None,
        )

    def _served(self, server: Server, model: str) -> dict[str, Any]:
        options = self._options
        command, asked = options.command or "", options.served_model
        is_ours = asked is None and (MODEL in command or GGUF in command)
        return server.model_named(asked or model, is_only_ours=is_ours)

    def _batch(self, prompts: list[Prompt], workload: Workload) -> list[Post]:
        is_exact = any(prompt.tokens is not None for prompt in prompts)
        if is_exact and self._tokenizer is None:
            raise config_error(
                "prompts of an exact length need the tokenizer of the model; name it in "
                "`backends.openai.tokenizer`, or leave the lengths out"
            )
        rows: Sequence[str | list[int]] = [prompt.text for prompt in prompts]
        if is_exact and self._tokenizer:
            rows = prompts_of(self._tokenizer, prompts, workload, self._context)
        return [self._post(row, number, workload) for number, row in enumerate(rows)]

    def _post(self, prompt: str | list[int], row: int, workload: Workload) -> Post:
        """Write a request. Ids go to where plain texts go, since a chat takes none."""
        is_chat = workload.chat is not False and isinstance(prompt, str)
        options = self._options
        path = "/v1/chat/completions" if is_chat else "/v1/completions"
        content: dict[str, Any] = {"prompt": prompt}
        if is_chat:
            content = {"messages": [{"role": "user", "content": prompt}]}
        fields = {"model": self._model, **content, **_sampling(workload, row)}
        if workload.streaming:
            fields |= {"stream": True, "stream_options": {"include_usage": True}}
        body = json.dumps({**fields, **(options.extra_body or {})}).encode()
        return Post(self._server.url + path, body, workload.streaming)


def _sampling(workload: Workload, row: int) -> dict[str, Any]:
    """Return how to generate; what is not of the OpenAI API goes only where it is asked for."""
    fields: dict[str, Any] = {
        "max_tokens": workload.output_tokens,
        "temperature": workload.temperature,
        "top_p": workload.top_p,
    }
    if workload.temperature > 0:
        fields["seed"] = workload.seed + row
    if workload.ignore_eos:
        fields["ignore_eos"] = True
    if workload.min_output_tokens is not None:
        fields["min_tokens"] = workload.min_output_tokens
    return fields


def _model(model: str, options: OpenAiOptions) -> tuple[str | None, str | None]:
    """Return directory or file of a model and its hash, as far as it is on this machine."""
    command = options.command or ""
    if GGUF in command:
        source = locate_gguf(model)
    elif MODEL in command or Path(model).expanduser().is_dir():
        source = locate(model)
    else:
        return None, None
    return source.location, source.sha256


def _tokenizer(name: str) -> HuggingFaceTokenizer:
    try:
        from transformers import AutoTokenizer

        return HuggingFaceTokenizer(AutoTokenizer.from_pretrained(name))
    except ImportError as error:
        raise config_error(
            "`backends.openai.tokenizer` needs transformers; run: python -m pip install "
            "'pytest-lem[transformers]'"
        ) from error
    except (OSError, ValueError) as error:
        raise config_error(
            f"cannot load the tokenizer {name}: {(str(error) or 'unknown').splitlines()[0]}"
        ) from error


def _whole_number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
