"""What two measurements of one job say together, and one where there can be no second."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import pytest

from pytest_lem.flags import Flag
from pytest_lem.gate.judge import confirmed, needs_repetition
from pytest_lem.gate.sentence import sentence
from pytest_lem.gate.verdict import Cause, Verdict
from pytest_lem.results.comparison import Comparison

Make = Callable[..., Any]
SPEED = "output_throughput_tok_s"
CALM = {"prior_cv": 0.005}


@pytest.mark.parametrize(("joules", "verdict"), [(2.4, Verdict.REGRESSED), (1.6, Verdict.IMPROVED)])
def test_what_both_measurements_flag_stands(judged: Make, joules: float, verdict: Verdict) -> None:
    """With the figures of the first, and the p of the second beside them."""
    first, second = judged(joules), judged(joules * 1.01)
    found = confirmed(first, second)
    assert found.verdict == verdict
    assert (found.p, found.p_repeated, found.ratio) == (first.p, second.p, first.ratio)
    assert Cause.NOT_REPEATED not in found.reasons
    assert found.message == sentence(found)


@pytest.mark.parametrize("first", [2.4, 1.6])
@pytest.mark.parametrize("second", [2.0, 2.4, 1.6])
def test_what_the_second_does_not_flag_has_not_changed(
    judged: Make, first: float, second: float
) -> None:
    """Nor what it flags to the other side: only the same verdict twice counts."""
    one, other = judged(first, terms=CALM), judged(second, terms=CALM)
    found = confirmed(one, other)
    assert (found.verdict == one.verdict) == (first == second)
    if first != second:
        assert (found.verdict, found.reasons) == (Verdict.PASS, [Cause.NOT_REPEATED])
        assert found.p_repeated == other.p


def test_what_was_not_repeated_is_provisional_on_a_young_history(judged: Make, entry: Make) -> None:
    """It is no PASS where the gate could not have found what it promises."""
    found = confirmed(judged(3.0, past=[entry()]), judged(2.0, past=[entry()]))
    assert found.verdict == Verdict.PROVISIONAL
    assert found.reasons == [Cause.NOT_REPEATED, Cause.TOO_COARSE, Cause.SCATTER_ASSUMED]


@pytest.mark.parametrize(
    ("fields", "verdict", "cause"),
    [
        ({"validity": "invalid"}, Verdict.INVALID, Cause.INVALID_ROUNDS),
        ({"energy_j": None}, Verdict.INVALID, Cause.NO_VALUE),
        ({"flags": [Flag.CONTENDED]}, Verdict.INVALID, Cause.CONTENDED),
        ({"flags": [Flag.UNSTEADY]}, Verdict.INCONCLUSIVE, Cause.UNSTEADY),
    ],
)
@pytest.mark.parametrize("joules", [2.4, 1.6])
def test_a_second_measurement_that_cannot_be_judged_decides(
    judged: Make, joules: float, fields: dict[str, Any], verdict: Verdict, cause: Cause
) -> None:
    """Nothing is confirmed by it, and nothing passes because of it; it says why."""
    first = judged(joules)
    found = confirmed(first, judged(**fields))
    assert (found.verdict, found.reasons[0]) == (verdict, cause)
    assert (found.p, found.p_repeated) == (first.p, None)
    assert found.message == sentence(found)


def test_a_caution_of_both_is_told_once(judged: Make, entry: Make) -> None:
    """The reasons of the second come first, and none of them twice."""
    past = [entry()] * 2
    found = confirmed(judged(2.6, past=past), judged(past=past, flags=[Flag.UNSTEADY]))
    assert found.reasons == [Cause.UNSTEADY, Cause.SCATTER_ASSUMED]


def test_facts_that_differ_in_the_second_are_named(judged: Make, facts: Make) -> None:
    """A person has to know which."""
    found = confirmed(judged(2.4), judged(now=facts({"backend.version": "2"})))
    assert (found.verdict, found.reasons[0]) == (Verdict.INCOMPARABLE, Cause.FACTS_DIFFER)
    assert found.differences == ["backend.version: 1.0 -> 2"]


def test_a_second_that_stopped_early_is_told_by_its_own_length(judged: Make, entry: Make) -> None:
    """It regressed by its output, which is not that of the first."""
    past = [entry(output_tokens=100.0)] * 8
    second = judged(past=past, output_tokens=40.0)
    found = confirmed(judged(2.4, past=past, output_tokens=100.0), second)
    assert (found.verdict, found.reasons[0]) == (Verdict.REGRESSED, Cause.SHORTER_OUTPUT)
    assert "40 output tokens a request instead of 100" in found.message


def test_what_was_not_flagged_needs_no_second(judged: Make) -> None:
    """The repetition was asked for by another figure, and changes nothing of this one."""
    for first in (judged(), judged(None), judged(past=[]), judged(flags=[Flag.UNSTEADY])):
        assert confirmed(first, judged(2.4)) == first


def test_only_what_a_test_flagged_is_measured_again(judged: Make, entry: Make) -> None:
    """Lengths and exact figures come out the same again."""
    calm: Comparison = judged()
    assert not needs_repetition([])
    assert not needs_repetition([calm, judged(None), judged(past=[])])
    assert needs_repetition([calm, judged(2.4)])
    assert needs_repetition([judged(1.6), calm])
    short = judged(past=[entry(output_tokens=100.0)] * 8, output_tokens=50.0)
    rule = "peak_device_memory_bytes"
    grown = judged(past=[entry(figures={rule: 1e9})], figures={rule: 2e9}, rule=rule)
    assert (short.verdict, grown.verdict) == (Verdict.REGRESSED, Verdict.REGRESSED)
    assert not needs_repetition([short, grown])
    for first in (short, grown):
        assert confirmed(first, calm) == first


@pytest.mark.parametrize(
    ("joules", "once", "alone"),
    [
        (2.00, Verdict.PASS, Verdict.PASS),
        (2.045, Verdict.REGRESSED, Verdict.PROVISIONAL),
        (2.20, Verdict.REGRESSED, Verdict.REGRESSED),
        (1.956, Verdict.IMPROVED, Verdict.PROVISIONAL),
        (1.80, Verdict.IMPROVED, Verdict.IMPROVED),
    ],
)
def test_a_single_test_decides_at_the_level_of_two(
    judged: Make, joules: float, once: Verdict, alone: Verdict
) -> None:
    """What could not be measured again is flagged at the square of the level, or provisional."""
    first = judged(joules, terms=CALM)
    single = judged(joules, terms=CALM, is_repeatable=False)
    assert (first.verdict, single.verdict) == (once, alone)
    assert first.p == single.p
    assert (first.alpha, single.alpha) == pytest.approx((0.01, 0.0001))
    assert (single.reasons == [Cause.NOT_REPEATABLE]) == (alone == Verdict.PROVISIONAL)


@pytest.mark.parametrize("joules", [2.045, 2.2])
def test_the_levels_are_those_of_the_terms(judged: Make, joules: float) -> None:
    """p is compared with the level, in one test or in two."""
    p = judged(joules, terms=CALM).p
    for factor, verdict in ((1.01, Verdict.REGRESSED), (0.99, Verdict.PASS)):
        terms = {**CALM, "alpha": p * factor}
        assert judged(joules, terms={**terms, "promise": 9.0}).verdict == verdict
    for factor, verdict in ((1.01, Verdict.REGRESSED), (0.99, Verdict.PROVISIONAL)):
        terms = {**CALM, "alpha": sqrt(p) * factor}
        assert judged(joules, terms=terms, is_repeatable=False).verdict == verdict


@pytest.mark.parametrize("is_repeatable", [True, False])
@pytest.mark.parametrize("sessions", [1, 2, 8])
def test_a_change_that_is_said_to_be_found_is_found(
    judged: Make, entry: Make, sessions: int, *, is_repeatable: bool
) -> None:
    """A session as much worse as the least change that four of five nights find is flagged."""
    past = [entry()] * sessions
    mde = judged(past=past, is_repeatable=is_repeatable).mde
    found = judged(2.0 * (1 + mde), past=past, is_repeatable=is_repeatable)
    assert found.verdict == Verdict.REGRESSED


def test_worse_is_the_other_way_round_for_a_throughput(judged: Make) -> None:
    """Both measurements have to be slower."""
    slow = judged(2.0, 80.0, rule=SPEED, terms=CALM)
    fast = judged(2.0, 125.0, rule=SPEED, terms=CALM)
    assert confirmed(slow, slow).verdict == Verdict.REGRESSED
    assert confirmed(fast, fast).verdict == Verdict.IMPROVED
    assert confirmed(slow, fast).verdict == Verdict.PASS
