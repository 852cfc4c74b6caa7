"""The gate after the fact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.errors import FailureKind, LemError
from pytest_lem.gate.afterwards import history_for, judge_session, unmeasured
from pytest_lem.gate.judge import Judge, Terms
from pytest_lem.gate.key import UnderTest
from pytest_lem.gate.rule import DEFAULTS, rules_of
from pytest_lem.results.entry import Entry
from pytest_lem.results.session import Session

Make = Callable[..., Any]
NOTHING = UnderTest([])


@pytest.fixture
def made(facts: Make) -> Callable[..., Session]:
    """Make the session of a run from entries that share their facts."""

    def make(run: str, *entries: Entry) -> Session:
        about = facts()
        for entry in entries:
            entry.comparability = about.hash
        started = "2026-01-01T00:00:00+00:00"
        return Session(run=run, started=started, facts={about.hash: about}, entries=list(entries))

    return make


def test_a_session_is_no_part_of_its_own_past(made: Make, entry: Make) -> None:
    """It would be compared with itself, and be half as different."""
    sessions = [made(run, entry()) for run in ("r1", "r2", "r3")]
    assert history_for(sessions[1], "main", sessions, NOTHING).sessions == 2
    with pytest.raises(LemError) as caught:
        history_for(sessions[0], "main", sessions[:1], NOTHING)
    assert str(caught.value) == "the baseline main is nothing but the run r1 itself; name another"
    assert caught.value.kind is FailureKind.DATA


def test_nothing_is_measured_again(made: Make, entry: Make) -> None:
    """So the level is that of two tests together, and what only one of them flags is open."""
    past = [made(f"r{n}", entry(2.0)) for n in range(8)]
    worse = made("now", entry(2.11), entry(4.0, settings={"batch_size": 1}))
    past += [made("old", entry(2.0, settings={"batch_size": 1}))]
    judge = Judge(history_for(worse, "main", past, NOTHING), Terms(alpha=0.05), "now")
    rules = rules_of(["energy_per_output_token_j:1"], "--fail-on")
    slightly, much = judge_session(judge, worse, rules)
    assert (slightly.alpha, much.alpha) == pytest.approx((0.0025, 0.0025))
    assert (slightly.verdict, much.verdict) == ("provisional", "regressed")
    assert slightly.reasons[0] == "not_repeatable"


def test_a_case_whose_facts_are_unknown_is_not_passed(made: Make, entry: Make) -> None:
    """A session without them would agree with anything."""
    past = [made("r1", entry())]
    now = made("now", entry())
    now.facts = {}
    judge = Judge(history_for(now, "main", past, NOTHING), Terms(), "now")
    assert {c.verdict for c in judge_session(judge, now, DEFAULTS)} == {"incomparable"}


def test_a_rule_that_applies_to_nothing_is_a_mistake(made: Make, entry: Make) -> None:
    """It would never fail; the defaults are for any kind of case and are left alone."""
    now = made("now", entry())
    judge = Judge(history_for(now, "main", [made("r1", entry())], NOTHING), Terms(), "now")
    rules = rules_of(["ttft_s:5", "call_duration_s:2"], "--fail-on")
    with pytest.raises(LemError, match=r"the rule call_duration_s:2 applies to no case of the run"):
        judge_session(judge, now, rules)
    assert len(judge_session(judge, now, DEFAULTS)) == 2


def test_cases_that_only_the_history_has_are_named(made: Make, entry: Make) -> None:
    """By their keys; one whose field under test differs is the same case."""
    gone = [entry(key=key, settings={"batch_size": n}) for n, key in enumerate("ba")]
    past = [made("r1", entry(), *gone)]
    now = made("now", entry(settings={"backend": "other"}))
    assert unmeasured(history_for(now, "main", past, NOTHING), now) == ["a", "b", "case"]
    tested = UnderTest(["backend"])
    assert unmeasured(history_for(now, "main", past, tested), now) == ["a", "b"]
