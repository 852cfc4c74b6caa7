"""The measuring side of a session: settings, meters, hosts, and the records of each test."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from warnings import WarningMessage

import pytest

from pytest_lem.backends.host.pool import HostPool
from pytest_lem.case import digest
from pytest_lem.clock import Clock, MonotonicClock
from pytest_lem.config.layers import Layers
from pytest_lem.config.resolve import Resolved
from pytest_lem.energy.exclusive import Isolation
from pytest_lem.energy.gpu.driver import Driver
from pytest_lem.energy.meter import Scope
from pytest_lem.energy.panel import Panel
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.flags import Flag
from pytest_lem.measure.leftover import Leftover
from pytest_lem.measure.method import Method
from pytest_lem.measure.round import Measurement
from pytest_lem.plugin.cycles import Cycle, cycle_of
from pytest_lem.plugin.exclusivity import isolation_of, visible_boards
from pytest_lem.plugin.instruments import make_panel, method_of
from pytest_lem.plugin.logs import LOGS
from pytest_lem.plugin.options import has_contest
from pytest_lem.plugin.pause import pause
from pytest_lem.plugin.resuming import Earlier, earlier_run
from pytest_lem.plugin.rundir import make_run_directory, run_directory
from pytest_lem.plugin.scope import own_scope
from pytest_lem.plugin.settings import is_gated, mode, resolve_for, session_layers

if TYPE_CHECKING:  # records are imported when there is one: a collection does not wait for them
    from pytest_lem.plugin.judging import Judging
    from pytest_lem.plugin.pairjudging import PairJudging
    from pytest_lem.results.build import Context
    from pytest_lem.results.record import Record

SESSION = pytest.StashKey["LemSession"]()
_RECORDS = pytest.StashKey["list[Record]"]()
_REST = pytest.StashKey[Measurement | None]()

#: Presets that keep the whole method.
_FULL_PRESETS = frozenset({"standard", "rigorous", "latency", "throughput"})


class LemSession:
    """Made once tests that ask for energy were collected, in each process that measures."""

    def __init__(self, config: pytest.Config, asking: Sequence[pytest.Item]) -> None:
        self.config = config
        self.is_off = mode(config) == "off"
        self.layers = session_layers(config)
        self.clock: Clock = MonotonicClock()
        energy = resolve_for(self.layers, "standard").settings.energy
        self.panel = Panel([], {}) if self.is_off else make_panel(energy, self.clock)
        self.default_preset = "standard" if self.panel.has_sensor else "quick"
        self.base = self.resolve(self.layers)
        self.worker: str | None = os.environ.get("PYTEST_XDIST_WORKER")
        self.workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
        prefix = f"{self.worker}-" if self.worker else ""
        self._scratch = TemporaryDirectory(prefix="lem-") if self.is_off else None
        logs = Path(self._scratch.name) if self._scratch else run_directory(config) / "logs"
        self.leftover = Leftover(self.clock, lambda sentence: show_warning(config, sentence))
        self.pool = HostPool(logs, prefix, self.leftover.check)
        self._side_pools: dict[str, HostPool] = {}
        self._side_pool: Callable[[str], HostPool] = lambda s: HostPool(logs, f"{prefix}{s}-")
        self.largest_batch: dict[tuple[Any, ...], int] = {}
        self.tests = 0
        self.header = ""
        self.planned_s = 0.0
        self._machine: dict[str, Any] | None = None
        self._environments: dict[str, dict[str, Any]] = {}
        self._devices: dict[str, dict[str, Any]] | None = None
        self._announced: set[str] = set()
        self._keys: dict[tuple[str, int, int | None], str] = {}
        self.cycle = Cycle(self)
        self.earlier = self._earlier_run()
        is_judging = not (self.is_off or config.option.collectonly)
        self.judging = _judging(config) if is_judging else None
        self.pair_judging = _pair_judging(config, asking) if is_judging else None

    def resolve(self, layers: Layers) -> Resolved:
        """Validate layers over the preset of this session."""
        return resolve_for(layers, self.default_preset)

    def _earlier_run(self) -> Earlier | None:
        settings = self.base.settings
        if self.is_off or not settings.resume:
            return None
        return earlier_run(self.config, is_failed_again=settings.resume_failed)

    def side_pool(self, side: str) -> HostPool:
        """Return the pool of hosts that only one side of a paired comparison has."""
        if side not in self._side_pools:
            self._side_pools[side] = self._side_pool(side)
        return self._side_pools[side]

    def resumed(self, item: pytest.Item, key: str) -> Record | None:
        """Return what an earlier run has measured under a key, kept with its test; or None."""
        record = self.earlier.take(key, item) if self.earlier else None
        if record is not None and self.earlier is not None:
            if (name := record.environment) and name in self.earlier.environments:
                self._environments[name] = self.earlier.environments[name]
            from pytest_lem.results.derived import derive_again

            derive_again(record, self.base.settings.cost)
            records_of(item).append(record)
        return record

    @cached_property
    def visible_gpus(self) -> tuple[str, ...]:
        """Return the UUIDs of the GPUs that CUDA shows to this process and those it starts."""
        return () if self.is_off else visible_boards(Driver())

    def method(self, resolved: Resolved) -> Method:
        """Return how to measure a case; with `--lem=off` it runs a single time."""
        if self.is_off:
            return Method(rounds=1)
        return method_of(resolved, has_sensor=self.panel.has_sensor)

    def rest(self, item: pytest.Item) -> None:
        """Let time pass before a test, as `measure.gap_s` and `measure.cooldown_c` ask."""
        item.stash[_REST] = pause(self.base.settings.measure, self.clock, self._hottest_c)

    def take_rest(self, item: pytest.Item, measurement: Measurement) -> None:
        """Write the rest before a test into its first measurement."""
        if rest := item.stash.get(_REST, None):
            measurement.phases[:0] = rest.phases
            measurement.flags |= rest.flags
            item.stash[_REST] = None

    def _hottest_c(self) -> float | None:
        return self.panel.watch.hottest_now_c(self.visible_gpus) if self.panel.watch else None

    def own_scope(self) -> Scope:
        """Return this process and the GPUs on which it works."""
        return own_scope(self.panel.watch)

    def prepare_to_write(self) -> None:
        """Create the directory of the run, if anything is measured."""
        if self.is_off:
            return
        try:
            make_run_directory(self.config)
        except OSError as error:
            raise LemError(
                f"cannot make the directory of the run {run_directory(self.config)} "
                f"({error.strerror}); choose another place with --lem-store",
                kind=FailureKind.STORAGE,
            ) from error

    def context(self, item: pytest.Item, resolved: Resolved, measurement: Measurement) -> Context:
        """Return what a record says beside its measurement."""
        from pytest_lem.results.build import Context
        from pytest_lem.results.environment import python_facts
        from pytest_lem.results.record import IsolationRecord

        environment = {**self.machine_facts, **(measurement.environment or python_facts())}
        environment_id = digest(environment)[:12]
        self._environments[environment_id] = environment
        isolation = isolation_of(item) or Isolation(scope="none")
        return Context(
            nodeid=item.nodeid,
            attempt=getattr(item, "execution_count", 1),
            cycle=cycle_of(item),
            worker=self.worker,
            environment_id=environment_id,
            environment=environment,
            devices=self.devices,
            meters=self.panel.methods,
            requested=resolved.settings.model_dump(mode="json"),
            origins=resolved.origins,
            flags=self._flags(resolved)
            | isolation.flags(on_gpu=measurement.on_gpu, reads_host="rapl" in self.panel.methods),
            isolation=IsolationRecord(
                scope=isolation.scope, waited_s=isolation.waited_s, workers=self.workers
            ),
        )

    @property
    def devices(self) -> dict[str, dict[str, Any]]:
        """Return the GPUs of this machine by UUID."""
        if self._devices is None:
            from pytest_lem.results.environment import gpus

            self._devices = gpus()
        return self._devices

    def keep(self, item: pytest.Item, record: Record) -> None:
        """Put a record with its test; a second one of the same case is flagged."""
        first = self._keys.setdefault(
            (record.case.digest, record.attempt, record.cycle), item.nodeid
        )
        is_repeated = first != item.nodeid or any(
            old.case.digest == record.case.digest for old in records_of(item)
        )
        if is_repeated and record.repetition == 1 and record.case.kind != "call":
            record.flags = sorted({*record.flags, Flag.DUPLICATE_KEY})
        records_of(item).append(record)
        self._keep_samples(record)

    def _keep_samples(self, record: Record) -> None:
        from pytest_lem.plugin.samples import keep_samples

        keep_samples(record, self.panel.watch, run_directory(self.config))

    def announcement(self) -> dict[str, Any]:
        """Return what a report has to carry beside its records: only what is new."""
        new = {k: v for k, v in self._environments.items() if k not in self._announced}
        content: dict[str, Any] = {"environments": new}
        if not self._announced:
            content["devices"] = self.devices
            content["tests"] = self.tests
            content["header"] = self.header
            content["run"] = {
                "preset": self.base.settings.preset,
                "meters": {m.name: self.panel.found[m.name].sentence for m in self.panel.meters},
                "meter_constants": self.panel.constants,
            }
        self._announced.update(new)
        return content

    def close(self) -> None:
        """End the resident host and let go of the meters."""
        for pool in (self.pool, *self._side_pools.values()):
            pool.close()
        self.leftover.close()
        self.panel.shut()
        if self._scratch:
            self._scratch.cleanup()

    @property
    def machine_facts(self) -> dict[str, Any]:
        """Return what is known of this machine."""
        if self._machine is None:
            from pytest_lem.results.environment import machine

            self._machine = machine(self.config.rootpath)
        return self._machine

    def _flags(self, resolved: Resolved) -> frozenset[Flag]:
        flags = set()
        if resolved.settings.preset not in _FULL_PRESETS:
            flags.add(Flag.SHORTENED)
        if "simulated" in self.panel.methods:
            flags.add(Flag.SIMULATED)
        return frozenset(flags)


def show_warning(config: pytest.Config, sentence: str) -> None:
    """Put a warning into pytest's summary, past the filters that could make an error of it.

    It may come in the middle of a case that it is not about, or at the very end of a session.
    """
    warned = WarningMessage(pytest.PytestWarning(sentence), pytest.PytestWarning, "pytest-lem", 0)
    config.hook.pytest_warning_recorded.call_historic(
        kwargs={"warning_message": warned, "when": "runtest", "nodeid": "", "location": None}
    )


def session_of(config: pytest.Config) -> LemSession:
    """Return the session that the collection made."""
    return config.stash[SESSION]


def records_of(item: pytest.Item) -> list[Record]:
    """Return the records of the present attempt at a test."""
    return item.stash.setdefault(_RECORDS, [])


def forget_records(item: pytest.Item) -> None:
    """Start an attempt with none, and without the logs of the one before."""
    item.stash[_RECORDS] = []
    item.stash[LOGS] = []


def _pair_judging(config: pytest.Config, asking: Sequence[pytest.Item]) -> PairJudging | None:
    """Return what compares the two sides of tests, None where there are none."""
    if not has_contest(config):
        return None
    from pytest_lem.plugin.pairjudging import PairJudging

    return PairJudging(config, asking)


def _judging(config: pytest.Config) -> Judging | None:
    """Return what compares results with a history, None where nothing is compared."""
    if not is_gated(config):
        return None
    from pytest_lem.plugin.gating import gating_of
    from pytest_lem.plugin.judging import Judging

    gating = gating_of(config)
    return Judging(gating) if gating and gating.is_gated else None
