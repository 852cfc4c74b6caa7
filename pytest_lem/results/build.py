"""From a measurement to a record."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from pytest_lem.case import Case
from pytest_lem.energy.reading import Energy, headline
from pytest_lem.errors import FailureKind
from pytest_lem.flags import Flag
from pytest_lem.measure.idle import Device, Idle, idle_by_device
from pytest_lem.measure.round import Measurement, Phase, Round, Work
from pytest_lem.results.comparability import comparability
from pytest_lem.results.derived import cost_in, derived_of
from pytest_lem.results.flops import count_flops
from pytest_lem.results.metrics import metrics_of, null_metrics
from pytest_lem.results.record import (
    CaseRecord,
    CaseSettings,
    Comparability,
    EnergyRecord,
    IsolationRecord,
    Metric,
    PhaseRecord,
    ProcessRecord,
    Record,
    RequestRecord,
    RoundRecord,
    Sample,
    Warned,
    WorkRecord,
)

_SAMPLE_CHARACTERS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a record says beside its measurement."""

    nodeid: str
    attempt: int = 1
    repetition: int = 1
    cycle: int | None = None
    worker: str | None = None
    environment_id: str | None = None
    environment: dict[str, Any] = field(default_factory=dict)
    devices: dict[str, dict[str, Any]] = field(default_factory=dict)
    meters: dict[str, str] = field(default_factory=dict)
    requested: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    resume_key: str | None = None
    source_sha256: str | None = None
    prompt: str | None = None
    outputs: list[list[int]] | None = None
    flags: frozenset[Flag] = frozenset()
    isolation: IsolationRecord | None = None


def build_record(
    case: Case,
    measurement: Measurement,
    context: Context,
    *,
    failure: tuple[FailureKind, str] | None = None,
) -> Record:
    """Return the record of a case; with a `failure`, whatever was measured before it stays."""
    reasons = sorted({*measurement.reasons, *(x for r in measurement.rounds for x in r.reasons)})
    kind, message = failure or (None, None)
    has_rounds = bool(measurement.rounds)
    flags = measurement.flags | context.flags
    metrics = _metrics(measurement, context, message)
    return Record(
        case=_case(case),
        nodeid=context.nodeid,
        attempt=context.attempt,
        repetition=context.repetition,
        cycle=context.cycle,
        worker=context.worker,
        origin="simulated" if Flag.SIMULATED in flags else "measured",
        status="failed" if failure else "ok",
        failure_kind=kind,
        message=message,
        validity="invalid" if reasons else ("valid" if has_rounds else "unknown"),
        reasons=reasons,
        requested=context.requested,
        applied=measurement.applied,
        settings_origin=context.origins,
        environment=context.environment_id,
        resume_key=context.resume_key,
        source_sha256=context.source_sha256,
        comparability=_comparability(measurement, context),
        metrics=metrics,
        derived=derived_of(metrics, cost_in(context.requested.get("cost"))),
        rounds=_rounds(measurement),
        phases=[_phase(phase) for phase in measurement.phases],
        quality={} if context.outputs is None else {"outputs": context.outputs},
        sample=_sample(context.prompt, measurement.text),
        warnings=[Warned(**warned) for warned in measurement.warnings],
        flags=sorted(flags),
        isolation=context.isolation,
    )


def _metrics(measurement: Measurement, context: Context, message: str | None) -> dict[str, Metric]:
    if not measurement.rounds:
        return null_metrics(message or "nothing was measured")
    count_flops(measurement)
    return metrics_of(measurement, context.devices)


def _comparability(measurement: Measurement, context: Context) -> Comparability:
    return comparability(
        meters=context.meters,
        environment=context.environment,
        applied=measurement.applied,
        devices=context.devices,
        measure=context.requested.get("measure"),
        counted=sorted(_counted(measurement)),
        workers=context.isolation.workers if context.isolation else 1,
    )


def _case(case: Case) -> CaseRecord:
    return CaseRecord(
        key=case.key,
        digest=case.digest,
        kind=case.kind,
        settings=CaseSettings(**case.settings),
    )


def _counted(measurement: Measurement) -> set[str]:
    """Return the devices whose energy makes the main figure."""
    energies = (headline(r.energies, on_gpu=measurement.on_gpu) for r in measurement.rounds)
    return {energy.device for found in energies for energy in found}


def _energy(energy: Energy) -> EnergyRecord:
    return EnergyRecord(
        domain=energy.domain,
        device=energy.device,
        value=energy.value_j,
        u_random=energy.u_random_j,
        u_systematic=energy.u_systematic_j,
        tier=energy.tier,
        bound=energy.bound_j,
        reason=energy.reason,
        code=energy.code,
    )


def _rounds(measurement: Measurement) -> list[RoundRecord]:
    idle = idle_by_device(measurement.phases)
    return [_round(r, idle) for r in measurement.rounds]


def _round(r: Round, idle: dict[Device, Idle]) -> RoundRecord:
    conditions = r.conditions
    return RoundRecord(
        seq=r.seq,
        side=r.side,
        pair=r.pair,
        stage=r.stage,
        load_id=r.load_id,
        t0=r.start_s,
        t1=r.end_s,
        energies=[_energy(energy) for energy in r.energies],
        work=_work(r.work),
        requests=[_request(request, r.start_s) for request in r.requests],
        processes=[_process(entry, r.start_s) for entry in r.processes],
        idle={device: i.power_w for (_, device), i in idle.items()} or None,
        power=conditions.power,
        clocks=conditions.clocks,
        temperatures=conditions.temperatures,
        utilisation=conditions.utilisation,
        engine=r.engine,
        memory=conditions.memory,
        mean_memory=conditions.mean_memory,
        throttling=conditions.throttling,
        validity="invalid" if r.reasons else "valid",
        reasons=r.reasons,
    )


def _work(work: Work) -> WorkRecord:
    return WorkRecord(**asdict(work))


def _request(request: dict[str, Any], t0: float) -> RequestRecord:
    """Return the timeline relative to the round, to the microsecond."""
    scheduled_s = request["scheduled_s"]
    return RequestRecord(
        input_tokens=request["input_tokens"],
        output_tokens=request["output_tokens"],
        scheduled=None if scheduled_s is None else round(scheduled_s - t0, 6),
        sent=round(request["sent_s"] - t0, 6),
        token_times=[round(time_s - t0, 6) for time_s in request["token_times_s"]],
        done=round(request["done_s"] - t0, 6),
        error=request["error"],
        rank=request.get("rank"),
    )


def _process(entry: dict[str, Any], t0: float) -> ProcessRecord:
    """Return the raw entry of a process, its times relative to the round."""
    times = {name: round(entry[f"{name}_s"] - t0, 6) for name in ("start", "end")}
    return ProcessRecord(**entry, **times, busy=round(entry["busy_s"], 6))


def _phase(phase: Phase) -> PhaseRecord:
    return PhaseRecord(
        name=phase.name,
        t0=phase.start_s,
        t1=phase.end_s,
        energies=[_energy(energy) for energy in phase.energies],
        work=_work(phase.work) if phase.work else None,
        requests=[_request(request, phase.start_s) for request in phase.requests],
        is_shared=phase.is_shared,
    )


def _sample(prompt: str | None, text: str | None) -> Sample | None:
    if prompt is None or text is None:
        return None
    return Sample(
        prompt=prompt[:_SAMPLE_CHARACTERS],
        text=text[:_SAMPLE_CHARACTERS],
        is_truncated=len(text) > _SAMPLE_CHARACTERS,
    )
