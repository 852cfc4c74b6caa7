"""Entries: what is left of a case for comparing, and how its cycles are pooled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf, nan, sqrt
from typing import Any

import pytest

from pytest_lem.case import call_case, infer_case
from pytest_lem.energy.conditions import Conditions
from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.errors import FailureKind
from pytest_lem.flags import Flag, Reason
from pytest_lem.measure.round import Measurement, Round, Work
from pytest_lem.results.build import Context, build_record
from pytest_lem.results.definitions import GATEABLE, METRICS
from pytest_lem.results.entry import Entry, Figure, entry_of, facts_name, figures_of
from pytest_lem.results.record import Record
from pytest_lem.workloads.workload import Workload

Make = Callable[..., Any]
ENERGY = "energy_per_output_token_j"


def _cycle(number: int) -> Context:
    return Context(nodeid=f"t.py::t[2-cycle:{number}]", cycle=number)


@pytest.fixture
def rounds(measured: Make) -> list[Round]:
    """Return two unlike rounds: of 8 J, 2 s and 5 tokens, and of 4 J, 0.8 s and 4 tokens.

    The requests of the second ran alone, were sent later and are slower.
    """
    first, second = measured().rounds
    times = ([20.3, 20.45, 20.6], [20.3])
    alone = [
        {
            **request,
            "batch": 1,
            "sent_s": 20.1,
            "token_times_s": own,
            "output_tokens": len(own),
        }
        for request, own in zip(second.requests, times, strict=True)
    ]
    return [first, replace(second, end_s=20.8, requests=alone)]


@pytest.fixture
def cycles(infer_record: Make, rounds: list[Round]) -> list[Record]:
    """Return the records of three cycles: of the first round, of the second, and of both."""
    parts = ([rounds[0]], [rounds[1]], rounds)
    return [
        infer_record(rounds=part, context=_cycle(n), peak_host_memory_bytes=100 * n)
        for n, part in enumerate(parts, 1)
    ]


def test_an_entry_of_one_record_has_its_figures(infer_record: Make) -> None:
    """What can be gated and what a change is explained by; what is unknown has its reason."""
    record: Record = infer_record()
    entry = entry_of([record])
    assert {*entry.figures, *entry.unknown} == set(figures_of("infer"))
    for name, figure in entry.figures.items():
        assert figure.value == record.metrics[name].value
    for name, why in entry.unknown.items():
        assert why == record.metrics[name].reason
    assert entry.figures[ENERGY].value == pytest.approx(12 / 9)
    assert entry.unknown["peak_host_memory_bytes"] == "not known for this kind of case or device"
    assert entry.measurements == {}


def test_each_kind_has_its_figures_and_together_they_are_all() -> None:
    """What can be gated in any case, what a change is explained by, and arithmetic."""
    calls, models = set(figures_of("call")), set(figures_of("infer"))
    arithmetic = {"flops_per_token", "mfu", "energy_per_flop_j"}
    assert calls | models == {*GATEABLE, "power_mean_w", "batch_occupancy", *arithmetic}
    assert calls & models == {"power_mean_w"}
    assert {METRICS[name].unit for name in calls - models} == {"J/call", "J/unit", "unit/s", "s"}
    assert figures_of("serve") == figures_of("infer")


def test_an_entry_says_what_was_measured(infer_record: Make) -> None:
    """Case, test and facts of the record, under the names of the record."""
    context = Context(nodeid="t.py::t[2]", source_sha256="aa")
    record: Record = infer_record(context=context, flags={Flag.SINGLE_ROUND})
    entry = entry_of([record])
    case = record.case
    assert (entry.key, entry.digest, entry.kind) == (case.key, case.digest, "infer")
    assert (entry.nodeid, entry.source_sha256) == ("t.py::t[2]", "aa")
    assert record.comparability
    assert entry.comparability == facts_name(record.comparability)
    assert (entry.origin, entry.status, entry.validity) == ("measured", "ok", "valid")
    assert (entry.tier, entry.flags, entry.reasons) == ("counter", ["single_round"], [])
    assert (entry.verdict, entry.state) == (None, "never")


def test_settings_are_flat_and_without_nulls(infer_record: Make, call_record: Record) -> None:
    """By the dotted names under which they can be put under test."""
    settings = entry_of([infer_record()]).settings
    assert settings["backend"] == "transformers"
    assert settings["workload.output_tokens"] == 64
    assert "workload.input_tokens" not in settings
    assert entry_of([call_record]).settings == {"name": "t.py::f", "unit": "row"}


@pytest.mark.parametrize(
    "name",
    [
        ENERGY, "energy_per_request_j", "output_throughput_tok_s", "request_throughput_req_s",
        "ttft_s", "tpot_s", "power_mean_w", "batch_occupancy", "peak_host_memory_bytes",
    ],
)  # fmt: skip
def test_cycles_are_pooled_like_their_rounds(
    infer_record: Make, rounds: list[Round], cycles: list[Record], name: str
) -> None:
    """Sums first, divided last, latencies of all requests: as if it had been one measurement."""
    together: Record = infer_record(rounds=rounds * 2, peak_host_memory_bytes=300)
    pooled = entry_of(cycles).figures[name].value
    assert pooled == pytest.approx(together.metrics[name].value, abs=1e-6)


def test_energy_of_prompts_is_pooled_by_their_tokens(
    infer_record: Make, measured: Make, request_of: Make
) -> None:
    """Of prefill alone: 8 J for 10 tokens and 4 J for 30 are 12 J for 40."""
    prompts = (request_of(10.0, 10, 10.5), request_of(20.0, 30, 20.3))
    windows = [
        replace(r, requests=[p], work=replace(r.work, input_tokens=p["input_tokens"]))
        for r, p in zip(measured().rounds, prompts, strict=True)
    ]
    entry = entry_of([infer_record(rounds=[r], context=_cycle(n)) for n, r in enumerate(windows)])
    assert entry.figures["energy_per_input_token_j"].value == pytest.approx(12 / 40)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("energy_per_call_j", 12 / 5),
        ("energy_per_unit_j", 12 / 26),
        ("unit_throughput_per_s", 26 / 2.8),
        ("call_duration_s", 2.8 / 5),
        ("power_mean_w", 12 / 2.8),
    ],
)
def test_cycles_of_calls_are_pooled_like_their_rounds(
    called: Make, name: str, value: float
) -> None:
    """4 calls of 4 units with 8 J in 2 s, and one of 10 with 4 J in 0.8 s."""
    whole: Measurement = called()
    whole.rounds[1] = replace(whole.rounds[1], end_s=20.8, work=Work(calls=1, units=10.0))
    case = call_case("f", unit="row")
    records = [
        build_record(case, Measurement(rounds=[r], applied=whole.applied), _cycle(n))
        for n, r in enumerate(whole.rounds)
    ]
    assert entry_of(records).figures[name].value == pytest.approx(value)
    assert entry_of([build_record(case, whole, _cycle(1))]).figures[name].value == pytest.approx(
        value
    )


def test_the_figures_of_each_cycle_are_kept(cycles: list[Record]) -> None:
    """In their order; the id is that of the test without its cycle."""
    entry = entry_of(cycles)
    assert entry.measurements[ENERGY] == pytest.approx([8 / 5, 4 / 4, 12 / 9])
    assert set(entry.measurements) == set(entry.figures)
    assert entry_of(cycles[:2]).measurements[ENERGY] == pytest.approx([8 / 5, 4 / 4])
    assert entry.nodeid == "t.py::t[2]"


def test_a_repetition_for_the_gate_is_no_cycle(cycles: list[Record]) -> None:
    """What was measured again had been flagged: it is no sample of how cycles scatter."""
    cycles[1].repetition = 2
    assert entry_of(cycles[:2]).measurements == {}
    assert entry_of(cycles).measurements[ENERGY] == pytest.approx([8 / 5, 12 / 9])


def test_an_entry_knows_where_it_was_measured(cycles: list[Record]) -> None:
    """Where it was taken over from another run, if only in part."""
    assert entry_of(cycles).measured_in is None
    cycles[1].extensions = {"resumed_from": "r0"}
    assert entry_of(cycles).measured_in == "r0"


def test_a_figure_that_one_cycle_lacks_is_unknown(infer_record: Make, energy_of: Make) -> None:
    """The others do not stand for all of them; what every cycle has is pooled."""
    dead = [energy_of(Domain.PACKAGE, None, reason="the sensor slept")]
    entry = entry_of([infer_record(), infer_record(energies=(dead, dead))])
    assert entry.unknown[ENERGY] == "the sensor slept"
    assert ENERGY not in entry.figures
    assert entry.figures["output_throughput_tok_s"].value == pytest.approx(3.0)


def test_the_worst_cycle_says_how_good_the_case_is(infer_record: Make) -> None:
    """One failure, one invalid round, one flag are those of the case."""
    failure = (FailureKind.TEST, "it failed")
    worse = infer_record(failure=failure, reasons={Reason.WRAPPED}, flags={Flag.UNSTEADY})
    entry = entry_of([infer_record(flags={Flag.CONTENDED}), worse])
    assert (entry.status, entry.validity) == ("failed", "invalid")
    assert (entry.reasons, entry.flags) == (["wrapped"], ["contended", "unsteady"])
    nothing = entry_of([infer_record(), infer_record(rounds=[], failure=failure)])
    assert (nothing.validity, nothing.figures) == ("unknown", {})


def test_the_worst_tier_of_the_cycles_is_that_of_the_case(
    infer_record: Make, energy_of: Make
) -> None:
    """An estimate in one of them is an estimate in their sum."""
    guess = [energy_of(Domain.ESTIMATE, 5.0)]
    estimated = infer_record(energies=(guess, guess))
    assert entry_of([estimated]).tier == "estimated"
    assert entry_of([infer_record(), estimated]).tier == "estimated"
    assert entry_of([estimated, infer_record()]).tier == "estimated"


def test_what_edges_and_clock_may_hide(infer_record: Make) -> None:
    """Of energy 0.5 J of 12 J; of a latency a microsecond; of a throughput nothing."""
    figures = entry_of([infer_record()]).figures
    for name in (ENERGY, "energy_per_request_j", "power_mean_w"):
        assert figures[name].resolution == pytest.approx(0.5 / 12)
    assert figures["ttft_s"] == pytest.approx(Figure(0.4, 1e-6 / 0.4), abs=1e-9)
    assert figures["output_throughput_tok_s"].resolution == 0.0


def test_more_cycles_hide_less(infer_record: Make) -> None:
    """Edges are independent: twice the energy, with the root of twice the squares."""
    entry = entry_of([infer_record(), infer_record()])
    assert entry.figures[ENERGY].resolution == pytest.approx(sqrt(2) * 0.5 / 24)


def test_only_what_counts_for_the_figure_hides_anything(infer_record: Make) -> None:
    """On a GPU the edges of the packages do not matter; an unknown uncertainty is no floor."""

    def both(u_random_j: float | None) -> list[Energy]:
        gpu = Energy(
            domain=Domain.GPU, device="GPU-a", tier=Tier.COUNTER, value_j=5.0,
            u_random_j=u_random_j,
        )  # fmt: skip
        other = replace(gpu, domain=Domain.PACKAGE, device="package-0", u_random_j=9.0)
        return [gpu, other]

    applied = {"device_uuids": ["GPU-a"], "batch_size": 2}
    known = entry_of([infer_record(energies=(both(0.3), both(0.4)), applied=applied)])
    assert known.figures[ENERGY].resolution == pytest.approx(0.5 / 10)
    unknown = entry_of([infer_record(energies=(both(None), both(0.4)), applied=applied)])
    assert unknown.figures[ENERGY].resolution == 0.0


def test_the_output_length_is_the_mean_of_all_requests(
    infer_record: Make, cycles: list[Record], call_record: Record
) -> None:
    """3, 2, 3 and 1 tokens, in one record and in three; a callable has none."""
    assert entry_of([infer_record()]).output_tokens == 2.25
    assert entry_of(cycles).output_tokens == 2.25
    assert entry_of(cycles[:1]).output_tokens == 2.5
    assert entry_of([call_record]).output_tokens is None


@pytest.mark.parametrize("is_fixed", [True, False])
def test_a_length_is_fixed_where_the_end_is_ignored(measured: Make, *, is_fixed: bool) -> None:
    """The settings of the case say so."""
    workload = Workload(ignore_eos=is_fixed).canonical(2)
    case = infer_case(
        backend="b", model="m", precision="p", batch_size=2, workload=workload, options={}
    )
    record = build_record(case, measured(), Context(nodeid="t"))
    assert entry_of([record]).has_fixed_length is is_fixed


def test_a_callable_has_no_fixed_length(call_record: Record) -> None:
    """It has no workload at all."""
    entry = entry_of([call_record])
    assert (entry.has_fixed_length, entry.kind, entry.tier) == (False, "call", "counter")


def test_conditions_are_means_over_rounds_and_boards(
    infer_record: Make, rounds: list[Round]
) -> None:
    """Of what is known of them, in all cycles."""
    known = Conditions(
        clocks={"GPU-a": {"sm_mhz": 1000.0}, "GPU-b": {"sm_mhz": 1200.0, "memory_mhz": 9.0}},
        throttling={"GPU-a": {"power_cap_share": 0.2}, "GPU-b": {"power_cap_share": None}},
        temperatures={"GPU-a": {"start_c": 40.0, "max_c": 90.0}, "GPU-b": {"start_c": None}},
    )
    other = Conditions(clocks={"GPU-a": {"sm_mhz": 1400.0}}, temperatures={})
    cycles = [
        infer_record(rounds=[replace(rounds[0], conditions=known)]),
        infer_record(rounds=[replace(rounds[1], conditions=other), rounds[1]]),
    ]
    entry = entry_of(cycles)
    assert (entry.sm_clock_mhz, entry.start_c) == (1200.0, 40.0)
    assert entry.power_cap_share == 0.2
    blank = entry_of([infer_record()])
    assert (blank.sm_clock_mhz, blank.start_c) == (None, None)


def test_a_record_without_a_metric_leaves_it_unknown(infer_record: Make) -> None:
    """Releases before this one, and other programs, did not write all of them."""
    record: Record = infer_record()
    del record.metrics["batch_occupancy"], record.metrics["energy_per_request_j"]
    entry = entry_of([record])
    assert {"batch_occupancy", "energy_per_request_j"} <= set(entry.unknown)
    assert entry.figures[ENERGY].value == pytest.approx(12 / 9)


@pytest.mark.parametrize(
    ("fields", "is_sound"),
    [
        ({}, True),
        ({"status": "failed"}, True),
        ({"flags": [Flag.UNSTEADY, Flag.SHORT_WINDOW]}, True),
        ({"flags": [Flag.CONTENDED]}, False),
        ({"flags": [Flag.UNSTEADY, Flag.DUPLICATE_KEY]}, False),
        ({"validity": "invalid"}, False),
        ({"validity": "unknown"}, False),
        ({"figures": {}}, False),
    ],
    ids=str,
)
def test_what_may_be_compared_with(
    infer_record: Make, fields: dict[str, Any], *, is_sound: bool
) -> None:
    """Flags of energy alone leave the throughput; others spoil it all."""
    entry: Entry = entry_of([infer_record()])
    assert replace(entry, **fields).is_sound is is_sound


@pytest.mark.parametrize(
    ("figure", "is_usable"),
    [
        (Figure(2.0, 0.0), True),
        (Figure(1e-20, 1.0), True),
        (Figure(1e20, 0.5), True),
        (Figure(0.0, 0.0), False),
        (Figure(-2.0, 0.0), False),
        (Figure(nan, 0.0), False),
        (Figure(inf, 0.0), False),
        (Figure(1e-40, 0.0), False),
        (Figure(1e40, 0.0), False),
        (Figure(2.0, nan), False),
        (Figure(2.0, -0.1), False),
        (Figure(2.0, 1.1), False),
    ],
    ids=str,
)
def test_what_can_be_a_measurement(figure: Figure, *, is_usable: bool) -> None:
    """Above 0, with a logarithm that nothing overflows, and known to more than itself."""
    assert figure.is_usable is is_usable
