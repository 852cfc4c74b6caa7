"""Measuring an offline batch: a model in its host process, a workload, rounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from pytest_lem.backends.host.pool import HostPool, Loaded
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.energy.meter import Scope
from pytest_lem.energy.panel import Panel
from pytest_lem.energy.reading import Tier
from pytest_lem.flags import Flag, Reason
from pytest_lem.measure.round import (
    Measurement,
    Round,
    Work,
    flags_of,
    metered_phase,
    silent_meters,
)
from pytest_lem.measure.warmup import WarmUp
from pytest_lem.workloads.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class InferPlan:
    """What to measure and how. `backend_class` is the entry point's `module:name`."""

    spec: LoadSpec
    backend_class: str
    python: str | None
    workload: Workload
    batch_size: int
    rounds: int
    min_window_s: float
    warmup_cv: float
    warmup_max_s: float
    timeout_s: float


class InferRun:
    """One case on one host, from loading to the last round.

    `measurement` fills as it goes, so that a failure leaves behind what was found before it.
    """

    def __init__(self, plan: InferPlan, pool: HostPool, panel: Panel) -> None:
        self._plan = plan
        self._pool = pool
        self._panel = panel
        self.measurement = Measurement()
        self.load_id: str | None = None

    def measure(self) -> Measurement:
        """Load if need be, warm up, measure the rounds; raises LemError as `Host.ask` does."""
        loaded = self._pool.resident(self._plan.spec) or self._load()
        plan, found = self._plan, self.measurement
        self.load_id = found.load_id = loaded.load_id
        found.applied = dict(loaded.applied)
        found.environment = dict(loaded.environment)
        self._panel.open(
            Scope(pids=(loaded.host.pid,), gpu_uuids=tuple(found.applied.get("device_uuids") or ()))
        )
        try:
            self._ask(
                loaded,
                "prepare",
                "prepared",
                workload=plan.workload.plain(),
                batch_size=plan.batch_size,
            )
            repetitions = self._phase("warmup", lambda: self._warm_up(loaded))
            for seq in range(plan.rounds):
                found.rounds.append(self._round(loaded, seq, repetitions))
            loaded.host.settle(timeout_s=plan.timeout_s)
        finally:
            self._panel.close()
            raised, loaded.host.warnings = loaded.host.warnings, []
            found.warnings = [w for n, w in enumerate(raised) if w not in raised[:n]]
        found.flags |= flags_of(found.rounds, has_estimate_only=self._panel.tier is Tier.ESTIMATED)
        return found

    def _load(self) -> Loaded:
        plan = self._plan
        loaded = self._pool.start(plan.spec, python=plan.python)
        self.load_id = loaded.load_id
        self._panel.open(Scope(pids=(loaded.host.pid,)))
        spec = {**asdict(plan.spec), "options": dict(plan.spec.options)}
        answer = self._phase(
            "load",
            lambda: self._ask(loaded, "load", "loaded", backend=plan.backend_class, spec=spec),
        )
        loaded.applied = answer["applied"]
        loaded.environment = {"packages": answer["packages"], "python": answer["python"]}
        return loaded

    def _warm_up(self, loaded: Loaded) -> int:
        """Return the repetitions of a window. A warm host runs once, to find their length."""
        plan = self._plan
        warm_up = WarmUp(cv=plan.warmup_cv, max_s=0 if loaded.is_warm else plan.warmup_max_s)
        while not warm_up.is_over:
            start_s, end_s = self._run(loaded, 1)
            warm_up.add(end_s - start_s)
        if not loaded.is_warm and not warm_up.is_steady and plan.warmup_max_s > 0:
            self.measurement.flags.add(Flag.UNSTEADY)
        loaded.is_warm = True
        return warm_up.repetitions_for(plan.min_window_s)

    def _round(self, loaded: Loaded, seq: int, repetitions: int) -> Round:
        self._ask(loaded, "arm", "armed")
        loaded.host.settle(timeout_s=self._plan.timeout_s)
        edges = self._panel.begin()
        start_s, end_s = self._run(loaded, repetitions)
        energies = self._panel.end(edges, start_s, end_s)
        collected = self._ask(loaded, "collect", "collected")
        self._keep(collected)
        requests = collected["requests"]
        return Round(
            seq=seq,
            start_s=start_s,
            end_s=end_s,
            energies=energies,
            work=_work(requests),
            requests=requests,
            reasons=silent_meters(energies) + self._audit(requests),
        )

    def _keep(self, collected: dict[str, Any]) -> None:
        found = self.measurement
        found.text = collected["text"] if found.text is None else found.text
        for name in ("peak_host_memory_bytes", "peak_device_memory_bytes"):
            setattr(found, name, collected[name])
        together = Counter(request["sent_s"] for request in collected["requests"])
        found.applied["batch_size"] = max(together.values(), default=None)

    def _audit(self, requests: list[dict[str, Any]]) -> list[Reason]:
        """Compare what the backend reports, what it returned, and what was asked for."""
        workload = self._plan.workload
        for request in requests:
            returned = len(request["token_ids"])
            is_short = workload.ignore_eos and returned != workload.output_tokens
            if is_short or returned != request["reported_tokens"]:
                return [Reason.TOKEN_COUNT]
        return []

    def _run(self, loaded: Loaded, repetitions: int) -> tuple[float, float]:
        ran = self._ask(loaded, "run", "ran", repetitions=repetitions)
        return ran["start_s"], ran["end_s"]

    def _ask(self, loaded: Loaded, kind: str, answer: str, **fields: Any) -> dict[str, Any]:
        return loaded.host.ask(kind, answer, timeout_s=self._plan.timeout_s, **fields)

    def _phase(self, name: str, work: Callable[[], Any]) -> Any:
        return metered_phase(self._panel, name, work, self.measurement)


def _work(requests: list[dict[str, Any]]) -> Work:
    return Work(
        requests=len(requests),
        input_tokens=sum(request["input_tokens"] for request in requests),
        output_tokens=sum(len(request["token_ids"]) for request in requests),
    )
