"""A comparison in one sentence: what, how much, against what, and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_lem.gate.sentence import change_text, sentence
from pytest_lem.gate.verdict import Cause, Verdict, text_of
from pytest_lem.results.comparison import Comparison

FAR = {"ratio": 1.2, "interval": [1.1, 1.31], "theta": 0.01, "sessions": 8}


def _comparison(verdict: Verdict = Verdict.REGRESSED, **fields: Any) -> Comparison:
    own: dict[str, Any] = {
        "metric": "energy_per_output_token_j", "unit": "J/token", "case": "case",
        "baseline": "main", "candidate": "r9", "verdict": verdict,
    }  # fmt: skip
    return Comparison(**{**own, **fields})


def test_a_change_is_told_with_its_interval_and_what_is_allowed() -> None:
    """The history is named with the number of its sessions."""
    assert sentence(_comparison(**FAR)) == (
        "energy_per_output_token_j is +20.0 % [+10.0, +31.0], worse than main (8 sessions); "
        "1 % is allowed"
    )


@pytest.mark.parametrize(
    ("metric", "ratio", "word"),
    [
        ("energy_per_output_token_j", 1.2, "+20.0 %, worse"),
        ("energy_per_output_token_j", 0.9, "-10.0 %, better"),
        ("output_throughput_tok_s", 1.2, "+20.0 %, better"),
        ("output_throughput_tok_s", 0.9, "-10.0 %, worse"),
    ],
)
def test_worse_and_better_follow_the_metric(metric: str, ratio: float, word: str) -> None:
    """More of a throughput is better; a single session is one."""
    text = sentence(_comparison(metric=metric, ratio=ratio, theta=0.025, sessions=1))
    assert text == f"{metric} is {word} than main (1 session); 2.5 % is allowed"


def test_an_absolute_part_is_told_with_its_unit() -> None:
    """Both parts of what is allowed stand there."""
    found = _comparison(**{**FAR, "absolute": 0.5})
    assert sentence(found).endswith("; 1 % + 0.5 J/token is allowed")


def test_what_the_change_is_made_of_follows() -> None:
    """Power and speed, and then what was meant to differ."""
    parts = {"energy_pct": 20.0, "power_pct": 8.04, "speed_pct": -10.0}
    under_test = ["backend.version: 1 -> 2", "precision: a -> b"]
    assert sentence(_comparison(**FAR, attribution=parts, under_test=under_test)).endswith(
        "1 % is allowed; power +8.0 %, speed -10.0 %; backend.version: 1 -> 2, precision: a -> b"
    )


def test_output_that_stopped_early_is_told_by_its_lengths() -> None:
    """The change of energy says nothing then."""
    found = _comparison(
        **FAR, reasons=[Cause.SHORTER_OUTPUT], beside={"output_tokens": [100.0, 61.25]}
    )
    assert sentence(found) == (
        "energy_per_output_token_j: 61.25 output tokens a request instead of 100; "
        + text_of(Cause.SHORTER_OUTPUT)
    )


@pytest.mark.parametrize(
    ("verdict", "cause", "words"),
    [
        (Verdict.INVALID, Cause.NO_VALUE, "cannot be judged against"),
        (Verdict.INCONCLUSIVE, Cause.UNSTEADY, "decides nothing against"),
        (Verdict.INCOMPARABLE, Cause.AMBIGUOUS, "cannot be compared with"),
        (Verdict.MISSING, Cause.NO_HISTORY, "has no history in"),
        (Verdict.PROVISIONAL, Cause.FIRST_SESSION, "begins a history in"),
    ],
)
def test_what_was_not_decided_is_told_with_the_reason(
    verdict: Verdict, cause: Cause, words: str
) -> None:
    """Each verdict has its own words, and each reason its text."""
    assert sentence(_comparison(verdict, reasons=[cause])) == (
        f"energy_per_output_token_j {words} main: {text_of(cause)}"
    )


@pytest.mark.parametrize("verdict", [Verdict.INVALID, Verdict.INCONCLUSIVE])
def test_a_change_that_decides_nothing_is_not_called_worse(verdict: Verdict) -> None:
    """It is known and not to be trusted; at most two reasons are told."""
    reasons = [Cause.BRIEF_WINDOW, Cause.UNSTEADY, Cause.SCATTER_ASSUMED]
    text = sentence(_comparison(verdict, **FAR, reasons=reasons))
    assert text.endswith(f"main: {text_of(reasons[0])}; {text_of(reasons[1])}")
    assert "worse" not in text


def test_a_change_that_cannot_be_compared_is_not_called_worse() -> None:
    """Facts that came to differ in a second measurement are told, and not the change."""
    found = _comparison(Verdict.INCOMPARABLE, **FAR, reasons=[Cause.FACTS_DIFFER])
    assert sentence(found).startswith("energy_per_output_token_j cannot be compared with main: ")


def test_facts_that_differ_are_listed() -> None:
    """Up to six of them; of more, how many."""
    names = [f"fact{n}: a -> b" for n in range(8)]
    found = _comparison(Verdict.INCOMPARABLE, reasons=[Cause.FACTS_DIFFER], differences=names)
    assert sentence(found).endswith(f" ({', '.join(names[:6])} and 2 more)")
    six = replace(found, differences=names[:6])
    assert sentence(six).endswith(f" ({', '.join(names[:6])})")


def test_a_case_that_was_not_measured_is_told_apart() -> None:
    """It has no figure to begin with."""
    found = _comparison(Verdict.MISSING, reasons=[Cause.NOT_MEASURED])
    assert sentence(found) == (
        "in main, but not in this run: its test is gone, or was selected and measured nothing"
    )


def test_a_reason_of_a_later_release_is_told_as_it_is() -> None:
    """Files of newer releases are read, too."""
    found = _comparison(Verdict.INVALID, reasons=["phase_of_the_moon"])
    assert sentence(found).endswith("main: phase_of_the_moon")


def test_a_sentence_is_one_line_of_text() -> None:
    """Whatever a file that was edited has for a name: nothing of it moves the cursor."""
    found = _comparison(baseline="ma\nin\x1b[2J", **FAR)
    assert "worse than ma?in?[2J (8 sessions)" in sentence(found)


def test_a_change_as_text() -> None:
    """In per cent, with the interval where there is one, and empty where nothing is known."""
    assert change_text(_comparison(ratio=0.955)) == "-4.5 %"
    assert change_text(_comparison(ratio=1.0, interval=[0.98, 1.0204])) == "+0.0 % [-2.0, +2.0]"
    assert change_text(_comparison()) == ""
