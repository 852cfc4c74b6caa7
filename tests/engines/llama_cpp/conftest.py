"""The demo model for the tests of the llama.cpp backend, as it is and with bytes exchanged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends.demo import demo_gguf
from pytest_lem.backends.llama_cpp import LlamaCppBackend
from pytest_lem.backends.llama_cpp.options import LlamaCppOptions
from pytest_lem.backends.protocol import LoadSpec, Request
from pytest_lem.workloads.workload import Workload

pytest_plugins = ["pytester"]

#: What the context of a request holds, and how many requests run together.
CONTEXT, BATCH = 256, 4

Load = Callable[..., tuple[LlamaCppBackend, dict[str, Any]]]
Generate = Callable[..., list[Request]]


@pytest.fixture(scope="session")
def gguf() -> Path:
    """Return the file of the demo model."""
    return demo_gguf()


@pytest.fixture
def edited(gguf: Path, tmp_path: Path) -> Callable[[bytes, bytes], Path]:
    """Return a function that copies the model with some bytes exchanged for as many others."""

    def edit(old: bytes, new: bytes) -> Path:
        data = gguf.read_bytes()
        assert len(old) == len(new)
        assert old in data
        path = tmp_path / "edited.gguf"
        path.write_bytes(data.replace(old, new, 1))
        return path

    return edit


@pytest.fixture(scope="session")
def load(gguf: Path) -> Load:
    """Return a function that starts llama.cpp in this process and says what is in force."""

    def load_model(
        model: Path | str = gguf, precision: str = "q4_1", batch: int = BATCH, **options: Any
    ) -> tuple[LlamaCppBackend, dict[str, Any]]:
        backend = LlamaCppBackend()
        spec = LoadSpec(
            backend="llama_cpp",
            model=str(model),
            precision=precision,
            options=LlamaCppOptions(**{"n_threads": 1, "n_ctx": CONTEXT, **options}),  # type: ignore[arg-type]
            max_batch_size=batch,
        )
        return backend, backend.load(spec)

    return load_model


@pytest.fixture(scope="module")
def demo(load: Load) -> LlamaCppBackend:
    """Return the demo model, loaded."""
    return load()[0]


@pytest.fixture(scope="session")
def generate() -> Generate:
    """Return a function that runs a workload once."""

    def run(backend: LlamaCppBackend, batch_size: int = 1, **workload: Any) -> list[Request]:
        prepared = backend.prepare(Workload(**workload), batch_size)
        return [r for batch in prepared.batches for r in backend.requests(backend.run(batch))]

    return run
