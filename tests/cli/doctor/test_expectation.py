"""The expected uncertainty is that of the meters."""

from __future__ import annotations

from math import sqrt

import pytest

from pytest_lem.cli.doctor.expectation import Ticking, relative_refresh
from pytest_lem.energy.meter import Scope
from pytest_lem.energy.rapl import RaplMeter


def ticking(**changes):
    values = {"tick_s": 0.1, "half_width_s": 0.0005, "rest_w": 70, "load_w": 700}
    return Ticking(**{**values, **changes})


def test_a_longer_window_is_surer():
    """What an edge can hide is the same, whatever the length."""
    one, five, ten = (ticking().relative_uncertainty(s) for s in (1, 5, 10))
    assert one > five > ten > 0
    assert five == pytest.approx(2 * ten, rel=0.05)


def test_a_fall_that_ticks_do_not_show_decides():
    """From load to rest within 10 ms: (700 - 70) W x 10 ms / sqrt(3), twice, over 700 J."""
    expected = 2 * 630 * 0.01 / sqrt(3) / 700
    assert ticking().relative_uncertainty(1) == pytest.approx(expected, rel=0.01)


def test_a_counter_that_may_not_be_polled_is_less_sure():
    """Its edges are single readings, which may be a tick old."""
    polled, single = ticking(), ticking(half_width_s=None)
    assert single.relative_uncertainty(1) > polled.relative_uncertainty(1)


def test_a_wider_edge_is_less_sure():
    """A slow driver costs accuracy."""
    assert ticking(half_width_s=0.02).relative_uncertainty(1) > ticking().relative_uncertainty(1)


def test_rapl_is_expected_as_its_meter_states_it(tmp_path):
    """The formula here and the one of the meter are the same."""
    root = tmp_path / "class" / "powercap"
    zone = root / "intel-rapl:0"
    zone.mkdir(parents=True)
    for name, text in {"name": "package-0", "max_energy_range_uj": "262143328850"}.items():
        (zone / name).write_text(text)
    (zone / "energy_uj").write_text("1000000")
    meter = RaplMeter(root=root)
    meter.open(Scope(pids=()))
    edge = meter.begin()
    (zone / "energy_uj").write_text("501000000")
    (energy,) = meter.end(edge, 0.0, 5.0)
    meter.close()
    assert energy.value_j == 500
    assert relative_refresh(5.0) == pytest.approx(2 * energy.u_random_j / energy.value_j)
