"""Prefill and decode apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.energy.reading import Domain
from pytest_lem.measure.round import Phase, Work
from pytest_lem.results.metrics import metrics_of

Make = Callable[..., Any]


def _prefill(energy: Make, *joules: float | None, u_j: float = 0.1) -> list[Phase]:
    """Return prefill windows of two requests each."""
    return [
        Phase(
            name="prefill",
            start_s=0.0,
            end_s=1.0,
            energies=[energy(Domain.PACKAGE, value_j, u_random_j=u_j, u_systematic_j=0.0)],
            work=Work(requests=2, output_tokens=2),
        )
        for value_j in joules
    ]


def test_decode_is_what_the_prefill_leaves(measured: Make, energy: Make) -> None:
    """A request takes 3 J as a whole and half a joule up to its first token."""
    metrics = metrics_of(measured(phases=_prefill(energy, 1.0, 1.0)))
    assert metrics["prefill_energy_j"].value == pytest.approx(0.5)
    assert metrics["decode_energy_j"].value == pytest.approx(2.5)
    assert metrics["decode_energy_j"].u > metrics["prefill_energy_j"].u


def test_windows_are_pooled_before_they_are_divided(measured: Make, energy: Make) -> None:
    """Sums first: a longer window weighs more."""
    phases = _prefill(energy, 1.0, 3.0)
    assert metrics_of(measured(phases=phases))["prefill_energy_j"].value == pytest.approx(1.0)


@pytest.mark.parametrize("joules", [5.9, 6.0, 9.0])
def test_a_decode_that_cannot_be_told_from_nothing_is_refused(
    measured: Make, energy: Make, joules: float
) -> None:
    """Its interval reaches 0, so there is no figure; the prefill has one all the same."""
    metrics = metrics_of(measured(phases=_prefill(energy, joules, joules)))
    assert metrics["prefill_energy_j"].value == pytest.approx(joules / 2)
    assert metrics["decode_energy_j"].value is None
    assert "uncertainty" in metrics["decode_energy_j"].reason


def test_without_a_run_of_the_prefill_there_is_neither(measured: Make) -> None:
    """The reason says which setting to turn on."""
    metrics = metrics_of(measured())
    for name in ("prefill_energy_j", "decode_energy_j"):
        assert (metrics[name].value, "measure.split" in metrics[name].reason) == (None, True)


def test_an_unknown_prefill_leaves_no_decode(measured: Make, energy: Make) -> None:
    """A sensor that slept in one of the windows is no 0."""
    metrics = metrics_of(measured(phases=_prefill(energy, 1.0, None)))
    assert metrics["prefill_energy_j"].value is None
    assert metrics["decode_energy_j"].value is None
