"""What both ways to put work on a host have in common: asking it, and keeping what it tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pytest_lem.backends.host.pool import Loaded
from pytest_lem.flags import Reason
from pytest_lem.measure.plan import InferPlan
from pytest_lem.measure.round import Measurement
from pytest_lem.workloads.workload import Workload


class Asking:
    """Asks the host of one case, within its time limit."""

    def __init__(self, plan: InferPlan, measurement: Measurement) -> None:
        self._plan = plan
        self._measurement = measurement

    def ask(
        self, loaded: Loaded, kind: str, answer: str, *, further_s: float = 0.0, **fields: Any
    ) -> dict[str, Any]:
        """Send a message and return the answer; `further_s` is what it takes in any case."""
        limit_s = self._plan.timeout_s + further_s
        return loaded.host.ask(kind, answer, timeout_s=limit_s, **fields)

    def prepare(self, loaded: Loaded, workload: Workload, batch_size: int) -> None:
        """Have a workload written in the engine's own terms."""
        plain = workload.plain()
        self.ask(loaded, "prepare", "prepared", workload=plain, batch_size=batch_size)

    def arm(self, loaded: Loaded) -> None:
        """Have the host tidy up before a window."""
        self.ask(loaded, "arm", "armed")
        loaded.host.settle(timeout_s=self._plan.timeout_s)

    def keep(self, collected: Mapping[str, Any]) -> None:
        """Keep what a window tells of the whole case."""
        found = self._measurement
        found.text = collected["text"] if found.text is None else found.text
        for name in ("peak_host_memory_bytes", "peak_device_memory_bytes"):
            setattr(found, name, None if self._plan.is_server else collected[name])
        batches = [r["batch"] for r in collected["requests"] if r["batch"] is not None]
        found.applied["batch_size"] = max(batches, default=None)


def audit(requests: Iterable[Mapping[str, Any]], workload: Workload) -> list[Reason]:
    """Compare what the backend reports, what it returned, and what was asked for."""
    for request in requests:
        returned, reported = request["output_tokens"], request["reported_tokens"]
        is_short = workload.ignore_eos and returned != workload.output_tokens
        if is_short or returned > workload.output_tokens or reported not in (None, returned):
            return [Reason.TOKEN_COUNT]
    return []
