"""The plan of a case of a language model: what is measured, on what, and how."""

from __future__ import annotations

from dataclasses import dataclass, field

from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.measure.method import Method
from pytest_lem.measure.slo import Slo
from pytest_lem.workloads.traffic import Traffic
from pytest_lem.workloads.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficPlan:
    """Requests that arrive over time, how long late ones are waited for, and how many may fail."""

    traffic: Traffic
    seed: int
    drain_s: float
    most_failed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InferPlan:
    """What to measure and how.

    Attributes:
        backend_class: the entry point's `module:name`.
        gpu_uuids: the GPUs that the backend may use, known before it says which it does.
        case_key: the name of the case, for sentences about it.
        is_strict: it fails where the engine does not run as it was asked to.
        is_server: its engine is a server, which has processes of its own.
        is_scored: whether it is told how likely the model finds a fixed text, after the rounds.
        online: traffic; None for offline batches.
        is_cold: it has a host of its own, with empty caches, whose files are not in memory.

    """

    spec: LoadSpec
    backend_class: str
    python: str | None
    workload: Workload
    batch_size: int
    method: Method
    timeout_s: float
    online: TrafficPlan | None = None
    slo: Slo = field(default_factory=Slo)
    gpu_uuids: tuple[str, ...] = ()
    case_key: str = ""
    is_strict: bool = False
    is_server: bool = False
    is_scored: bool = False
    is_cold: bool = False
