"""Rules: what they say, and how much worse they allow."""

from __future__ import annotations

from math import exp, inf, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lem.errors import LemError
from pytest_lem.gate.rule import DEFAULTS, Rule, percent, rule_of, rules_of
from pytest_lem.results.definitions import GATEABLE, METRICS

ORIGIN = "--lem-fail-on"
deterministic = settings(derandomize=True, deadline=None, max_examples=100)


def _sentence(*texts: str) -> str:
    with pytest.raises(LemError) as caught:
        rules_of(texts, ORIGIN)
    assert caught.value.kind == "config"
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "theta", "absolute"),
    [
        ("ttft_s", 0.01, 0.0),
        ("ttft_s:2", 0.02, 0.0),
        ("ttft_s:2%", 0.02, 0.0),
        ("ttft_s:0.5", 0.005, 0.0),
        ("ttft_s:.5%", 0.005, 0.0),
        ("ttft_s:5.", 0.05, 0.0),
        ("ttft_s:0", 0.0, 0.0),
        ("ttft_s:250", 2.5, 0.0),
        ("ttft_s:5+0.01", 0.05, 0.01),
        ("ttft_s:5%+.01", 0.05, 0.01),
        ("ttft_s:0+2", 0.0, 2.0),
        ("ttft_s:1+2e-3", 0.01, 0.002),
        ("ttft_s:1+5E8", 0.01, 5e8),
        ("  ttft_s:2\n", 0.02, 0.0),
    ],
)
def test_a_rule_is_read(text: str, theta: float, absolute: float) -> None:
    """Per cents may be fractions and have their sign; the absolute part is in the unit."""
    rule = rule_of(text, ORIGIN)
    assert rule.metric == "ttft_s"
    assert (rule.theta, rule.absolute) == pytest.approx((theta, absolute))
    assert rule.is_named


@pytest.mark.parametrize(
    "text",
    [
        "", ":5", "ttft_s:", "ttft_s:-5", "ttft_s:+5", "ttft_s:5+", "ttft_s:5-1", "ttft_s:+0.1",
        "ttft_s:nan", "ttft_s:inf", "ttft_s:5+nan", "ttft_s=5", "ttft_s 5", "ttft_s: 5",
        "ttft_s:5 %", "ttft_s:5%%", "ttft_s:1:2", "ttft_s:1,5", "ttft_s:1e3", "ttft-s:5",
    ],
)  # fmt: skip
def test_what_is_no_rule_is_told_how_to_be_one(text: str) -> None:
    """The sentence has the origin, the text as it was typed, and the two forms."""
    assert _sentence(text) == (
        f"{ORIGIN}: {text!r} is no rule; write METRIC:PCT or METRIC:PCT+ABS, such as "
        "energy_per_output_token_j:2 or ttft_s:5+0.01"
    )


def test_a_metric_that_is_misspelt_is_answered_with_the_near_one() -> None:
    """Only figures that can be gated are suggested."""
    assert _sentence("output_troughput_tok_s:5") == (
        f"{ORIGIN}: there is no metric 'output_troughput_tok_s'; "
        "did you mean `output_throughput_tok_s`?"
    )


def test_a_metric_like_no_other_is_answered_with_all() -> None:
    """The list is that of what can be gated, sorted."""
    assert _sentence("xyz") == (
        f"{ORIGIN}: there is no metric 'xyz'; known: {', '.join(sorted(GATEABLE))}"
    )


@pytest.mark.parametrize("metric", sorted(set(METRICS) - set(GATEABLE)))
def test_what_is_reported_only_says_why_and_names_what_can_be_gated(metric: str) -> None:
    """A metric that exists is not called unknown."""
    assert _sentence(f"{metric}:5") == (
        f"{ORIGIN}: {metric} is reported and never gated, since it is derived, estimated or rests "
        f"on too few samples; gate one of {', '.join(GATEABLE)}"
    )


def test_two_rules_for_a_metric_are_refused() -> None:
    """Nobody can say which of them counts."""
    assert _sentence("ttft_s:5", "tpot_s", "ttft_s:6") == (
        f"{ORIGIN}: there are two rules for ttft_s; take one out"
    )


def test_rules_keep_their_order() -> None:
    """Each is read by itself."""
    found = rules_of(["tpot_s:3", "ttft_s"], ORIGIN)
    assert found == (Rule(metric="tpot_s", theta=0.03), Rule(metric="ttft_s"))


def test_the_defaults_are_energy_and_speed_of_models_and_of_calls() -> None:
    """One per cent each, and nobody has named them."""
    assert [str(rule) for rule in DEFAULTS] == [
        "energy_per_output_token_j:1", "output_throughput_tok_s:1", "energy_per_call_j:1",
        "call_duration_s:1",
    ]  # fmt: skip
    assert not any(rule.is_named for rule in DEFAULTS)


@pytest.mark.parametrize("metric", GATEABLE)
def test_the_direction_belongs_to_the_metric(metric: str) -> None:
    """More of a rate is better, less of everything else; energy is known by its unit."""
    rule = Rule(metric=metric)
    is_rate = "throughput" in metric or metric == "goodput_req_s"
    sign = -1 if is_rate else 1
    assert rule.is_higher_better == is_rate
    assert rule.worsening(0.1) == sign * 0.1
    assert rule.is_energy == METRICS[metric].unit.startswith("J/")


@pytest.mark.parametrize(
    ("text", "baseline", "worst"),
    [
        ("ttft_s:5", 0.2, 0.21),
        ("ttft_s:5+0.01", 0.2, 0.22),
        ("ttft_s:0+0.3", 0.2, 0.5),
        ("ttft_s:0", 0.2, 0.2),
        ("output_throughput_tok_s:25", 100.0, 80.0),
        ("output_throughput_tok_s:25+10", 100.0, 70.0),
        ("output_throughput_tok_s:0+99", 100.0, 1.0),
        ("output_throughput_tok_s:0", 100.0, 100.0),
    ],
)
def test_what_is_allowed_is_the_share_and_the_absolute_part(
    text: str, baseline: float, worst: float
) -> None:
    """For a throughput, 25 % worse is what has to rise by 25 % to be as before."""
    rule = rule_of(text, ORIGIN)
    assert rule.allowed(baseline) == pytest.approx(rule.worsening(log(worst / baseline)))
    assert rule.allowed(baseline) >= 0


@pytest.mark.parametrize("absolute", [80, 80.1, 1e9])
def test_a_throughput_of_which_nothing_is_left_never_fails(absolute: float) -> None:
    """100 tokens a second, less a quarter and 80, leave nothing: the limit is infinite."""
    rule = Rule(metric="output_throughput_tok_s", theta=0.25, absolute=absolute)
    assert rule.allowed(100.0) == inf
    assert rule.allowed(1e10) < inf


@deterministic
@given(
    st.sampled_from(GATEABLE), st.floats(1e-3, 1e3), st.floats(0, 1), st.floats(0, 10),
    st.floats(0, 0.5),
)  # fmt: skip
def test_more_is_allowed_by_a_larger_rule(
    metric: str, baseline: float, theta: float, absolute: float, more: float
) -> None:
    """Neither part of a rule ever makes it stricter."""
    allowed = Rule(metric=metric, theta=theta, absolute=absolute).allowed(baseline)
    assert allowed >= 0
    assert Rule(metric=metric, theta=theta + more, absolute=absolute).allowed(baseline) >= allowed
    assert Rule(metric=metric, theta=theta, absolute=absolute + more).allowed(baseline) >= allowed


@pytest.mark.parametrize("text", ["ttft_s:5+0.01", "tpot_s:0.5", "output_throughput_tok_s:12"])
def test_a_rule_is_shown_as_it_is_typed(text: str) -> None:
    """The header of a run shows what the next one can be told."""
    assert str(rule_of(text, ORIGIN)) == text


def test_per_cent_of_a_logarithm() -> None:
    """Twice as much is 100 % more, half as much 50 % less."""
    assert percent(log(2)) == pytest.approx(100)
    assert percent(-log(2)) == pytest.approx(-50)
    assert percent(0.0) == 0
    assert exp(0.1) == pytest.approx(1 + percent(0.1) / 100)
