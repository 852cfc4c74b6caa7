"""Measuring a language model: a host process with the engine, work for it, rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pytest_lem.backends.host.pool import HostPool, Loaded
from pytest_lem.backends.protocol import Score
from pytest_lem.energy.meter import Scope
from pytest_lem.energy.panel import Panel
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.flags import Flag
from pytest_lem.measure.applied import Difference, batch_difference, load_differences, refused
from pytest_lem.measure.cold import cold_start
from pytest_lem.measure.idle import IDLE, device_of, idle_flags
from pytest_lem.measure.leftover import Leftover
from pytest_lem.measure.loading import Loading, Look
from pytest_lem.measure.offline import Offline
from pytest_lem.measure.online import Online
from pytest_lem.measure.plan import InferPlan
from pytest_lem.measure.rest import Rests
from pytest_lem.measure.round import Measurement, Phase, Round, flags_of, metered_phase
from pytest_lem.measure.server import scope_of_server
from pytest_lem.workloads.quality import QUALITY_TEXT

#: Failures after which an engine is not asked again.
_BROKEN = (FailureKind.ENGINE, FailureKind.OOM, FailureKind.TIMEOUT)


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
        self._offline = Offline(plan, panel, rests, self.measurement)
        self._work: Offline | Online = self._offline
        if plan.online:
            self._work = Online(plan, plan.online, panel, self.measurement)
        self._loading = Loading(plan, pool, panel, self.measurement, look=look, leftover=leftover)

    def measure(self) -> Measurement:
        """Load if need be, warm up, measure the rounds; raises LemError as `Loading.load` does."""
        with self.ready():
            for seq in range(self._plan.method.rounds):
                self.take_round(seq)
            self._rest_at_end()
            if self._plan.method.is_split and not (self._plan.online or self._plan.is_server):
                self._offline.measure_prefill(self._on_turn())
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
        found, reading = self._work.round(loaded, seq)
        placed = replace(found, load_id=loaded.load_id, **place)
        self.measurement.add(placed, reading)
        return placed

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
        scope = self._scope(loaded)
        self._turn = (loaded, replace(scope, is_steady=self._plan.online is not None))
        self._panel.open(self._turn[1])  # anew, since the load has shown what it uses

    def _scope(self, loaded: Loaded) -> Scope:
        """Return whose energy counts: that of the engine, wherever it runs."""
        found = self.measurement
        if self._plan.is_server:
            return scope_of_server(found.applied, self._panel, found)
        uuids = tuple(found.applied.get("device_uuids") or ())
        return Scope(pids=(loaded.host.pid,), gpu_uuids=uuids)

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
        if self._plan.online is None:
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
        self._phase("prepare", lambda: self._work.prepare(loaded))
        self._phase("warmup", lambda: self._work.warm_up(loaded))
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

    def _ask(self, loaded: Loaded, kind: str, answer: str, **fields: Any) -> dict[str, Any]:
        return loaded.host.ask(kind, answer, timeout_s=self._plan.timeout_s, **fields)

    def _phase(self, name: str, work: Callable[[], Any]) -> Any:
        result, _ = metered_phase(self._panel, name, work, self.measurement)
        return result


def _leave_out_unused(phases: list[Phase]) -> None:
    """Leave out of the loading's energy the GPUs that the warm-up turned out not to use."""
    *earlier, warm_up = phases
    used = {device_of(e) for e in warm_up.energies}
    for number, phase in enumerate(earlier):
        kept = [e for e in phase.energies if device_of(e) in used]
        phases[number] = replace(phase, energies=kept)
