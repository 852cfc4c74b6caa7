"""What is decided without a test: the length of the output, and figures that are exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.gate.rule import rule_of
from pytest_lem.gate.verdict import Cause, Verdict

Make = Callable[..., Any]
ENERGY = "energy_per_output_token_j"
SPEED = "output_throughput_tok_s"
CALM = {"prior_cv": 0.005}


@pytest.mark.parametrize(
    ("before", "now", "verdict"),
    [
        (64.0, 64.0, Verdict.PASS),
        (64.0, 63.0, Verdict.INVALID),
        (64.0, 65.0, Verdict.INVALID),
        (None, 64.0, Verdict.PASS),
        (64.0, None, Verdict.PASS),
    ],
)
@pytest.mark.parametrize("rule", [ENERGY, SPEED])
def test_output_of_fixed_length_has_that_length(
    judged: Make, entry: Make, before: Any, *, now: Any, verdict: Verdict, rule: str
) -> None:
    """One of the two generated what it was not asked for, so no figure can be compared."""
    past = [entry(output_tokens=before)] * 8
    found = judged(
        past=past, output_tokens=now, has_fixed_length=True, rule=rule, terms=CALM
    )  # fmt: skip
    assert found.verdict == verdict
    assert (found.reasons[:1] == [Cause.LENGTH_DIFFERS]) == (verdict == Verdict.INVALID)
    assert found.p is None or verdict == Verdict.PASS


@pytest.mark.parametrize("now", [50.0, 89.9])
@pytest.mark.parametrize("rule", [ENERGY, SPEED, "peak_device_memory_bytes"])
def test_cheaper_because_it_stopped_early_is_a_regression(
    judged: Make, entry: Make, now: float, rule: str
) -> None:
    """Of free length less than 90 % of the baseline's, whatever became of the figure."""
    bytes_of = {"figures": {"peak_device_memory_bytes": 1e9}}
    past = [entry(output_tokens=100.0, **bytes_of)] * 8
    found = judged(1.0, 200.0, past=past, output_tokens=now, rule=rule, **bytes_of)
    assert (found.verdict, found.reasons[0]) == (Verdict.REGRESSED, Cause.SHORTER_OUTPUT)
    assert f"{now:g} output tokens a request instead of 100" in found.message


@pytest.mark.parametrize("now", [90.0, 100.0, 150.0, None])
def test_output_of_free_length_may_be_a_little_shorter(
    judged: Make, entry: Make, now: float | None
) -> None:
    """From 90 % on, and where the length is unknown, the figure decides."""
    past = [entry(output_tokens=100.0)] * 8
    assert judged(past=past, output_tokens=now, terms=CALM).verdict == Verdict.PASS
    assert judged(2.4, past=past, output_tokens=now).verdict == Verdict.REGRESSED


@pytest.mark.parametrize(
    ("rule", "now", "verdict"),
    [
        ("peak_device_memory_bytes:1", 1.009e9, Verdict.PASS),
        ("peak_device_memory_bytes:1", 1.011e9, Verdict.REGRESSED),
        ("peak_device_memory_bytes:1", 0.992e9, Verdict.PASS),
        ("peak_device_memory_bytes:1", 0.989e9, Verdict.IMPROVED),
        ("peak_device_memory_bytes:1+1e8", 1.109e9, Verdict.PASS),
        ("peak_device_memory_bytes:1+1e8", 1.111e9, Verdict.REGRESSED),
        ("peak_device_memory_bytes:0", 1e9, Verdict.PASS),
        ("peak_device_memory_bytes:0", 1e9 + 512, Verdict.REGRESSED),
    ],
)
def test_exact_figures_are_decided_by_their_ratio(
    judged: Make, entry: Make, rule: str, now: float, verdict: Verdict
) -> None:
    """They scatter from session to session by nothing, so one session is history enough."""
    past = [entry(figures={"peak_device_memory_bytes": 1e9})]
    found = judged(past=past, rule=rule, figures={"peak_device_memory_bytes": now})
    assert found.verdict == verdict
    assert found.ratio == pytest.approx(now / 1e9)
    assert (found.p, found.alpha, found.interval) == (None, None, None)
    assert found.mde == pytest.approx(rule_of(rule, "o").theta + (found.absolute or 0) / 1e9)


@pytest.mark.parametrize("sessions", [1, 7, 8, 13, 14, 25])
@pytest.mark.parametrize("count", [999424000.0, 5368709120.0, 8e9])
def test_an_exact_figure_that_is_the_same_has_not_changed(
    judged: Make, entry: Make, sessions: int, count: float
) -> None:
    """Not by the last digit of a logarithm either."""
    same = {"figures": {"peak_device_memory_bytes": count}}
    found = judged(past=[entry(**same)] * sessions, rule="peak_device_memory_bytes:0", **same)
    assert found.verdict == Verdict.PASS


def test_a_free_length_is_held_against_the_mean_of_the_history(judged: Make, entry: Make) -> None:
    """Not against the last session alone, after which it could drift away step by step."""
    free = {"has_fixed_length": False}
    past = [entry(output_tokens=length, **free) for length in (50.0, 120.0)]
    assert judged(past=past, output_tokens=100.0, **free).verdict != Verdict.REGRESSED
    past = [entry(output_tokens=length, **free) for length in (100.0, 91.0, 83.0)]
    assert judged(past=past, output_tokens=76.0, **free).verdict == Verdict.REGRESSED


def test_equal_limits_are_equal_however_they_are_written(judged: Make, facts: Make) -> None:
    """Drivers, and readers of JSON, give whole numbers with and without a point."""
    then, now = facts({"gpu.power_limit_w": [300]}), facts({"gpu.power_limit_w": [300.0]})
    assert judged(then=then, now=now).verdict == Verdict.PASS


def test_an_unknown_fact_that_is_under_test_may_be_unknown(judged: Make, facts: Make) -> None:
    """Nobody has to know what is meant to differ."""
    unknown = facts({"backend.version": None})
    assert judged(now=unknown).verdict == Verdict.INCOMPARABLE
    assert judged(now=unknown, under_test=["backend.version"]).verdict == Verdict.PASS


def test_a_coarse_figure_is_not_worse_by_what_it_cannot_tell(judged: Make) -> None:
    """Neither in a long history, nor of its own resolution."""
    assert judged(2.6, resolution=0.3).verdict not in {
        Verdict.REGRESSED, Verdict.PASS,
    }  # fmt: skip
