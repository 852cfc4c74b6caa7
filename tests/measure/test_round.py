"""Phases of a measurement, and where its work ran."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lem.flags import Flag, Reason, explained
from pytest_lem.measure.round import Measurement, metered_phase


def test_a_phase_is_metered_and_returns_the_result_of_its_work(metered: Any) -> None:
    """Loading and warm-up have a line of their own, with the energy between their stamps."""
    panel, meter = metered()
    measurement = Measurement()
    result, reading = metered_phase(
        panel, "load", lambda: meter.events.append("work") or 5, measurement
    )
    (phase,) = measurement.phases
    assert (result, phase.name, meter.events) == (5, "load", ["begin", "work", "end"])
    assert reading.energies == phase.energies
    assert phase.energies[0].value_j == pytest.approx(3 * (phase.end_s - phase.start_s))


def test_a_phase_that_fails_is_not_kept(metered: Any) -> None:
    """An exception passes through, and half a phase has no energy to state."""
    measurement = Measurement()
    with pytest.raises(ZeroDivisionError):
        metered_phase(metered()[0], "load", lambda: 1 / 0, measurement)
    assert measurement.phases == []


@pytest.mark.parametrize(
    ("applied", "on_gpu"),
    [
        ({}, False),
        ({"device": "cpu", "device_uuids": []}, False),
        ({"device": "cuda:0"}, True),
        ({"device": "other", "device_uuids": ["GPU-a"]}, True),
        ({"device": None, "device_uuids": None}, False),
    ],
)
def test_the_engine_says_whether_the_work_ran_on_a_gpu(
    applied: dict[str, Any], on_gpu: bool
) -> None:
    """A device or a UUID is enough, so that CPU energy is never taken for a GPU's work."""
    assert Measurement(applied=applied).on_gpu is on_gpu


@pytest.mark.parametrize("word", [*Flag, *Reason])
def test_every_flag_and_reason_has_its_text(word: Flag | Reason) -> None:
    """Whatever can mark a figure is explained to the reader, in one line."""
    text = explained(word)
    assert text.startswith(f"{word}: ")
    assert len(text) > len(word) + 20
    assert "\n" not in text
