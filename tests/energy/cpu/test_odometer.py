"""Counting energy over the turns of a counter."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lem.energy.cpu.odometer import Odometer, step_uj, turn_s


@settings(deadline=None, max_examples=300)
@given(data=st.data(), range_uj=st.integers(1, 2**40))
def test_steps_below_a_turn_add_up_exactly(data: st.DataObject, range_uj: int) -> None:
    """Whatever the counter shows at first and however often it goes round, nothing is lost."""
    start_uj = data.draw(st.integers(0, range_uj))
    steps_uj = data.draw(st.lists(st.integers(0, range_uj)))
    odometer = Odometer(range_uj=range_uj, turn_s=1.0)
    odometer.advance(start_uj, 0.0)
    counted_uj = start_uj
    for step in steps_uj:
        counted_uj += step
        odometer.advance(counted_uj % (range_uj + 1), 0.0)
    assert (odometer.used_uj, odometer.is_lost) == (sum(steps_uj), False)


@pytest.mark.parametrize(
    ("before_uj", "after_uj", "range_uj", "step"),
    [
        (5, 9, 99, 4),
        (5, 5, 99, 0),
        (99, 0, 99, 1),
        (95, 4, 99, 9),
        (5, 9, 0, 4),
        (9, 5, 0, None),
        (150, 5, 99, None),
    ],
    ids=["up", "still", "turn", "over", "up-no-range", "down-no-range", "above-the-range"],
)
def test_a_step_is_modulo_the_range_where_that_is_known(
    before_uj: int, after_uj: int, range_uj: int, step: int | None
) -> None:
    """The range is the largest value, so that from it to 0 is one step."""
    assert step_uj(before_uj, after_uj, range_uj) == step


def test_a_counter_that_went_down_without_a_range_is_lost_for_good() -> None:
    """Later steps do not make up for the one that is unknown."""
    odometer = Odometer(range_uj=0, turn_s=inf)
    for count_uj in (500, 400, 900):
        odometer.advance(count_uj, 0.0)
    assert odometer.is_lost


@pytest.mark.parametrize(("gap_s", "is_lost"), [(9.9, False), (10.0, True)])
def test_readings_as_far_apart_as_a_turn_are_lost(gap_s: float, is_lost: bool) -> None:
    """A counter that shows a little more may have gone round once on top of it."""
    odometer = Odometer(range_uj=99, turn_s=10.0)
    odometer.advance(5, 100.0)
    odometer.advance(6, 100.0 + gap_s)
    odometer.advance(7, 100.0 + gap_s)
    assert odometer.is_lost is is_lost


def test_the_first_reading_is_the_start() -> None:
    """What the counter has counted before is not in the window."""
    odometer = Odometer(range_uj=99, turn_s=10.0)
    assert not odometer.has_begun
    odometer.advance(50, 0.0)
    assert (odometer.has_begun, odometer.used_uj) == (True, 0)


def test_a_turn_takes_as_long_as_the_largest_power_needs() -> None:
    """262 kJ at 500 W are 524 s; a counter of unknown range has no turn to be missed."""
    assert turn_s(262_143_328_850, 500.0) == pytest.approx(524.29, abs=0.01)
    assert turn_s(0, 500.0) == inf
