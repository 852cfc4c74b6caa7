"""Several runs as one summary: rows beside each other, and nothing across runs."""

from __future__ import annotations

import json

import pytest

from pytest_lem.config.cost import CostSettings
from pytest_lem.errors import LemError
from pytest_lem.reports.cases import case_sheet
from pytest_lem.reports.choice import choose_columns, sort_rows
from pytest_lem.reports.document import document
from pytest_lem.reports.markdown import markdown
from pytest_lem.reports.overview import overview
from pytest_lem.reports.several import differing_facts, together
from pytest_lem.results.record import Comparability


@pytest.fixture
def summary(material, call):
    """Make the summary of two nights: one case in both, one in the second only."""
    first = [call("t::a", joules=8.0)]
    return material(first, [call("t::a", joules=4.0), call("t::b", joules=16.0)]).summary


def places(summary):
    """Return the case and the run of each row."""
    return [(row.labels["case"], row.labels["run"]) for row in summary.rows]


def test_a_single_run_is_itself(material, call):
    """Without a label that says nothing."""
    summary = material([call()]).summary
    assert together([summary]) is summary
    assert list(summary.rows[0].labels) == ["case"]
    assert summary.parts == [summary]
    assert summary.part_of(summary.rows[0]) is summary


def test_a_case_stays_apart_in_each_run(summary):
    """One after the other, so that the history of a case can be read."""
    assert places(summary) == [("t::a", "run-1"), ("t::a", "run-2"), ("t::b", "run-2")]
    values = [row.figures["energy_per_call_j"].value for row in summary.rows]
    assert values == [2.0, 1.0, 4.0]
    assert [summary.part_of(row).session.run for row in summary.rows] == ["run-1", "run-2", "run-2"]


def test_the_oldest_run_comes_first_however_they_are_named(summary):
    """By the time at which they began, in whatever zone."""
    first, second = summary.parts
    second.session.started = "2026-01-01T05:00:00+05:00"
    again = together([first, second])
    assert [part.session.run for part in again.parts] == ["run-2", "run-1"]
    second.session.started = "no time"
    assert [part.session.run for part in together([first, second]).parts] == ["run-2", "run-1"]


def test_tables_name_the_run_of_each_row(summary):
    """In a terminal and in Markdown."""
    head, *rows = [line.split() for line in overview(summary, width=200, is_colored=False)
                   .splitlines()[1:5]]  # fmt: skip
    assert head[:2] == ["case", "run"]
    assert [row[:2] for row in rows] == [["t::a", "run-1"], ["t::a", "run-2"], ["t::b", "run-2"]]
    assert "| t::a | run-2 | 1.00 J |" in markdown(summary)


def test_rows_are_sorted_and_columns_chosen_over_all_runs(summary):
    """The run is a field like others."""
    sort_rows(summary, "energy_per_call_j:desc", "--sort")
    assert places(summary) == [("t::b", "run-2"), ("t::a", "run-1"), ("t::a", "run-2")]
    sort_rows(summary, "run", "--sort")
    assert places(summary)[0] == ("t::a", "run-1")
    chosen = choose_columns(summary, ["kind", "call_duration_s"], "--columns")
    assert list(chosen.rows[0].labels) == ["case", "run", "kind"]
    assert "| case | run | kind | s/call |" in markdown(chosen)


def test_groups_are_made_within_each_run(material, model):
    """Two runs have a group each, of their own cases alone."""
    runs = [[model(joules=8.0), model(batch_size=4, joules=2.0)], [model(joules=16.0)]]
    summary = material(*runs, fields=("backend",)).summary
    values = [row.figures["energy_per_output_token_j"].value for row in summary.rows]
    assert values == [pytest.approx(0.5), pytest.approx(2.0)]
    assert [row.labels for row in summary.rows] == [
        {"backend": "transformers", "run": "run-1"},
        {"backend": "transformers", "run": "run-2"},
    ]
    documents = json.loads(document(summary))["runs"]
    assert [d["rows"][0]["group"] for d in documents] == [{"backend": "transformers"}] * 2


def test_a_program_gets_a_document_for_each_run(summary):
    """In the order of the rows as they were sorted."""
    sort_rows(summary, "energy_per_call_j:desc", "--sort")
    found = json.loads(document(summary))
    assert [part["run"]["id"] for part in found["runs"]] == ["run-1", "run-2"]
    assert [row["key"] for row in found["runs"][1]["rows"]] == ["t::b", "t::a"]
    assert {row["run"] for row in found["runs"][1]["rows"]} == {"run-2"}
    assert "not judged" in found["notes"][0]


def test_what_a_run_lacks_is_said_with_its_name(material, call):
    """A run that ended early is not all runs."""
    summary = material([call("t::a")], []).summary
    summary.parts[0].session.exit_status = 2
    assert summary.gaps() == [
        "run-1: the run ended early (exit status 2), so cases may be missing",
        "run-2: no case was measured",
    ]
    assert places(summary) == [("t::a", "run-1")]


def test_facts_that_must_agree_and_do_not_are_told(summary):
    """Figures beside each other look comparable; these are not."""
    assert differing_facts(summary) == {}
    for number, part in enumerate(summary.parts):
        facts = {"cpu.model": f"CPU {number}", "driver.branch": 1 + 0.0 * number}
        part.session.facts["f"] = Comparability(refuse=facts, warn={}, hash="")
        for entry in part.session.entries:
            entry.comparability = "f"
    assert list(differing_facts(summary).values()) == [["cpu.model"]]
    note = "not comparable across these runs: 1 case, measured with another cpu.model"
    assert note in summary.notes(())


def test_each_run_keeps_its_own_cost(material, model):
    """A run without settings of cost has no cost, and not another's."""
    both = material([model()], [model()]).summary.parts
    both[0].derive(CostSettings(price_per_kwh=0.5, currency="EUR"))
    summary = together(both)
    name = "cost_per_million_output_tokens"
    assert summary.derived == [name]
    first, second = (row.figures[name] for row in summary.rows)
    assert (first.value > 0, first.unit) == (True, "EUR")
    assert (second.value, second.reason) == (None, "its run sets no cost")
    cells = {c.name: [c.value(row) for row in summary.rows] for c in case_sheet(summary).columns}
    assert cells["run"] == ["run-1", "run-2"]
    assert cells["cost_currency"] == ["EUR", None]
    assert cells[f"derived_{name}"][1] is None
    notes = [note for note in summary.notes(()) if "EUR" in note]
    assert [note.partition(":")[0] for note in notes] == ["run-1"]
    both[1].derive(both[0].cost)
    notes = [note for note in together(both).notes(()) if "EUR" in note]
    assert [note.partition(":")[0] for note in notes] == [
        "derived from the energy per output token, not measured"
    ]


def test_a_field_that_no_case_has_is_refused(summary):
    """With one that is near."""
    with pytest.raises(LemError, match="did you mean `run`"):
        sort_rows(summary, "runn", "--sort")
