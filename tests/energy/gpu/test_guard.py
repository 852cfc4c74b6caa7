"""The guard of the boards: what it follows, and what it says of a window."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_lem.energy.gpu.guard import BoardGuard, Judgement, Seen
from pytest_lem.energy.gpu.processes import Tenant
from pytest_lem.flags import Flag, Reason

Make = Callable[..., Any]
NO_DRIVER = 9
#: No process has such a number.
STRANGER, OTHER = 2**22 + 1, 2**22 + 2
LISTS = {
    "compute": "ComputeRunningProcesses",
    "graphics": "GraphicsRunningProcesses",
    "mps": "MPSComputeRunningProcesses",
}


@pytest.fixture
def guard(driver: Make, clock: Any) -> Make:
    """Make a guard over boards: UUID to answers, as in the driver."""
    return lambda answers, **more: BoardGuard(clock, driver(answers, **more)._nvml)


@pytest.fixture
def boards(fields: Make) -> dict[str, dict[str, Any]]:
    """Return two boards with nobody on them, which were slowed down for a second in the past."""
    counters = fields(dict.fromkeys(range(74, 80), 10**9))
    quiet = {name: [] for name in LISTS.values()} | {"FieldValues": counters}
    return {"GPU-a": dict(quiet), "GPU-b": dict(quiet)}


def put(board: dict[str, Any], kind: str, *pids: int) -> None:
    """Put processes of a kind on a board, in place of those that were there."""
    board[LISTS[kind]] = [SimpleNamespace(pid=pid) for pid in pids]


def window(
    guard: BoardGuard,
    during: Callable[[], None] = lambda: None,
    seen: dict[str, Seen] | None = None,
) -> Judgement:
    """Judge a window in which something happens."""
    sight = guard.look()
    guard._clock.sleep(10.0)
    during()
    return guard.judge(sight, seen or {})


class TestFollowing:
    """Which boards are followed."""

    def test_boards_are_followed_until_others_are(self, guard: Make, boards: Any) -> None:
        """In the order in which they were named, each once."""
        made = guard(boards)
        assert made.uuids == []
        made.follow(["GPU-b", "GPU-a", "GPU-b"])
        assert made.uuids == ["GPU-b", "GPU-a"]
        made.follow([])
        assert made.uuids == []

    def test_a_slice_stands_for_its_board(self, guard: Make, boards: Any) -> None:
        """Also by the name that CUDA gives it, and two slices are one board."""
        made = guard(boards, parents={"MIG-1": "GPU-a", "MIG-2": "GPU-a"})
        made.follow(["MIG-1", "GPU-2"])
        assert made.uuids == ["GPU-a"]

    def test_an_unknown_board_keeps_its_name_and_is_not_judged(
        self, guard: Make, boards: Any
    ) -> None:
        """It is not forgotten that it was asked for, and the other is looked after all the same."""
        made = guard(boards)
        made.follow(["GPU-x", "GPU-a"])
        assert made.uuids == ["GPU-x", "GPU-a"]
        found = window(made, lambda: put(boards["GPU-a"], "compute", os.getpid(), STRANGER))
        assert list(found.throttling) == ["GPU-a"]
        assert found.reasons == [Reason.FOREIGN_PROCESS]

    def test_without_a_driver_nothing_is_judged(
        self, guard: Make, boards: Any, refusal: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """And nothing is raised, by none of its questions."""
        made = guard(boards)

        def refuse() -> None:
            raise refusal(NO_DRIVER)

        monkeypatch.setattr(made._driver._nvml, "nvmlInit", refuse, raising=False)
        made.follow(["GPU-a"])
        assert made.uuids == ["GPU-a"]
        assert window(made, seen={"GPU-a": Seen(bits=0x8)}) == Judgement()
        assert made.used_by([os.getpid()]) == []

    def test_work_without_gpus_opens_no_driver(self, guard: Make, boards: Any) -> None:
        """A CPU is measured without a session with the driver."""
        made = guard(boards)
        before = made._driver._nvml.sessions
        made.follow([])
        assert window(made) == Judgement()
        assert made._driver._nvml.sessions == before

    def test_boards_in_use_are_those_where_a_process_computes(
        self, guard: Make, boards: Any
    ) -> None:
        """Whether they are followed or not; a driver that cannot list boards names none."""
        put(boards["GPU-b"], "compute", 41, 42)
        put(boards["GPU-a"], "graphics", 42)
        made = guard(boards)
        assert made.used_by([42, 43]) == ["GPU-b"]
        assert made.used_by([43]) == []


class TestThrottling:
    """What slowed the boards down."""

    def test_growth_between_the_looks_is_a_reason(
        self, guard: Make, boards: Any, fields: Make
    ) -> None:
        """Of the board that it happened to; what was before the window does not count."""
        made = guard(boards)
        made.follow(["GPU-a", "GPU-b"])
        grown = fields(dict.fromkeys(range(74, 80), 10**9) | {75: 3 * 10**9, 74: 6 * 10**9})
        found = window(made, lambda: boards["GPU-b"].update(FieldValues=grown))
        assert found.reasons == [Reason.THERMAL_SLOWDOWN]
        assert found.throttling["GPU-a"].seconds["thermal"] == 0.0
        assert found.throttling["GPU-b"].seconds["thermal"] == 2.0
        assert found.throttling["GPU-b"].window_s == pytest.approx(10.0)
        assert found.throttling["GPU-b"].shares["power_cap"] == pytest.approx(0.5)
        assert window(made).reasons == []

    def test_a_sample_in_the_window_is_a_reason(self, guard: Make, boards: Any) -> None:
        """A slow-down that no counter shows is seen in the samples."""
        made = guard(boards)
        made.follow(["GPU-a"])
        found = window(made, seen={"GPU-a": Seen(bits=0x80), "GPU-b": Seen(bits=0x8)})
        assert found.reasons == [Reason.POWER_BRAKE]
        assert found.throttling["GPU-a"].seen == ("power_brake",)

    def test_without_samples_nothing_is_known_of_the_bits(self, guard: Make, boards: Any) -> None:
        """Unknown, not quiet; a quiet sample is another thing."""
        made = guard(boards)
        made.follow(["GPU-a"])
        assert window(made).throttling["GPU-a"].seen is None
        assert window(made, seen={"GPU-a": Seen(bits=0)}).throttling["GPU-a"].seen == ()

    def test_a_board_that_refuses_its_counters_has_unknown_times(
        self, guard: Make, boards: Any
    ) -> None:
        """Also when it refuses them only in the end."""
        made = guard(boards)
        made.follow(["GPU-a"])
        found = window(made, lambda: boards["GPU-a"].update(FieldValues=None))
        assert set(found.throttling["GPU-a"].seconds.values()) == {None}
        assert found.reasons == []


class TestStrangers:
    """Who else was on the boards."""

    @pytest.mark.parametrize("kind", LISTS)
    def test_one_in_the_end_is_a_stranger(self, guard: Make, boards: Any, kind: str) -> None:
        """By whatever kind of work."""
        put(boards["GPU-a"], "compute", os.getpid())
        made = guard(boards)
        made.follow(["GPU-a"])
        own = (os.getpid(),) * (kind == "compute")
        found = window(made, lambda: put(boards["GPU-a"], kind, *own, STRANGER))
        assert (found.reasons, found.flags) == ([Reason.FOREIGN_PROCESS], set())

    def test_one_that_leaves_in_the_window_is_a_stranger(self, guard: Make, boards: Any) -> None:
        """It was there when the window began; in the next one it is forgotten."""
        made = guard(boards)
        made.follow(["GPU-a"])
        put(boards["GPU-a"], "compute", os.getpid(), STRANGER)
        found = window(made, lambda: put(boards["GPU-a"], "compute", os.getpid()))
        assert found.reasons == [Reason.FOREIGN_PROCESS]
        assert window(made).reasons == []

    def test_one_that_only_samples_show_is_a_stranger(self, guard: Make, boards: Any) -> None:
        """It came and went between the looks."""
        put(boards["GPU-a"], "compute", os.getpid())
        made = guard(boards)
        made.follow(["GPU-a"])
        passing = Seen(tenants=frozenset({Tenant(STRANGER, "compute")}))
        assert window(made, seen={"GPU-a": passing}).reasons == [Reason.FOREIGN_PROCESS]
        assert window(made, seen={"GPU-b": passing}).reasons == []

    def test_one_on_a_board_that_is_not_followed_is_none(self, guard: Make, boards: Any) -> None:
        """Others may use what we do not."""
        made = guard(boards)
        made.follow(["GPU-a"])
        assert window(made, lambda: put(boards["GPU-b"], "compute", STRANGER)).reasons == []

    def test_on_two_boards_it_is_named_twice_at_most(self, guard: Make, boards: Any) -> None:
        """Each board has its own reasons, which whoever reads them joins."""
        made = guard(boards)
        made.follow(["GPU-a", "GPU-b"])
        for board in boards.values():
            put(board, "compute", os.getpid(), STRANGER)
        assert window(made).reasons == [Reason.FOREIGN_PROCESS] * 2

    def test_our_own_processes_are_none(self, guard: Make, boards: Any) -> None:
        """This one computes before, in and after the window."""
        put(boards["GPU-a"], "compute", os.getpid())
        made = guard(boards)
        made.follow(["GPU-a"])
        own = Seen(tenants=frozenset({Tenant(os.getpid(), "compute")}))
        assert window(made, seen={"GPU-a": own}) == Judgement(
            throttling=window(made, seen={"GPU-a": own}).throttling
        )

    def test_a_desktop_from_before_is_a_flag(self, guard: Make, boards: Any) -> None:
        """One that begins to draw later is a stranger."""
        put(boards["GPU-a"], "graphics", STRANGER)
        put(boards["GPU-a"], "compute", os.getpid())
        made = guard(boards)
        made.follow(["GPU-a"])
        found = window(made)
        assert (found.reasons, found.flags) == ([], {Flag.GRAPHICS_PROCESS})
        found = window(made, lambda: put(boards["GPU-a"], "graphics", STRANGER, OTHER))
        assert found.reasons == [Reason.FOREIGN_PROCESS]

    def test_who_was_before_is_found_out_once(self, guard: Make, boards: Any) -> None:
        """A desktop that came between two cases is no older for the board being turned to again."""
        put(boards["GPU-a"], "compute", os.getpid())
        made = guard(boards)
        made.follow(["GPU-a"])
        put(boards["GPU-a"], "graphics", STRANGER)
        made.follow(["GPU-b"])
        made.follow(["GPU-a"])
        assert window(made).reasons == [Reason.FOREIGN_PROCESS]

    def test_in_a_container_those_who_came_later_are_ours(self, guard: Make, boards: Any) -> None:
        """Their numbers mean nothing here; who was there before is a stranger."""
        made = guard(boards)
        made.follow(["GPU-a"])
        assert window(made, lambda: put(boards["GPU-a"], "compute", OTHER)).reasons == []
        put(boards["GPU-b"], "compute", STRANGER)
        made.follow(["GPU-b"])
        found = window(made, lambda: put(boards["GPU-b"], "compute", STRANGER, OTHER))
        assert found.reasons == [Reason.FOREIGN_PROCESS]

    def test_a_board_that_hides_its_processes_has_none(self, guard: Make, boards: Any) -> None:
        """What cannot be read is no accusation."""
        for name in LISTS.values():
            boards["GPU-a"].pop(name)
        made = guard(boards)
        made.follow(["GPU-a"])
        assert made.look().tenants == {"GPU-a": None}
        assert window(made).reasons == []


def test_a_look_has_its_time(guard: Make, boards: Any, clock: Any) -> None:
    """By the clock that it was given."""
    made = guard(boards)
    made.follow(["GPU-a"])
    clock.sleep(5)
    assert made.look().time_s == clock.now() == 105.0
