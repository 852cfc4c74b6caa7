"""Boards whose counter is read, and what is found out about each before its first window."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pytest_lem.energy.counter.verdicts import Verdicts
from pytest_lem.energy.gpu.counted import CountedBoard, Preparation
from pytest_lem.energy.gpu.driver import Driver, DriverFault
from pytest_lem.flags import Reason

Make = Callable[..., Any]
VERSION = "580.82.07"


@pytest.fixture
def boards(driver: Make) -> Callable[..., list[CountedBoard]]:
    """Make boards over counters: UUID to a function that returns joules, or to an answer."""

    def make(version: str | None = VERSION, **counters: Any) -> list[CountedBoard]:
        answers = {
            name.replace("_", "-"): {
                "TotalEnergyConsumption": _in_mj(found) if callable(found) else found,
                "EnforcedPowerLimit": 700_000,
            }
            for name, found in counters.items()
        }
        made = driver(answers, system={"DriverVersion": version})
        return [CountedBoard.of(made, uuid) for uuid in answers]

    return make


@pytest.fixture
def verdicts(tmp_path: Path) -> Verdicts:
    """Return a cache of verdicts that is empty."""
    return Verdicts(tmp_path / "observer.json")


@pytest.fixture
def preparation(clock: Any, verdicts: Verdicts) -> Callable[..., Preparation]:
    """Make a preparation with the clock of the world."""
    return lambda observer_s=5.0, tick_search_s=3.0: Preparation(
        clock, verdicts, observer_s=observer_s, tick_search_s=tick_search_s
    )


def _in_mj(counter: Callable[[], float]) -> Callable[[], int]:
    return lambda: round(counter() * 1000)


class TestBoard:
    """A board and its counter."""

    def test_the_counter_is_read_in_joules(self, driver: Make) -> None:
        """To the last millijoule, whatever the driver's type of a number."""
        answers = {"TotalEnergyConsumption": 123_456_789_012_345}
        board = CountedBoard.of(driver({"GPU-a": answers}), "GPU-a")
        assert board.read_j() == 123_456_789_012.345

    @pytest.mark.parametrize(("limit_mw", "limit_w"), [(350_500, 350.5), (None, None), (0, None)])
    def test_a_limit_that_is_hidden_is_unknown(
        self, driver: Make, limit_mw: int | None, limit_w: float | None
    ) -> None:
        """No board has a limit of 0 W."""
        board = CountedBoard.of(driver({"GPU-a": {"EnforcedPowerLimit": limit_mw}}), "GPU-a")
        assert board.limit_w == limit_w

    def test_before_the_test_nothing_is_known_and_nothing_polled(self, driver: Make) -> None:
        """A counter is innocent only once that was shown."""
        board = CountedBoard.of(driver({"GPU-a": {}}), "GPU-a")
        assert (board.is_disturbed, board.tick_s, board.tick_p90_s) == (None, None, None)
        assert not board.can_be_polled
        board.is_disturbed = True
        assert not board.can_be_polled
        board.is_disturbed = False
        assert board.can_be_polled

    def test_what_the_driver_refuses_is_a_fault(self, driver: Make, refusal: Make) -> None:
        """An unknown board at once, a counter when it is read."""
        made: Driver = driver({"GPU-a": {"TotalEnergyConsumption": refusal(4)}})
        with pytest.raises(DriverFault) as caught:
            CountedBoard.of(made, "GPU-x")
        assert caught.value.reason == Reason.UNKNOWN_GPU
        with pytest.raises(DriverFault) as caught:
            CountedBoard.of(made, "GPU-a").read_j()
        assert caught.value.reason == Reason.NO_PERMISSION


class TestPreparation:
    """The observer test and the search for ticks."""

    @pytest.mark.parametrize("tick_s", [0.02, 0.05, 0.1])
    def test_an_honest_counter_may_be_polled_and_has_its_tick(
        self, boards: Make, preparation: Make, counter: Make, tick_s: float
    ) -> None:
        """Its length is measured, and nearly all ticks are no longer than its 90th percentile."""
        (board,) = boards(GPU_a=counter(tick_s=tick_s, rng=Random(3)))
        preparation().prepare([board])
        assert board.can_be_polled
        assert board.tick_s == pytest.approx(tick_s, rel=0.03)
        assert board.tick_s <= board.tick_p90_s < tick_s * 1.1

    def test_boards_are_prepared_together(
        self, boards: Make, preparation: Make, counter: Make, clock: Any
    ) -> None:
        """Two take as long as one, and each has what is its own."""
        slow, bad = counter(tick_s=0.1), counter(disturbed_j=0.5, phase_s=0.07)
        both = boards(GPU_a=slow, GPU_b=bad)
        preparation().prepare(iter(both))
        assert clock.now() == pytest.approx(113, abs=0.5)
        assert [board.is_disturbed for board in both] == [False, True]
        assert [board.tick_s is None for board in both] == [False, True]

    def test_a_disturbed_counter_is_left_alone_from_then_on(
        self, boards: Make, preparation: Make, counter: Make, clock: Any
    ) -> None:
        """No search for ticks, now or later."""
        bad = counter(disturbed_j=0.5)
        both = boards(GPU_a=bad)
        preparation(tick_search_s=0).prepare(both)
        read = bad.reads
        preparation().prepare(both)
        assert (bad.reads, both[0].tick_s) == (read, None)

    @pytest.mark.parametrize("is_disturbed", [True, False])
    def test_a_verdict_of_this_boot_is_taken(
        self,
        *,
        boards: Make,
        preparation: Make,
        counter: Make,
        clock: Any,
        verdicts: Verdicts,
        is_disturbed: bool,
    ) -> None:
        """And the test is not run again, whatever it would find."""
        verdicts.put("GPU-a", VERSION, is_disturbed=is_disturbed)
        (board,) = boards(GPU_a=counter(disturbed_j=0.5 * (not is_disturbed)))
        preparation().prepare([board])
        assert board.is_disturbed is is_disturbed
        assert clock.now() == pytest.approx(100 if is_disturbed else 103, abs=0.1)

    def test_a_verdict_is_kept_for_the_driver_it_was_found_with(
        self, boards: Make, preparation: Make, counter: Make, verdicts: Verdicts
    ) -> None:
        """A verdict of another board or driver is no verdict."""
        verdicts.put("GPU-b", VERSION, is_disturbed=True)
        verdicts.put("GPU-a", "570.1", is_disturbed=True)
        preparation().prepare(boards(GPU_a=counter()))
        assert verdicts.get("GPU-a", VERSION) is False
        assert verdicts.get("GPU-a", "570.1") is True

    def test_a_driver_without_a_version_has_verdicts_too(
        self, boards: Make, preparation: Make, counter: Make, clock: Any
    ) -> None:
        """They are taken up like any other."""
        for _ in range(2):
            (board,) = boards(version=None, GPU_a=counter())
            preparation().prepare([board])
            assert board.can_be_polled
        assert clock.now() == pytest.approx(116, abs=0.5)

    def test_what_is_known_is_not_found_out_again(
        self, boards: Make, preparation: Make, counter: Make, clock: Any
    ) -> None:
        """A board that comes back costs nothing, beside a new one that is prepared."""
        counters = counter(), counter(phase_s=0.05)
        old, new = boards(GPU_a=counters[0], GPU_b=counters[1])
        made = preparation()
        made.prepare([old])
        read, begun_s = counters[0].reads, clock.now()
        made.prepare([old])
        assert clock.now() == begun_s
        made.prepare([old, new])
        assert counters[0].reads == read
        assert new.can_be_polled

    def test_switched_off_it_reads_nothing_and_trusts_nothing(
        self, boards: Make, preparation: Make, counter: Make, clock: Any
    ) -> None:
        """A board that was never tested is not polled either."""
        one = counter()
        (board,) = boards(GPU_a=one)
        preparation(observer_s=0).prepare([board])
        assert (one.reads, clock.now(), board.can_be_polled) == (0, 100.0, False)

    def test_without_a_search_the_tick_is_unknown(
        self, boards: Make, preparation: Make, counter: Make
    ) -> None:
        """Unknown, and not 0; the counter may be polled all the same."""
        (board,) = boards(GPU_a=counter())
        preparation(tick_search_s=0).prepare([board])
        assert (board.can_be_polled, board.tick_s) == (True, None)

    def test_too_few_ticks_give_no_length(
        self, boards: Make, preparation: Make, counter: Make
    ) -> None:
        """Twenty are the least, and a second holds ten."""
        (board,) = boards(GPU_a=counter(tick_s=0.1))
        preparation(tick_search_s=1.0).prepare([board])
        assert (board.can_be_polled, board.tick_s) == (True, None)

    @pytest.mark.parametrize("is_lost", [True, False], ids=["lost", "still"])
    def test_a_counter_without_a_verdict_is_tested_once(
        self,
        *,
        boards: Make,
        preparation: Make,
        counter: Make,
        refusal: Make,
        clock: Any,
        verdicts: Verdicts,
        is_lost: bool,
    ) -> None:
        """Not before each case again; nothing is kept of it, and the other board has its own."""
        dead, whole = boards(GPU_a=refusal(15) if is_lost else lambda: 3.0, GPU_b=counter())
        made = preparation()
        made.prepare([dead, whole])
        assert (dead.is_disturbed, dead.can_be_polled, dead.tick_s) == (None, False, None)
        assert (verdicts.get("GPU-a", VERSION), verdicts.get("GPU-b", VERSION)) == (None, False)
        assert whole.tick_s == pytest.approx(0.1, rel=0.03)
        begun_s = clock.now()
        made.prepare([dead, whole])
        assert clock.now() == begun_s
