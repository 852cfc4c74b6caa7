"""Quality beside energy, in a session with a history."""

from __future__ import annotations

from typing import Any

import pytest

SUITE = """
    def test_decode(inference):
        assert inference().output_tokens > 0
"""
SPEED = "--lem-fail-on=output_throughput_tok_s:900"
COMMON = (SPEED, "--lem-promise=9000", "--lem-set=quality.agreement=0.9",
          "--lem-under-test=options.order")  # fmt: skip


@pytest.fixture
def night(engine: Any, lem: Any) -> Any:
    """Run a night with contexts of so many characters; it is saved and compared."""

    def run(order: int, *arguments: str) -> Any:
        chosen = (f"--lem-set=backends.ngram.order={order}", *COMMON, "--lem-save=main")
        return lem(SUITE, *chosen, *arguments)

    return run


def test_another_answer_than_last_night_fails(night: Any, stored: Any, sessions: Any) -> None:
    """However fast it came; the outputs of the nights are in their sessions."""
    night(4).assert_outcomes(passed=1)
    assert sessions()[0].entries[0].outputs
    assert stored().records[0].quality["outputs"] == sessions()[0].entries[0].outputs
    night(4, "--lem-baseline=main").assert_outcomes(passed=1)
    assert stored().comparisons[0].agreement == 1.0

    result = night(1, "--lem-baseline=main")

    result.assert_outcomes(failed=1)
    (c,) = stored().comparisons
    assert (c.verdict, c.reasons[0]) == ("regressed", "outputs_differ")
    assert c.agreement < 0.9
    result.stdout.fnmatch_lines(["*% of the output is that of main; it said something else*"])
    assert sessions()[-1].entries[0].state == "waiting"


def test_outputs_are_stored_only_where_they_are_compared(lem: Any, engine: Any, stored: Any,
                                                         sessions: Any) -> None:  # fmt: skip
    """Sessions stay small."""
    lem(SUITE, "--lem-save=main", SPEED).assert_outcomes(passed=1)
    assert sessions()[0].entries[0].outputs is None
    assert stored().records[0].quality == {}


def test_perplexity_is_gated_against_the_nights_before(lem: Any, engine: Any, stored: Any) -> None:
    """By the plain ratio, from the second night on."""
    rule = ("--lem-set=quality.perplexity=true", "--lem-fail-on=perplexity:1",
            "--lem-under-test=options.order")  # fmt: skip
    lem(SUITE, "--lem-save=main", *rule).assert_outcomes(passed=1)
    lem(SUITE, "--lem-baseline=main", *rule).assert_outcomes(passed=1)
    assert [(c.metric, c.verdict) for c in stored().comparisons] == [("perplexity", "pass")]
    worse = lem(SUITE, "--lem-baseline=main", "--lem-set=backends.ngram.order=1", *rule)
    worse.assert_outcomes(failed=1)
    assert stored().comparisons[0].verdict == "regressed"
