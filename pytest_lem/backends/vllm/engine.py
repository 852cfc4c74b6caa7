"""What the two ways to run vLLM have in common: the engine, its outputs, its statistics."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class Step:
    """Outputs, and when they were there (CLOCK_MONOTONIC)."""

    time_s: float
    outputs: Sequence[Any]


class Occupancy(NamedTuple):
    """How many requests ran in a step of the engine, and how full its cache was."""

    time_s: float
    running: int
    kv_cache_share: float


@dataclass(slots=True)
class Outcome:
    """What became of a batch: when each request was sent, all outputs, all steps."""

    sent_s: list[float] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    occupancies: list[Occupancy] = field(default_factory=list)


class Engine(Protocol):
    """A running vLLM."""

    config: Any
    tokenizer: Any
    spans: list[dict[str, Any]]
    kind: str
    has_core_apart: bool

    def generate(self, prompts: Sequence[list[int]], params: Sequence[Any]) -> Outcome:
        """Run a batch; the requests are called `0`, `1`, ..."""

    def states(self) -> list[dict[str, Any]]:
        """Return what each worker says of itself."""


def occupancy_logger(log: Callable[[Occupancy], None]) -> type:
    """Return the class of a logger, as vLLM wants one, that hands on each step's occupancy."""
    from vllm.v1.metrics.loggers import StatLoggerBase

    class Logger(StatLoggerBase):  # type: ignore[misc]
        def __init__(self, vllm_config: Any, engine_index: int = 0) -> None:
            pass

        def record(self, scheduler_stats: Any, *_: Any, **__: Any) -> None:
            if scheduler_stats is not None:
                running, share = scheduler_stats.num_running_reqs, scheduler_stats.kv_cache_usage
                log(Occupancy(time.monotonic(), running, share))

        def log_engine_initialized(self) -> None:
            pass

    return Logger
