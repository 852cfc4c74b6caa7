"""What comes back of a request. One object for each, which grows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from types import SimpleNamespace
from typing import Any, Self


class MetricNames(Enum):
    """Under which names times are told."""

    TTFT = "ttft"
    TPOT = "tpot"
    E2E = "e2e"
    REQUEST_QUEUE_TIME = "request_queue_time"


class RequestError(RuntimeError):
    """One request failed."""


@dataclass(slots=True)
class CompletionOutput:
    """An answer. `token_ids` are all of them, each time."""

    index: int
    text: str = ""
    token_ids: list[int] | None = field(default_factory=list)
    cumulative_logprob: float | None = None
    logprobs: list[Any] | None = field(default_factory=list)
    prompt_logprobs: list[Any] | None = field(default_factory=list)
    finish_reason: str | None = None
    stop_reason: int | str | None = None
    generation_logits: Any = None
    additional_context_outputs: dict[str, Any] | None = None
    additional_generation_outputs: dict[str, Any] | None = None
    disaggregated_params: Any = None
    request_perf_metrics: Any = None
    _last_token_ids_len: int = field(default=0, init=False, repr=False)

    @property
    def length(self) -> int:
        """Return the number of tokens."""
        return len(self.token_ids or ())

    @property
    def token_ids_diff(self) -> list[int]:
        """Return the tokens that the last event has brought."""
        return (self.token_ids or [])[self._last_token_ids_len :]


class RequestOutput:
    """A request under way: await it, or iterate over its events."""

    def __init__(
        self, request_id: int, prompt_token_ids: list[int], abort: Callable[[int], None]
    ) -> None:
        self.request_id = request_id
        self.prompt: str | None = None
        self.prompt_token_ids = prompt_token_ids
        self.outputs = [CompletionOutput(0)]
        self.context_logits = None
        self.cached_tokens = 0
        self.decoding_iter = 0
        self.avg_decoded_tokens_per_iter: float | None = None
        self.metrics_dict: dict[MetricNames, float] = {}
        self.finished = False
        self.events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._abort, self._aborted = abort, False

    def abort(self) -> None:
        """Give the request up."""
        self._abort(self.request_id)
        self._aborted = True

    def aborted(self) -> bool:
        """Tell whether it was given up."""
        return self._aborted

    async def aresult(self) -> RequestOutput:
        """Wait for the end."""
        while not self.finished:
            await self._step()
        return self

    def __await__(self) -> Generator[Any, None, RequestOutput]:
        return self.aresult().__await__()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Self:
        if self.finished:
            raise StopAsyncIteration
        await self._step()
        return self

    async def _step(self) -> None:
        event = await self.events.get()
        if "error" in event:
            raise RequestError(event["error"])
        output = self.outputs[0]
        output._last_token_ids_len = output.length
        output.token_ids.extend(event["tokens"])
        self.decoding_iter = output.length
        self.finished = event["finish_reason"] is not None
        output.finish_reason = event["finish_reason"]
        if measured := event.get("metrics"):
            self._measure(measured)

    def _measure(self, measured: dict[str, Any]) -> None:
        self.cached_tokens = measured["cached_tokens"]
        times = {name: timedelta(seconds=at_s) for name, at_s in measured["times"].items()}
        self.outputs[0].request_perf_metrics = SimpleNamespace(
            timing_metrics=SimpleNamespace(**times),
            kv_cache_metrics=SimpleNamespace(
                num_total_allocated_blocks=measured["blocks"],
                num_new_allocated_blocks=measured["blocks"] - measured["reused"],
                num_reused_blocks=measured["reused"],
                num_missed_blocks=measured["blocks"] - measured["reused"],
                kv_cache_hit_rate=measured["reused"] / measured["blocks"],
            ),
            first_iter=measured["first_iter"],
            last_iter=measured["last_iter"],
            iter=measured["last_iter"],
        )
        waited = times["first_scheduled_time"] - times["arrival_time"]
        found = {MetricNames.REQUEST_QUEUE_TIME: waited.total_seconds()}
        self.metrics_dict = {name: value for name, value in found.items() if value > 0}
