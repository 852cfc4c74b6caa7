"""What a reader of a report has to know beside the figures."""

from __future__ import annotations

import pytest

from pytest_lem.errors import FailureKind
from pytest_lem.flags import Flag, Reason

SHOWN = ("energy_per_call_j", "call_duration_s")


def test_too_few_cycles_are_told_with_what_would_help(summarise, call):
    """How often it concerns, of the figures that are shown."""
    notes = summarise(call("a"), call("b", joules=None)).notes(SHOWN)
    assert notes == [
        "too few cycles to know how 3 of 3 figures scatter: an interval takes 3 (--lem-cycles=3)"
    ]


def test_a_wide_interval_is_told_with_the_figure(summarise, call, cycles):
    """The energies are 20 % apart, the times are not."""
    notes = summarise(*cycles(call, 8.0, 9.0, 10.0)).notes(SHOWN)
    assert notes == [
        "± is half of the 95 % interval over cycles",
        "known to no better than ±5 %, more cycles would help: J/call (1)",
    ]


def test_figures_that_are_known_well_enough_need_no_note(summarise, call, cycles):
    """But for what the sign means."""
    notes = summarise(*cycles(call, 8.0, 8.01, 8.0)).notes(SHOWN)
    assert notes == ["± is half of the 95 % interval over cycles"]


@pytest.mark.parametrize(
    ("status", "gaps"),
    [
        (0, []),
        (1, []),
        (None, ["the run did not finish, so cases may be missing"]),
        (2, ["the run ended early (exit status 2), so cases may be missing"]),
    ],
)
def test_a_run_that_did_not_end_well_says_so(summarise, call, status, gaps):
    """Whoever compares it must know that cases may be missing."""
    assert summarise(call(), exit_status=status).gaps() == gaps


def test_a_failed_case_is_named(summarise, call):
    """Whether or not anything was measured."""
    failure = (FailureKind.TEST, "it broke")
    assert summarise(call("a", failure=failure, is_measured=False), call("b")).gaps() == [
        "failed: a; its run file says why"
    ]


def test_flags_and_reasons_are_explained_once(summarise, call):
    """With the number of cases where it is not all of them."""
    records = [call("a", flags=(Flag.SINGLE_ROUND,)), call("b", reasons=(Reason.COUNTER_STILL,))]
    notes = summarise(*records).notes(())
    assert [note.partition(":")[0] for note in notes] == ["counter_still", "single_round"]
    assert all(note.endswith("(1 of 2 cases)") for note in notes)


def test_groups_say_what_their_means_are_and_leave_out(summarise, call):
    """Geometric; without the cases that are not to be trusted or have no value."""
    records = [
        call("a"),
        call("b", joules=None),
        call("c", reasons=(Reason.COUNTER_STILL,)),
        call("d", flags=(Flag.SIMULATED,)),
    ]
    notes = summarise(*records, fields=("kind",)).notes(("call_duration_s",))
    assert notes[:3] == [
        "figures of several cases are their geometric mean",
        "left out of the means, not to be trusted: 1 case",
        "the energies are of different kinds (counter, simulated); group by tier too",
    ]
    notes = summarise(*records[:2], fields=("kind",)).notes(SHOWN)
    assert notes[1] == "left out of the means of J/call, unknown: 1 case"


def test_each_row_gets_what_was_said_of_its_cases(summarise, call, gate_of):
    """A group has the verdicts of all of its cases."""
    a, b, c = call("a"), call("b"), call("c", unit=None)
    gate = gate_of((a, "pass"), (b, "improved"))
    summary = summarise(a, b, c)
    summary.compare(gate)
    assert [[x.verdict for x in row.comparisons] for row in summary.rows] == [
        ["pass"],
        ["improved"],
        [],
    ]
    summary = summarise(a, b, c, fields=("unit",))
    summary.compare(gate)
    assert [[x.case for x in row.comparisons] for row in summary.rows] == [["a", "b"], []]


def test_cases_that_only_the_baseline_has_are_named(summarise, call, gate_of):
    """The first six of them, in a run that does not store what was selected."""
    summary = summarise(call("a"))
    summary.compare(gate_of(unmeasured=[f"gone{n}" for n in range(8)]))
    (gap,) = summary.gaps()
    assert gap.startswith("in main, but not in this run, and not judged")
    assert gap.endswith(": gone0, gone1, gone2, gone3, gone4, gone5 and 2 more")


def test_the_titles_say_what_it_is(summarise, call, gate_of):
    """The run with its time and size, and what it is compared with."""
    assert summarise(call("a")).title == (
        "run 20260102T030405-abcdef, 2026-01-02T03:04:05+00:00, 1 case, preset standard"
    )
    assert gate_of().title == "gate: baseline main (3 sessions), energy_per_call_j:1"
