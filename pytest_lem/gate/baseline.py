"""A baseline: the sessions of a history, by case."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum
from statistics import fmean
from typing import Any

from pytest_lem.case import digest
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.gate.history import History
from pytest_lem.gate.key import Difference, UnderTest, comparable, differences, identity
from pytest_lem.gate.past import Night, Past
from pytest_lem.results.entry import Entry, is_unspoilt
from pytest_lem.results.record import Comparability
from pytest_lem.results.session import Session

#: Scatter between boards of one kind, assumed where the history has none of the same board.
OTHER_BOARD_CV = 0.05

#: The columns that say whether an entry counts, and for which case.
_DECISIVE = ("state", "validity", "flags", "comparability", "measured_in", "digest")
#: Logarithms of a figure, the coarsest resolution, and how many sessions are behind them.
_Logarithms = tuple[Sequence[float], float, int]


@dataclass(slots=True)
class Found:
    """What a history has for a case.

    Attributes:
        past: entries with the same key, the oldest first.
        on_same_board: whether they ran on the board of the new one.
        differing: facts that keep the others apart, of the latest; empty where `past` is not.
        is_ambiguous: whether a session has several entries of that key.
        is_itself: whether the history has nothing but this very measurement.

    """

    past: Sequence[Past] = ()
    on_same_board: bool = True
    differing: Sequence[Difference] = ()
    is_ambiguous: bool = False
    is_itself: bool = False
    _known: dict[str, _Logarithms | None] = field(default_factory=dict, init=False, repr=False)

    def history(self, metric: str, prior_cv: float, resolution: float = 0.0) -> History | None:
        """Return the history of a figure, or None where no session has it.

        `resolution` is that of the new figure; the coarsest counts.
        """
        found = self._logarithms(metric)
        if found is None:
            return None
        logs, coarsest, sessions = found
        prior_cv = prior_cv if self.on_same_board else max(prior_cv, OTHER_BOARD_CV)
        return History(logs, prior_cv, max(resolution, coarsest), sessions)

    def mean(self, metric: str) -> float | None:
        """Return the mean of the logarithms of a figure, as its history has it."""
        found = self._logarithms(metric)
        return fsum(found[0]) / len(found[0]) if found else None

    def _logarithms(self, metric: str) -> _Logarithms | None:
        """Return those that count; None where there are none.

        Sessions on other boards count once for each board: more of them on one board say nothing
        of how boards differ.
        """
        if metric not in self._known:
            self._known[metric] = self._collected(metric)
        return self._known[metric]

    def _collected(self, metric: str) -> _Logarithms | None:
        rows = [past.night.logs(metric)[past.row] for past in self.past]
        known = [row for row in rows if row is not None]
        if not known:
            return None
        logs, resolutions = zip(*known, strict=True)
        if not self.on_same_board:
            boards = defaultdict(list)
            for row, past in zip(rows, self.past, strict=True):
                if row is not None:
                    boards[past.board].append(row[0])
            logs = tuple(map(fmean, boards.values()))
        return logs, max(resolutions), len(known)


@dataclass(slots=True)
class Baseline:
    """The sessions under one name. Only what has joined the history counts."""

    name: str
    under_test: UnderTest
    sessions: int = 0
    cases: dict[str, list[Past]] = field(default_factory=lambda: defaultdict(list))
    _identities: dict[str, str] = field(default_factory=dict)
    _named: dict[int, tuple[Comparability, str, str]] = field(default_factory=dict)

    def add(self, session: Session) -> None:
        """Take in a session; the oldest comes first.

        What was taken over from another run (`--lem-resume`) counts once, however often it was
        saved: a copy says nothing of how sessions scatter.
        """
        self.sessions += 1
        named = {name: (facts, *self._names(facts)) for name, facts in session.facts.items()}
        night = Night(session.run, session.table)
        columns = map(night.table.column, _DECISIVE)
        for row, (state, validity, flags, name, run, case) in enumerate(zip(*columns, strict=True)):
            if state == "joined" and name in named and is_unspoilt(validity, flags):
                known = self.cases[self._case(case, night, row)]
                if run is None or run not in {past.measured_in for past in known}:
                    known.append(Past(night, row, *named[name]))

    def find(self, entry: Entry, facts: Comparability) -> Found:
        """Return what there is to compare an entry with."""
        known = self.cases.get(self.identity(entry), [])
        own = entry.measured_in
        past = [p for p in known if p.measured_in != own] if own else known
        if known and not past:
            return Found(is_itself=True)
        key, board = self._names(facts)
        same = [p for p in past if p.key == key]
        if past and not same:
            before, now = past[-1].facts.refuse, facts.refuse
            rest = self.under_test.rest
            return Found(differing=differences(rest(before), rest(now)))
        runs = [p.night.run for p in same]
        here = [p for p in same if p.board == board]
        return Found(
            past=here or same,
            on_same_board=bool(here) or not same,
            is_ambiguous=len(set(runs)) < len(runs),
        )

    def identity(self, entry: Entry) -> str:
        """Return what tells cases apart here: the digest, less what is under test."""
        if not self.under_test.names:
            return entry.digest
        found = self._identities.get(entry.digest)
        if found is None:
            found = self._worked_out(entry)
            self._identities[entry.digest] = found
        return found

    def _case(self, case: str, night: Night, row: int) -> str:
        """Return the identity of an entry of which the digest is known, which mostly is enough."""
        if not self.under_test.names:
            return case
        return self._identities.get(case) or self.identity(night.table.entry(row))

    def _worked_out(self, entry: Entry) -> str:
        try:
            return identity(entry.kind, entry.settings, self.under_test)
        except ValueError as error:  # infinite, or no number
            raise LemError(
                f"the settings of {entry.key!r} are no plain data ({error}), so the history "
                f"{self.name} cannot be compared with; save anew",
                kind=FailureKind.DATA,
            ) from error

    def _names(self, facts: Comparability) -> tuple[str, str]:
        """Return the hash of the facts that must agree, and the boards; once for each object."""
        known = self._named.get(id(facts))
        if known is None:  # the object is kept with it, so that its number is not given again
            known = facts, key_of(facts.refuse, self.under_test), board_of(facts)
            self._named[id(facts)] = known
        return known[1:]


def key_of(refuse: Mapping[str, Any], under_test: UnderTest) -> str:
    """Return the hash of the facts that must agree."""
    return digest(comparable(under_test.rest(refuse)))


def board_of(facts: Comparability) -> str:
    """Return the boards on which something ran, or the machine, as a text to compare."""
    return json.dumps(facts.warn.get("board"), sort_keys=True)


def baseline_of(name: str, sessions: Iterable[Session], under_test: UnderTest) -> Baseline:
    """Make a baseline from sessions, the oldest first."""
    found = Baseline(name, under_test)
    for session in sessions:
        found.add(session)
    return found
