"""Verdicts and reasons: each has its place and its text."""

from __future__ import annotations

import pytest

from pytest_lem.gate.verdict import FAILING, ORDER, Cause, Verdict, text_of, worst


@pytest.mark.parametrize("cause", Cause)
def test_every_reason_has_a_text(cause: Cause) -> None:
    """One sentence, which is no code, and not that of another reason."""
    text = text_of(cause)
    assert " " in text
    assert "\n" not in text
    assert text == text_of(str(cause))
    assert [other for other in Cause if text_of(other) == text] == [cause]


def test_a_reason_of_a_later_release_stands_by_itself() -> None:
    """A reader of newer files goes on."""
    assert text_of("phase_of_the_moon") == "phase_of_the_moon"


def test_the_worst_verdict_stands_for_all() -> None:
    """From the best to the worst; whatever is not decided is worse than what is."""
    assert ORDER == (
        "pass", "improved", "provisional", "regressed", "inconclusive", "invalid", "incomparable",
        "missing",
    )  # fmt: skip
    for place, verdict in enumerate(ORDER):
        assert worst([*reversed(ORDER[: place + 1])]) is verdict
        assert worst([Verdict.PASS, verdict, verdict]) is verdict
    assert worst([]) is Verdict.PASS


def test_the_gate_fails_closed() -> None:
    """Only what was found good, better, or as good as a young history can tell, does not fail."""
    assert set(Verdict) - set(FAILING) == {Verdict.PASS, Verdict.IMPROVED, Verdict.PROVISIONAL}
