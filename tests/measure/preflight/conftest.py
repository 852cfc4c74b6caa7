"""Loads that are about to be made, on machines that need not exist."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.backends.shape import Shape, Weights
from pytest_lem.measure.preflight.job import Job
from pytest_lem.measure.preflight.machine import Device, Machine
from pytest_lem.measure.preflight.memory import Memory
from pytest_lem.workloads.workload import Workload

GIB = 1 << 30


@pytest.fixture
def gpu() -> Callable[..., Device]:
    """Describe a GPU with 80 GiB, all but one of them free."""

    def make(uuid: str = "GPU-a", *, total: float = 80, free: float = 79, **more: Any) -> Device:
        memory = Memory(total_bytes=int(total * GIB), free_bytes=int(free * GIB))
        return Device(uuid=uuid, memory=memory, **{"capability": (9, 0), **more})

    return make


@pytest.fixture
def job(gpu: Callable[..., Device]) -> Callable[..., Job]:
    """Describe a load on some GPUs: of a model with eight heads, half of them for keys."""

    def make(
        *gpus: Device,
        precision: str = "float16",
        backend: str = "vllm",
        weights: Weights | None = None,
        batch: int = 1,
        tokens: tuple[int | None, int] = (None, 64),
        options: Any = None,
        machine: Any = None,
        **shape: Any,
    ) -> Job:
        known = {"heads": 8, "kv_heads": 4, "layers": 6, "context_length": 1024, **shape}
        return Job(
            spec=LoadSpec(
                backend=backend,
                model="m",
                precision=precision,
                options=options or {},
                max_batch_size=batch,
            ),
            workload=Workload(input_tokens=tokens[0], output_tokens=tokens[1]),
            shape=Shape(**known, weights=weights),
            machine=Machine(**{"devices": gpus, **(machine or {})}),
        )

    return make
