"""Judging what a test measured, while it can still be measured again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from pytest_lem.gate.judge import confirmed, needs_repetition
from pytest_lem.gate.rule import rules_of
from pytest_lem.plugin.gating import Gating
from pytest_lem.plugin.markers import mark_of
from pytest_lem.plugin.selection import Selection
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.record import Record

_COMPARISONS = pytest.StashKey[dict[str, list[Comparison]]]()


class Judging:
    """Holds, for each test, what its figures are against their history."""

    def __init__(self, gating: Gating) -> None:
        self._gating = gating

    @property
    def title(self) -> str:
        """Return what is compared with what."""
        return self._gating.title

    def look(self, item: pytest.Item, record: Record) -> bool:
        """Compare a measurement that can be repeated; tell whether it has to be."""
        found = self._compare(item, record, is_repeatable=True)
        return needs_repetition(found)

    def confirm(self, item: pytest.Item, record: Record) -> None:
        """Compare the repetition; only what both flag stands."""
        first = _of(item)[record.case.digest]
        second = self._judged(item, record, is_repeatable=True)
        pairs = zip(first, second, strict=True)
        _of(item)[record.case.digest] = [confirmed(*pair) for pair in pairs]

    def finish(self, item: pytest.Item, records: Sequence[Record]) -> list[Comparison]:
        """Compare what could not be repeated as well, and return all comparisons of a test."""
        for record in records:
            if record.status == "ok" and record.case.digest not in _of(item):
                self._compare(item, record, is_repeatable=False)
        return [comparison for found in _of(item).values() for comparison in found]

    def expected(self, session: pytest.Session) -> list[str]:
        """Return the cases of the history, by identity, that the run was asked for.

        A session that was stopped (`-x`) leaves open what it would have measured.
        """
        if session.shouldfail or session.shouldstop:
            return []
        selection = Selection(session)
        cases = self._gating.baseline.cases.items()
        return [identity for identity, past in cases if selection.covers(past[-1])]

    def failing(self, comparisons: Sequence[Comparison]) -> Iterator[Comparison]:
        """Return those that fail the test."""
        return (c for c in comparisons if self._gating.fails(c))

    def forget(self, item: pytest.Item) -> None:
        """Start an attempt at a test anew."""
        item.stash[_COMPARISONS] = {}

    def _compare(
        self, item: pytest.Item, record: Record, *, is_repeatable: bool
    ) -> list[Comparison]:
        found = self._judged(item, record, is_repeatable=is_repeatable)
        _of(item)[record.case.digest] = found
        return found

    def _judged(
        self, item: pytest.Item, record: Record, *, is_repeatable: bool
    ) -> list[Comparison]:
        """Compare a record by the rules of its marker, else by those of the session."""
        mark, rules = mark_of(item), self._gating.rules
        if mark.fail_on:
            rules = rules_of(mark.fail_on, "@pytest.mark.energy")
        return self._gating.compare(
            record, rules, is_repeatable=is_repeatable, promise_pct=mark.promise
        )


def _of(item: pytest.Item) -> dict[str, list[Comparison]]:
    return item.stash.setdefault(_COMPARISONS, {})
