"""The summary of a run for a program."""

from __future__ import annotations

import json

import pytest

from pytest_lem.reports.document import document
from pytest_lem.results.definitions import DEFINITIONS_VERSION, METRICS
from pytest_lem.results.entry import FIGURES


@pytest.fixture
def content():
    """Return a function that makes the document and reads it as strict JSON."""

    def refuse(word):
        raise AssertionError(word)

    return lambda summary: json.loads(document(summary), parse_constant=refuse)


def test_it_has_the_run_and_a_row_for_each_case(summarise, content, call, model):
    """With all that tells a case apart and limits its use."""
    found = content(summarise(call("a"), model()))
    assert found["run"] == {
        "id": "20260102T030405-abcdef",
        "started": "2026-01-02T03:04:05+00:00",
        "preset": "standard",
        "exit_status": 0,
        "git": None,
        "definitions_version": DEFINITIONS_VERSION,
    }
    assert [row["key"] for row in found["rows"]] == ["a", model().case.key]
    assert found["rows"][1]["settings"]["batch_size"] == 2
    assert (found["group_by"], found["gate"], found["comparisons"]) == ([], None, [])


def test_every_figure_is_there_with_its_unit(summarise, content, call, cycles):
    """What is known has its interval, what is not has its reason."""
    (row,) = content(summarise(*cycles(call, 8.0, 8.8, 9.6)))["rows"]
    assert {name: figure["unit"] for name, figure in row["figures"].items()} == {
        name: METRICS[name].unit for name in FIGURES
    }
    figure = row["figures"]["energy_per_call_j"]
    assert figure["interval"] == pytest.approx([2.0, 2.4])
    assert (figure["cycles"], figure["sufficiency"], figure["reason"]) == (3, "wide", None)
    assert row["figures"]["ttft_s"]["value"] is None
    assert row["figures"]["ttft_s"]["reason"] == "cases of this kind do not have it"


def test_groups_name_their_cases(summarise, content, model):
    """And say which mean it is."""
    first, second = model(), model(batch_size=4)
    found = content(summarise(first, second, fields=("backend", "workload")))
    assert (found["group_by"], found["group_mean"]) == (["backend", "workload"], "geometric")
    (row,) = content(summarise(first, second, fields=("backend",)))["rows"]
    assert row["group"] == {"backend": "transformers"}
    assert row["cases"] == [first.case.key, second.case.key]
    assert row["figures"]["energy_per_output_token_j"]["cases"] == 2


def test_it_has_the_comparisons_and_what_came_of_them(summarise, content, call, gate_of):
    """As the run file stores them, with what was not measured."""
    record = call("a")
    gate = gate_of((record, "regressed"), has_failed=True, unmeasured=["gone"])
    summary = summarise(record)
    summary.compare(gate)
    found = content(summary)
    assert found["gate"] == {
        "baseline": "main",
        "sessions": 3,
        "rules": ["energy_per_call_j:1"],
        "has_failed": True,
        "unmeasured": ["gone"],
    }
    assert found["comparisons"] == [gate.comparisons[0].plain()]


def test_the_notes_are_there_for_people(summarise, content, call):
    """Too few cycles is said here as well."""
    notes = content(summarise(call("a")))["notes"]
    assert any(note.startswith("too few cycles") for note in notes)
