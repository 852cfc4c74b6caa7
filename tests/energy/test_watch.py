"""What looks after the devices of a window: with made samples, and with those of a real process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from standin import Board, StandIn

from pytest_lem.clock import MonotonicClock
from pytest_lem.energy import watch as module
from pytest_lem.energy.conditions import Conditions, Reading
from pytest_lem.energy.meter import Scope
from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.energy.sampling.series import Look, Series
from pytest_lem.energy.sampling.track import Source, Track
from pytest_lem.energy.watch import Watch
from pytest_lem.flags import Flag, Reason

Make = Callable[..., Any]

UUID = "GPU-a"
INTERVAL_S = 0.1
STRANGER = 2**22 + 1
AVERAGE = Source(name="NVML field 185", averaging_s=1.0)
RAPL = Source(name="RAPL", averaging_s=INTERVAL_S)
BOARD = ("power_w", "sm_clock_mhz", "temperature_c", "utilisation", "throttle_bits")
MACHINE = ("utilisation", "frequency_mhz", "temperature_c")
PROCESSES = "nvmlDeviceGetComputeRunningProcesses"
GRAPHICS = "nvmlDeviceGetGraphicsRunningProcesses"
COUNTERS = "nvmlDeviceGetFieldValues"


@dataclass
class Tape:
    """In place of the sampling process: what it would have taken up to the present.

    `gap` is a stretch of time without samples, `bits` are the event reasons in stretches of time,
    `looks` the processes that were seen.
    """

    clock: Any
    load: Any
    source: Source | None = AVERAGE
    start_s: float = 90.03
    gap: tuple[float, float] = (0.0, 0.0)
    bits: dict[tuple[float, float], int] = field(default_factory=dict)
    looks: list[Look] = field(default_factory=list)
    followed: list[list[str]] = field(default_factory=list)
    failure: str | None = None
    is_closed: bool = False

    def follow(self, uuids: list[str]) -> None:
        self.followed.append(list(uuids))

    def taken(self) -> Series:
        tracks = {
            "machine": Track(MACHINE),
            "package-0": Track(("power_w",), RAPL),
            "dram-0": Track(("power_w",), RAPL),
            UUID: Track(BOARD, self.source),
        }
        series = Series(tracks, interval_s=INTERVAL_S, until_s=self.clock.now())
        samples = int((self.clock.now() - self.start_s) / INTERVAL_S) + 1
        for time_s in (self.start_s + k * INTERVAL_S for k in range(samples)):
            if not self.gap[0] < time_s < self.gap[1]:
                machine = [time_s, 0.1, 3000, 60]
                series.add([machine, [time_s, 40], [time_s, 5], self._board(time_s)])
        series.looks = [look for look in self.looks if look.time_s <= self.clock.now()]
        return series

    def close(self) -> None:
        self.is_closed = True

    def _board(self, time_s: float) -> list[float]:
        mean_w = self.load.energy_j(time_s) - self.load.energy_j(time_s - 1)
        is_busy = self.load.start_s <= time_s <= self.load.end_s
        bits = [bits for (a, b), bits in self.bits.items() if a <= time_s <= b]
        return [time_s, mean_w, 1900, 35 + is_busy * 20, is_busy, sum(bits)]


@dataclass
class World:
    """A watch over a board that works for a while, with a driver and a clock that are made."""

    clock: Any
    load: Any
    nvml: Any
    tape: Tape
    watch: Watch

    def measure(
        self,
        window_s: float = 12.0,
        *,
        gain: float = 1.0,
        during: Callable[[], None] = lambda: None,
        lag_s: float = 0.0,
        reading: Reading | None = None,
    ) -> Reading:
        """Let the board work, and return what the watch makes of a counter with this gain."""
        self.watch.open(Scope(pids=(os.getpid(),), gpu_uuids=(UUID,)))
        edge = self.watch.begin()
        start_s = self.load.start_s = self.clock.now()
        self.clock.sleep(window_s / 2)
        during()
        self.clock.sleep(window_s / 2)
        end_s = self.load.end_s = self.clock.now()
        true_j = self.load.energy_j(end_s) - self.load.energy_j(start_s)
        self.clock.sleep(lag_s)
        read = reading or Reading(energies=[counted(gain * true_j)])
        return self.watch.look_back(edge, read, start_s, end_s)

    def run(self, name: str, *pids: int) -> None:
        """Let the driver list these processes."""
        self.nvml.answers[name] = [SimpleNamespace(pid=pid) for pid in pids]

    def count(self, **grown_ns: int) -> None:
        """Set the time counters of slowing down; 1 s each and what they have grown by."""
        names = ["power_cap", "thermal", "sync_boost", "board_limit", "low", "reliability"]
        self.nvml.answers[COUNTERS] = [
            SimpleNamespace(nvmlReturn=0, value=SimpleNamespace(ullVal=10**9 + grown_ns.get(n, 0)))
            for n in names
        ]


def counted(value_j: float | None, device: str = UUID, domain: Domain = Domain.GPU) -> Energy:
    """Return what a counter shows."""
    return Energy(domain=domain, device=device, tier=Tier.COUNTER, value_j=value_j)


def look(time_s: float, *pids: int, device: str = UUID, kind: str = "compute") -> Look:
    """Return processes that were seen on a board."""
    return Look(time_s=time_s, device=device, kind=kind, pids=pids)


@pytest.fixture
def world(
    clock: Any, loads: Make, driver: Make, counter: Make, monkeypatch: pytest.MonkeyPatch
) -> World:
    """Return a world in which the board rests at 70 W, and works at 500 W for this process."""
    load = loads(70.0, [(1.0, 500.0)])
    nvml = driver(GPU_a=counter(load))
    tape = Tape(clock, load)
    monkeypatch.setattr(module, "Recorder", lambda _: tape)
    made = World(clock, load, nvml, tape, Watch(sample_s=INTERVAL_S, clock=clock, nvml=nvml))
    made.count()
    made.run(PROCESSES, os.getpid())
    made.run(GRAPHICS)
    return made


@pytest.fixture
def real() -> Iterator[Make]:
    """Make watches with sampling processes of their own, which end with the test."""
    made: list[Watch] = []

    def start(**settings: Any) -> Watch:
        made.append(Watch(**{"sample_s": 0.02, "clock": MonotonicClock()} | settings))
        return made[-1]

    yield start
    for watch in made:
        watch.close()


class TestConditions:
    """Under which conditions a window was measured."""

    def test_a_quiet_window_has_its_conditions_and_no_doubts(self, world: World) -> None:
        """Those of the board at work alone; its energy is handed on as it was."""
        found = world.measure(5.0)
        assert found.conditions.power[UUID]["peak_w"] == pytest.approx(500)
        assert 400 < found.conditions.power[UUID]["mean_w"] < 500
        assert found.conditions.clocks == {UUID: {"sm_mhz": 1900}}
        assert found.conditions.temperatures[UUID]["max_c"] == 55
        assert found.conditions.utilisation == {UUID: 1.0}
        assert list(found.conditions.throttling) == [UUID]
        assert (found.reasons, found.flags) == ([], frozenset())
        assert found.energies == [counted(pytest.approx(2500))]

    def test_work_without_gpus_has_those_of_packages_and_machine(self, world: World) -> None:
        """Boards that are sampled for other cases have no part in it."""
        world.measure(5.0)
        world.watch.open(Scope(pids=(os.getpid(),)))
        edge, start_s = world.watch.begin(), world.clock.now()
        world.clock.sleep(12)
        end_s = world.clock.now()
        read = Reading(energies=[counted(999.0, "package-0", Domain.PACKAGE)])
        found = world.watch.look_back(edge, read, start_s, end_s)
        assert found.conditions.power == {
            "package-0": {"mean_w": 40, "peak_w": 40},
            "dram-0": {"mean_w": 5, "peak_w": 5},
        }
        assert found.conditions.utilisation == {"machine": pytest.approx(0.1)}
        assert found.conditions.throttling is None
        assert (found.reasons, found.flags) == ([], frozenset())
        assert world.clock.now() == end_s
        assert world.watch.power_w(start_s, end_s) == 45
        assert world.watch.temperature_c(start_s, end_s) == 60

    def test_a_gap_in_the_window_is_a_flag(self, world: World) -> None:
        """One before the window is not, nor is a single sample that is missing."""
        world.tape.gap = (102.0, 102.1)
        assert world.measure(5.0).flags == frozenset()
        world.tape.gap = (90.5, 99.9)
        assert world.measure(5.0).flags == frozenset()
        world.tape.gap = (111.0, 111.5)
        assert world.measure(5.0).flags == {Flag.SERIES_GAPS}

    def test_samples_that_ended_leave_a_gap(self, world: World) -> None:
        """A sampling process that died in the window is not taken for a quiet one."""
        world.tape.gap = (102.0, 1e9)
        assert world.measure(5.0).flags == {Flag.SERIES_GAPS}
        assert world.measure(5.0).conditions.power is None

    def test_doubts_of_the_meters_are_kept(self, world: World) -> None:
        """Each reason once, whoever had it, and the meters' first."""
        world.count()
        reading = Reading(
            energies=[counted(None)],
            reasons=[Reason.COUNTER_RESET, Reason.THERMAL_SLOWDOWN],
            flags=frozenset({Flag.POLLING_SENSITIVE}),
        )
        world.tape.gap = (101.0, 102.0)
        found = world.measure(5.0, reading=reading, during=lambda: world.count(thermal=5))
        assert found.reasons == [Reason.COUNTER_RESET, Reason.THERMAL_SLOWDOWN]
        assert found.flags == {Flag.POLLING_SENSITIVE, Flag.SERIES_GAPS}
        assert found.energies == [counted(None)]


class TestAgreement:
    """The counter against the power that was sampled."""

    @pytest.mark.parametrize(
        ("gain", "reasons"),
        [
            (0.92, [Reason.COUNTER_DISAGREES]),
            (0.98, []),
            (1.0, []),
            (1.02, []),
            (1.08, [Reason.COUNTER_DISAGREES]),
        ],
    )
    def test_a_counter_that_is_far_off_is_doubted(
        self, world: World, gain: float, reasons: list[Reason]
    ) -> None:
        """8 % are too much, 2 % are not."""
        assert world.measure(gain=gain).reasons == reasons

    def test_a_short_window_is_not_compared(self, world: World) -> None:
        """Just below ten seconds nobody is waited for; with ten it is."""
        assert world.measure(9.999, gain=0.8).reasons == []
        assert world.clock.now() == pytest.approx(109.999)
        world.clock.sleep(2)
        assert world.measure(10.0, gain=0.8).reasons == [Reason.COUNTER_DISAGREES]

    def test_the_samples_of_the_end_are_waited_for(self, world: World) -> None:
        """A mean over a second shows the end of the window a second later."""
        world.measure()
        assert world.clock.now() == pytest.approx(112 + 1 + 2 * INTERVAL_S)

    @pytest.mark.parametrize(("lag_s", "waited_s"), [(0.5, 0.7), (1.2, 0.0), (7.0, 0.0)])
    def test_what_the_meters_waited_is_not_waited_again(
        self, world: World, lag_s: float, waited_s: float
    ) -> None:
        """The time runs from the end of the window."""
        assert world.measure(gain=0.9, lag_s=lag_s).reasons == [Reason.COUNTER_DISAGREES]
        assert world.clock.now() == pytest.approx(112 + lag_s + waited_s)

    @pytest.mark.parametrize(
        "energies",
        [[], [counted(None)], [counted(1.0, "package-0", Domain.PACKAGE)]],
        ids=["no-meter", "unknown", "other-source"],
    )
    def test_without_a_counter_nobody_waits(self, world: World, energies: list[Energy]) -> None:
        """There is nothing to compare the samples with."""
        assert world.measure(reading=Reading(energies=energies)).reasons == []
        assert world.clock.now() == 112

    @pytest.mark.parametrize(
        "changes",
        [{"gap": (105.0, 106.0)}, {"source": None}, {"source": Source(name="x", averaging_s=None)}],
        ids=["gap", "no-power", "unknown-average"],
    )
    def test_what_cannot_be_compared_is_no_doubt(
        self, world: World, changes: dict[str, Any]
    ) -> None:
        """A gap is a flag, and a board without an average of power has only its counter."""
        for name, value in changes.items():
            setattr(world.tape, name, value)
        assert world.measure(gain=0.5).reasons == []


class TestThrottling:
    """What slowed the board down."""

    def test_growth_of_a_counter_is_a_reason(self, world: World) -> None:
        """Its seconds are in the conditions; the next window is judged by itself."""
        found = world.measure(during=lambda: world.count(thermal=2 * 10**9))
        assert found.reasons == [Reason.THERMAL_SLOWDOWN]
        assert found.conditions.throttling[UUID]["seconds"]["thermal"] == 2.0
        assert world.measure().reasons == []

    def test_the_wait_for_samples_is_no_part_of_the_share(self, world: World) -> None:
        """Six of twelve seconds at the power cap are half of them, and no reason."""
        found = world.measure(during=lambda: world.count(power_cap=6 * 10**9))
        assert found.reasons == []
        assert found.conditions.throttling[UUID]["power_cap_share"] == pytest.approx(0.5)

    def test_a_bit_in_a_sample_is_a_reason(self, world: World) -> None:
        """Also where the counters of the board do not move; before the window it is none."""
        world.tape.bits = {(95.0, 99.9): 0x8, (105.0, 105.1): 0x80}
        found = world.measure()
        assert found.reasons == [Reason.POWER_BRAKE]
        assert found.conditions.throttling[UUID]["seen"] == ["power_brake"]


class TestStrangers:
    """Who else was on the board."""

    @pytest.mark.parametrize("when", ["before", "during", "after"])
    def test_another_process_is_a_reason(self, world: World, when: str) -> None:
        """Whether it goes while the window lasts, passes through it, or is there in the end."""
        both = (os.getpid(), STRANGER)
        if when == "before":
            world.run(PROCESSES, *both)
            found = world.measure(5.0, during=lambda: world.run(PROCESSES, os.getpid()))
        elif when == "during":
            world.tape.looks = [look(102.0, *both)]
            found = world.measure(5.0)
        else:
            found = world.measure(5.0, during=lambda: world.run(PROCESSES, *both))
        assert found.reasons == [Reason.FOREIGN_PROCESS]
        world.run(PROCESSES, os.getpid())
        assert world.measure(5.0).reasons == []

    @pytest.mark.parametrize(
        "seen",
        [look(99.9, STRANGER), look(102.0, STRANGER, device="GPU-b"), look(102.0, os.getpid())],
        ids=["long-gone", "on-another-board", "ourselves"],
    )
    def test_who_is_not_on_the_board_meanwhile_is_none(self, world: World, seen: Look) -> None:
        """Nor is this process itself."""
        world.tape.looks = [seen]
        assert world.measure(5.0).reasons == []

    def test_a_desktop_from_before_is_a_flag(self, world: World) -> None:
        """It is idle, and not the end of the measurement; in samples it is the same one."""
        world.run(GRAPHICS, STRANGER)
        world.tape.looks = [look(102.0, STRANGER, kind="graphics")]
        found = world.measure(5.0)
        assert (found.reasons, found.flags) == ([], {Flag.GRAPHICS_PROCESS})
        found = world.measure(5.0, during=lambda: world.run(GRAPHICS, STRANGER, STRANGER + 1))
        assert found.reasons == [Reason.FOREIGN_PROCESS]

    def test_boards_in_use_are_found_by_processes(self, world: World) -> None:
        """Before anything is followed or sampled."""
        assert world.watch.used_by([os.getpid()]) == [UUID]
        assert world.watch.used_by([STRANGER]) == []
        assert world.tape.followed == []


class TestFiguresOfTheMoment:
    """What is asked between the windows."""

    def test_power_and_temperature_are_those_of_the_board(self, world: World) -> None:
        """At rest and at work, of the time that was asked for."""
        world.measure(5.0)
        assert world.watch.power_w(98, 99.99) == pytest.approx(70)
        assert world.watch.power_w(102, 104) == pytest.approx(500)
        assert world.watch.temperature_c(98, 99.99) == 35
        assert world.watch.temperature_c(98, 104) == 55
        assert world.watch.power_w(98.04, 98.05) is None
        assert world.watch.temperature_c(98.04, 98.05) is None

    def test_the_hottest_is_of_now(self, world: World) -> None:
        """Of the boards that were named, without any of the machine; old samples say nothing."""
        assert world.watch.hottest_now_c([UUID]) == 35
        assert world.tape.followed == [[UUID]]
        assert world.watch.hottest_now_c([]) == 60
        world.tape.gap = (world.clock.now(), 1e9)
        world.clock.sleep(9.9)
        assert world.watch.hottest_now_c([UUID]) == 35
        world.clock.sleep(0.2)
        assert world.watch.hottest_now_c([UUID]) is None

    def test_a_series_is_what_was_sampled_of_a_time(self, world: World) -> None:
        """None where nothing was."""
        world.clock.sleep(5)
        part = world.watch.series(101, 102)
        assert len(part.times_s) == 10
        assert part.from_s == 101
        assert world.watch.series(80, 90) is None

    def test_closing_ends_the_samples_and_tells_why_they_ended_before(self, world: World) -> None:
        """The reason is that of the sampling process."""
        world.tape.failure = "the sampling process was killed"
        assert world.watch.failure == "the sampling process was killed"
        world.watch.close()
        assert world.tape.is_closed


class TestUnknown:
    """What cannot be seen is unknown, and no error."""

    def test_without_samples_the_rest_is_judged(
        self, world: World, monkeypatch: pytest.MonkeyPatch, survivors: Make
    ) -> None:
        """No process is started; the driver alone tells of strangers and slowing down."""
        monkeypatch.undo()
        world.watch = Watch(sample_s=0, clock=world.clock, nvml=world.nvml)
        both = (os.getpid(), STRANGER)

        def disturb() -> None:
            world.run(PROCESSES, *both)
            world.count(reliability=5)

        found = world.measure(gain=0.5, during=disturb)
        assert found.reasons == [Reason.RELIABILITY, Reason.FOREIGN_PROCESS]
        assert found.flags == frozenset()
        assert found.conditions.throttling[UUID]["seen"] is None
        facts = found.conditions
        assert (facts.power, facts.clocks, facts.temperatures, facts.utilisation) == (None,) * 4
        assert world.clock.now() == 112
        figures = [world.watch.power_w(100, 112), world.watch.temperature_c(100, 112)]
        figures += [world.watch.hottest_now_c([UUID]), world.watch.hottest_now_c([])]
        assert [*figures, world.watch.series(0, 200), world.watch.failure] == [None] * 6
        assert not [p for p in psutil.Process().children() if "sampling.child" in str(p.cmdline())]
        world.watch.close()

    @pytest.mark.parametrize("is_missing", [True, False], ids=["no-driver", "unknown-board"])
    def test_a_board_that_is_not_there_has_no_figures(self, world: World, is_missing: bool) -> None:
        """Those of the machine are not given in its place."""
        if is_missing:
            world.nvml.answers["nvmlInit"] = world.nvml.NVMLError(9)
        world.watch.open(Scope(pids=(os.getpid(),), gpu_uuids=("GPU-x",)))
        edge = world.watch.begin()
        world.clock.sleep(12)
        read = Reading(energies=[counted(5.0, "GPU-x")])
        found = world.watch.look_back(edge, read, 100, 112)
        assert found == Reading(energies=[counted(5.0, "GPU-x")], conditions=Conditions())
        assert world.tape.followed == [["GPU-x"]]
        assert world.watch.power_w(100, 112) is None
        assert world.watch.temperature_c(100, 112) is None
        assert world.watch.hottest_now_c(["GPU-x"]) is None
        assert world.watch.used_by([os.getpid()]) == ([] if is_missing else [UUID])

    def test_an_unknown_board_hides_the_power_of_all_and_no_more(self, world: World) -> None:
        """The board beside it is looked after; half of the power is not given for the whole."""
        world.watch.open(Scope(pids=(os.getpid(),), gpu_uuids=(UUID, "GPU-x")))
        edge = world.watch.begin()
        world.clock.sleep(5)
        world.run(PROCESSES, os.getpid(), STRANGER)
        found = world.watch.look_back(edge, Reading(energies=[]), 100, 105)
        assert found.reasons == [Reason.FOREIGN_PROCESS]
        assert list(found.conditions.power) == [UUID]
        assert world.watch.power_w(100, 105) is None
        assert world.watch.temperature_c(100, 105) == 35


class TestForReal:
    """With the sampling process itself."""

    def test_a_board_is_sampled_by_a_process(
        self, real: Make, driver: Make, standin: Callable[..., StandIn], survivors: Make
    ) -> None:
        """Its temperature is known at once, its conditions after the window."""
        standin(Board(uuid=UUID, idle_w=70.5, temperature_c=41, busy_percent=25))
        watch = real(nvml=driver(GPU_a=lambda: 5.0))
        assert watch.hottest_now_c([UUID]) == 41
        watch.open(Scope(pids=(os.getpid(),), gpu_uuids=(UUID,)))
        edge, start_s = watch.begin(), time.monotonic()
        watch.series(start_s, start_s)  # takes over what is from before
        watch._recorder._sampler.take(at_least=3)
        end_s = time.monotonic()
        found = watch.look_back(edge, Reading(energies=[counted(5.0)]), start_s, end_s)
        assert found.conditions.power == {UUID: {"mean_w": 70.5, "peak_w": 70.5}}
        assert found.conditions.utilisation == {UUID: 0.25}
        assert found.conditions.throttling[UUID]["seen"] == []
        assert found.reasons == []
        assert watch.power_w(start_s, end_s) == 70.5
        assert len(watch.series(start_s, end_s).times_s) >= 3
        watch.close()
        assert survivors() == []

    def test_a_process_that_died_is_told_of(self, real: Make) -> None:
        """The window it left without samples is flagged, and goes on without them."""
        watch = real()
        watch.open(Scope(pids=(os.getpid(),)))
        edge, start_s = watch.begin(), time.monotonic()
        assert watch.failure is None
        psutil.Process(watch._recorder._sampler.pid).kill()
        found = watch.look_back(edge, Reading(energies=[]), start_s, start_s + 5)
        assert found.flags == {Flag.SERIES_GAPS}
        assert "was killed by SIGKILL" in watch.failure


@pytest.mark.parametrize(("is_noted", "reasons"), [(True, []), (False, ["foreign_process"])])
def test_who_was_noted_before_the_work_is_told_from_its_own_in_a_container(
    driver: Any, counter: Any, clock: Any, is_noted: bool, reasons: list[str]
) -> None:
    """The numbers are the host's there: what came after the session began is the session's."""
    nvml = driver(GPU_a=counter())
    nvml.answers["nvmlDeviceGetComputeRunningProcesses"] = []
    watch = Watch(sample_s=0, clock=clock, nvml=nvml)
    if is_noted:
        watch.note(["GPU-a"])
    outside_number = SimpleNamespace(pid=2**22 - 7)
    nvml.answers["nvmlDeviceGetComputeRunningProcesses"] = [outside_number]
    watch.open(Scope(pids=(1,), gpu_uuids=("GPU-a",)))
    found = watch.look_back(watch.begin(), Reading(energies=[]), 0.0, 1.0)
    assert found.reasons == reasons
