"""The rest before a test that asks for energy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from pytest_lem.config.models import MeasureSettings
from pytest_lem.flags import Flag
from pytest_lem.plugin.pause import pause


@dataclass
class GivenClock:
    """A clock that only passes when somebody rests."""

    time_s: float = 100.0

    def now(self) -> float:
        return self.time_s

    def sleep(self, duration_s: float) -> None:
        self.time_s += duration_s


@pytest.fixture
def clock() -> GivenClock:
    """Return a clock that stands at 100 s."""
    return GivenClock()


def cooling(clock: GivenClock, from_c: float) -> Callable[[], float]:
    """Return the temperature of a device that loses half a degree in a second."""
    return lambda: from_c - (clock.now() - 100) / 2


def test_no_rest_is_taken_unless_asked_for(clock: GivenClock) -> None:
    """The temperature is not even looked at."""
    assert pause(MeasureSettings(), clock, pytest.fail) is None
    assert clock.now() == 100


def test_a_gap_is_a_phase(clock: GivenClock) -> None:
    """Its seconds stand in the record, without joules."""
    found = pause(MeasureSettings(gap_s=7.0), clock, pytest.fail)
    (phase,) = found.phases
    assert (phase.name, phase.duration_s, phase.energies) == ("rest", 7.0, [])
    assert found.flags == set()


def test_a_hot_device_is_waited_for(clock: GivenClock) -> None:
    """From 60 to 50 degrees at half a degree a second, after the gap."""
    found = pause(MeasureSettings(gap_s=2.0, cooldown_c=50.0), clock, cooling(clock, 60.0))
    assert found.phases[0].duration_s == pytest.approx(20.0, abs=1)
    assert found.flags == set()


def test_the_wait_has_an_end(clock: GivenClock) -> None:
    """A device that stays hot is measured all the same, and flagged."""
    settings = MeasureSettings(cooldown_c=50.0, cooldown_max_s=5.5)
    found = pause(settings, clock, lambda: 80.0)
    assert found.phases[0].duration_s == pytest.approx(5.5)
    assert found.flags == {Flag.NOT_COOLED}


def test_an_unknown_temperature_is_no_cool_down(clock: GivenClock) -> None:
    """Nobody waits for what nobody tells, and the record says that it was not shown to be cool."""
    found = pause(MeasureSettings(cooldown_c=50.0), clock, lambda: None)
    assert (found.phases[0].duration_s, found.flags) == (0.0, {Flag.NOT_COOLED})


def test_a_gap_is_not_charged_to_the_timeout(lem: Any, stored: Any) -> None:
    """It lies outside what pytest-timeout measures, in the first record of the test alone."""
    source = """
    import pytest

    @pytest.mark.timeout(2)
    def test_x(energy):
        energy(list)
        energy(list)

    def test_plain():
        pass
    """
    lem(source, "--lem-gap=2.5").assert_outcomes(passed=2)
    first, second = stored().records
    assert [p.name for p in first.phases] == ["rest"]
    assert first.phases[0].t1 - first.phases[0].t0 >= 2.5
    assert second.phases == []


def test_nobody_rests_before_a_skipped_test(lem: Any, suite: pytest.Pytester) -> None:
    """A grid of missing backends does not take an hour of gaps."""
    source = "import pytest\n@pytest.mark.skip\ndef test_x(energy):\n    energy(list)\n"
    result = lem(source, "--lem-gap=3000")
    result.assert_outcomes(skipped=1)


def test_a_gap_is_a_number_of_seconds(lem: Any) -> None:
    """Anything else is one sentence."""
    result = lem("def test_x(energy): energy(list)", "--lem-gap=soon")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --lem-gap: say seconds, not 'soon'"])
