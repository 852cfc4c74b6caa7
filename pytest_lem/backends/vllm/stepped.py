"""`LLMEngine`, stepped by hand: offline batches with a true time for every token."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from pytest_lem.backends.vllm.engine import Occupancy, Outcome, Step, occupancy_logger
from pytest_lem.backends.vllm.watch import watch

#: Methods of vLLM's executor, and what they are called in the ledger.
_SPANS = {
    "_init_executor": "weights",
    "determine_available_memory": "compile",
    "initialize_from_config": "capture",
}


class SteppedEngine:
    """Runs batches through `add_request` and `step`, in this process or with a core apart."""

    def __init__(self, arguments: dict[str, Any], *, is_in_process: bool) -> None:
        from vllm import EngineArgs
        from vllm.usage.usage_lib import UsageContext
        from vllm.v1.engine.llm_engine import LLMEngine
        from vllm.v1.executor import Executor

        self.spans: list[dict[str, Any]] = []
        self._outcome = Outcome()
        config = EngineArgs(**arguments).create_engine_config(UsageContext.LLM_CLASS)
        executor = Executor.get_class(config)
        self._engine = LLMEngine(
            config,
            _timed(executor, self.spans) if is_in_process else executor,
            log_stats=True,
            stat_loggers=[occupancy_logger(self._note)],
            multiprocess_mode=not is_in_process,
        )
        self.config = self._engine.vllm_config
        self.tokenizer = self._engine.get_tokenizer()
        self.kind = type(self._engine).__name__
        self.has_core_apart = type(self._engine.engine_core).__name__ != "InprocClient"
        if self.has_core_apart:
            watch(self._engine.engine_core)

    def generate(self, prompts: Sequence[list[int]], params: Sequence[Any]) -> Outcome:
        """Run a batch."""
        engine, monotonic = self._engine, time.monotonic
        self._outcome = outcome = Outcome()
        for number, (ids, param) in enumerate(zip(prompts, params, strict=True)):
            outcome.sent_s.append(monotonic())
            engine.add_request(str(number), {"prompt_token_ids": ids}, param)
        steps = outcome.steps
        while engine.has_unfinished_requests():
            outputs = engine.step()
            steps.append(Step(monotonic(), outputs))
        return outcome

    def _note(self, seen: Occupancy) -> None:
        self._outcome.occupancies.append(seen)

    def states(self) -> list[dict[str, Any]]:
        """Return what each worker says of itself."""
        return list(self._engine.collective_rpc("lem_state"))


def _timed(executor: type, spans: list[dict[str, Any]]) -> type:
    """Return an executor that notes when it did what."""

    def timed(name: str) -> Any:
        method = getattr(executor, name)

        def run(self: Any, *args: Any, **kwargs: Any) -> Any:
            start_s = time.monotonic()
            result = method(self, *args, **kwargs)
            span = {"name": _SPANS[name], "start_s": start_s, "end_s": time.monotonic()}
            spans.append(span)
            return result

        return run

    return type(executor.__name__, (executor,), {name: timed(name) for name in _SPANS})
