"""Offline batches and traffic on a server with the OpenAI API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
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

Batch = list[Post]


class OpenAiBackend:
    """Runs a language model behind a server, on this machine or, without energy, on another."""

    name: ClassVar[str] = "openai"
    requires: ClassVar[tuple[str, ...]] = ("aiohttp", "prometheus_client")
    install: ClassVar[str] = "python -m pip install 'pytest-lem[openai]'"
    precisions: ClassVar[tuple[str, ...]] = ("auto",)
    refuses: ClassVar[tuple[str, ...]] = ()
    is_server: ClassVar[bool] = True
    Options: ClassVar[type[OpenAiOptions]] = OpenAiOptions

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
        batches = [self._batch(prompts, workload) for prompts in workload.batches(batch_size)]
        return Prepared(batches=batches, input_tokens=None, requests=sum(map(len, batches)))

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
        return self._client([post for batch in batches for post in batch])

    async def _gather(self, batch: Batch) -> list[Request]:
        async with self._client(batch) as client:
            found = await asyncio.gather(*map(client.send, range(len(batch))))
        if broken := next((request for request in found if request.error), None):
            raise LemError(f"a request failed: {broken.error}", kind=FailureKind.ENGINE)
        return found

    def _client(self, posts: Sequence[Post]) -> Client:
        options, tokenizer = self._options, self._tokenizer
        metrics = self._server.url + options.metrics if options.metrics else None
        return Client(
            posts,
            headers=self._server.headers,
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

    def _batch(self, prompts: list[Prompt], workload: Workload) -> Batch:
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
