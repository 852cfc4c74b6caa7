"""The choice of meters, and reading them together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_lem.energy.meter import Availability, Scope
from pytest_lem.energy.panel import Panel, choose, require
from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.errors import LemError
from pytest_lem.flags import Flag, Reason
from pytest_lem.registry import METERS

Make = Callable[..., Any]


@dataclass
class Recorder:
    """A meter that notes what it is asked, in a list that all of them share."""

    name: str
    told: list[str] = field(default_factory=list)
    method: str = "recorder-1"
    shown_j: float | None = None
    tick_s: float | None = None
    code: Reason | None = None
    tier: Tier = Tier.COUNTER

    def open(self, scope: Scope) -> None:
        self.told.append(f"open {self.name} for {scope.pids[0]}")

    def begin(self) -> str:
        self.told.append(f"begin {self.name}")
        return f"edge of {self.name}"

    def end(self, edge: str, start_s: float, end_s: float) -> list[Energy]:
        self.told.append(f"end {self.name} with {edge}")
        return [
            Energy(
                domain=Domain.PACKAGE,
                device=self.name,
                tier=self.tier,
                value_j=end_s - start_s if self.shown_j is None else self.shown_j,
                u_random_j=0.1,
                bound_j=0.2,
                code=self.code,
                flags=(Flag.WHOLE_BOARD,) if self.name == "board" else (),
            )
        ]

    def close(self) -> None:
        self.told.append(f"close {self.name}")


@pytest.fixture
def machine(driver: Make, powercap: SimpleNamespace) -> Callable[..., dict[str, Any]]:
    """Return meter settings for a machine that has the counters named, and no others."""

    def build(*, nvml: bool = False, rapl: bool = False) -> dict[str, Any]:
        boards = driver(**({"GPU_a": lambda: 1.0} if nvml else {}))
        if rapl:
            powercap.zone("intel-rapl:0", "package-0", 5)
        return {"watts_per_cpu": 7.0, "nvml": boards, "root": powercap.root}

    return build


def _install(folder: Path, meter: str) -> None:
    """Make a distribution that registers a meter called `wall`."""
    info = folder / "stranger-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{METERS}]\nwall = {meter}\n")


@pytest.mark.parametrize(
    ("counters", "chosen", "tier"),
    [
        ({"nvml": True, "rapl": True}, ["nvml", "rapl"], "counter"),
        ({"nvml": True}, ["nvml", "estimated"], "counter"),
        ({"rapl": True}, ["rapl"], "counter"),
        ({}, ["estimated"], "estimated"),
    ],
    ids=["both", "gpu", "cpu", "none"],
)
def test_auto_takes_the_counters_and_estimates_only_what_they_leave(
    machine: Make, counters: dict[str, bool], chosen: list[str], tier: str
) -> None:
    """The estimate stands in for a CPU counter and never beside one."""
    panel = choose(["auto"], machine(**counters))
    assert ([meter.name for meter in panel.meters], panel.tier) == (chosen, tier)


def test_named_meters_are_taken_as_named(machine: Make) -> None:
    """Whoever asks for the estimate gets it, whatever else there is."""
    panel = choose(["estimated"], machine(nvml=True, rapl=True))
    assert ([meter.name for meter in panel.meters], panel.tier) == (["estimated"], "estimated")


def test_a_named_meter_that_cannot_be_used_is_an_error(machine: Make) -> None:
    """There is no silent fall-back to something worse."""
    settings = machine(nvml=True)
    with pytest.raises(LemError) as caught:
        choose(["nvml", "rapl"], settings)
    assert caught.value.kind == "meter"
    assert str(caught.value) == (
        f"the meter `rapl` cannot be used here: no RAPL counters in {settings['root']}"
    )


def test_an_unknown_meter_is_a_config_error(machine: Make) -> None:
    """A typing error is told from a machine that lacks something."""
    with pytest.raises(LemError, match="there is no meter `rap`: did you mean `rapl`") as caught:
        choose(["rap"], machine())
    assert caught.value.kind == "config"


def test_a_strangers_meter_is_used_when_named_and_only_then(
    machine: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installing a package does not change what `auto` measures."""
    _install(tmp_path, "stranger:Wall")
    (tmp_path / "stranger.py").write_text(
        "from pytest_lem.energy.estimated import EstimatedMeter\n"
        "class Wall(EstimatedMeter):\n    name = 'wall'\n    method = 'wall-1'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    settings = machine()
    assert list(choose(["auto"], settings).found) == ["nvml", "rapl", "estimated"]
    assert choose(["wall"], settings).methods == {"wall": "wall-1"}


def test_a_meter_bears_the_name_of_its_entry_point(
    machine: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two names for one meter would be two lines of history."""
    _install(tmp_path, "pytest_lem.energy.estimated:EstimatedMeter")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(LemError, match="the meter `wall` calls itself `estimated`"):
        choose(["wall"], machine())


def test_the_sentence_says_why_only_an_estimate_is_left(machine: Make) -> None:
    """The header line of a session without sensors names each sensor that is missing."""
    settings = machine()
    assert choose(["auto"], settings).sentence == (
        "CPU time x 7 W per busy CPU; no sensor: nvml: the driver lists no GPU, "
        f"rapl: no RAPL counters in {settings['root']}"
    )


def test_the_sentence_lists_counters_without_excuses(machine: Make) -> None:
    """Where something is measured, what is missing is not the news."""
    assert choose(["auto"], machine(nvml=True, rapl=True)).sentence == (
        "NVML counter of Board a; RAPL counters of package-0"
    )


def test_methods_and_constants_are_those_of_the_chosen(machine: Make) -> None:
    """Results are comparable only under the same methods, and the constants are stored."""
    panel = choose(["auto"], machine(nvml=True))
    assert panel.methods == {"nvml": "nvml-ticks-2", "estimated": "cpu-time-1"}
    assert panel.constants["watts_per_cpu"] == 7.0
    assert choose(["auto"], machine(nvml=True, rapl=True)).constants == {}


def test_meters_are_read_like_brackets() -> None:
    """The meter that was read first at the start is read last at the end, with its own edge."""
    told: list[str] = []
    panel = Panel([Recorder("a", told), Recorder("b", told)], {})
    energies = panel.end(panel.begin(), 1.0, 3.5).energies
    assert told == ["begin a", "begin b", "end b with edge of b", "end a with edge of a"]
    assert [(energy.device, energy.value_j) for energy in energies] == [("b", 2.5), ("a", 2.5)]


@pytest.mark.parametrize("shown_j", [0.0, -3.5])
def test_no_work_is_done_for_nothing(shown_j: float) -> None:
    """Zero or negative joules are a fault of the meter: null with the reason, never a figure."""
    panel = Panel([Recorder("a", shown_j=shown_j)], {})
    reading = panel.end(panel.begin(), 1.0, 3.5)
    (energy,) = reading.energies
    assert (energy.value_j, energy.u_random_j, energy.bound_j) == (None, None, None)
    assert energy.reason == f"the meter shows {shown_j:g} J for a window in which work was done"
    assert (energy.code, reading.reasons) == ("meter_silent", ["meter_silent"])


def test_doubts_about_sensors_are_those_of_the_reading() -> None:
    """A code of a measured source makes the window doubtful, once; one of an estimate does not."""
    meters = [
        Recorder("a", code=Reason.MIG),
        Recorder("b", code=Reason.MIG),
        Recorder("c", code=Reason.NO_TICK, tier=Tier.ESTIMATED),
        Recorder("board"),
    ]
    panel = Panel(meters, {})
    reading = panel.end(panel.begin(), 0.0, 1.0)
    assert (reading.reasons, reading.flags) == (["mig"], {"whole_board"})


def test_the_tick_of_a_panel_is_its_longest() -> None:
    """Windows have to be long for the slowest source; one without ticks does not count."""
    assert Panel([Recorder("a", tick_s=0.1), Recorder("b", tick_s=0.001)], {}).tick_s == 0.1
    assert Panel([Recorder("a")], {}).tick_s is None


@pytest.mark.parametrize(
    ("counters", "tier", "is_enough"),
    [
        ({}, None, True),
        ({}, "estimated", True),
        ({}, "power", False),
        ({}, "counter", False),
        ({"rapl": True}, "counter", True),
        ({"rapl": True}, "estimated", True),
    ],
)
def test_a_worse_tier_than_required_is_refused(
    machine: Make, counters: dict[str, bool], tier: str | None, is_enough: bool
) -> None:
    """The sentence names what is missing and what to do."""
    panel = choose(["auto"], machine(**counters))
    if is_enough:
        require(panel, tier)
        return
    with pytest.raises(LemError, match=f"`{tier}` is required .*no RAPL.*require-tier") as caught:
        require(panel, tier)
    assert caught.value.kind == "meter"


def test_opening_for_another_scope_closes_what_was_open() -> None:
    """No meter follows two hosts."""
    told: list[str] = []
    panel = Panel([Recorder("a", told), Recorder("b", told)], {})
    panel.open(Scope(pids=(3,)))
    assert told == ["close a", "close b", "open a for 3", "open b for 3"]


def test_a_panel_without_meters_has_the_tier_none() -> None:
    """A run that measures nothing claims nothing."""
    panel = Panel([], {})
    reading = panel.end(panel.begin(), 0.0, 1.0)
    assert (panel.tier, reading.energies, reading.reasons) == (Tier.NONE, [], [])
    assert not panel.has_sensor


@pytest.mark.parametrize("tier", list(Tier))
def test_only_the_tier_none_is_unavailable(tier: Tier) -> None:
    """A meter with any other tier has something to read."""
    assert Availability(tier=tier, sentence="").is_available is (tier != "none")
