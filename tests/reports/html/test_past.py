"""A case over the sessions of a baseline, or earlier runs of a store."""

import pytest

from pytest_lem.gate.past import past_of
from pytest_lem.reports.html.past import history
from pytest_lem.reports.material import History
from pytest_lem.results.comparability import NOTHING_KNOWN
from pytest_lem.results.entry import entry_of


@pytest.fixture
def charted(call, view):
    """Return a function that draws a case of so many joules a call after those of the past."""

    def charted(joules, *past, title="the sessions of the baseline", tier="counter"):
        record = call(joules=joules)
        record.metrics["energy_per_call_j"].tier = tier
        known = [
            past_of(f"run-{n}", entry_of([call(joules=before)]), NOTHING_KNOWN)
            for n, before in enumerate(past)
        ]
        return history(view(record, past=History(title, {record.case.digest: known})))

    return charted


def test_sessions_and_this_run_are_told_apart_by_sign(charted):
    """The line is the history, and a diamond is now."""
    chart = charted(12.0, 4.0, 8.0)
    before, now = chart.data
    assert (before["x"], before["y"]) == (["run-0", "run-1"], [1.0, 2.0])
    assert (now["x"], now["y"], now["marker"]["symbol"]) == (["this run"], [3.0], "diamond")
    assert chart.words == "2 sessions from 1.00 J to 2.00 J; now 3.00 J (diamond)."


@pytest.mark.parametrize("title", ["the sessions of the baseline", "earlier runs in the store"])
def test_the_title_says_whose_history_it_is(charted, title):
    """A baseline is somebody's choice, and what is in a store is not."""
    assert charted(12.0, 4.0, title=title).title == f"J/call over {title}"


def test_an_estimate_has_its_sign(charted):
    """In words as well, where nothing else would say it."""
    words = charted(12.0, 4.0, tier="estimated").words
    assert words == "1 session from ~1.00 J to ~1.00 J; now ~3.00 J (diamond)."


def test_energies_that_stay_have_a_range_of_their_size(charted):
    """Two hundredths of them, and nothing below zero."""
    same, other = charted(8.0, 8.0), charted(12.0, 8.0)
    assert same.layout["yaxis"]["range"] == pytest.approx([1.98, 2.02])
    assert "range" not in other.layout["yaxis"]


def test_without_a_history_or_a_figure_there_is_no_chart(charted, call, view):
    """Nothing is drawn of what is not known."""
    assert charted(12.0) is None
    assert history(view(call())) is None
    assert charted(None, 12.0) is None
