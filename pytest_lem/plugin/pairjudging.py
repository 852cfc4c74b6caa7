"""Judging two sides that a test measured by turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import pytest

from pytest_lem.config.contest import Contest
from pytest_lem.gate.agreement import Outputs
from pytest_lem.gate.promise import promise_of
from pytest_lem.gate.sides import PairJudge, PairTerms, Side, further_pairs, is_tentative
from pytest_lem.gate.stage import Stage
from pytest_lem.plugin.contest import contest_of
from pytest_lem.plugin.gating import rules_in
from pytest_lem.plugin.items import contest_in
from pytest_lem.plugin.rundir import run_directory
from pytest_lem.plugin.settings import resolved_gate
from pytest_lem.results.attempts import last_attempts
from pytest_lem.results.comparability import NOTHING_KNOWN
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.entry import entry_of, figures_of
from pytest_lem.results.record import Record
from pytest_lem.results.runfile import RunFile

#: The change that is promised where nobody says, as a share.
_PROMISE = 0.05
_FOUND = pytest.StashKey[list[Comparison]]()


class Measured(NamedTuple):
    """A side as it was measured: its record, and its output ids where decoding was greedy."""

    record: Record
    outputs: Outputs | None


class PairJudging:
    """Holds, for each test of a session, what its side B is against its side A."""

    def __init__(self, config: pytest.Config, items: Sequence[pytest.Item]) -> None:
        resolved = resolved_gate(config)
        self._gate = resolved.settings.gate
        self._pair = resolved.settings.pair
        self._rules = rules_in(resolved)
        axis = contest_of(config)
        assert axis  # noqa: S101 - there is one where two sides are compared
        self._contest = axis.contest
        self.tests = sum(contest_in(item) is not None for item in items)
        gated = [rule for rule in self._rules if rule.metric in figures_of("infer")]
        self._judge = PairJudge(
            PairTerms(
                promise=promise_of(
                    self._gate.promise_pct, self._rules, "--lem-promise", default=_PROMISE
                ),
                allows_estimates=self._gate.estimates,
                figures=self.tests * len(gated),
                least_agreement=resolved.settings.quality.agreement,
            ),
            run_directory(config).name,
            self._contest.change,
        )

    @property
    def title(self) -> str:
        """Return what is compared with what."""
        count = "1 test" if self.tests == 1 else f"{self.tests} tests"
        rules = ", ".join(str(r) for r in self._rules if r.is_named) or "defaults"
        return (
            f"paired: {self._contest.change}, {rules}; {count}, each {self._pair.pairs} pairs on "
            f"{self._pair.loads} loads a side, up to three times as long where something is flagged"
        )

    def judge(self, item: pytest.Item, a: Measured, b: Measured, stage: Stage) -> list[Comparison]:
        """Compare the first stage of a test."""
        found = self._judge.judge(*self._sides(a, b), self._rules, stage)
        return self._keep(item, b.record, found)

    def confirm(self, item: pytest.Item, a: Measured, b: Measured, stage: Stage) -> None:
        """Compare the second stage; only what both flag stands."""
        first = item.stash[_FOUND]
        found = self._judge.confirmed(first, *self._sides(a, b), self._rules, stage)
        self._keep(item, b.record, found)

    def further_pairs(self, found: Sequence[Comparison], pairs: int) -> int:
        """Return how many pairs a second stage needs; 0: there is nothing to confirm."""
        return further_pairs(found, pairs) if any(map(is_tentative, found)) else 0

    def finish(self, item: pytest.Item, records: Sequence[Record]) -> list[Comparison]:  # noqa: ARG002
        """Return all comparisons of a test."""
        return item.stash.get(_FOUND, [])

    def failing(self, comparisons: Sequence[Comparison]) -> Iterator[Comparison]:
        """Return those that fail the test."""
        return (c for c in comparisons if c.verdict in self._gate.fail_verdicts)

    def forget(self, item: pytest.Item) -> None:
        """Start an attempt at a test anew."""
        item.stash[_FOUND] = []

    def _sides(self, a: Measured, b: Measured) -> tuple[Side, Side]:
        names = (self._contest.title_of_a, f"{self._contest.name}:{self._contest.words[1]}")
        is_one_model = not self._contest.sets("model")
        both = [
            Side(
                name,
                entry_of([one.record]),
                one.record.comparability or NOTHING_KNOWN,
                one.outputs if is_one_model else None,
            )
            for name, one in zip(names, (a, b), strict=True)
        ]
        return both[0], both[1]

    def _keep(self, item: pytest.Item, record: Record, found: list[Comparison]) -> list[Comparison]:
        kept = [replace(c, cycle=record.cycle, attempt=record.attempt) for c in found]
        item.stash[_FOUND] = kept
        return kept


@dataclass(slots=True)
class PairOutcome:
    """What comparing two sides came to, over a whole run."""

    comparisons: list[Comparison]
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    saves_to: None = None

    def admit(self, session: object) -> None:
        """Let nothing join a history: figures of two sides by turns are none of one alone."""


def judge_pairs(contest: Contest, run_file: RunFile) -> PairOutcome:
    """Collect the comparisons of a run; that there is none fails it."""
    outcome = PairOutcome(last_attempts(run_file.comparisons))
    if not run_file.comparisons:
        outcome.problems.append(
            f"nothing was compared ({contest.change}), since no test of this run measured both "
            "sides; select tests that use the fixture `inference`"
        )
    return outcome
