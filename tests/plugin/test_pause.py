"""The rest before a test that asks for energy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from standin import Board

from pytest_lem.config.models import MeasureSettings
from pytest_lem.flags import Flag
from pytest_lem.plugin.pause import pause
from pytest_lem.plugin.session import LemSession


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


def test_a_device_at_the_limit_is_cool(clock: GivenClock) -> None:
    """No hotter than the limit is what was asked for, so one look is enough."""
    found = pause(MeasureSettings(cooldown_c=50.0), clock, lambda: 50.0)
    assert (found.phases[0].duration_s, found.flags) == (0.0, set())


def test_the_temperature_is_looked_at_once_a_second(clock: GivenClock) -> None:
    """Looking wakes the driver, and a device cools down in minutes."""
    temperatures = iter([80.0, 70.0, 60.0, 50.0])
    found = pause(MeasureSettings(cooldown_c=50.0), clock, lambda: next(temperatures))
    assert (found.phases[0].duration_s, list(temperatures)) == (3.0, [])


def test_the_gap_is_not_part_of_the_longest_wait(clock: GivenClock) -> None:
    """Seven seconds of gap, then four of cooling down, of which five are allowed."""
    settings = MeasureSettings(gap_s=7.0, cooldown_c=50.0, cooldown_max_s=5.0)
    found = pause(settings, clock, cooling(clock, 55.5))
    assert (found.phases[0].start_s, found.phases[0].end_s) == (100.0, 111.0)
    assert found.flags == set()


def test_a_temperature_that_is_lost_ends_the_wait(clock: GivenClock) -> None:
    """The device was hot when it was last seen, so nobody says that it is cool."""
    temperatures = iter([80.0, 70.0, None])
    found = pause(MeasureSettings(cooldown_c=50.0), clock, lambda: next(temperatures))
    assert (found.phases[0].duration_s, found.flags) == (2.0, {Flag.NOT_COOLED})


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


def test_a_gap_is_not_charged_to_the_timeout(lem: Any, suite: Any, stored: Any) -> None:
    """It is over when pytest-timeout starts its timer, in the first record of the test alone."""
    suite.makeconftest(
        """
        from pathlib import Path
        from time import monotonic

        import pytest

        @pytest.hookimpl(tryfirst=True)
        def pytest_timeout_set_timer(item):
            Path(item.name).write_text(str(monotonic()))
        """
    )
    source = """
    import pytest

    @pytest.mark.timeout(300)
    def test_x(energy):
        energy(list)
        energy(list)

    def test_plain():
        pass
    """
    lem(source, "--lem-gap=0.05").assert_outcomes(passed=2)
    first, second = stored().records
    (rest,) = first.phases
    assert rest.name == "rest"
    assert rest.t1 - rest.t0 >= 0.05
    assert rest.t1 <= float((suite.path / "test_x").read_text()) <= first.rounds[0].t0
    assert second.phases == []


def test_nobody_rests_before_a_skipped_test(lem: Any, suite: pytest.Pytester) -> None:
    """A grid of missing backends does not take an hour of gaps."""
    source = "import pytest\n@pytest.mark.skip\ndef test_x(energy):\n    energy(list)\n"
    result = lem(source, "--lem-gap=3000")
    result.assert_outcomes(skipped=1)


def test_a_hot_board_is_waited_for_and_flagged(standin: Any, suite: Any, stored: Any) -> None:
    """The driver's temperature counts from the first look on, and only for the first record."""
    standin(Board(temperature_c=80))
    suite.makepyfile(
        test_it="""
        def test_x(energy):
            energy(list)
            energy(list)
        """
    )
    settings = ("energy.sample_s=0.1", "measure.cooldown_c=60", "measure.cooldown_max_s=0.3")
    suite.runpytest_subprocess(
        "--lem-json=run.json", "--lem-meter=simulated", *(f"--lem-set={s}" for s in settings)
    ).assert_outcomes(passed=1)
    first, second = stored().records
    (rest,) = first.phases
    assert (rest.name, rest.energies) == ("rest", [])
    assert rest.t1 - rest.t0 >= 0.3
    assert ["not_cooled" in record.flags for record in (first, second)] == [True, False]
    assert second.phases == []


def test_the_rest_of_a_model_comes_before_its_load(engine: Any, lem: Any, stored: Any) -> None:
    """Phases stand in the order in which they were, and each test that measures rests."""
    source = """
    def test_plain():
        pass

    def test_a(inference):
        inference()

    def test_b(inference):
        inference()
    """
    lem(source, "--lem-gap=0.05").assert_outcomes(passed=3)
    records = stored().records
    assert [[p.name for p in record.phases] for record in records] == [
        ["rest", "start", "import", "load", "load/read", "load/train", "prepare", "warmup"],
        ["rest", "prepare", "warmup"],
    ]
    for record in records:
        assert record.phases[0].t1 <= record.phases[1].t0


def test_attempts_at_a_test_have_one_rest(lem: Any, stored: Any) -> None:
    """It lies before the first of them, around which the protocol runs."""
    source = """
    import pytest

    @pytest.mark.flaky(reruns=1)
    def test_x(energy, request):
        energy(list)
        assert request.node.execution_count == 2
    """
    lem(source, "--lem-gap=0.05")
    assert [(r.attempt, [p.name for p in r.phases]) for r in stored().records] == [
        (1, ["rest"]),
        (2, []),
    ]


@pytest.mark.parametrize(("mode", "rested"), [("on", ["test_called", "test_body"]), ("off", [])])
def test_only_tests_that_are_measured_rest(
    lem: Any, monkeypatch: pytest.MonkeyPatch, mode: str, rested: list[str]
) -> None:
    """Plain tests beside them go on at once, as does everything with `--lem=off`."""
    found: list[str] = []
    monkeypatch.setattr(LemSession, "rest", lambda _, item: found.append(item.name))
    source = """
    import pytest

    def test_plain():
        pass

    def test_called(energy):
        pass

    @pytest.mark.energy
    def test_body():
        pass
    """
    lem(source, f"--lem={mode}").assert_outcomes(passed=3)
    assert found == rested


def test_a_gap_is_a_number_of_seconds(lem: Any) -> None:
    """Anything else is one sentence."""
    result = lem("def test_x(energy): energy(list)", "--lem-gap=soon")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --lem-gap: say seconds, not 'soon'"])
