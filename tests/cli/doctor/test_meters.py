"""The section about meters."""

from __future__ import annotations

from pytest_lem.cli.doctor import meters
from pytest_lem.energy.meter import Availability
from pytest_lem.energy.reading import Tier
from pytest_lem.registry import METERS

WATTMETER = """
from pytest_lem.energy.meter import Availability
from pytest_lem.energy.reading import Tier

class Stranger:
    method = "wattmeter-1"

    def __init__(self, **_):
        pass

    def availability(self):
        return Availability(tier=Tier.POWER, sentence="a wattmeter at the wall")
"""


def test_every_registered_meter_says_what_it_can_do():
    """Those that a run takes by itself come first, in its order."""
    section, found = meters.look()
    names = [fact["name"] for fact in section.facts]
    assert names[:3] == ["nvml", "rapl", "estimated"]
    assert set(names) == set(found)
    assert all(fact["sentence"] and fact["method"] for fact in section.facts)
    assert section.problems == []


def test_a_strangers_meter_is_shown_and_not_counted_on(register):
    """A run uses it only when it is named, so it makes no tier."""
    register(METERS, "wattmeter", WATTMETER)
    section, found = meters.look()
    (row,) = [row for row in section.rows if row.label == "wattmeter"]
    assert row.text == "power: a wattmeter at the wall (only if named with --lem-meter)"
    assert "wattmeter" not in meters.sources(found)


def test_a_broken_meter_is_a_problem_and_the_others_go_on(register):
    """Whatever a stranger's code does, there is a sentence and no traceback."""
    register(METERS, "wreck", "raise RuntimeError('no such port')\n")
    section, found = meters.look()
    (problem,) = section.problems
    assert "`wreck` (stranger_wreck:Stranger) is broken (RuntimeError: no such port)" in problem
    assert "estimated" in found
    (fact,) = [fact for fact in section.facts if fact["name"] == "wreck"]
    assert fact["tier"] is None


def test_the_sources_are_what_auto_takes():
    """The estimate is left out where the CPU has a counter."""
    counter = Availability(tier=Tier.COUNTER, sentence="")
    estimate = Availability(tier=Tier.ESTIMATED, sentence="")
    nothing = Availability(tier=Tier.NONE, sentence="")
    assert meters.sources({"nvml": counter, "rapl": nothing, "estimated": estimate}) == {
        "nvml": Tier.COUNTER,
        "estimated": Tier.ESTIMATED,
    }
    assert meters.sources({"nvml": nothing, "rapl": counter, "estimated": estimate}) == {
        "rapl": Tier.COUNTER
    }
