"""Doubts: what cannot be judged, whatever the baseline says."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan
from typing import Any

import pytest

from pytest_lem.flags import Flag
from pytest_lem.gate.doubt import doubts
from pytest_lem.gate.rule import Rule
from pytest_lem.gate.verdict import Cause, Verdict
from pytest_lem.results.entry import Entry, Figure

Make = Callable[..., Entry]
ENERGY = Rule(metric="energy_per_output_token_j")
SPEED = Rule(metric="output_throughput_tok_s")


def _doubts(entry: Entry, rule: Rule, *, allows_estimates: bool = False) -> tuple[Any, Any]:
    return doubts(entry, rule, allows_estimates=allows_estimates)


@pytest.mark.parametrize("rule", [ENERGY, SPEED], ids=str)
def test_a_sound_entry_leaves_no_doubt(entry: Make, rule: Rule) -> None:
    """However small its figures are; flags that limit nothing that is gated do not count."""
    found = entry(
        1e-6,
        1e-6,
        flags=[Flag.IDLE_DRIFT, Flag.SINGLE_ROUND, Flag.USER_SCOPE, "of_a_later_release"],
    )
    assert _doubts(found, rule) == (Verdict.PASS, [])


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"validity": "invalid"}, Cause.INVALID_ROUNDS),
        ({"flags": [Flag.CONTENDED]}, Cause.CONTENDED),
        ({"flags": [Flag.DUPLICATE_KEY]}, Cause.DUPLICATE_KEY),
    ],
)
@pytest.mark.parametrize("rule", [ENERGY, SPEED], ids=str)
def test_what_spoils_every_figure(
    entry: Make, rule: Rule, fields: dict[str, Any], cause: Cause
) -> None:
    """Energy and throughput alike are not to be trusted."""
    assert _doubts(entry(**fields), rule) == (Verdict.INVALID, [cause])


@pytest.mark.parametrize("value", [None, 0.0, -2.0, 1e-40, 1e40, nan, inf, -inf])
@pytest.mark.parametrize("rule", [ENERGY, SPEED], ids=str)
def test_a_figure_that_is_none_is_never_judged(
    entry: Make, rule: Rule, value: float | None
) -> None:
    """A dead meter shows null or 0; neither is better than a baseline."""
    found = entry()
    if value is None:
        del found.figures[rule.metric]
    else:
        found.figures[rule.metric] = Figure(value, 0.0)
    assert _doubts(found, rule) == (Verdict.INVALID, [Cause.NO_VALUE])
    other = SPEED if rule is ENERGY else ENERGY
    assert _doubts(found, other) == (Verdict.PASS, [])


@pytest.mark.parametrize(
    ("fields", "verdict", "cause"),
    [
        ({"origin": "simulated"}, Verdict.INVALID, Cause.SIMULATED),
        ({"tier": "estimated"}, Verdict.INVALID, Cause.ESTIMATED),
        ({"flags": [Flag.SHORT_WINDOW]}, Verdict.INVALID, Cause.SHORT_WINDOW),
        ({"flags": [Flag.SHORTENED]}, Verdict.INVALID, Cause.SHORTENED),
        ({"flags": [Flag.BRIEF_WINDOW]}, Verdict.INCONCLUSIVE, Cause.BRIEF_WINDOW),
        ({"flags": [Flag.UNSTEADY]}, Verdict.INCONCLUSIVE, Cause.UNSTEADY),
    ],
)
def test_what_spoils_energy_leaves_the_throughput(
    entry: Make, fields: dict[str, Any], verdict: Verdict, cause: Cause
) -> None:
    """A clock needs neither a sensor nor a long window."""
    assert _doubts(entry(**fields), ENERGY) == (verdict, [cause])
    assert _doubts(entry(**fields), SPEED) == (Verdict.PASS, [])


def test_a_power_sensor_is_a_sensor(entry: Make) -> None:
    """Only an estimate is not gated."""
    assert _doubts(entry(tier="power"), ENERGY) == (Verdict.PASS, [])


def test_estimates_are_gated_where_somebody_allows_it(entry: Make) -> None:
    """They follow the CPU time, so the rules of sensors' windows are not theirs."""
    flags = [Flag.SHORT_WINDOW, Flag.BRIEF_WINDOW, Flag.SHORTENED, Flag.UNSTEADY]
    found = entry(tier="estimated", flags=flags)
    assert _doubts(found, ENERGY, allows_estimates=True) == (Verdict.PASS, [])
    assert _doubts(found, ENERGY) == (Verdict.INVALID, [Cause.ESTIMATED])


def test_allowing_estimates_allows_nothing_else(entry: Make) -> None:
    """Energy that is simulated, spoilt or not there is as invalid as before."""
    for fields, cause in (
        ({"origin": "simulated", "tier": "estimated"}, Cause.SIMULATED),
        ({"validity": "invalid", "tier": "estimated"}, Cause.INVALID_ROUNDS),
        ({"energy_j": None, "tier": "estimated"}, Cause.NO_VALUE),
        ({"flags": [Flag.SHORT_WINDOW]}, Cause.SHORT_WINDOW),
    ):
        found = entry(**fields)
        assert _doubts(found, ENERGY, allows_estimates=True) == (Verdict.INVALID, [cause])


def test_every_doubt_is_told(entry: Make) -> None:
    """The worse verdict stands, with all of its reasons and none of the lesser one's."""
    flags = [Flag.CONTENDED, Flag.SHORT_WINDOW, Flag.BRIEF_WINDOW]
    found = entry(None, validity="invalid", origin="simulated", flags=flags)
    assert _doubts(found, ENERGY) == (
        Verdict.INVALID,
        [
            Cause.INVALID_ROUNDS, Cause.NO_VALUE, Cause.CONTENDED, Cause.SIMULATED,
            Cause.SHORT_WINDOW,
        ],
    )  # fmt: skip
    both = entry(flags=[Flag.UNSTEADY, Flag.BRIEF_WINDOW])
    assert _doubts(both, ENERGY) == (
        Verdict.INCONCLUSIVE, [Cause.BRIEF_WINDOW, Cause.UNSTEADY],
    )  # fmt: skip
