"""Counters over a window, and the thread that keeps count of their turns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from pytest_lem.energy.cpu.counter import CounterFault
from pytest_lem.energy.cpu.trip import Trip
from pytest_lem.energy.reading import Domain
from pytest_lem.flags import Reason

GONE = CounterFault(Reason.METER_SILENT, "gone")
DENIED = CounterFault(Reason.NO_PERMISSION, "denied")


@dataclass
class Counting:
    """A counter whose next reading is the next in its list; the last one stays."""

    readings: list[int | CounterFault]
    range_uj: int = 262_143_328_850
    max_power_w: float = 500.0
    domain: Domain = Domain.PACKAGE
    device: str = "package-0"
    reads: int = 0
    is_read_often: threading.Event = field(default_factory=threading.Event)

    def read_uj(self) -> int:
        self.reads += 1
        if self.reads > 3:
            self.is_read_often.set()
        reading = self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]
        if isinstance(reading, CounterFault):
            raise reading
        return reading


@dataclass
class Hand:
    """A clock that is set by hand."""

    now_s: float = 0.0

    def now(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def begin(clock: Hand) -> Iterator[Callable[..., Trip]]:
    """Begin a trip over counters; it is over at the end of the test at the latest."""
    trips: list[Trip] = []

    def start(*counters: Counting) -> Trip:
        trips.append(Trip(counters, clock.now))
        trips[-1].begin()
        return trips[-1]

    yield start
    for trip in trips:
        trip.stop()


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lem-rapl"]


def _reason(trip: Trip) -> tuple[Reason, str]:
    (leg,) = trip.finish()
    with pytest.raises(CounterFault) as caught:
        leg.used_uj()
    return caught.value.reason, str(caught.value)


def test_each_counter_is_taken_from_the_first_edge_to_the_last(begin: Callable[..., Trip]) -> None:
    """Counters advance by different amounts, each to its own account."""
    trip = begin(Counting([100, 350]), Counting([7, 9], device="package-1"))
    assert {leg.counter.device: leg.used_uj() for leg in trip.finish()} == {
        "package-0": 250,
        "package-1": 2,
    }


def test_several_turns_in_a_window_are_counted(begin: Callable[..., Trip]) -> None:
    """What is read in between makes the sum exact, although the counter ends below its start."""
    trip = begin(Counting([900, 400, 950, 300], range_uj=999))
    trip.advance()
    trip.advance()
    (leg,) = trip.finish()
    assert leg.used_uj() == 2 * 1000 - 600


def test_the_thread_reads_without_being_told(begin: Callable[..., Trip]) -> None:
    """A range of 1 J at 500 W is read every half a millisecond."""
    counter = Counting([0], range_uj=999_999)
    begin(counter)
    assert counter.is_read_often.wait(timeout=30)


@pytest.mark.parametrize(
    ("counters", "period_s"),
    [
        ([Counting([0])], 30.0),
        ([Counting([0], range_uj=0)], 30.0),
        ([Counting([0], max_power_w=4_095.0)], 262_143.328851 / 4_095 / 4),
        ([Counting([0]), Counting([0], range_uj=1_999_999_999)], 1.0),
        ([], 30.0),
    ],
    ids=["usual", "no-range", "large-power", "shortest-of-two", "none"],
)
def test_readings_are_a_quarter_of_the_shortest_turn_apart(
    counters: list[Counting], period_s: float, clock: Hand
) -> None:
    """The thread may be late by three quarters of a turn; without need it reads twice a minute."""
    assert Trip(counters, clock.now).period_s == pytest.approx(period_s)


def test_the_thread_lives_as_long_as_the_window(begin: Callable[..., Trip]) -> None:
    """It starts with the first edge and is gone after the last."""
    before = _threads()
    trip = begin(Counting([100, 350]))
    (thread,) = set(_threads()) - set(before)
    assert thread.daemon
    trip.finish()
    assert _threads() == before
    assert not thread.is_alive()


def test_a_window_that_is_given_up_leaves_no_thread(begin: Callable[..., Trip]) -> None:
    """Nobody asks for the last edge after an error in the work."""
    before = _threads()
    begin(Counting([100])).stop()
    assert _threads() == before


def test_nothing_is_added_after_the_last_edge(begin: Callable[..., Trip]) -> None:
    """A reading of the thread that comes too late is none."""
    trip = begin(Counting([100, 350, 999]))
    (leg,) = trip.finish()
    trip.advance()
    assert leg.used_uj() == 250


def test_a_reading_that_fails_on_the_way_costs_nothing(begin: Callable[..., Trip]) -> None:
    """The next one covers its stretch, as long as that is shorter than a turn."""
    trip = begin(Counting([100, GONE, 350]))
    trip.advance()
    (leg,) = trip.finish()
    assert leg.used_uj() == 250


@pytest.mark.parametrize(
    ("readings", "reason"),
    [
        ([GONE, 200, 300], (Reason.METER_SILENT, "gone")),
        ([DENIED, GONE, 300], (Reason.NO_PERMISSION, "denied")),
        ([100, 200, DENIED], (Reason.NO_PERMISSION, "denied")),
        (
            [100, 100, 100],
            (Reason.COUNTER_STILL, "the RAPL counter stood still while work was done"),
        ),
    ],
    ids=["first", "first-of-two", "last", "still"],
)
def test_an_edge_that_cannot_be_read_makes_the_energy_unknown(
    begin: Callable[..., Trip], readings: list[int | CounterFault], reason: tuple[Reason, str]
) -> None:
    """Part of a window is not the window."""
    trip = begin(Counting(readings))
    trip.advance()
    assert _reason(trip) == reason


def test_a_thread_that_was_late_makes_the_energy_unknown(
    begin: Callable[..., Trip], clock: Hand
) -> None:
    """In 525 s a package of 500 W may have gone round 262 kJ, and nobody looked."""
    trip = begin(Counting([100, 350]))
    clock.now_s = 525.0
    assert _reason(trip)[0] is Reason.WRAPPED
