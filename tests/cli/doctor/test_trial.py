"""Trying the counters of boards."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from standin import Board

from pytest_lem.cli.doctor.trial import Trial

#: Tries the boards of the stand-in on a clock that goes on only while it is slept.
SCRIPT = """
import json
import sys
from dataclasses import asdict

from standin import StandIn

from pytest_lem.cli.doctor.trial import Trials
from pytest_lem.energy.counter.verdicts import Verdicts
from pytest_lem.energy.gpu.driver import Driver


class Clock:
    def __init__(self, boards):
        self._boards = boards
        self._time_s = boards.now_s()

    def now(self):
        return self._time_s

    def sleep(self, duration_s):
        self._time_s += max(0.0, duration_s)
        self._boards.freeze(self._time_s)


driver = Driver()
driver.open()
trials = Trials(driver=driver, clock=Clock(StandIn.attach()), verdicts=Verdicts())
uuids = driver.uuids()
looks = {"known": trials.known, "run": trials.run}
found = [looks[name](uuids) for name in sys.argv[1:]]
print(json.dumps([{uuid: asdict(t) for uuid, t in trials.items()} for trials in found]))
"""


def tried(*looks: str) -> list[dict[str, Trial]]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *looks], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [
        {uuid: Trial(**facts) for uuid, facts in found.items()} for found in json.loads(done.stdout)
    ]


def test_a_sound_counter_is_tested_and_its_tick_measured(standin):
    """As a session does when it starts, with the power at rest beside it."""
    standin(Board(uuid="GPU-a", tick_s=0.08, idle_w=65, power_limit_w=500))
    ((trial,),) = ([*found.values()] for found in tried("run"))
    assert (trial.source, trial.is_disturbed, trial.trouble) == ("measured", False, None)
    assert trial.tick_s == pytest.approx(0.08, abs=0.002)
    assert trial.tick_p90_s == pytest.approx(0.08, abs=0.002)
    assert trial.rest_w == pytest.approx(65, rel=0.01)
    assert trial.half_width_s == pytest.approx(0.0005, rel=0.1)
    assert trial.ticking.load_w == 500
    assert trial.ticking.tick_s == trial.tick_s


def test_a_verdict_is_kept_for_the_next_time(standin):
    """Before a test nothing is known, and after it everybody knows the verdict."""
    boards = standin(Board(uuid="GPU-a"))
    found = tried("known", "run", "known", "run")
    before, first, after, second = (trials["GPU-a"] for trials in found)
    assert (before.source, before.is_disturbed) == ("not_tested", None)
    assert (first.source, first.is_disturbed) == ("measured", False)
    assert (after.source, after.is_disturbed) == ("cached", False)
    assert (second.source, second.is_disturbed) == ("cached", False)
    assert second.tick_s == pytest.approx(0.1, abs=0.002)
    assert boards.readings(0) > 0


def test_what_is_known_costs_no_reading(standin):
    """Looking at it is allowed on a board at which somebody else works."""
    boards = standin(Board(uuid="GPU-a"))
    (found,) = tried("known")
    assert found["GPU-a"].ticking is None
    assert boards.readings(0) == 0


def test_a_disturbed_counter_is_not_searched_for_ticks(standin):
    """Its power at rest comes from single readings, and its windows are less sure."""
    standin(Board(uuid="GPU-a", disturbance_mj=500), Board(uuid="GPU-b"))
    (found,) = tried("run")
    disturbed, sound = found["GPU-a"], found["GPU-b"]
    assert disturbed.is_disturbed is True
    assert disturbed.tick_s is None
    assert disturbed.half_width_s is None
    assert disturbed.ticking.relative_uncertainty(1) > sound.ticking.relative_uncertainty(1)


def test_a_counter_that_stands_still_is_found_out(standin):
    """It has no verdict, no tick and no power, and nothing can be expected of it."""
    standin(Board(uuid="GPU-a", gain=0))
    (found,) = tried("run")
    trial = found["GPU-a"]
    assert trial.trouble.startswith("the energy counter stands still; ")
    assert trial.is_disturbed is None
    assert trial.rest_w is None
    assert trial.ticking is None


def test_a_board_that_is_lost_in_the_test_says_so(standin):
    """The driver's own reason is the trouble, not the standstill that follows from it."""
    boards = standin(Board(uuid="GPU-a"))
    boards.fail(0, "nvmlDeviceGetTotalEnergyConsumption", 15, from_s=boards.now_s() + 10)
    (found,) = tried("run")
    assert "fell off the bus" in found["GPU-a"].trouble
    assert found["GPU-a"].rest_w is None


def test_without_a_power_limit_nothing_can_be_expected():
    """The power of the work is assumed to be the limit."""
    trial = Trial(source="measured", is_disturbed=False, tick_s=0.1, rest_w=70, half_width_s=0.001)
    assert trial.ticking is None
