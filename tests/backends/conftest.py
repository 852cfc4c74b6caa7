"""Real host processes around the backend `ngram`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends.host.process import Host
from pytest_lem.workloads.workload import Workload

#: Longer than anything here takes; whoever waits for a deadline gives a short one.
PATIENCE_S = 60.0


class Asker:
    """Starts a host and asks what a measurement asks, in fewer words."""

    def __init__(self, log: Path, model: Path, python: str | None = None) -> None:
        self.model = model
        self.host = Host(log, python=python)

    def load(self, timeout_s: float = PATIENCE_S, **options: Any) -> dict[str, Any]:
        spec = {
            "backend": "ngram",
            "model": str(options.pop("model", self.model)),
            "precision": options.pop("precision", "float64"),
            "options": options,
            "max_batch_size": 8,
        }
        return self.ask(
            "load", "loaded", timeout_s, backend="ngram_backend:NgramBackend", spec=spec
        )

    def prepare(self, batch_size: int = 1, **workload: Any) -> dict[str, Any]:
        plain = Workload(**{"output_tokens": 8, **workload}).plain()
        return self.ask("prepare", "prepared", workload=plain, batch_size=batch_size)

    def run(self, repetitions: int = 1, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        return self.ask("run", "ran", timeout_s, repetitions=repetitions)

    def collect(self) -> dict[str, Any]:
        return self.ask("collect", "collected")

    def ask(
        self, kind: str, answer: str, timeout_s: float = PATIENCE_S, **fields: Any
    ) -> dict[str, Any]:
        return self.host.ask(kind, answer, timeout_s=timeout_s, **fields)


@pytest.fixture
def start(ngram: Path, tmp_path: Path) -> Iterator[Callable[..., Asker]]:
    """Start hosts that end with the test; each prints to `host.log`."""
    started: list[Asker] = []

    def start(**arguments: Any) -> Asker:
        started.append(Asker(tmp_path / "host.log", ngram, **arguments))
        return started[-1]

    yield start
    for asker in started:
        asker.host.kill()


@pytest.fixture
def asker(start: Callable[..., Asker]) -> Asker:
    """Start one host."""
    return start()
