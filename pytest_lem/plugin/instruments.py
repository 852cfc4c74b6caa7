"""What a session measures with, and how, made from its settings."""

from __future__ import annotations

from pytest_lem.clock import Clock
from pytest_lem.config.models import EnergySettings
from pytest_lem.config.resolve import Resolved
from pytest_lem.energy.panel import Panel, choose, require
from pytest_lem.energy.watch import Watch
from pytest_lem.measure.method import Method

#: Without a sensor, time is all that a warm-up can make steady, and no gate waits for it.
_WARMUP_WITHOUT_SENSOR_S = 5.0


def make_panel(energy: EnergySettings, clock: Clock) -> Panel:
    """Choose the meters, and what looks after the devices while they are read.

    Raises LemError (`meter`) for meters that cannot be used or are of too bad a tier.
    """
    settings = {
        "watts_per_cpu": energy.watts_per_cpu,
        "simulated_w": energy.simulated_w,
        "observer_s": energy.observer_s,
        "tick_search_s": energy.tick_search_s,
        "own_board": energy.own_board,
    }
    panel = choose(energy.meters, settings)
    require(panel, energy.require_tier)
    panel.watch = Watch(sample_s=energy.sample_s, clock=clock)
    return panel


def method_of(resolved: Resolved, *, has_sensor: bool) -> Method:
    """Return how to measure, as far as a machine can: without a sensor there is no rest."""
    measure = resolved.settings.measure
    longest_s = measure.warmup_max_s
    return Method(
        rounds=measure.rounds,
        min_window_s=measure.min_window_s,
        warmup_cv=measure.warmup_cv,
        warmup_max_s=longest_s if has_sensor else min(longest_s, _WARMUP_WITHOUT_SENSOR_S),
        warmup_calm_s=measure.warmup_calm_s if has_sensor else 0.0,
        idle_s=measure.idle_s if has_sensor else 0.0,
        max_delay_s=measure.max_delay_s if has_sensor else 0.0,
        is_split=measure.split,
        seed=resolved.settings.seed,
    )
