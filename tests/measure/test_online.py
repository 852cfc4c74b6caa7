"""What was done in a window that is cut out of traffic, by examples worked out on paper."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lem.flags import Flag
from pytest_lem.measure.asking import audit
from pytest_lem.measure.online import Span, _flags, work_in
from pytest_lem.measure.slo import Slo, due_s
from pytest_lem.workloads.workload import Workload

Make = Callable[..., dict[str, Any]]
WINDOW = Span(10.0, 20.0)
NONE = Slo()

deterministic = settings(derandomize=True, deadline=None, max_examples=60)


@pytest.fixture
def sent(request_of: Make) -> list[dict[str, Any]]:
    """Return requests around the window from 10 s to 20 s.

    Before it, over its start, inside, over its end, after it, and one that failed inside.
    """
    return [
        request_of(5.0, 6.0, 7.0, input_tokens=1),
        request_of(8.0, 9.5, 10.0, 10.5, input_tokens=2),
        request_of(11.0, 12.0, 13.0, 14.0, 15.0, input_tokens=4),
        request_of(19.0, 19.5, 20.0, 21.0, input_tokens=8),
        request_of(20.0, 21.0, input_tokens=16),
        request_of(12.0, error="HTTP 500", done_s=12.5, input_tokens=32),
    ]


def test_work_counts_where_it_was_done(sent: list[dict[str, Any]]) -> None:
    """Tokens where they came, prompts at the first token, requests at their end."""
    work = work_in(sent, WINDOW, NONE)
    assert work.output_tokens == 2 + 4 + 1
    assert work.input_tokens == 4 + 8
    assert work.requests == 2


def test_requests_are_due_in_the_window_that_they_are_asked_in(sent: list[dict[str, Any]]) -> None:
    """Wherever they end; failed ones among them. Without limits none is good or bad."""
    work = work_in(sent, WINDOW, NONE)
    assert (work.due_requests, work.failed_requests, work.good_requests) == (3, 1, None)
    assert work.failed_outside == 0


def test_failures_around_the_window_are_counted_apart(
    sent: list[dict[str, Any]], request_of: Make
) -> None:
    """Before it opens, and after it closes; wherever they end."""
    before = request_of(9.0, error="HTTP 500", done_s=12.0)
    after = request_of(20.0, error="not answered before the drain ended", done_s=25.0)
    work = work_in([before, *sent, after], WINDOW, NONE)
    assert (work.due_requests, work.failed_requests, work.failed_outside) == (3, 1, 2)


def test_good_requests_are_those_that_were_due_in_it(sent: list[dict[str, Any]]) -> None:
    """By their whole latency, also where it ends after the window; a failed one is not good."""
    assert work_in(sent, WINDOW, Slo(e2e_s=4.0)).good_requests == 2
    assert work_in(sent, WINDOW, Slo(e2e_s=3.0)).good_requests == 1
    assert work_in(sent, WINDOW, Slo(e2e_s=0.1)).good_requests == 0


def test_a_schedule_says_when_a_request_was_due(request_of: Make) -> None:
    """One that was sent in the window and due before it belongs to the time before."""
    late = request_of(10.5, 11.0, 12.0, scheduled_s=9.9)
    work = work_in([late], WINDOW, Slo(e2e_s=60.0))
    assert (work.due_requests, work.good_requests) == (0, 0)
    assert (work.requests, work.output_tokens) == (1, 2)


def test_pieces_share_the_tokens_of_their_answer(request_of: Make) -> None:
    """Six tokens in three pieces, two of which came in the window."""
    request = request_of(8.0, 9.0, 11.0, 12.0, output_tokens=6)
    assert work_in([request], WINDOW, NONE).output_tokens == 4


def test_an_answer_in_one_piece_counts_at_its_end(request_of: Make) -> None:
    """Its prompt as well, since nothing shows when it was read."""
    inside = request_of(8.0, output_tokens=5, done_s=12.0)
    after = request_of(12.0, output_tokens=5, done_s=22.0)
    work = work_in([inside, after], WINDOW, NONE)
    assert (work.requests, work.input_tokens, work.output_tokens) == (1, 7, 5)


def test_one_prompt_of_unknown_length_makes_the_sum_unknown(request_of: Make) -> None:
    """Only where it counts."""
    known = request_of(11.0, 12.0)
    assert (
        work_in([known, request_of(11.0, 12.0, input_tokens=None)], WINDOW, NONE).input_tokens
        is None
    )
    assert work_in([known, request_of(1.0, 2.0, input_tokens=None)], WINDOW, NONE).input_tokens == 7


def test_a_window_without_traffic_has_no_work() -> None:
    """Known to be nothing, rather than unknown."""
    work = work_in([], WINDOW, NONE)
    assert (work.requests, work.input_tokens, work.output_tokens, work.due_requests) == (0, 0, 0, 0)


@deterministic
@given(
    st.lists(st.tuples(st.integers(0, 30), st.lists(st.integers(0, 10), min_size=1, max_size=5))),
    st.lists(st.integers(1, 44), max_size=4, unique=True),
)
def test_windows_side_by_side_share_all_work(
    requests: list[tuple[int, list[int]]], cuts: list[int]
) -> None:
    """However the time is cut, nothing counts twice and nothing is lost."""
    sent = [
        {
            "sent_s": start,
            "scheduled_s": None,
            "error": None,
            "input_tokens": 3,
            "output_tokens": len(offsets),
            "token_times_s": [start + offset for offset in sorted(offsets)],
            "done_s": start + max(offsets),
        }
        for start, offsets in requests
    ]
    edges = [0, *sorted(cuts), 45]
    works = [work_in(sent, Span(a, b), NONE) for a, b in itertools.pairwise(edges)]
    assert sum(w.requests or 0 for w in works) == len(sent)
    assert sum(w.due_requests or 0 for w in works) == len(sent)
    assert sum(w.input_tokens or 0 for w in works) == 3 * len(sent)
    assert sum(w.output_tokens or 0 for w in works) == sum(len(o) for _, o in requests)


def _flagged(sent: list[dict[str, Any]], *, is_open: bool = True, end_s: float = 20.0) -> set[Flag]:
    span = Span(10.0, end_s)
    return _flags(sent, [r for r in sent if span.has(due_s(r))], span, is_open=is_open)


def _late(request_of: Make, late: int, of: int, by_s: float) -> list[dict[str, Any]]:
    dues = [10 + 9 * number / of for number in range(of)]
    return [
        request_of(due + (by_s if number < late else 0), due + 0.5, scheduled_s=due)
        for number, due in enumerate(dues)
    ]


@pytest.mark.parametrize(
    ("late", "by_s", "is_flagged"),
    [(0, 0.0, False), (2, 0.02, False), (3, 0.02, True), (200, 0.009, False)],
)
def test_a_schedule_is_missed_by_more_than_one_in_a_hundred(
    request_of: Make, late: int, by_s: float, is_flagged: bool
) -> None:
    """Ten milliseconds late; of 200 requests two may be."""
    assert (Flag.MISSED_SCHEDULE in _flagged(_late(request_of, late, 200, by_s))) is is_flagged


def test_a_closed_loop_has_no_schedule_and_no_backlog(request_of: Make) -> None:
    """Its users wait."""
    sent = [*_late(request_of, 200, 200, 0.02), *_backlog(request_of, 50, 0)]
    assert not {Flag.MISSED_SCHEDULE, Flag.OVERLOADED} & _flagged(sent, is_open=False)


def _backlog(request_of: Make, arrived: int, ended: int) -> list[dict[str, Any]]:
    """Return requests of which the last to come end after the window."""
    return [
        request_of(
            10 + 9 * n / arrived, 19.5 if n < ended else 25.0, scheduled_s=10 + 9 * n / arrived
        )
        for n in range(arrived)
    ]


@pytest.mark.parametrize(
    ("arrived", "ended", "is_flagged"),
    [
        (100, 100, False),
        (100, 71, False),
        (100, 69, True),
        (10_000, 9_001, False),
        (10_000, 8_999, True),
        (4, 0, False),
        (25, 9, True),
    ],
)
def test_a_backlog_beyond_chance_is_too_much_traffic(
    request_of: Make, arrived: int, ended: int, is_flagged: bool
) -> None:
    """A tenth of the arrivals, and three standard deviations of their number."""
    found = _flagged(_backlog(request_of, arrived, ended))
    assert (Flag.OVERLOADED in found) is is_flagged


def test_a_backlog_that_waits_to_be_sent_is_one_as_well(request_of: Make) -> None:
    """Under a limit on concurrency, no more are under way than that; what is due piles up."""
    dues = [10 + number / 10 for number in range(100)]
    sent = [request_of(10 + n, 10.9 + n, scheduled_s=due) for n, due in enumerate(dues)]
    assert {Flag.MISSED_SCHEDULE, Flag.OVERLOADED} <= _flagged(sent)


def test_a_window_shorter_than_its_requests_is_flagged(request_of: Make) -> None:
    """By the median of those that were answered."""
    sent = [request_of(10.0, 10.0 + t) for t in (0.5, 2.5, 3.0)]
    assert Flag.WINDOW_BELOW_LATENCY in _flagged(sent, end_s=12.0)
    assert Flag.WINDOW_BELOW_LATENCY not in _flagged(sent, end_s=12.5)
    failed = [request_of(10.0, error="x", done_s=99.0)] * 9
    assert Flag.WINDOW_BELOW_LATENCY not in _flagged([*sent, *failed], end_s=12.5)


def test_failed_requests_are_flagged_where_they_were_due(request_of: Make) -> None:
    """Those before and after the window have a flag of their own."""
    good = request_of(11.0, 12.0)
    assert _flagged([good, request_of(11.0, error="x")]) == {Flag.SOME_FAILED}
    assert _flagged([good, request_of(9.0, error="x")]) == {Flag.FAILED_OUTSIDE}
    assert _flagged([good, request_of(20.0, error="x")]) == {Flag.FAILED_OUTSIDE}


def test_pieces_of_several_tokens_are_flagged(request_of: Make) -> None:
    """Then ITL is between pieces; an answer that is not streamed has no pieces."""
    assert Flag.TOKENS_TOGETHER in _flagged([request_of(11.0, 12.0, 13.0, output_tokens=3)])
    assert _flagged([request_of(11.0, 12.0, 13.0)]) == set()
    assert _flagged([request_of(11.0, output_tokens=3)]) == set()


@pytest.mark.parametrize(
    ("fields", "ignore_eos", "reasons"),
    [
        ({"output_tokens": 4}, True, []),
        ({"output_tokens": 3}, True, ["token_count"]),
        ({"output_tokens": 3}, False, []),
        ({"output_tokens": 5}, False, ["token_count"]),
        ({"output_tokens": 4, "reported_tokens": 4}, True, []),
        ({"output_tokens": 4, "reported_tokens": 6}, True, ["token_count"]),
    ],
)
def test_counts_are_audited(
    request_of: Make, fields: dict[str, Any], ignore_eos: bool, reasons: list[str]
) -> None:
    """No more than was asked for, no less unless a model may stop, and what else counts them."""
    workload = Workload(output_tokens=4, ignore_eos=ignore_eos)
    assert audit([request_of(0.0, **fields)], workload) == reasons
