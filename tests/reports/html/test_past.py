"""A case over the sessions of a baseline."""

import pytest

from pytest_lem.gate.past import past_of
from pytest_lem.reports.html.past import history
from pytest_lem.results.comparability import NOTHING_KNOWN
from pytest_lem.results.entry import entry_of


def test_sessions_and_this_run_are_told_apart_by_sign(call, view):
    """The line is the history, and a diamond is now."""
    past = [
        past_of(f"run-{n}", entry_of([call(joules=joules)]), NOTHING_KNOWN)
        for n, joules in enumerate((4.0, 8.0))
    ]
    chart = history(view(call(joules=12.0)), past)
    before, now = chart.data
    assert (before["x"], before["y"]) == (["run-0", "run-1"], [1.0, 2.0])
    assert (now["x"], now["y"], now["marker"]["symbol"]) == (["this run"], [3.0], "diamond")
    assert chart.words == "2 sessions from 1.00 J to 2.00 J; now 3.00 J (diamond)."


def test_energies_that_stay_have_a_range_of_their_size(call, view):
    """Two hundredths of them, and nothing below zero."""
    past = [past_of("run", entry_of([call(joules=8.0)]), NOTHING_KNOWN)]
    same, other = (history(view(call(joules=joules)), past) for joules in (8.0, 12.0))
    assert same.layout["yaxis"]["range"] == pytest.approx([1.98, 2.02])
    assert "range" not in other.layout["yaxis"]


def test_without_a_history_or_a_figure_there_is_no_chart(call, view):
    """Nothing is drawn of what is not known."""
    past = [past_of("run", entry_of([call()]), NOTHING_KNOWN)]
    assert history(view(call()), []) is None
    assert history(view(call(joules=None)), past) is None
