"""Budgets fail closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.case import Case, call_case, infer_case
from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.flags import Flag, Reason
from pytest_lem.gate.budget import Budget
from pytest_lem.measure.round import Measurement, Round, Work
from pytest_lem.results.build import Context, build_record
from pytest_lem.results.record import Record
from pytest_lem.workloads.workload import Workload

CALL = call_case("f", unit="row")
INFER = infer_case(
    backend="b", model="m", precision="p", batch_size=1,
    workload=Workload().canonical(1), options={},
)  # fmt: skip


@pytest.fixture
def record() -> Callable[..., Record]:
    """Make the record of one round: 12 J by default, for 4 calls or requests and 24 units."""

    def make(
        case: Case = CALL,
        value_j: float | None = 12.0,
        *,
        tier: Tier = Tier.COUNTER,
        u_j: float | None = None,
        units: float | None = 24,
        reasons: tuple[Reason, ...] = (),
        flags: tuple[Flag, ...] = (),
    ) -> Record:
        domain = Domain.ESTIMATE if tier is Tier.ESTIMATED else Domain.PACKAGE
        energy = Energy(
            domain=domain,
            device="d",
            tier=tier,
            value_j=value_j,
            u_random_j=u_j,
            u_systematic_j=u_j and 0.0,
            reason=None if value_j else "the sensor slept",
        )
        work = (
            Work(calls=4, units=units)
            if case.kind == "call"
            else Work(requests=4, output_tokens=24)
        )
        found = Round(
            seq=0, start_s=0, end_s=2, energies=[energy], work=work, reasons=list(reasons)
        )
        return build_record(
            case, Measurement(rounds=[found], flags=set(flags)), Context(nodeid="t")
        )

    return make


Make = Callable[..., Record]


@pytest.mark.parametrize("case", [CALL, INFER], ids=["call", "infer"])
@pytest.mark.parametrize(
    "limits",
    [{}, {"max_joules": 3.0}, {"max_joules_per_unit": 0.5}, {"max_joules": 9.0}],
    ids=str,
)
def test_energy_up_to_the_limit_keeps_it(record: Make, case: Case, limits: Any) -> None:
    """12 J are 3 J for each of 4 calls and 0.5 J for each of 24 units; the limit is allowed."""
    assert Budget(**limits).breaches(record(case)) == []


@pytest.mark.parametrize(
    ("case", "limits", "sentences"),
    [
        (
            CALL,
            {"max_joules": 2.99},
            ["over the energy budget: 3 J/call is more than 2.99 J/call"],
        ),
        (
            CALL,
            {"max_joules_per_unit": 0.4},
            ["over the energy budget: 0.5 J/unit is more than 0.4 J/unit"],
        ),
        (
            INFER,
            {"max_joules": 2.0},
            ["over the energy budget: 3 J/request is more than 2 J/request"],
        ),
        (
            INFER,
            {"max_joules": 1.0, "max_joules_per_unit": 0.25},
            [
                "over the energy budget: 3 J/request is more than 1 J/request",
                "over the energy budget: 0.5 J/token is more than 0.25 J/token",
            ],
        ),
    ],
)
def test_energy_above_a_limit_is_a_sentence_for_each_limit(
    record: Make, case: Case, limits: Any, sentences: list[str]
) -> None:
    """The sentence has the figure, the limit and the unit of the kind of case."""
    assert Budget(**limits).breaches(record(case)) == sentences


def test_the_figure_is_given_with_its_uncertainty(record: Make) -> None:
    """A reader sees how far the breach is from chance: 0.4 J / 4 calls, doubled."""
    assert Budget(max_joules=1).breaches(record(u_j=0.4)) == [
        "over the energy budget: 3 +- 0.2 J/call is more than 1 J/call"
    ]


def test_an_estimate_is_called_one(record: Make) -> None:
    """Who fails by an estimate is told so."""
    assert Budget(max_joules=1).breaches(record(tier=Tier.ESTIMATED)) == [
        "over the energy budget: 3 J/call (an estimate) is more than 1 J/call"
    ]


@pytest.mark.parametrize(
    ("fields", "limits", "reason"),
    [
        ({"value_j": None}, {"max_joules": 5}, "5 J/call cannot be judged: the sensor slept"),
        (
            {"units": None},
            {"max_joules_per_unit": 5},
            "5 J/unit cannot be judged: no `work` was stated for it",
        ),
        (
            {"reasons": (Reason.METER_SILENT,)},
            {"max_joules": 5},
            "5 J/call cannot be judged: meter_silent",
        ),
    ],
    ids=["unknown", "uncounted", "invalid"],
)
def test_what_cannot_be_judged_keeps_no_limit(
    record: Make, fields: Any, limits: Any, reason: str
) -> None:
    """A dead sensor, an uncounted unit or an invalid round fails, however high the limit."""
    assert Budget(**limits).breaches(record(**fields)) == [f"energy budget of {reason}"]


def test_a_case_that_was_not_measured_keeps_no_limit() -> None:
    """No round at all is no energy of 0."""
    record = build_record(CALL, Measurement(), Context(nodeid="t"))
    assert Budget(max_joules=5).breaches(record) == [
        "energy budget of 5 J/call cannot be judged: nothing was measured"
    ]


def test_simulated_energy_keeps_no_budget(record: Callable[..., Record]) -> None:
    """What stands for nothing passes no gate, however little it is."""
    simulated = record(value_j=0.1, tier=Tier.ESTIMATED, flags=(Flag.SIMULATED,))
    (breach,) = Budget(max_joules=1000).breaches(simulated)
    assert simulated.origin == "simulated"
    assert "cannot be judged: the energy is simulated" in breach
