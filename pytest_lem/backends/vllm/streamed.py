"""`AsyncLLM`, the engine of vLLM's servers: each request is a stream of new tokens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from pytest_lem.backends.vllm.engine import Occupancy, Outcome, Step, occupancy_logger


class StreamedEngine:
    """Runs batches as concurrent streams. The core of the engine is another process."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        from vllm import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        self.spans: list[dict[str, Any]] = []
        self._outcome = Outcome()
        self._loop = asyncio.new_event_loop()
        self._engine = AsyncLLM.from_engine_args(
            AsyncEngineArgs(**arguments),
            stat_loggers=[occupancy_logger(self._note)],
        )
        self.config = self._engine.vllm_config
        self.tokenizer = self._engine.get_tokenizer()
        self.kind = type(self._engine).__name__
        self.has_core_apart = type(self._engine.engine_core).__name__ != "InprocClient"
        self._batches = 0

    def generate(self, prompts: Sequence[list[int]], params: Sequence[Any]) -> Outcome:
        """Run a batch."""
        self._batches += 1
        return self._loop.run_until_complete(self._generate(prompts, params))

    async def _generate(self, prompts: Sequence[list[int]], params: Sequence[Any]) -> Outcome:
        self._outcome = Outcome([0.0] * len(prompts))
        requests = enumerate(zip(prompts, params, strict=True))
        await asyncio.gather(*(self._stream(number, *request) for number, request in requests))
        return self._outcome

    async def _stream(self, number: int, ids: list[int], param: Any) -> None:
        outcome = self._outcome
        outcome.sent_s[number] = time.monotonic()
        prompt = {"prompt_token_ids": ids}
        async for output in self._engine.generate(prompt, param, f"{number}-{self._batches}"):
            outcome.steps.append(Step(time.monotonic(), [output]))

    def _note(self, seen: Occupancy) -> None:
        self._outcome.occupancies.append(seen)

    def states(self) -> list[dict[str, Any]]:
        """Return what each worker says of itself."""
        return list(self._loop.run_until_complete(self._engine.collective_rpc("lem_state")))
