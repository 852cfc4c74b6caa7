"""The share of idle power."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.energy.reading import Tier
from pytest_lem.reports.idle import idle_cell

Make = Callable[..., Any]


def _at_rest(record: Any, watts: float | None, **fields: Any) -> Any:
    """Let a record of 4 W know a power at rest."""
    mean = record.metrics["power_mean_w"]
    record.metrics["power_idle_w"] = mean.model_copy(update={"value": watts, **fields})
    return record


@pytest.mark.parametrize(
    ("watts", "cell"),
    [
        (0.0, "░░░░░   0 %"),
        (0.2, "░░░░░   5 %"),
        (1.68, "██░░░  42 %"),
        (4.0, "█████ 100 %"),
        (5.0, "█████ 125 %"),
    ],
)
def test_a_measured_share_has_a_bar(call: Make, watts: float, cell: str) -> None:
    """All cells are of one width; more than all, which a flag explains, fills the bar."""
    assert idle_cell(_at_rest(call(), watts)) == cell


def test_without_a_measurement_it_is_unknown(call: Make) -> None:
    """Not 0: no idle phase, no energy, or a record of an earlier release."""
    assert idle_cell(call()) == "-"
    assert idle_cell(_at_rest(call(joules=None), 3.0)) == "-"
    old = call()
    del old.metrics["power_idle_w"]
    assert idle_cell(old) == "-"


def test_an_estimate_has_a_mark_and_no_bar(call: Make) -> None:
    """A bar would look as sure as a measured one."""
    assert idle_cell(_at_rest(call(tier=Tier.ESTIMATED), 2.0)) == "~50 %"
    assert idle_cell(_at_rest(call(), 2.0, tier=Tier.ESTIMATED)) == "~50 %"
