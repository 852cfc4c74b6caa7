"""The gate after the fact: a whole session against a baseline, when nothing can be measured again.

What was not measured is named and not judged: whether somebody asked for it is not stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_lem.errors import FailureKind, LemError, config_error
from pytest_lem.gate.baseline import Baseline, baseline_of
from pytest_lem.gate.judge import Judge, applies
from pytest_lem.gate.key import UnderTest
from pytest_lem.gate.rule import Rule
from pytest_lem.results.comparability import NOTHING_KNOWN
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.session import Session


def history_for(
    session: Session,
    name: str,
    sessions: Iterable[Session],
    under_test: UnderTest,
) -> Baseline:
    """Return the sessions of a history as a baseline for one of them, or for another.

    A session that was saved is not part of its own past. Raises LemError (`data`) when nothing else
    is there.
    """
    others = (other for other in sessions if other.run != session.run)
    baseline = baseline_of(name, others, under_test)
    if not baseline.sessions:
        raise LemError(
            f"the baseline {name} is nothing but the run {session.run} itself; name another",
            kind=FailureKind.DATA,
        )
    return baseline


def judge_session(judge: Judge, session: Session, rules: Sequence[Rule]) -> list[Comparison]:
    """Compare every case of a session; raises LemError for a rule that applies to none of them."""
    named = (rule for rule in rules if rule.is_named)
    idle = [r for r in named if not any(applies(r, entry) for entry in session.entries)]
    if idle:
        raise config_error(
            f"the rule {', '.join(map(str, idle))} applies to no case of the run {session.run}; "
            "take it out, or choose a metric that its cases have"
        )
    return [
        comparison
        for entry in session.entries
        for comparison in judge.judge(
            entry,
            session.facts.get(entry.comparability, NOTHING_KNOWN),
            rules,
            is_repeatable=False,
        )
    ]


def unmeasured(baseline: Baseline, session: Session) -> list[str]:
    """Return the keys of the cases that the baseline has and the session has not."""
    measured = {baseline.identity(entry) for entry in session.entries}
    missing = (
        past[-1].field("key") for case, past in baseline.cases.items() if case not in measured
    )
    return sorted(missing)
