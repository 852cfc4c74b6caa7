"""The judge of two sides, on windows made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import exp
from typing import Any

import pytest

from pytest_lem.flags import Flag
from pytest_lem.gate.rule import DEFAULTS, Rule, rule_of
from pytest_lem.gate.sides import PairJudge, PairTerms, Side, further_pairs, is_tentative
from pytest_lem.gate.stage import Stage
from pytest_lem.results.comparison import Comparison

ENERGY, SPEED = "energy_per_output_token_j", "output_throughput_tok_s"
RULES = DEFAULTS[:2]
#: Differences that scatter by about 1 % and cancel.
NOISE = (0.008, -0.006, 0.003, -0.009, 0.004, -0.004, 0.009, -0.003, 0.006, -0.008)
Make = Callable[..., Any]


def stage(change: float = 0.0, *, noise: Sequence[float] = NOISE, loads: int = 2,
          speed: float | None = None, **further: float) -> Stage:  # fmt: skip
    """Make pairs in which B takes `change` (a logarithm) more energy and time for a token.

    `further` are figures that both sides have.
    """
    slower = -change if speed is None else speed
    pairs = [
        (
            {ENERGY: 2.0, SPEED: 100.0, **further},
            {ENERGY: 2.0 * exp(change + x), SPEED: 100.0 * exp(slower + x), **further},
        )
        for x in noise
    ]
    size = len(pairs) // loads
    return [pairs[n * size : (n + 1) * size] for n in range(loads)]


@pytest.fixture
def sides(entry: Make, facts: Make) -> Make:
    """Make the two sides; keywords change fields of B's entry."""

    def make(now: Any = None, **fields: Any) -> tuple[Side, Side]:
        figures = {"peak_device_memory_bytes": 1000.0}
        a = Side("backend:a", entry(figures=figures), facts())
        b = Side("backend:b", replace(entry(figures=figures), **fields), now or facts())
        return a, b

    return make


@pytest.fixture
def judge(sides: Make) -> Make:
    """Judge one stage, or two with the second's change; terms are keywords of `PairTerms`."""

    def make(
        first: Stage, second: Stage | None = None, *, rules: Sequence[Rule] = RULES,
        both: tuple[Side, Side] | None = None, **terms: Any,
    ) -> list[Comparison]:  # fmt: skip
        a, b = both or sides()
        judging = PairJudge(PairTerms(**terms), "now", "backend: a -> b")
        found = judging.judge(a, b, rules, first)
        return found if second is None else judging.confirmed(found, a, b, rules, second)

    return make


def _verdicts(found: list[Comparison]) -> list[str]:
    return [c.verdict for c in found]


def test_sides_that_are_alike_pass(judge: Make) -> None:
    """With how much they differ, on how many pairs that rests, and what would have been found."""
    energy, speed = judge(stage())
    assert _verdicts([energy, speed]) == ["pass", "pass"]
    assert energy.ratio == pytest.approx(1.0, abs=0.002)
    low, high = energy.interval
    assert low < 1.0 < high
    assert (energy.pairs, energy.sessions, energy.baseline) == (10, None, "backend:a")
    assert 0.01 < energy.mde < 0.02 < energy.promise == 0.05
    assert energy.under_test == ["backend: a -> b"]
    assert "(10 pairs)" in energy.message
    assert not any(map(is_tentative, (energy, speed)))


def test_a_change_counts_when_fresh_loads_show_it_again(judge: Make) -> None:
    """Both levels are told, and the figures are those of the second stage."""
    first = judge(stage(0.08))
    assert _verdicts(first) == ["regressed", "regressed"]
    assert all(map(is_tentative, first))
    both = judge(stage(0.08), stage(0.06))
    assert _verdicts(both) == ["regressed", "regressed"]
    assert both[0].ratio == pytest.approx(exp(0.06), abs=0.002)
    assert both[0].p == first[0].p == 2.0**-10
    assert both[0].p_repeated == 2.0**-10
    assert "worse than backend:a" in both[0].message


def test_an_improvement_counts_likewise(judge: Make) -> None:
    """To the better side."""
    assert _verdicts(judge(stage(-0.08), stage(-0.08))) == ["improved", "improved"]


@pytest.mark.parametrize("second", [0.0, -0.08], ids=["nothing", "the contrary"])
def test_what_the_second_stage_does_not_show_is_not_confirmed(judge: Make, second: float) -> None:
    """However far out the first was."""
    found = judge(stage(0.08), stage(second))
    assert _verdicts(found) == ["pass", "pass"]
    assert all("not_repeated" in c.reasons for c in found)


def test_the_second_level_is_stricter_the_more_figures_there_are(judge: Make) -> None:
    """So that a suite has its 2.5 % altogether."""
    doubtful = [0.03, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03, -0.02, -0.02]
    weak = stage(0.0, noise=doubtful, speed=0.0)
    assert judge(stage(0.08), weak, figures=1)[0].verdict == "regressed"
    assert judge(stage(0.08), weak, figures=50)[0].verdict != "regressed"
    assert judge(stage(0.08), weak, figures=50)[0].m == 50


def test_scatter_that_hides_what_was_promised_is_inconclusive(judge: Make) -> None:
    """No change was seen, and none of 5 % would have been."""
    found = judge(stage(noise=[8 * x for x in NOISE]))
    assert _verdicts(found) == ["inconclusive", "inconclusive"]
    assert "too_few_pairs" in found[0].reasons
    assert "pair.pairs" in found[0].message
    assert judge(stage(noise=[8 * x for x in NOISE]), promise=0.5)[0].verdict == "pass"


def test_more_pairs_are_asked_for_where_windows_scatter(judge: Make) -> None:
    """Only what was flagged counts."""
    calm, wild = stage(0.08), stage(0.3, noise=[8 * x for x in NOISE])
    assert further_pairs(judge(calm), 10) == 10
    assert further_pairs(judge(wild), 10) == 20
    assert further_pairs(judge(stage(noise=[8 * x for x in NOISE])), 10) == 10


def test_a_change_is_split_into_power_and_speed(judge: Make) -> None:
    """With nothing left over."""
    (energy, _) = judge(stage(0.10, speed=-0.04))
    parts = energy.attribution
    assert (1 + parts["power_pct"] / 100) / (1 + parts["speed_pct"] / 100) == pytest.approx(
        energy.ratio
    )
    assert parts["speed_pct"] == pytest.approx(100 * (exp(-0.04) - 1), abs=0.3)


def test_a_callable_is_slower_by_what_it_takes_longer(entry: Make, facts: Make) -> None:
    """Its speed is the reciprocal of its duration."""
    names = ("energy_per_call_j", "call_duration_s")
    pairs = [(dict.fromkeys(names, 1.0), {n: exp(0.1 + x) for n in names}) for x in NOISE]
    one = entry(None, None, figures=dict.fromkeys(names, 1.0), kind="call")
    a, b = Side("a", one, facts()), Side("b", one, facts())
    judging = PairJudge(PairTerms(), "now", "x: 1 -> 2")
    energy, _ = judging.judge(a, b, DEFAULTS, [pairs[:5], pairs[5:]])
    assert energy.attribution["speed_pct"] == pytest.approx(100 * (exp(-0.1) - 1), abs=0.2)
    assert energy.attribution["power_pct"] == pytest.approx(0.0, abs=1e-9)


def test_memory_is_compared_as_it_is(judge: Make, sides: Make) -> None:
    """By the plain ratio; it does not scatter by windows."""
    rule = [rule_of("peak_device_memory_bytes:1", "x")]
    a, b = sides()
    more = replace(b.entry, figures={**b.entry.figures,
                   "peak_device_memory_bytes": a.entry.figures["peak_device_memory_bytes"]
                   ._replace(value=1020.0)})  # fmt: skip
    (found,) = judge(stage(), rules=rule, both=(a, Side("b", more, b.facts)))
    assert (found.verdict, found.ratio) == ("regressed", 1.02)
    assert judge(stage(), rules=rule)[0].verdict == "pass"


@pytest.mark.parametrize(
    ("fields", "verdict", "reason"),
    [
        ({"validity": "invalid"}, "invalid", "invalid_rounds"),
        ({"tier": "estimated"}, "invalid", "estimated"),
        ({"flags": [Flag.CONTENDED]}, "invalid", "contended"),
        ({"flags": [Flag.BRIEF_WINDOW]}, "inconclusive", "brief_window"),
        ({"origin": "simulated"}, "invalid", "simulated"),
    ],
)
@pytest.mark.parametrize("is_b", [True, False])
def test_a_doubt_about_either_side_is_one_about_both(
    judge: Make, sides: Make, fields: dict[str, Any], verdict: str, reason: str, *, is_b: bool
) -> None:
    """It fails closed, whichever side it is."""
    a, b = sides()
    spoilt = replace(b.entry, **fields)
    both = (a, Side("b", spoilt, b.facts)) if is_b else (Side("a", spoilt, a.facts), b)
    energy = judge(stage(), both=both)[0]
    assert (energy.verdict, energy.reasons[0]) == (verdict, reason)


def test_estimates_are_judged_where_that_is_allowed(judge: Make, sides: Make) -> None:
    """As in the gate against a history."""
    assert judge(stage(), both=sides(tier="estimated"), allows_estimates=True)[0].verdict == "pass"


@pytest.mark.parametrize("broken", [None, 0.0, -1.0, 1e300])
def test_a_window_without_a_figure_spoils_it(judge: Make, broken: float | None) -> None:
    """Nothing is made of the others."""
    made = [list(group) for group in stage()]
    a, b = made[1][3]
    without = {n: v for n, v in b.items() if n != ENERGY}
    made[1][3] = (a, without if broken is None else {**b, ENERGY: broken})
    energy, speed = judge(made)
    assert (energy.verdict, energy.reasons[0]) == ("invalid", "no_value")
    assert speed.verdict == "pass"


def test_no_pairs_at_all_never_pass(judge: Make) -> None:
    """An empty stage, or one of empty groups."""
    for empty in ([], [[], []]):
        assert set(_verdicts(judge(empty))) == {"invalid"}


@pytest.mark.parametrize(
    ("change", "is_apart"),
    [
        ({"gpu.name": ["Other"]}, True),
        ({"gpu.count": 2}, True),
        ({"method.min_window_s": 9.0}, True),
        ({"meter.nvml": "x"}, True),
        ({"backend.version": "2.0"}, False),
        ({"model.sha256": "bb"}, False),
        ({"cpu.threads": 1}, False),
    ],
)
def test_sides_on_other_machines_are_not_compared(
    judge: Make, sides: Make, facts: Make, change: dict[str, Any], *, is_apart: bool
) -> None:
    """What is under test may differ with all that follows from it; the machine may not."""
    found = judge(stage(), both=sides(now=facts(change)))
    assert set(_verdicts(found)) == ({"incomparable"} if is_apart else {"pass"})
    if is_apart:
        assert next(iter(change)) in found[0].message


@pytest.mark.parametrize(
    ("fixed", "tokens", "verdict", "reason"),
    [
        (True, 63.0, "invalid", "length_differs"),
        (False, 57.0, "regressed", "shorter_output"),
        (False, 58.0, "pass", None),
    ],
)
def test_energy_is_not_judged_without_the_length(
    judge: Make, sides: Make, *, fixed: bool, tokens: float, verdict: str, reason: str | None
) -> None:
    """Cheaper because it stopped early is no improvement."""
    a, b = sides(output_tokens=tokens, has_fixed_length=fixed)
    a = Side(a.name, replace(a.entry, output_tokens=64.0, has_fixed_length=fixed), a.facts)
    found = judge(stage(-0.3), stage(-0.3), both=(a, b))[0]
    assert found.verdict == (verdict if reason else "improved")
    if reason:
        assert found.reasons[0] == reason


@pytest.mark.parametrize(
    ("outputs", "least", "verdict", "reason"),
    [
        ([[1, 2, 3, 4]], 0.9, "pass", None),
        ([[1, 2, 9, 4]], 0.9, "regressed", "outputs_differ"),
        ([[1, 2, 9, 4]], 0.5, "pass", None),
        ([[1, 2, 9, 4]], None, "pass", None),
        (None, 0.5, "invalid", "outputs_unknown"),
        (None, None, "pass", None),
    ],
)
def test_energy_is_not_judged_without_what_was_said(
    judge: Make, sides: Make, outputs: Any, *, least: Any, verdict: str, reason: str | None
) -> None:
    """Another answer is no cheaper one; what cannot be compared does not pass."""
    a, b = sides()
    both = (replace(a, outputs=[[1, 2, 3, 4]]), replace(b, outputs=outputs))
    found = judge(stage(), both=both, least_agreement=least)[0]
    assert found.verdict == verdict
    assert found.reasons[:1] == ([reason] if reason else [])
    if outputs and verdict == "pass":
        assert f"{100 * found.agreement:.3g} % of the output is the same" in found.message


def test_a_rule_that_allows_everything_is_no_rule(judge: Make) -> None:
    """It could never fail."""
    found = judge(stage(), rules=[rule_of("output_throughput_tok_s:1+200", "x")])[0]
    assert (found.verdict, found.reasons[0]) == ("invalid", "never_fails")


def test_loads_that_differ_leave_it_undecided(judge: Make) -> None:
    """Windows agree, and the two loads do not: nobody knows which is the rule."""
    pairs = [*stage(0.0, loads=1)[0], *stage(0.15, loads=1)[0]]
    energy = judge([pairs[:10], pairs[10:]])[0]
    assert energy.load_scatter > 0.05
    assert energy.mde > 0.2
