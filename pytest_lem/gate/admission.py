"""Admission: which entries join a history, which wait for a person, which never do.

A regression that joined would be its own baseline within days, and so would an improvement that
comes from a broken meter.
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_lem.gate.verdict import Verdict, worst
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.entry import Entry

_WAIT = frozenset({Verdict.REGRESSED, Verdict.IMPROVED, Verdict.INCOMPARABLE})


def admit(entry: Entry, comparisons: Sequence[Comparison]) -> None:
    """Set the verdict and the state of an entry by what was said of its figures.

    Figures that could not be judged (an estimate beside a throughput) leave it to the others.
    """
    verdicts = [Verdict(c.verdict) for c in comparisons]
    entry.verdict = str(worst(verdicts)) if verdicts else None
    is_waiting = not _WAIT.isdisjoint(verdicts)
    if not entry.is_sound:
        entry.state = "never"
    elif is_waiting:
        entry.state = "waiting"
    else:
        entry.state = "joined" if entry.status == "ok" else "never"
