"""Measuring an offline batch: a model in its host process, a workload, rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pytest_lem.backends.host.pool import HostPool, Loaded
from pytest_lem.backends.protocol import Score
from pytest_lem.energy.conditions import Reading
from pytest_lem.energy.meter import Scope
from pytest_lem.energy.panel import Panel
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.flags import Flag, Reason
from pytest_lem.measure.applied import Difference, batch_difference, load_differences, refused
from pytest_lem.measure.cold import cold_start
from pytest_lem.measure.idle import IDLE, device_of, idle_flags
from pytest_lem.measure.leftover import Leftover
from pytest_lem.measure.loading import Loading, Look
from pytest_lem.measure.plan import InferPlan
from pytest_lem.measure.rest import Rests
from pytest_lem.measure.round import (
    Measurement,
    Phase,
    Round,
    Work,
    flags_of,
    metered_phase,
    round_of,
)
from pytest_lem.measure.warmup import BIN_S, Bin, WarmUp
from pytest_lem.workloads.quality import QUALITY_TEXT
from pytest_lem.workloads.workload import Workload

PREFILL = "prefill"
#: Failures after which an engine is not asked again.
_BROKEN = (FailureKind.ENGINE, FailureKind.OOM)


class InferRun:
    """One case on one host, from loading to the last round.

    `measurement` fills as it goes, so that a failure leaves behind what was found before it.
    """

    def __init__(
        self,
        plan: InferPlan,
        pool: HostPool,
        panel: Panel,
        rests: Rests,
        *,
        look: Look | None = None,
        leftover: Leftover | None = None,
    ) -> None:
        self._plan = plan
        self._pool = pool
        self._panel = panel
        self._rests = rests
        self.measurement = Measurement()
        self._turn: tuple[Loaded, Scope] | None = None
        self._repetitions = 1
        self._loading = Loading(plan, pool, panel, self.measurement, look=look, leftover=leftover)

    def measure(self) -> Measurement:
        """Load if need be, warm up, measure the rounds; raises LemError as `Loading.load` does."""
        with self.ready():
            for seq in range(self._plan.method.rounds):
                self.take_round(seq)
            self._rest_at_end()
            if self._plan.method.is_split:
                self._measure_prefill()
        return self.measurement

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Have the model loaded, warm, and rested, for `take_round`; look back at the end.

        Raises LemError as `Loading.load` does.
        """
        try:
            with self._loaded() as loaded:
                self._turn_to(loaded)
                try:
                    self._make_ready(loaded)
                    yield
                    self._score(loaded)
                    loaded.host.settle(timeout_s=self._plan.timeout_s)
                finally:
                    self._take_warnings(loaded)
                self._look_back()
        except LemError as error:
            if error.kind in _BROKEN:
                self._loading.end()  # the next case is not to find an engine in pieces
            raise
        finally:
            self._panel.close()

    @property
    def pid(self) -> int:
        """Return the process of the host, while it is ready."""
        assert self._turn  # noqa: S101 - asked while it is ready
        return self._turn[0].host.pid

    def _score(self, loaded: Loaded) -> None:
        """Have the model judge a fixed text, outside of every window."""
        if self._plan.is_scored:
            self._on_turn()
            scored = self._phase("quality", lambda: self._ask(loaded, "score", "scored",
                                 text=QUALITY_TEXT))  # fmt: skip
            self.measurement.score = Score(scored["nats"], scored["tokens"])

    def take_round(self, seq: int, **place: Any) -> Round:
        """Measure one round; `place` are further fields of it."""
        loaded = self._on_turn()
        found, reading = self._round(loaded, seq, self._repetitions, **place)
        self.measurement.add(found, reading)
        return found

    @contextmanager
    def _loaded(self) -> Iterator[Loaded]:
        """Have the model loaded; a cold one is on a host that nobody else has, before or after."""
        if not self._plan.is_cold:
            yield self._pool.resident(self._plan.spec) or self._loading.load()
            return
        with cold_start() as cold:
            try:
                yield self._loading.load(cold)
            finally:
                self._loading.end()

    def _turn_to(self, loaded: Loaded) -> None:
        """Take a host, and turn the meters to it."""
        found = self.measurement
        found.load_id, loaded.case_key = loaded.load_id, self._plan.case_key
        found.applied = dict(loaded.applied)
        found.environment = dict(loaded.environment)
        self._check(load_differences(self._plan.spec, found.applied))
        uuids = tuple(found.applied.get("device_uuids") or ())
        self._turn = (loaded, Scope(pids=(loaded.host.pid,), gpu_uuids=uuids))
        self._panel.open(self._turn[1])  # anew, since the load has shown what it uses

    def _on_turn(self) -> Loaded:
        """Return the host, with the meters turned to it: another run may have used them since."""
        assert self._turn  # noqa: S101 - rounds are taken while it is ready
        loaded, scope = self._turn
        self._panel.turn_to(scope)
        return loaded

    def _take_warnings(self, loaded: Loaded) -> None:
        raised, loaded.host.warnings = loaded.host.warnings, []
        self.measurement.warnings += [w for n, w in enumerate(raised) if w not in raised[:n]]

    def _look_back(self) -> None:
        """Judge what only all rounds show."""
        found = self.measurement
        asked = len(self._plan.workload.batches(self._plan.batch_size)[0])
        self._check(batch_difference(asked, found.applied["batch_size"]))
        found.flags |= flags_of(found.rounds, self._panel)
        found.flags |= idle_flags(found.rounds, found.phases)

    def _check(self, differences: list[Difference]) -> None:
        """Note what is not as it was asked; in strict mode it is an error."""
        if not differences:
            return
        self.measurement.warnings += [found.as_warning() for found in differences]
        self.measurement.flags.add(Flag.NOT_AS_ASKED)
        if self._plan.is_strict:
            raise refused(differences)

    def _make_ready(self, loaded: Loaded) -> None:
        self._phase("prepare", lambda: self._prepare(loaded, self._plan.workload))
        self._repetitions = self._phase("warmup", lambda: self._warm_up(loaded))
        _leave_out_unused(self.measurement.phases)
        self._idle_before(loaded)

    def _rest_at_end(self) -> None:
        """Measure the power at rest, for this case and for the next one on the host."""
        loaded = self._on_turn()
        self._rests.idle(self.measurement)
        loaded.idle = self.measurement.last_phase(IDLE)

    def _idle_before(self, loaded: Loaded) -> None:
        """Measure the power at rest, unless the case before on this host has just done so."""
        idle = loaded.idle
        if isinstance(idle, Phase):
            self.measurement.phases.append(replace(idle, is_shared=True))
        else:
            self._rests.idle(self.measurement)

    def _measure_prefill(self) -> None:
        """Measure the same requests with a single output token, which the prefill makes.

        Prompts are computed anew each time: the backends measured here keep no prefix cache.
        """
        loaded = self._on_turn()
        workload = replace(
            self._plan.workload, output_tokens=1, min_output_tokens=None, requests=None
        )
        self._prepare(loaded, workload)
        start_s, end_s = self._run(loaded, 1)
        warm_up = WarmUp(cv=1.0, max_s=0.0)
        warm_up.add(Bin(start_s=start_s, end_s=end_s))
        repetitions = warm_up.repetitions_for(self._plan.method.min_window_s)
        for seq in range(self._plan.method.rounds):
            window, reading = self._round(loaded, seq, repetitions, workload=workload)
            self.measurement.reasons |= set(window.reasons)
            self.measurement.flags |= reading.flags
            self.measurement.phases.append(
                Phase(
                    name=PREFILL,
                    start_s=window.start_s,
                    end_s=window.end_s,
                    energies=window.energies,
                    work=window.work,
                )
            )

    def _prepare(self, loaded: Loaded, workload: Workload) -> None:
        self._ask(
            loaded,
            "prepare",
            "prepared",
            workload=workload.plain(),
            batch_size=self._plan.batch_size,
        )

    def _warm_up(self, loaded: Loaded) -> int:
        """Return the repetitions of a window. A warm host runs once, to find their length."""
        method = self._plan.method
        max_s = 0 if loaded.is_warm else method.warmup_max_s
        warm_up = WarmUp(cv=method.warmup_cv, max_s=max_s, calm_s=method.warmup_calm_s)
        repetitions = 1
        while not warm_up.is_over:
            start_s, end_s = self._run(loaded, repetitions)
            warm_up.add(
                Bin(
                    start_s=start_s,
                    end_s=end_s,
                    repetitions=repetitions,
                    power_w=self._panel.power_w(start_s, end_s),
                    temperature_c=self._panel.temperature_c(start_s, end_s),
                )
            )
            if self._panel.has_sensor:
                repetitions = warm_up.repetitions_for(BIN_S)
        if not loaded.is_warm and not warm_up.is_steady and method.warmup_max_s > 0:
            self.measurement.flags.add(Flag.UNSTEADY)
        loaded.is_warm = True
        return warm_up.repetitions_for(method.min_window_s)

    def _round(
        self,
        loaded: Loaded,
        seq: int,
        repetitions: int,
        *,
        workload: Workload | None = None,
        **place: Any,
    ) -> tuple[Round, Reading]:
        self._rests.before_round()
        self._ask(loaded, "arm", "armed")
        loaded.host.settle(timeout_s=self._plan.timeout_s)
        edges = self._panel.begin()
        start_s, end_s = self._run(loaded, repetitions)
        reading = self._panel.end(edges, start_s, end_s)
        collected = self._ask(loaded, "collect", "collected")
        requests = collected["requests"]
        if workload is None:
            self._keep(collected)
        found = round_of(
            seq,
            start_s,
            end_s,
            reading,
            _work(requests),
            requests=requests,
            reasons=_audit(requests, workload or self._plan.workload),
        )
        return replace(found, load_id=loaded.load_id, **place), reading

    def _keep(self, collected: dict[str, Any]) -> None:
        found = self.measurement
        found.text = collected["text"] if found.text is None else found.text
        for name in ("peak_host_memory_bytes", "peak_device_memory_bytes"):
            setattr(found, name, collected[name])
        largest = max((request["batch"] for request in collected["requests"]), default=None)
        found.applied["batch_size"] = largest

    def _run(self, loaded: Loaded, repetitions: int) -> tuple[float, float]:
        ran = self._ask(loaded, "run", "ran", repetitions=repetitions)
        return ran["start_s"], ran["end_s"]

    def _ask(self, loaded: Loaded, kind: str, answer: str, **fields: Any) -> dict[str, Any]:
        return loaded.host.ask(kind, answer, timeout_s=self._plan.timeout_s, **fields)

    def _phase(self, name: str, work: Callable[[], Any]) -> Any:
        result, _ = metered_phase(self._panel, name, work, self.measurement)
        return result


def _audit(requests: list[dict[str, Any]], workload: Workload) -> list[Reason]:
    """Compare what the backend reports, what it returned, and what was asked for."""
    for request in requests:
        returned = len(request["token_ids"])
        is_short = workload.ignore_eos and returned != workload.output_tokens
        if is_short or returned != request["reported_tokens"]:
            return [Reason.TOKEN_COUNT]
    return []


def _leave_out_unused(phases: list[Phase]) -> None:
    """Leave out of the loading's energy the GPUs that the warm-up turned out not to use."""
    *earlier, warm_up = phases
    used = {device_of(e) for e in warm_up.energies}
    for number, phase in enumerate(earlier):
        kept = [e for e in phase.energies if device_of(e) in used]
        phases[number] = replace(phase, energies=kept)


def _work(requests: list[dict[str, Any]]) -> Work:
    return Work(
        requests=len(requests),
        input_tokens=sum(request["input_tokens"] for request in requests),
        output_tokens=sum(len(request["token_ids"]) for request in requests),
    )
