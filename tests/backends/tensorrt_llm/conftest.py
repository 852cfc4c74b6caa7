"""A stand-in for TensorRT-LLM, which cannot be installed without a GPU, and its model."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends.protocol import LoadSpec, Request
from pytest_lem.backends.tensorrt_llm import TensorRtLlmBackend
from pytest_lem.backends.tensorrt_llm.options import TensorRtLlmOptions
from pytest_lem.workloads.workload import Workload

STANDIN = Path(__file__).parents[2] / "trtllm"
_PACKAGES = ("tensorrt_llm", "mpi4py", "torch")
#: How many requests a step of the stand-in takes.
BATCH = 4

Load = Callable[..., tuple[TensorRtLlmBackend, dict[str, Any]]]
Generate = Callable[..., list[Request]]


@pytest.fixture(scope="module")
def model() -> Iterator[Path]:
    """Put the stand-in on the path, here and in processes started from here; return its model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(STANDIN)
        patch.setenv("PYTHONPATH", str(STANDIN), prepend=os.pathsep)
        yield STANDIN / "model"
    for name in [name for name in sys.modules if name.partition(".")[0] in _PACKAGES]:
        del sys.modules[name]


@pytest.fixture
def changed(model: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that copies the model with other entries in its configuration."""

    def change(name: str = "changed", **entries: Any) -> Path:
        folder = shutil.copytree(model, tmp_path / name)
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | entries))
        return folder

    return change


@pytest.fixture
def load(model: Path) -> Iterator[Load]:
    """Return a function that loads a model in this process and says what is in force."""
    started: list[TensorRtLlmBackend] = []

    def load_model(
        folder: Path | str = model, precision: str = "auto", **options: Any
    ) -> tuple[TensorRtLlmBackend, dict[str, Any]]:
        backend = TensorRtLlmBackend()
        spec = LoadSpec(
            backend="tensorrt_llm",
            model=str(folder),
            precision=precision,
            options=TensorRtLlmOptions(**options),  # type: ignore[arg-type]
            max_batch_size=BATCH,
        )
        applied = backend.load(spec)
        started.append(backend)
        return backend, applied

    yield load_model
    for backend in started:
        backend._engine.close()


@pytest.fixture
def generate() -> Generate:
    """Return a function that runs a workload once."""

    def run(backend: TensorRtLlmBackend, workload: Workload, batch_size: int) -> list[Request]:
        prepared = backend.prepare(workload, batch_size)
        return [r for batch in prepared.batches for r in backend.requests(backend.run(batch))]

    return run
