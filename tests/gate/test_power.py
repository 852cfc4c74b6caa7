"""How often the gate alarms for nothing, and what it finds, on sessions whose truth is known.

A few suites of the simulation in `benchmarks/gate_power`, whose full run is `docs/gate-power.md`.
The bounds are those stated there, with room for the luck of so few suites: a binomial count passes
them but once in ten thousand seeds.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest
from scipy.stats import binom

FOLDER = Path(__file__).parents[2] / "benchmarks" / "gate_power"
RARELY = 1e-4


def _simulation() -> ModuleType:
    """Import the simulation as its own script does, from the folder where it lies."""
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module("simulation")
    finally:
        sys.path.remove(str(FOLDER))


SIM = _simulation()
FIGURES = 2 * SIM.CASES
ALONE = (SIM.INDEPENDENT,)


def _at_most(share: float, figures: int) -> float:
    return float(binom.ppf(1 - RARELY, figures, share)) / figures


def _at_least(share: float, figures: int) -> float:
    return float(binom.ppf(RARELY, figures, share)) / figures


@pytest.mark.parametrize(("sessions", "suites"), [(1, 40), (2, 30), (8, 16), (SIM.LONG, 5)])
def test_false_alarms_are_as_rare_as_stated(sessions: int, suites: int) -> None:
    """Of fifty figures without a change 0.001 alarm a night, 0.1 where luck is shared."""
    rates = SIM.rates(sessions, 0.02, SIM.Effort(suites))

    figures = FIGURES * suites
    assert rates.alarms[SIM.INDEPENDENT].value <= _at_most(0.001 / FIGURES, figures)
    assert rates.alarms[SIM.SHARED].value <= _at_most(0.1 / FIGURES, figures)


def test_a_second_measurement_takes_most_false_alarms_away() -> None:
    """Where sessions scatter twice as much as assumed, one measurement alone flags many."""
    rates = SIM.rates(1, 0.04, SIM.Effort(30))

    assert 0.01 < rates.flagged.value <= _at_most(0.028, 30 * FIGURES)
    assert rates.alarms[SIM.INDEPENDENT].value < rates.flagged.value / 2
    assert rates.alarms[SIM.SHARED].value > rates.alarms[SIM.INDEPENDENT].value


@pytest.mark.parametrize(
    ("sessions", "worse", "scatter", "found"),
    [
        (1, 0.15, 0.01, 0.92),
        (1, 0.15, 0.02, 0.69),
        (2, 0.10, 0.01, 0.64),
        (2, 0.10, 0.02, 0.38),
        (8, 0.10, 0.01, 0.995),
        (8, 0.10, 0.02, 0.79),
        (8, 0.05, 0.01, 0.19),
        (8, 0.05, 0.02, 0.07),
    ],
)
def test_changes_are_found_as_often_as_stated(
    sessions: int, worse: float, scatter: float, found: float
) -> None:
    """By both measurements, of which the second has luck of its own."""
    rates = SIM.rates(sessions, scatter, SIM.Effort(8), worse=worse, modes=ALONE)

    assert rates.alarms[SIM.INDEPENDENT].value >= _at_least(found, 8 * FIGURES)


@pytest.mark.parametrize("sessions", [1, 8])
def test_the_least_change_that_a_comparison_names_is_found_in_four_of_five_nights(
    sessions: int,
) -> None:
    """PASS rests on it, so it must not be smaller than the truth."""
    rates = SIM.rates(sessions, 0.02, SIM.Effort(8), is_own_least=True, modes=ALONE)

    assert rates.alarms[SIM.INDEPENDENT].value >= _at_least(0.79, 8 * FIGURES)


def test_a_young_history_is_provisional_and_a_long_one_passes() -> None:
    """Nothing passes before the gate could find what it promises."""
    young = SIM.rates(1, 0.01, SIM.Effort(2)).verdicts
    old = SIM.rates(8, 0.01, SIM.Effort(4)).verdicts

    assert (young["pass"], young["provisional"]) == (0.0, 1.0)
    assert old["pass"] > 0.95


def test_a_step_that_stays_alarms_on_each_night() -> None:
    """What regressed does not join, so +10 % is as large on the third night as on the first."""
    calm, restless = SIM.step(0.01, 4), SIM.step(0.02, 4)

    assert [night.value for night in calm.nights] == [1.0] * 3
    cases = 4 * SIM.CASES
    assert restless.nights[0].value >= _at_least(0.79, cases)
    assert min(night.value for night in restless.nights[1:]) >= _at_least(0.70, cases)


def test_a_step_that_joins_is_its_own_baseline_by_the_third_night() -> None:
    """Without the rule of admission the test above would fail: it is what makes the alarms stay."""
    poisoned = SIM.step(0.01, 2, admission=SIM.join_all)

    assert poisoned.nights[0].value == 1.0
    assert poisoned.nights[1].value < 0.5
    assert poisoned.nights[2].value < 0.05


def test_a_history_that_grows_by_itself_comes_to_pass_without_alarms() -> None:
    """The first nights are provisional, and nearly nothing has to wait for a person."""
    first, later = SIM.grown(0.01, 2, [(1, 1), (9, 12)], mode=SIM.SHARED)

    assert first.verdicts["provisional"] == 1.0
    assert later.verdicts["pass"] > 0.95
    assert later.alarms.value <= _at_most(0.1 / FIGURES, 2 * 4 * FIGURES)
    assert later.waiting < 0.02
