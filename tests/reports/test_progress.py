"""The line of a case that is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.energy.reading import Tier
from pytest_lem.errors import FailureKind
from pytest_lem.reports.progress import Progress, progress_line

Make = Callable[..., Any]


def test_a_callable_shows_energy_and_time_of_a_call(call: Make) -> None:
    """8 J and 2 s for 4 calls; the uncertainty is 10 %."""
    assert progress_line(call()) == "test_it.py::test_sort: 2.00 J/call ±10 %, 500 ms"


def test_a_model_shows_energy_per_token_and_throughput(model: Make) -> None:
    """8 J and 2 s for 8 tokens."""
    record = model()
    assert progress_line(record) == f"{record.case.key}: 1.00 J/token ±10 %, 4.00 token/s"


def test_an_estimate_is_marked(call: Make) -> None:
    """Also in passing, an estimate is not taken for a measurement."""
    assert "~2.00 J/call" in progress_line(call(tier=Tier.ESTIMATED))


@pytest.mark.parametrize("is_measured", [True, False])
def test_a_failed_case_shows_its_kind(call: Make, is_measured: bool) -> None:
    """Figures from before a failure are not offered as results."""
    record = call(failure=(FailureKind.OOM, "out of memory"), is_measured=is_measured)
    assert progress_line(record) == "test_it.py::test_sort: failed (oom)"


def _after(tests: int, *nodeids: str) -> Progress:
    progress = Progress()
    progress.expect(tests)
    for nodeid in nodeids:
        progress.finish(nodeid)
    return progress


def test_a_long_session_says_how_far_it_is() -> None:
    """Two of ten tests took a minute, so eight more take four."""
    assert _after(10, "a", "b").left(60.0) == "2 of 10, about 4 min left"


def test_a_test_with_several_cases_counts_once() -> None:
    """Cases come one after the other from the same test."""
    assert _after(3, "a", "a").left(60.0) == "1 of 3, about 2 min left"


def test_skipped_tests_are_not_waited_for() -> None:
    """Neither as done, since they took no time, nor as still to come."""
    assert _after(10, "a", "b").left(60.0, {"c", "d", "e", "f"}) == "2 of 6, about 2 min left"
    assert _after(3, "a", "b").left(60.0, ["c"]) == ""


def test_what_measured_before_it_was_left_out_counts_as_done() -> None:
    """A test that was run again, and skipped then."""
    assert _after(10, "a", "b").left(60.0, {"b"}) == "2 of 10, about 4 min left"


def test_a_short_session_says_nothing() -> None:
    """Nor does one that is over."""
    assert _after(10, "a", "b").left(10.0) == ""
    assert _after(2, "a", "b").left(1000.0) == ""


def test_the_first_word_of_how_many_there_are_is_news() -> None:
    """Workers say it each for itself; the largest number stands."""
    progress = Progress()
    assert [progress.expect(count) for count in (4, 9, 2)] == [True, False, False]
    assert progress.tests == 9
