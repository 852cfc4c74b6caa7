"""Looking after boards in a window."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_lem.energy.gpu.guard import BoardGuard, Seen
from pytest_lem.energy.gpu.processes import Tenant
from pytest_lem.flags import Flag, Reason

STRANGER = 2**22 - 7
NAMES = {
    "compute": "ComputeRunningProcesses",
    "graphics": "GraphicsRunningProcesses",
    "mps": "MPSComputeRunningProcesses",
}


class Clock:
    """A clock on which every look takes a second."""

    def __init__(self) -> None:
        self.time_s = 0.0

    def now(self) -> float:
        self.time_s += 1
        return self.time_s


@pytest.fixture
def board() -> dict[str, Any]:
    """Return the answers of one board, which a test may change in the middle."""
    return {"ComputeRunningProcesses": [], "GraphicsRunningProcesses": []}


@pytest.fixture
def guard(driver: Any, board: dict[str, Any]) -> BoardGuard:
    """Return a guard that follows the board from before the work."""
    nvml = driver({"GPU-a": board}, system={"DriverVersion": "580.82.07"})._nvml
    made = BoardGuard(Clock(), nvml)
    made.follow(["GPU-a"])
    return made


def seat(board: dict[str, Any], *pids: int, kind: str = "compute") -> None:
    """Put processes on the board."""
    board[NAMES[kind]] = [SimpleNamespace(pid=pid) for pid in pids]


def test_a_quiet_board_gives_no_doubts(guard: BoardGuard, board: dict[str, Any]) -> None:
    """This process may work on it."""
    seat(board, os.getpid())
    found = guard.judge(guard.look(), {})
    assert (found.reasons, found.flags) == ([], set())
    assert list(found.throttling) == ["GPU-a"]


@pytest.mark.parametrize("when", ["before", "after", "during"])
def test_a_stranger_is_found_whenever_he_comes(
    guard: BoardGuard, board: dict[str, Any], when: str
) -> None:
    """Also one who was there between two looks, whom the samples saw."""
    seat(board, os.getpid(), *([STRANGER] if when == "before" else []))
    first = guard.look()
    seat(board, os.getpid(), *([STRANGER] if when == "after" else []))
    seen = {"GPU-a": Seen(tenants=frozenset({Tenant(STRANGER, "compute")}))}
    found = guard.judge(first, seen if when == "during" else {})
    assert found.reasons == [Reason.FOREIGN_PROCESS]


def test_a_desktop_that_was_there_before_is_a_flag(driver: Any, board: dict[str, Any]) -> None:
    """It is no stranger's work, but not nothing."""
    seat(board, STRANGER, kind="graphics")
    guard = BoardGuard(Clock(), driver({"GPU-a": board})._nvml)
    guard.follow(["GPU-a"])
    seat(board, os.getpid())
    found = guard.judge(guard.look(), {})
    assert (found.reasons, found.flags) == ([], {Flag.GRAPHICS_PROCESS})


def test_who_came_with_the_work_in_a_container_is_its_own(
    guard: BoardGuard, board: dict[str, Any]
) -> None:
    """The numbers are those of the host there, and none of them is of this session."""
    seat(board, STRANGER)
    assert guard.judge(guard.look(), {}).reasons == []


def test_time_spent_slowed_down_is_a_reason(
    guard: BoardGuard, board: dict[str, Any], fields: Any
) -> None:
    """The counters of the driver are compared over the window."""
    board["FieldValues"] = fields({75: 1000, 270: 5, 74: 10})
    first = guard.look()
    board["FieldValues"] = fields({75: 1000, 270: 2_000_000_005, 74: 900})
    found = guard.judge(first, {})
    assert found.reasons == [Reason.THERMAL_SLOWDOWN]
    assert found.throttling["GPU-a"].seconds["thermal_hardware"] == 2.0


def test_a_bit_that_the_samples_saw_is_a_reason(guard: BoardGuard) -> None:
    """A brake between two looks leaves its bit in a sample."""
    found = guard.judge(guard.look(), {"GPU-a": Seen(bits=0x80)})
    assert found.reasons == [Reason.POWER_BRAKE]


def test_an_unknown_board_is_left_out(guard: BoardGuard) -> None:
    """The meter says what is wrong with it; there is nothing to look after."""
    guard.follow(["GPU-x"])
    assert guard.uuids == []
    assert guard.judge(guard.look(), {}).reasons == []


def test_processes_are_found_on_their_boards(guard: BoardGuard, board: dict[str, Any]) -> None:
    """Which GPUs a process uses is the driver's knowledge."""
    seat(board, 77)
    assert guard.used_by([77]) == ["GPU-a"]
    assert guard.used_by([78]) == []
