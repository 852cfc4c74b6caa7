"""The engine: batches as concurrent streams of `LLM.generate_async`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_lem.backends.tensorrt_llm.workers import Workers
from pytest_lem.errors import FailureKind, LemError


@dataclass(slots=True)
class Answer:
    """What became of a request.

    `events` has, for each event, when it was there (CLOCK_MONOTONIC) and how many tokens there were
    then: the library hands out all of them each time. `output` is the last one.
    """

    sent_s: float = 0.0
    events: list[tuple[float, int]] = field(default_factory=list)
    output: Any = None


class StreamedLlm:
    """A running `LLM`."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        from tensorrt_llm import LLM

        self._llm = LLM(**arguments)
        self._loop = asyncio.new_event_loop()
        self._workers = Workers(self._loop)
        self.args = self._llm.args
        # The library wraps the tokenizer of transformers, which knows chat templates.
        self.tokenizer = getattr(self._llm.tokenizer, "tokenizer", self._llm.tokenizer)

    def generate(
        self, prompts: Sequence[list[int]], params: Sequence[Any], *, is_streaming: bool
    ) -> list[Answer]:
        """Run a batch; the answers are in the order of the prompts."""
        return self._loop.run_until_complete(self._generate(prompts, params, is_streaming))

    async def _generate(
        self, prompts: Sequence[list[int]], params: Sequence[Any], is_streaming: bool
    ) -> list[Answer]:
        answers = [Answer() for _ in prompts]
        streams = [
            asyncio.ensure_future(self._stream(answer, ids, param, is_streaming))
            for answer, ids, param in zip(answers, prompts, params, strict=True)
        ]
        try:
            await self._all_of(streams)
        finally:
            for stream in streams:
                stream.cancel()
            await asyncio.gather(*streams, return_exceptions=True)
        return answers

    async def _all_of(self, streams: Sequence[asyncio.Future[None]]) -> None:
        """Wait for all streams, or for the end of a worker, without which they would not end."""
        ended, together = self._workers.ended, asyncio.gather(*streams)
        awaited: list[asyncio.Future[Any]] = [together, ended]
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        if together.done():
            await together
            return
        together.cancel()
        await asyncio.wait([together])
        raise LemError(
            f"a worker of TensorRT-LLM (process {ended.result()}) ended while it was needed; its "
            "log says more",
            kind=FailureKind.ENGINE,
        )

    async def _stream(self, answer: Answer, ids: list[int], param: Any, is_streaming: bool) -> None:
        monotonic, events = time.monotonic, answer.events
        answer.sent_s = monotonic()
        answer.output = output = self._llm.generate_async(ids, param, streaming=is_streaming)
        if not is_streaming:
            await output.aresult()
            events.append((monotonic(), len(output.outputs[0].token_ids)))
            return
        async for part in output:
            events.append((monotonic(), len(part.outputs[0].token_ids)))

    def close(self) -> None:
        """End the engine with all its workers."""
        self._workers.close()
        self._llm.shutdown()
        self._loop.close()
