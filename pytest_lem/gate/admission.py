"""Admission: which entries join a history, which wait for a person, which never do.

A regression that joined would be its own baseline within days, and so would an improvement that
comes from a broken meter.
"""

from __future__ import annotations

from collections.abc import Sequence

from pytest_lem.gate.verdict import Cause, Verdict, worst
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.entry import Entry

_WAIT = frozenset({Verdict.REGRESSED, Verdict.IMPROVED, Verdict.INCOMPARABLE})
_JUDGED = _WAIT | {Verdict.PASS, Verdict.PROVISIONAL, Verdict.MISSING}


def admit(entry: Entry, comparisons: Sequence[Comparison]) -> None:
    """Set the verdict and the state of an entry by what was said of its figures.

    Figures that could not be judged (a brief window's energy beside a throughput) leave it to the
    others, and are no part of the history.
    """
    verdicts = [Verdict(c.verdict) for c in comparisons]
    judged = [verdict for verdict in verdicts if verdict in _JUDGED]
    entry.verdict = str(worst(judged or verdicts)) if verdicts else None
    entry.unjudged = [c.metric for c in comparisons if _is_unjudged(c)]
    is_judged = not verdicts or bool(judged)
    if not (entry.is_sound and is_judged):
        entry.state = "never"
    elif not _WAIT.isdisjoint(verdicts):
        entry.state = "waiting"
    else:
        entry.state = "joined" if entry.status == "ok" else "never"


def _is_unjudged(comparison: Comparison) -> bool:
    """Tell whether a figure was not to be trusted; an estimate is what it says it is."""
    is_estimate = comparison.reasons == [Cause.ESTIMATED]
    return comparison.verdict in {Verdict.INVALID, Verdict.INCONCLUSIVE} and not is_estimate
