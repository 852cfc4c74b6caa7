"""Measurements made by hand, with figures that can be worked out on paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from pytest_lem.backends.protocol import Request
from pytest_lem.case import call_case, infer_case
from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.measure.round import Measurement, Phase, Round, Work
from pytest_lem.results.build import Context, build_record
from pytest_lem.results.record import Record
from pytest_lem.workloads.workload import Workload


def _energy(domain: Domain, value_j: float | None, **fields: Any) -> Energy:
    tier = Tier.ESTIMATED if domain is Domain.ESTIMATE else Tier.COUNTER
    return Energy(domain=domain, device=f"{domain}-0", tier=tier, value_j=value_j, **fields)


def _request(sent_s: float, input_tokens: int, *times_s: float) -> dict[str, Any]:
    request = Request(
        input_tokens=input_tokens,
        token_ids=list(range(len(times_s))),
        reported_tokens=len(times_s),
        sent_s=sent_s,
        token_times_s=list(times_s),
        done_s=times_s[-1],
        batch=2,
    )
    return asdict(request)


def _round(
    seq: int, start_s: float, end_s: float, energies: list[Energy], requests: list[dict[str, Any]]
) -> Round:
    work = Work(
        requests=len(requests),
        input_tokens=sum(request["input_tokens"] for request in requests),
        output_tokens=sum(len(request["token_ids"]) for request in requests),
    )
    return Round(
        seq=seq, start_s=start_s, end_s=end_s, energies=energies, work=work, requests=requests
    )


@pytest.fixture
def energy_of() -> Callable[..., Energy]:
    """Make an energy of a domain."""
    return _energy


@pytest.fixture
def request_of() -> Callable[..., dict[str, Any]]:
    """Make a request from when it was sent, its prompt's length and its token times."""
    return _request


@pytest.fixture
def measured() -> Callable[..., Measurement]:
    """Return two rounds of two requests: 12 J, 3 s, 9 output and 20 input tokens.

    Keywords replace fields of the measurement; `energies` those of both rounds.
    """

    def make(*, energies: tuple[list[Energy], list[Energy]] | None = None, **fields: Any) -> Any:
        own = energies or (
            [
                _energy(Domain.PACKAGE, 6.0, u_random_j=0.3, u_systematic_j=0.6),
                _energy(Domain.DRAM, 2.0, u_random_j=0.4, u_systematic_j=0.2),
            ],
            [
                _energy(Domain.PACKAGE, 3.0, u_random_j=0.0, u_systematic_j=0.3),
                _energy(Domain.DRAM, 1.0, u_random_j=0.0, u_systematic_j=0.1),
            ],
        )
        first = [_request(10.0, 7, 10.5, 10.7, 11.1), _request(10.0, 3, 10.5, 10.7)]
        second = [_request(20.0, 5, 20.3, 20.4, 20.5), _request(20.0, 5, 20.3)]
        rounds = [
            _round(0, 10.0, 12.0, own[0], first),
            _round(1, 20.0, 21.0, own[1], second),
        ]
        applied = {"device": "cpu", "device_uuids": [], "batch_size": 2}
        return Measurement(**{"rounds": rounds, "applied": applied, **fields})

    return make


@pytest.fixture
def called(measured: Callable[..., Measurement]) -> Callable[..., Measurement]:
    """Return the same rounds with calls instead of requests: 6 calls, 24 units if stated."""

    def make(*, units: bool = True, **fields: Any) -> Measurement:
        found = measured(applied={}, **fields)
        works = [Work(calls=calls, units=4.0 * calls if units else None) for calls in (4, 2)]
        found.rounds = [
            replace(r, work=work, requests=[]) for r, work in zip(found.rounds, works, strict=True)
        ]
        return found

    return make


@pytest.fixture
def window() -> Callable[..., Round]:
    """Make a round from seconds and joules of one board; keywords are those of the energy."""

    def make(
        window_s: float, value_j: float | None, work: Work | None = None, **fields: Any
    ) -> Round:
        parts = {"tier": Tier.COUNTER, "u_random_j": 0.0, "u_systematic_j": 0.0, **fields}
        energy = Energy(domain=Domain.GPU, device="GPU-a", value_j=value_j, **parts)
        return Round(
            seq=0, start_s=0.0, end_s=window_s, energies=[energy], work=work or Work(calls=1)
        )

    return make


@pytest.fixture
def phase_of() -> Callable[..., Phase]:
    """Make a phase of a name from a round: its window, its energies, its work."""

    def make(name: str, r: Round) -> Phase:
        return Phase(name=name, start_s=r.start_s, end_s=r.end_s, energies=r.energies, work=r.work)

    return make


@pytest.fixture
def infer_record(measured: Callable[..., Measurement]) -> Callable[..., Record]:
    """Make the record of a model; keywords are those of the measurement, `failure`, `context`."""

    def make(*, failure: Any = None, context: Any = None, **fields: Any) -> Record:
        case = infer_case(
            backend="transformers",
            model="org/small",
            precision="float32",
            batch_size=2,
            workload=Workload().canonical(2),
            options={},
        )
        return build_record(
            case, measured(**fields), context or Context(nodeid="t.py::t[2]"), failure=failure
        )

    return make


@pytest.fixture
def call_record(called: Callable[..., Measurement]) -> Record:
    """Return the record of a callable."""
    return build_record(call_case("t.py::f", unit="row"), called(), Context(nodeid="t.py::f"))
