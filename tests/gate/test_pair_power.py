"""How often a paired comparison alarms for nothing, and what it finds.

A few suites of the simulation in `benchmarks/gate_power`, whose full run is `docs/pair-power.md`.
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
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module("pairs")
    finally:
        sys.path.remove(str(FOLDER))


SIM = _simulation()


@pytest.mark.parametrize("drift", [0.0, 0.03])
@pytest.mark.parametrize("is_swapped", [False, True])
@pytest.mark.parametrize("cv", [0.01, 0.02, 0.05])
def test_suites_without_a_change_hardly_ever_alarm(
    cv: float, drift: float, *, is_swapped: bool
) -> None:
    """At most 2.5 % of them, however windows scatter, whatever drifts, in both orders."""
    suites = 30
    seen = SIM.found(SIM.World(cv, drift=drift, is_swapped=is_swapped), suites)
    assert seen.suites.value * suites <= binom.ppf(1 - RARELY, suites, 0.025)
    assert seen.alarms.value * suites * 50 <= binom.ppf(1 - RARELY, suites * 50, 0.0005)


def test_loads_that_scatter_raise_few_alarms() -> None:
    """With fresh loads in the second stage; the first alone would flag far more."""
    seen = SIM.found(SIM.World(0.01, load_cv=0.01), 30)
    assert seen.suites.value * 30 <= binom.ppf(1 - RARELY, 30, 0.05)
    assert seen.flagged.value > 10 * seen.alarms.value


@pytest.mark.parametrize(("cv", "stated"), [(0.01, 1.0), (0.02, 0.89), (0.05, 0.095)])
def test_a_side_that_is_worse_by_5_percent_is_found(cv: float, stated: float) -> None:
    """At least as often as the method states."""
    suites = 6
    seen = SIM.found(SIM.World(cv, worse=0.05), suites)
    assert seen.alarms.value * suites * 50 >= binom.ppf(RARELY, suites * 50, stated)


def test_what_a_comparison_says_it_would_find_is_found() -> None:
    """PASS is said only where 5 % would have been found."""
    seen = SIM.found(SIM.World(0.02, worse=0.05), 6)
    assert seen.verdicts["pass"] <= 0.2
