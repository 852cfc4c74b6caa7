"""Records with round figures, made the way that real ones are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends.protocol import Request
from pytest_lem.case import Case, call_case, infer_case
from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.flags import Flag, Reason
from pytest_lem.measure.round import Measurement, Round, Work
from pytest_lem.reports.material import Material, StoredRun, material_of
from pytest_lem.reports.summary import Gate, Summary, summary_of
from pytest_lem.results.build import Context, build_record
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.record import Record
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile
from pytest_lem.results.session import session_of
from pytest_lem.workloads.workload import Workload

GIB = 2**30


def _record(
    case: Case,
    round_: dict[str, Any],
    *,
    joules: float | None = 8.0,
    tier: Tier = Tier.COUNTER,
    flags: tuple[Flag, ...] = (),
    reasons: tuple[Reason, ...] = (),
    failure: Any = None,
    text: str | None = None,
    is_measured: bool = True,
) -> Record:
    domain = Domain.ESTIMATE if tier is Tier.ESTIMATED else Domain.PACKAGE
    energy = Energy(
        domain=domain,
        device="package-0",
        tier=tier,
        value_j=joules,
        u_random_j=joules and joules * 0.05,
        u_systematic_j=joules and 0.0,
        reason=None if joules else "the sensor slept",
    )
    found = Round(
        seq=0, start_s=10.0, end_s=12.0, energies=[energy], reasons=list(reasons), **round_
    )
    measurement = Measurement(
        rounds=[found] if is_measured else [],
        flags=set(flags),
        text=text,
        peak_host_memory_bytes=GIB if case.kind == "infer" else None,
    )
    context = Context(nodeid="t", prompt="Where? [bold]")
    return build_record(case, measurement, context, failure=failure)


@pytest.fixture
def model() -> Callable[..., Record]:
    """Make the record of a model: 8 J and 2 s for two requests of 4 tokens."""

    def make(
        *,
        backend: str = "transformers",
        batch_size: int = 2,
        name: str = "default",
        options: dict[str, Any] | None = None,
        output_tokens: int = 4,
        **fields: Any,
    ) -> Record:
        case = infer_case(
            backend=backend,
            model="org/small",
            precision="float32",
            batch_size=batch_size,
            workload=Workload(name=name).canonical(batch_size),
            options=options or {},
        )
        request = asdict(
            Request(
                input_tokens=5,
                token_ids=list(range(output_tokens)),
                reported_tokens=output_tokens,
                sent_s=10.0,
                token_times_s=[10.5 + 0.25 * step for step in range(output_tokens)],
                done_s=10.5 + 0.25 * (output_tokens - 1),
                batch=2,
            )
        )
        work = Work(requests=2, input_tokens=10, output_tokens=2 * output_tokens)
        return _record(case, {"requests": [request, request], "work": work}, **fields)

    return make


@pytest.fixture
def call() -> Callable[..., Record]:
    """Make the record of a callable: 8 J and 2 s for 4 calls of 2 rows each."""

    def make(
        name: str = "test_it.py::test_sort", *, unit: str | None = "row", **fields: Any
    ) -> Any:
        units = 8.0 if unit else None
        return _record(call_case(name, unit=unit), {"work": Work(calls=4, units=units)}, **fields)

    return make


@pytest.fixture
def summarise() -> Callable[..., Summary]:
    """Make the summary of records as a run of the preset `standard` that ended well."""

    def make(*records: Record, fields: tuple[str, ...] = (), exit_status: int | None = 0) -> Any:
        run = Run(
            id="20260102T030405-abcdef",
            started="2026-01-02T03:04:05+00:00",
            started_monotonic=0.0,
            exit_status=exit_status,
            preset="standard",
        )
        return summary_of(session_of(run, records, {}), fields, "--group-by")

    return make


@pytest.fixture
def cycles() -> Callable[..., list[Record]]:
    """Return a function that makes a record for each cycle, from a builder and its joules."""

    def make(build: Callable[..., Record], *joules: float, **fields: Any) -> list[Record]:
        records = [build(joules=value, **fields) for value in joules]
        for number, record in enumerate(records, 1):
            record.cycle = number
        return records

    return make


@pytest.fixture
def gate_of() -> Callable[..., Gate]:
    """Make what a gate said of cases: a verdict on the energy of each."""

    def make(*verdicts: tuple[Record, str], **fields: Any) -> Gate:
        comparisons = [
            Comparison(
                case=record.case.key,
                digest=record.case.digest,
                metric="energy_per_call_j",
                unit="J/call",
                baseline="main",
                candidate="20260102T030405-abcdef",
                verdict=verdict,
                reasons=["scatter_assumed"],
                ratio=1.25,
                interval=[1.125, 1.375],
                mde=0.0625,
                sessions=3,
            )
            for record, verdict in verdicts
        ]
        values = {"has_failed": False, "unmeasured": [], **fields}
        rules = ["energy_per_call_j:1"]
        return Gate(baseline="main", sessions=3, rules=rules, comparisons=comparisons, **values)

    return make


@pytest.fixture
def material() -> Callable[..., Material]:
    """Return a function that makes the material of runs, a list of records for each."""

    def make(*runs: list[Record], fields: tuple[str, ...] = (), **chosen: Any) -> Material:
        return material_of([_stored(n, r, fields) for n, r in enumerate(runs, 1)], **chosen)

    return make


def _stored(number: int, records: list[Record], fields: tuple[str, ...]) -> StoredRun:
    run = Run(
        id=f"run-{number}",
        started=f"2026-01-0{number}T03:04:05+00:00",
        started_monotonic=0.0,
        exit_status=0,
    )
    run_file = RunFile(run=run, records=records)
    summary = summary_of(session_of(run, records, {}), fields, "--group-by")
    return StoredRun(summary=summary, load=lambda: (Path(), run_file))
