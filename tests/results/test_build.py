"""From a measurement to its record."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from pytest_lem.case import call_case
from pytest_lem.energy.conditions import Conditions
from pytest_lem.energy.reading import Domain
from pytest_lem.errors import FailureKind
from pytest_lem.flags import Flag, Reason
from pytest_lem.measure.round import Measurement, Phase, Work
from pytest_lem.results.build import Context, build_record
from pytest_lem.results.record import IsolationRecord, Record

Make = Callable[..., Any]


def test_identity_and_settings_are_stored(infer_record: Make) -> None:
    """Key and digest are the case's own, and the four common settings are fields."""
    case = infer_record().case
    settings = case.settings
    assert (settings.backend, settings.model) == ("transformers", "org/small")
    assert (settings.precision, settings.batch_size) == ("float32", 2)
    assert case.key.startswith("infer/transformers/small/float32/b2/default-")
    assert case.key.endswith(case.digest[:8])
    assert settings.model_extra["workload"]["output_tokens"] == 64


def test_rounds_keep_energies_work_and_timelines(infer_record: Make, measured: Make) -> None:
    """A round holds all that its figures were made of; timelines count from its beginning."""
    place = {"load_id": "load-1", "side": "B", "pair": 4, "stage": 2}
    rounds = [replace(r, **place) for r in measured().rounds]
    first = infer_record(rounds=rounds).rounds[0]
    assert (first.seq, first.t0, first.t1) == (0, 10.0, 12.0)
    assert {name: getattr(first, name) for name in place} == place
    assert [(e.domain, e.device, e.value, e.u_random, e.tier) for e in first.energies] == [
        ("package", "package-0", 6.0, 0.3, "counter"),
        ("dram", "dram-0", 2.0, 0.4, "counter"),
    ]
    assert (first.work.output_tokens, first.work.requests, first.work.calls) == (5, 2, None)
    request = first.requests[0]
    assert (request.sent, request.token_times, request.done) == (0.0, [0.5, 0.7, 1.1], 1.1)
    assert (request.input_tokens, request.output_tokens) == (7, 3)


def test_phases_are_stored_with_their_energy(infer_record: Make, energy_of: Make) -> None:
    """Loading has a line of its own."""
    phase = Phase(name="load", start_s=1.0, end_s=3.0, energies=[energy_of(Domain.PACKAGE, 8.0)])
    (stored,) = infer_record(phases=[phase]).phases
    assert (stored.name, stored.t0, stored.t1, stored.energies[0].value) == ("load", 1.0, 3.0, 8.0)


def test_a_phase_keeps_its_work_and_whose_it_is(infer_record: Make) -> None:
    """Prefill windows have counts; the idle phase of the case before is marked as such."""
    work = Work(requests=2, output_tokens=2)
    phases = [
        Phase(name="prefill", start_s=1.0, end_s=2.0, work=work),
        Phase(name="idle", start_s=0.0, end_s=1.0, is_shared=True),
    ]
    prefill, idle = infer_record(phases=phases).phases
    assert (prefill.work.requests, prefill.work.calls, prefill.is_shared) == (2, None, False)
    assert (idle.work, idle.is_shared) == (None, True)


def test_an_energy_keeps_its_bound_and_its_doubt(infer_record: Make, energy_of: Make) -> None:
    """What limits the value, and the word for why it is doubted or unknown, are stored."""
    doubted = energy_of(Domain.PACKAGE, 5.0, bound_j=0.7, code=Reason.POWER_TOO_LOW)
    missing = energy_of(Domain.PACKAGE, None, reason="it slept", code=Reason.METER_SILENT)
    record = infer_record(energies=([doubted], [missing]))
    first, second = (r.energies[0] for r in record.rounds)
    assert (first.value, first.bound, first.code, first.reason) == (5.0, 0.7, "power_too_low", None)
    assert (second.value, second.bound, second.code) == (None, None, "meter_silent")
    assert second.reason == "it slept"


CONDITIONS = {
    "power": {"package-0": {"mean_w": 4.0, "peak_w": 9.0}},
    "clocks": {"machine": {"mhz": 3100.0}},
    "temperatures": {"machine": {"start_c": 40.0, "end_c": 41.0, "max_c": None}},
    "utilisation": {"machine": 0.5},
    "throttling": {"GPU-a": {"seconds": {"thermal": None}, "seen": []}},
}


def test_a_round_keeps_the_conditions_that_were_seen(measured: Make) -> None:
    """Power, clocks, temperatures, utilisation and slowing down, by device; unknown is null."""
    found = measured()
    found.rounds[0] = replace(found.rounds[0], conditions=Conditions(**CONDITIONS))
    seen, unseen = build_record(call_case("f"), found, Context(nodeid="t")).rounds
    assert {name: getattr(seen, name) for name in CONDITIONS} == CONDITIONS
    assert {getattr(unseen, name) for name in CONDITIONS} == {None}


def test_a_round_has_the_power_at_rest_of_each_device(infer_record: Make, energy_of: Make) -> None:
    """It is the mean of before and after, in watts; null where nobody measured it."""
    phases = [
        Phase(
            name="idle",
            start_s=0.0,
            end_s=10.0,
            energies=[energy_of(Domain.PACKAGE, joules), energy_of(Domain.DRAM, None)],
        )
        for joules in (100.0, 140.0)
    ]
    assert [r.idle for r in infer_record(phases=phases).rounds] == [{"package-0": 12.0}] * 2
    assert [r.idle for r in infer_record().rounds] == [None, None]


def test_a_good_measurement_is_ok_and_valid(infer_record: Make) -> None:
    """Status, validity and failure agree."""
    record = infer_record()
    assert (record.status, record.validity, record.failure_kind) == ("ok", "valid", None)


def test_reasons_of_rounds_make_the_record_invalid(measured: Make) -> None:
    """One bad round is enough, and each reason is named once."""
    found = measured()
    found.rounds = [replace(r, reasons=[Reason.TOKEN_COUNT]) for r in found.rounds]
    record = build_record(call_case("f"), found, Context(nodeid="t"))
    assert (record.status, record.validity, record.reasons) == ("ok", "invalid", ["token_count"])
    assert [r.validity for r in record.rounds] == ["invalid", "invalid"]


def test_a_doubt_about_the_whole_case_is_enough(measured: Make) -> None:
    """A GPU in use at rest spoils a case of good rounds; reasons of both kinds are joined once."""
    found = measured(reasons={Reason.BUSY_AT_REST, Reason.TOKEN_COUNT})
    record = build_record(call_case("f"), found, Context(nodeid="t"))
    assert (record.validity, record.reasons) == ("invalid", ["busy_at_rest", "token_count"])
    assert [r.validity for r in record.rounds] == ["valid", "valid"]
    found.rounds[1] = replace(found.rounds[1], reasons=[Reason.TOKEN_COUNT, Reason.GPU_LOST])
    record = build_record(call_case("f"), found, Context(nodeid="t"))
    assert record.reasons == ["busy_at_rest", "gpu_lost", "token_count"]


@pytest.mark.parametrize("place", ["measurement", "context"])
def test_made_up_energy_is_no_measurement(infer_record: Make, place: str) -> None:
    """The origin says so, whoever raised the flag: a meter, or the session for a failed case."""
    flags = frozenset({Flag.SIMULATED})
    if place == "measurement":
        record = infer_record(flags=set(flags))
    else:
        context = Context(nodeid="t", flags=flags)
        record = infer_record(context=context, rounds=[], failure=(FailureKind.DATA, "no weights"))
    assert (record.origin, record.flags) == ("simulated", ["simulated"])
    assert infer_record().origin == "measured"


def test_what_the_test_had_for_itself_is_stored(infer_record: Make) -> None:
    """Scope, wait and the workers beside it; a record without a session has none of it."""
    isolation = IsolationRecord(scope="device", waited_s=1.5, workers=4)
    record = infer_record(context=Context(nodeid="t", isolation=isolation))
    assert record.isolation == isolation
    assert infer_record().isolation is None


def test_workers_side_by_side_are_in_what_is_compared(infer_record: Make) -> None:
    """For work on GPUs, of which each worker has its own."""

    def hash_of(workers: int, device: str) -> str:
        isolation = IsolationRecord(scope="device", waited_s=0.0, workers=workers)
        applied = {"device": device, "device_uuids": ["GPU-a"] if device == "cuda" else []}
        context = Context(nodeid="t", isolation=isolation)
        return infer_record(context=context, applied=applied).comparability.hash

    assert hash_of(1, "cuda") != hash_of(2, "cuda")
    assert hash_of(1, "cpu") == hash_of(2, "cpu")


def test_a_failure_keeps_what_was_measured_before_it(infer_record: Make) -> None:
    """A case that died in a late round has figures from the rounds before."""
    record = infer_record(failure=(FailureKind.OOM, "out of memory"))
    assert (record.status, record.failure_kind) == ("failed", "oom")
    assert record.message == "out of memory"
    assert record.metrics["energy_per_output_token_j"].value is not None


def test_a_failure_before_the_first_round_gives_nulls_with_its_sentence(
    infer_record: Make,
) -> None:
    """Every metric says why there is no figure."""
    record = infer_record(rounds=[], failure=(FailureKind.DATA, "no weights"))
    assert (record.validity, record.rounds) == ("unknown", [])
    assert {metric.reason for metric in record.metrics.values()} == {"no weights"}


def test_flags_of_measurement_and_session_are_joined(infer_record: Make) -> None:
    """Both say something about the figures; they are sorted, so that files can be compared."""
    context = Context(nodeid="t", flags=frozenset({Flag.SHORTENED}))
    record = infer_record(context=context, flags={Flag.UNSTEADY, Flag.ESTIMATED})
    assert record.flags == ["estimated", "shortened", "unsteady"]


def test_generated_text_is_kept_and_cut(infer_record: Make) -> None:
    """A person can see that the model makes sense, and no file grows with long texts."""
    context = Context(nodeid="t", prompt="p" * 500)
    short = infer_record(context=context, text="It is Paris.").sample
    long = infer_record(context=context, text="x" * 500).sample
    assert (short.text, short.is_truncated) == ("It is Paris.", False)
    assert (len(long.text), long.is_truncated, len(long.prompt)) == (400, True, 400)
    assert infer_record(context=context).sample is None


def test_the_context_reaches_the_record(infer_record: Make) -> None:
    """Where a record comes from is stored beside what it says."""
    context = Context(
        nodeid="t.py::t",
        attempt=2,
        worker="gw1",
        environment_id="e1",
        requested={"batch_size": 2},
        origins={"batch_size": "--lem-batch-size"},
        source_sha256="00",
    )
    record = infer_record(context=context, warnings=[{"category": "W", "message": "m"}])
    assert (record.nodeid, record.attempt, record.worker) == ("t.py::t", 2, "gw1")
    assert (record.environment, record.source_sha256) == ("e1", "00")
    assert (record.requested, record.settings_origin) == (context.requested, context.origins)
    assert [(w.category, w.message) for w in record.warnings] == [("W", "m")]


@pytest.mark.parametrize("kind", ["infer", "call"])
def test_a_record_survives_json(request: pytest.FixtureRequest, kind: str) -> None:
    """Plain types only cross process borders, and nothing is lost on the way."""
    record = request.getfixturevalue(f"{kind}_record")
    record = record() if kind == "infer" else record
    text = json.dumps(record.plain(), allow_nan=False)
    assert Record.model_validate(json.loads(text)) == record


def test_an_energy_that_is_no_number_is_refused(measured: Make, energy_of: Make) -> None:
    """NaN from a meter never reaches a file."""
    bad = ([energy_of(Domain.PACKAGE, float("nan"))], [energy_of(Domain.PACKAGE, 1.0)])
    with pytest.raises(ValidationError, match="finite number"):
        build_record(call_case("f"), measured(energies=bad), Context(nodeid="t"))


def test_nothing_measured_is_said_without_a_failure() -> None:
    """A test that measured nothing is not a failure, and its figures are unknown."""
    record = build_record(call_case("f"), Measurement(), Context(nodeid="t"))
    assert (record.status, record.validity) == ("ok", "unknown")
    assert record.metrics["energy_per_call_j"].reason == "nothing was measured"
