"""One line for a case, printed when it is done, and how far the session is."""

from __future__ import annotations

from collections.abc import Collection

from pytest_lem.reports.figures import duration, energy, is_prefill, per_token, plain, rate
from pytest_lem.results.record import Record

#: Sessions longer than this many seconds are told how long they will still take.
_LONG_S = 60.0


def progress_line(record: Record) -> str:
    """Return the key with its two or three main figures, or with what went wrong."""
    if record.status == "failed" or not record.rounds:
        return f"{_name(record)}: failed ({record.failure_kind})"
    metrics = record.metrics
    if record.case.kind == "call":
        figures = [energy(metrics["energy_per_call_j"], "J/call")]
        figures.append(plain(metrics["call_duration_s"], "s"))
    else:
        unit = "J/prompt token" if is_prefill(record) else "J/token"
        figures = [energy(per_token(record), unit)]
        figures.append(f"{rate(metrics['output_throughput_tok_s'])} token/s")
    return f"{_name(record)}: {', '.join(figures)}"


class Progress:
    """How far a session is, by the tests that have measured."""

    def __init__(self) -> None:
        self.tests = 0
        self._done: set[str] = set()

    def expect(self, tests: int) -> bool:
        """Take note of how many tests will measure; return whether that is news."""
        is_news = self.tests == 0
        self.tests = max(self.tests, tests)
        return is_news

    def finish(self, nodeid: str) -> None:
        """Take note of a test that has measured."""
        self._done.add(nodeid)

    def left(self, elapsed_s: float, left_out: Collection[str] = ()) -> str:
        """Return `3 of 8, about 2 min left`; nothing of a short session, or of one that is over.

        Tests that are over and measured nothing, because they were skipped, say, are `left_out`:
        they take no time and are not waited for.
        """
        done = len(self._done)
        tests = self.tests - len(set(left_out) - self._done)
        left_s = elapsed_s / max(done, 1) * (tests - done)
        if tests <= done or elapsed_s + left_s <= _LONG_S:
            return ""
        return f"{done} of {tests}, about {duration(left_s)} left"


def _name(record: Record) -> str:
    """Return the key, with what sets this measurement apart from others of the case."""
    name = record.case.key
    if record.cycle:
        name += f" cycle {record.cycle}"
    if record.origin == "resumed":
        name += " (resumed)"
    return f"{name} (again)" if record.repetition > 1 else name
