"""What a session measures with, and how, from its settings."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lem.clock import MonotonicClock
from pytest_lem.config.layers import Layers
from pytest_lem.config.models import EnergySettings
from pytest_lem.config.resolve import Resolved, resolve
from pytest_lem.energy.meter import Scope
from pytest_lem.energy.panel import Panel
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.plugin.instruments import make_panel, method_of
from pytest_lem.registry import METERS, entries


def _panel(**energy: Any) -> Panel:
    return make_panel(EnergySettings(sample_s=0, **energy), MonotonicClock())


def _settings(preset: str, **measure: Any) -> Resolved:
    layers = Layers()
    layers.put(("seed",), 7, "here")
    for name, value in measure.items():
        layers.put(("measure", name), value, "here")
    return resolve(layers, default_preset=preset, options_of={}.__getitem__)


def test_settings_of_meters_reach_them() -> None:
    """Constants are those that were configured, and stand in what the panel says of itself."""
    assert _panel(meters=["simulated"], simulated_w=42.0).constants == {"simulated_w": 42.0}
    assert _panel(meters=["estimated"], watts_per_cpu=4.0).constants["watts_per_cpu"] == 4.0
    panel = _panel(meters=["simulated"], simulated_w=42.0)
    panel.open(Scope(pids=(1,)))
    reading = panel.end(panel.begin(), 10.0, 12.5)
    panel.shut()
    assert [energy.value_j for energy in reading.energies] == [105.0]


def test_made_up_energy_is_never_chosen_by_itself() -> None:
    """Where there is no sensor, `auto` estimates; it does not even look at the simulated meter."""
    panel = _panel(meters=["auto"])
    assert "simulated" in entries(METERS)
    assert "simulated" not in panel.found
    assert "simulated" not in panel.methods
    assert panel.meters


def test_a_required_tier_that_is_not_there_is_refused() -> None:
    """One sentence of the kind `meter`, before anything is measured."""
    assert _panel(meters=["estimated"], require_tier="estimated").tier == "estimated"
    with pytest.raises(LemError, match="tier `estimated`, and `power` is required") as caught:
        _panel(meters=["estimated"], require_tier="power")
    assert caught.value.kind is FailureKind.METER


def test_a_panel_is_watched_over() -> None:
    """Conditions and samples come from there; without samples they are unknown."""
    panel = _panel(meters=["estimated"])
    assert panel.watch is not None
    assert panel.watch.series(0.0, 1e9) is None
    assert panel.temperature_c(0.0, 1e9) is None


def test_with_a_sensor_the_method_is_what_was_asked_for() -> None:
    """Each step has the length of its setting."""
    resolved = _settings(
        "standard", rounds=3, min_window_s=2.0, warmup_cv=0.02, warmup_max_s=60.0,
        warmup_calm_s=20.0, idle_s=4.0, max_delay_s=0.5, split=True,
    )  # fmt: skip
    method = method_of(resolved, has_sensor=True)
    assert (method.rounds, method.min_window_s, method.seed) == (3, 2.0, 7)
    assert (method.warmup_cv, method.warmup_max_s, method.warmup_calm_s) == (0.02, 60.0, 20.0)
    assert (method.idle_s, method.max_delay_s, method.is_split) == (4.0, 0.5, True)


@pytest.mark.parametrize(("longest_s", "kept_s"), [(120.0, 5.0), (3.0, 3.0)])
def test_without_a_sensor_nothing_is_waited_for(longest_s: float, kept_s: float) -> None:
    """No rest is measured, and a warm-up of 5 s waits for no temperature that it cannot meet.

    A machine without a sensor may well have a thermometer: 30 s of calm would never be reached.
    """
    resolved = _settings("standard", warmup_max_s=longest_s)
    assert resolved.settings.measure.warmup_calm_s == 30.0
    method = method_of(resolved, has_sensor=False)
    assert (method.idle_s, method.max_delay_s) == (0.0, 0.0)
    assert (method.warmup_max_s, method.warmup_calm_s) == (kept_s, 0.0)
    assert (method.rounds, method.min_window_s) == (10, 5.0)
