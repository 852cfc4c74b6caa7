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
BACKEND = "ngram_backend:NgramBackend"


class Asker:
    """Starts a host and asks what a measurement asks, in fewer words."""

    def __init__(self, log: Path, model: Path, python: str | None = None) -> None:
        self.model = model
        self.host = Host(log, python=python)

    def import_engine(
        self, timeout_s: float = PATIENCE_S, backend: str = BACKEND
    ) -> dict[str, Any]:
        return self.ask("import", "imported", timeout_s, backend=backend)

    def load(self, timeout_s: float = PATIENCE_S, **options: Any) -> dict[str, Any]:
        spec = {
            "backend": "ngram",
            "model": str(options.pop("model", self.model)),
            "precision": options.pop("precision", "float64"),
            "options": options,
            "max_batch_size": 8,
        }
        return self.ask("load", "loaded", timeout_s, backend=BACKEND, spec=spec)

    def prepare(
        self, batch_size: int = 1, timeout_s: float = PATIENCE_S, **workload: Any
    ) -> dict[str, Any]:
        plain = Workload(**{"output_tokens": 8, **workload}).plain()
        return self.ask("prepare", "prepared", timeout_s, workload=plain, batch_size=batch_size)

    def run(self, repetitions: int = 1, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        return self.ask("run", "ran", timeout_s, repetitions=repetitions)

    def collect(self, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        return self.ask("collect", "collected", timeout_s)

    def measure(self, short: str, timeout_s: float, **options: Any) -> None:
        """Take every step of a measurement; `short` is the place of the one with less time."""
        steps: dict[str, Callable[[float], Any]] = {
            "import": self.import_engine,
            "load": lambda limit_s: self.load(limit_s, **options),
            "prepare": lambda limit_s: self.prepare(timeout_s=limit_s),
            "run:0": lambda limit_s: self.run(timeout_s=limit_s),
            "run:1": lambda limit_s: self.run(timeout_s=limit_s),
            "collect": self.collect,
        }
        for place, step in steps.items():
            step(timeout_s if place == short else PATIENCE_S)

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
