"""The power of RAPL zones, from real files."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_lem.energy.cpu.powercap import zones
from pytest_lem.energy.sampling.track import Source
from pytest_lem.energy.sampling.zone_probe import ZoneProbe

FOLDER = "intel-rapl:0"


@pytest.fixture
def probe(powercap: SimpleNamespace) -> ZoneProbe:
    """Return the probe of a package that shows 0 and turns at 1 kJ, in 2 s at most."""
    powercap.zone(FOLDER, "package-0", 0, turn_uj=999_999_999)
    return ZoneProbe(zones(powercap.root)[0], interval_s=0.1)


def test_power_is_the_step_of_the_counter_over_its_time(
    powercap: SimpleNamespace, probe: ZoneProbe
) -> None:
    """Each sample is the mean since the one before, so the first one has none."""
    assert probe.read(1.0) == [None]
    powercap.count(FOLDER, 5_000_000)
    assert probe.read(1.1) == [pytest.approx(50)]
    assert probe.read(1.2) == [0]
    assert (probe.device, probe.source) == ("package-0", Source(name="RAPL", averaging_s=0.1))


def test_a_counter_that_wraps_goes_on(powercap: SimpleNamespace, probe: ZoneProbe) -> None:
    """From the largest value to 0 is one microjoule."""
    powercap.count(FOLDER, 995_000_000)
    probe.read(1.0)
    powercap.count(FOLDER, 5_000_000)
    assert probe.read(1.1) == [pytest.approx(100)]


def test_after_a_whole_turn_power_is_unknown(powercap: SimpleNamespace, probe: ZoneProbe) -> None:
    """After so long a pause the counter may have gone round unseen."""
    probe.read(1.0)
    powercap.count(FOLDER, 5_000_000)
    assert probe.read(3.5) == [None]
    powercap.count(FOLDER, 10_000_000)
    assert probe.read(3.6) == [pytest.approx(50)]


def test_a_reading_that_fails_is_two_unknown_samples(
    powercap: SimpleNamespace, probe: ZoneProbe
) -> None:
    """Neither the step to it nor the step from it is known, and then it goes on."""
    probe.read(1.0)
    powercap.count(FOLDER, "no number")
    assert probe.read(1.1) == [None]
    powercap.count(FOLDER, 5_000_000)
    assert probe.read(1.2) == [None]
    powercap.count(FOLDER, 6_000_000)
    assert probe.read(1.3) == [pytest.approx(10)]
