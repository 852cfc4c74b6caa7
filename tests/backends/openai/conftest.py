"""A server without a model, started by the backend itself."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_lem.backends.openai import OpenAiBackend
from pytest_lem.backends.openai.options import OpenAiOptions
from pytest_lem.backends.protocol import LoadSpec

STUB = Path(__file__).parents[2] / "stub_server" / "stub_server.py"

Load = Callable[..., tuple[OpenAiBackend, dict[str, Any]]]


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[], None]]]:
    """Collect what is to happen at the end of a host, and do it at the end of the test."""
    ends: list[Callable[[], None]] = []
    registry = SimpleNamespace(register=ends.append)
    monkeypatch.setattr("pytest_lem.backends.openai.server.atexit", registry)
    monkeypatch.setattr("pytest_lem.backends.openai.server._POLL_S", 0.02)
    yield ends
    for end in ends:
        end()


@pytest.fixture
def command() -> Callable[..., str]:
    """Make the command that starts the stub with further arguments."""

    def make(*arguments: str) -> str:
        return shlex.join([sys.executable, str(STUB), "--port", "{port}", *arguments])

    return make


@pytest.fixture
def load(
    monkeypatch: pytest.MonkeyPatch, ends: list[Callable[[], None]], command: Callable[..., str]
) -> Iterator[Load]:
    """Load a backend on a stub with arguments of its own; keywords are options of the backend."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    loaded: list[OpenAiBackend] = []

    def make(*arguments: str, model: str = "stub", **options: Any) -> Any:
        if "url" not in options:
            options = {"command": command(*arguments), **options}
        spec = LoadSpec(
            backend="openai",
            model=model,
            precision="auto",
            options=OpenAiOptions(**options),  # type: ignore[arg-type]
        )
        loaded.append(OpenAiBackend())
        return loaded[-1], loaded[-1].load(spec)

    yield make
    for backend in loaded:
        if loop := getattr(backend, "_loop", None):
            loop.close()
