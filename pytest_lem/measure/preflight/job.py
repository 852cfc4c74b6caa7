"""A load that is about to be made, with all that can be known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.backends.shape import Shape
from pytest_lem.measure.preflight.machine import Machine
from pytest_lem.workloads.workload import Workload

_TENSOR, _PIPELINE = "tensor_parallel_size", "pipeline_parallel_size"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is asked for, the model that it is asked of, and the machine.

    `shape` is None for a model whose files are not here yet.
    """

    spec: LoadSpec
    workload: Workload
    shape: Shape | None
    machine: Machine

    def option(self, name: str) -> Any:
        """Return what is asked for an option; None for one that the backend does not have."""
        return self.spec.options.get(name)

    def path(self, name: str) -> str:
        """Return an option as people write it."""
        return f"`backends.{self.spec.backend}.{name}`"

    @property
    def tensor_parallel(self) -> int:
        """Return among how many devices each layer is divided."""
        return self.option(_TENSOR) or 1

    @property
    def pipeline_parallel(self) -> int:
        """Return among how many groups of devices the layers are divided."""
        return self.option(_PIPELINE) or 1

    @property
    def ranks(self) -> int:
        """Return how many devices are needed."""
        return self.tensor_parallel * self.pipeline_parallel

    @property
    def copies(self) -> int:
        """Return how many processes load the model, each a copy of its own."""
        return self.option("processes") or 1

    @property
    def division(self) -> str:
        """Return how the model is divided, in words."""
        asked = ((_TENSOR, self.tensor_parallel), (_PIPELINE, self.pipeline_parallel))
        return " x ".join(f"{self.path(name)} {size}" for name, size in asked if size > 1)
