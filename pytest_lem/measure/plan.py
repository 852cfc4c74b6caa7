"""The plan of an `infer` case: what is measured, on what, and how."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.measure.method import Method
from pytest_lem.workloads.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class InferPlan:
    """What to measure and how.

    Attributes:
        backend_class: the entry point's `module:name`.
        gpu_uuids: the GPUs that the backend may use, known before it says which it does.
        case_key: the name of the case, for sentences about it.
        is_strict: it fails where the engine does not run as it was asked to.
        is_scored: whether it is told how likely the model finds a fixed text, after the rounds.
        is_cold: it has a host of its own, with empty caches, whose files are not in memory.

    """

    spec: LoadSpec
    backend_class: str
    python: str | None
    workload: Workload
    batch_size: int
    method: Method
    timeout_s: float
    gpu_uuids: tuple[str, ...] = ()
    case_key: str = ""
    is_strict: bool = False
    is_scored: bool = False
    is_cold: bool = False
