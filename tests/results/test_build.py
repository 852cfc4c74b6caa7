"""From a measurement to its record."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from pytest_lem.case import call_case
from pytest_lem.energy.reading import Domain
from pytest_lem.errors import FailureKind
from pytest_lem.flags import Flag, Reason
from pytest_lem.measure.round import Measurement, Phase
from pytest_lem.results.build import Context, build_record
from pytest_lem.results.record import Record

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


def test_rounds_keep_energies_work_and_timelines(infer_record: Make) -> None:
    """A round holds all that its figures were made of; timelines count from its beginning."""
    first = infer_record(load_id="load-1").rounds[0]
    assert (first.seq, first.t0, first.t1, first.load_id) == (0, 10.0, 12.0, "load-1")
    assert [(e.domain, e.device, e.value, e.u_random, e.tier) for e in first.energies] == [
        ("package", "package-0", 6.0, 0.3, "counter"),
        ("dram", "dram-0", 2.0, 0.4, "counter"),
    ]
    assert (first.work.output_tokens, first.work.requests, first.work.calls) == (5, 2, None)
    request = first.requests[0]
    assert (request.sent, request.token_times, request.done) == (0.0, [0.5, 0.7, 1.1], 1.1)
    assert (request.input_tokens, request.output_tokens) == (7, 3)


def test_phases_are_stored_with_their_energy(infer_record: Make, energy: Make) -> None:
    """Loading has a line of its own."""
    phase = Phase(name="load", start_s=1.0, end_s=3.0, energies=[energy(Domain.PACKAGE, 8.0)])
    (stored,) = infer_record(phases=[phase]).phases
    assert (stored.name, stored.t0, stored.t1, stored.energies[0].value) == ("load", 1.0, 3.0, 8.0)


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


def test_an_energy_that_is_no_number_is_refused(measured: Make, energy: Make) -> None:
    """NaN from a meter never reaches a file."""
    bad = ([energy(Domain.PACKAGE, float("nan"))], [energy(Domain.PACKAGE, 1.0)])
    with pytest.raises(ValidationError, match="finite number"):
        build_record(call_case("f"), measured(energies=bad), Context(nodeid="t"))


def test_nothing_measured_is_said_without_a_failure() -> None:
    """A test that measured nothing is not a failure, and its figures are unknown."""
    record = build_record(call_case("f"), Measurement(), Context(nodeid="t"))
    assert (record.status, record.validity) == ("ok", "unknown")
    assert record.metrics["energy_per_call_j"].reason == "nothing was measured"
