"""The fixture `inference`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends.host.pool import HostPool
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.case import Case, infer_case
from pytest_lem.config.layers import Layers
from pytest_lem.config.resolve import Resolved
from pytest_lem.errors import config_error
from pytest_lem.measure.infer import InferPlan, InferRun
from pytest_lem.plugin.collection import MARK, missing_backend, param
from pytest_lem.plugin.measuring import failure_kind
from pytest_lem.plugin.options import AXES
from pytest_lem.plugin.session import session_of
from pytest_lem.plugin.settings import options_of
from pytest_lem.registry import BACKENDS, find, load
from pytest_lem.results.build import build_record
from pytest_lem.results.record import Metric, Record
from pytest_lem.workloads.workload import Workload

#: Parameters of a test that the fixture takes by their name.
_PARAMETERS = (*AXES, "workload")


@dataclass(frozen=True, slots=True)
class Log:
    """What a backend printed during one measurement: a stretch of its log file."""

    path: Path
    start: int

    def text(self) -> str:
        """Return the stretch, whatever bytes are in it."""
        with self.path.open("rb") as file:
            file.seek(self.start)
            return file.read().decode(errors="replace").replace("\r", "\n")


LOGS = pytest.StashKey[list[Log]]()


@dataclass(frozen=True, slots=True)
class InferenceResult:
    """What a test sees of a measured language model. A value that is unknown is None."""

    record: Record

    def metric(self, name: str) -> Metric:
        """Return a metric with unit, uncertainty, tier and, when null, the reason."""
        return self.record.metrics[name]

    @property
    def output_tokens(self) -> int:
        """Return the output tokens of all rounds."""
        return sum(r.work.output_tokens or 0 for r in self.record.rounds)

    @property
    def requests(self) -> int:
        """Return the requests of all rounds."""
        return sum(r.work.requests or 0 for r in self.record.rounds)

    @property
    def text(self) -> str:
        """Return the text generated for the first request, cut to 400 characters."""
        return self.record.sample.text if self.record.sample else ""

    @property
    def energy_per_output_token_j(self) -> float | None:
        """Return gross joules per output token."""
        return self.metric("energy_per_output_token_j").value

    @property
    def energy_per_request_j(self) -> float | None:
        """Return gross joules per request."""
        return self.metric("energy_per_request_j").value

    @property
    def output_throughput_tok_s(self) -> float | None:
        """Return output tokens per second of the windows."""
        return self.metric("output_throughput_tok_s").value

    @property
    def ttft_s(self) -> float | None:
        """Return the median time to the first token."""
        return self.metric("ttft_s").value

    @property
    def tpot_s(self) -> float | None:
        """Return the median time per output token after the first."""
        return self.metric("tpot_s").value

    @property
    def e2e_latency_s(self) -> float | None:
        """Return the median end-to-end latency."""
        return self.metric("e2e_latency_s").value


class Inference:
    """Measures a language model in its host process."""

    def __init__(self, item: pytest.Item) -> None:
        self._item = item
        self._session = session_of(item.config)

    def __call__(
        self,
        *,
        backend: str | None = None,
        model: str | None = None,
        precision: str | None = None,
        batch_size: int | None = None,
        workload: Workload | Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        measure: Mapping[str, Any] | None = None,
    ) -> InferenceResult:
        """Measure one case and return what was found.

        What is not given comes from the test's own parameters of that name, then from the
        marker, the command line, the environment, the ini file, the configuration file and the
        preset. `options` are the backend's own settings, `measure` those of `measure.*`.
        Raises LemError with a `kind` when the case cannot be measured; the record of the
        failure is kept.
        """
        arguments = {
            "backend": backend,
            "model": model,
            "precision": precision,
            "batch_size": batch_size,
            "workload": _fields(workload),
            "measure": dict(measure or {}) or None,
        }
        layers = self._layers(arguments, options)
        resolved, plan, case, python_prompt = self._plan(layers, arguments)
        return InferenceResult(self._measured(case, plan, resolved, python_prompt))

    def _layers(self, arguments: dict[str, Any], options: Mapping[str, Any] | None) -> Layers:
        layers = self._session.layers.copy()
        mark = self._item.stash[MARK]
        for path, value in (("rounds", mark.rounds), ("min_window_s", mark.min_window)):
            if value is not None:
                layers.put(("measure", path), value, "marker")
        for name in _PARAMETERS:
            value = param(self._item, name)
            if value is not None:
                layers.put((name,), _fields(value), "parametrize")
        for name, value in arguments.items():
            if value is not None:
                layers.put((name,), value, "argument")
        backend = layers.leaves.get(("backend",))
        if options:
            name = backend.value if backend else self._session.base.settings.backend
            layers.put(("backends", name), dict(options), "argument")
        return layers

    def _plan(
        self, layers: Layers, arguments: dict[str, Any]
    ) -> tuple[Resolved, InferPlan, Case, str]:
        try:
            return self._planned(layers)
        except Exception as error:
            # The settings are wrong, so the case can only be named by what was asked for.
            asked = {**{name: param(self._item, name) for name in AXES}, **arguments}
            case = _unplanned_case({k: v for k, v in asked.items() if v is not None})
            self._keep_failure(case, error)
            raise

    def _planned(self, layers: Layers) -> tuple[Resolved, InferPlan, Case, str]:
        resolved = self._session.resolve(layers)
        settings = resolved.settings
        find(BACKENDS, settings.backend)
        if sentence := missing_backend(settings.backend):
            raise config_error(sentence)
        backend = load(BACKENDS, settings.backend)
        if settings.precision not in backend.precisions:
            raise config_error(
                f"the backend `{settings.backend}` has no precision `{settings.precision}`; "
                f"it can do {', '.join(backend.precisions)}"
            )
        options = asdict(resolved.options_of(settings.backend, options_of))
        workload = Workload.from_plain(settings.workload.model_dump())
        measure = settings.measure
        is_off = self._session.is_off
        plan = InferPlan(
            spec=LoadSpec(
                backend=settings.backend,
                model=settings.model,
                precision=settings.precision,
                options=options,
                max_batch_size=settings.batch_size,
            ),
            backend_class=find(BACKENDS, settings.backend).value,
            python=options.get("python"),
            workload=workload,
            batch_size=settings.batch_size,
            rounds=1 if is_off else measure.rounds,
            min_window_s=0.0 if is_off else measure.min_window_s,
            warmup_cv=measure.warmup_cv,
            warmup_max_s=0.0 if is_off else measure.warmup_max_s,
            timeout_s=measure.timeout_s,
        )
        defaults = asdict(options_of(settings.backend)())
        case = infer_case(
            backend=settings.backend,
            model=settings.model,
            precision=settings.precision,
            batch_size=settings.batch_size,
            workload=workload.canonical(settings.batch_size),
            options={k: v for k, v in options.items() if v != defaults[k]},
        )
        return resolved, plan, case, workload.prompts[0]

    def _measured(self, case: Case, plan: InferPlan, resolved: Resolved, prompt: str) -> Record:
        session = self._session
        session.prepare_to_write()
        run = InferRun(plan, session.pool, session.panel)
        log = self._log_start(session.pool, plan)
        error: BaseException | None = None
        try:
            run.measure()
        except BaseException as caught:
            error = caught
            raise
        finally:
            self._keep_log(log, run.load_id)
            record = self._record(case, run, resolved, prompt, error)
            if not session.is_off:
                session.keep(self._item, record)
        return record

    def _record(
        self,
        case: Case,
        run: InferRun,
        resolved: Resolved,
        prompt: str,
        error: BaseException | None,
    ) -> Record:
        measurement = run.measurement
        context = self._session.context(self._item, resolved, measurement.environment)
        failure = (failure_kind(error), _first_line(error)) if error else None
        return build_record(case, measurement, replace(context, prompt=prompt), failure=failure)

    def _keep_failure(self, case: Case, error: Exception) -> None:
        from pytest_lem.measure.round import Measurement

        session = self._session
        if not session.is_off:
            context = session.context(self._item, session.base, {})
            failure = (failure_kind(error), _first_line(error))
            session.keep(self._item, build_record(case, Measurement(), context, failure=failure))

    def _log_start(self, pool: HostPool, plan: InferPlan) -> Log | None:
        """Remember where the log of the resident host ends now."""
        loaded = pool.resident(plan.spec)
        if loaded is None:
            return None
        return Log(loaded.host.log_path, loaded.host.log_path.stat().st_size)

    def _keep_log(self, log: Log | None, load_id: str | None) -> None:
        if load_id is not None:
            log = Log(self._session.pool.log_path(load_id), 0)
        if log is not None and log.path.exists():
            self._item.stash.setdefault(LOGS, []).append(log)


def _fields(workload: Any) -> Any:
    """Return a workload as the settings know it: only what differs from the defaults."""
    if not isinstance(workload, Workload):
        return dict(workload) if isinstance(workload, Mapping) else workload
    default = Workload().plain()
    return {k: v for k, v in workload.plain().items() if v != default[k]} or None


def _unplanned_case(asked: dict[str, Any]) -> Case:
    axes = {name: asked.get(name) for name in AXES}
    label = "/".join(["infer", *(str(value) for value in axes.values() if value is not None)])
    settings = {
        "backend": None if axes["backend"] is None else str(axes["backend"]),
        "model": None if axes["model"] is None else str(axes["model"]),
        "precision": None if axes["precision"] is None else str(axes["precision"]),
        "batch_size": axes["batch_size"] if isinstance(axes["batch_size"], int) else None,
        "asked": {name: repr(value) for name, value in asked.items()},
    }
    return Case(kind="infer", label=label, settings=settings)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).partition("\n")[0]
