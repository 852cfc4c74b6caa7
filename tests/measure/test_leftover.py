"""What hosts leave behind on the GPUs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.backends.host.pool import Loaded
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.measure.leftover import Leftover

MIB = 1 << 20
SPEC = LoadSpec(backend="ngram", model="m", precision="float64", options={})
ENDED: Any = Loaded(SPEC, None, "load-3", case_key="infer/it")  # type: ignore[arg-type]


@pytest.fixture
def told() -> list[str]:
    """Return what is told at once."""
    return []


@pytest.fixture
def leftover(boards: Any, clock: Any, told: list[str]) -> Leftover:
    """Return one that looks at given boards by a given clock."""
    return Leftover(clock, told.append, boards)


def test_memory_that_did_not_come_back_is_told_and_kept(
    leftover: Leftover, boards: Any, told: list[str], clock: Any
) -> None:
    """The sentence names board, case and load; it is waited for ten seconds, and said once."""
    leftover.note(["GPU-a"])
    boards.used_bytes["GPU-a"] += 65 * MIB
    leftover.check(ENDED)
    assert clock.time_s == pytest.approx(10.0, abs=0.2)
    (sentence,) = told
    assert sentence == (
        "65 MiB more are in use on GPU-a than before the host of infer/it (load-3) began, which "
        "has ended; look with nvidia-smi for what holds them"
    )
    assert leftover.take() == [{"category": "MemoryLeft", "message": sentence}]
    assert leftover.take() == []


@pytest.mark.parametrize("more_bytes", [64 * MIB, 0, -MIB])
def test_what_the_driver_keeps_for_itself_is_nothing(
    leftover: Leftover, boards: Any, told: list[str], clock: Any, more_bytes: int
) -> None:
    """Up to 64 MiB are not waited for, and less than before is no matter."""
    leftover.note(["GPU-a"])
    boards.used_bytes["GPU-a"] += more_bytes
    leftover.check(ENDED)
    assert (clock.time_s, told) == (0.0, [])


def test_memory_that_comes_back_late_is_not_told(
    leftover: Leftover, boards: Any, told: list[str], clock: Any
) -> None:
    """The driver frees some time after the process has ended."""
    leftover.note(["GPU-a"])
    boards.used_bytes["GPU-a"] += 100 * MIB
    boards.growth_bytes = -10 * MIB
    leftover.check(ENDED)
    assert told == []
    assert 0 < clock.time_s < 1


def test_a_board_that_was_empty_is_looked_at(
    leftover: Leftover, boards: Any, told: list[str]
) -> None:
    """Nothing in use is a figure like any other."""
    boards.used_bytes["GPU-a"] = 0
    leftover.note(["GPU-a"])
    boards.used_bytes["GPU-a"] = 70 * MIB
    leftover.check(ENDED)
    assert told[0].startswith("70 MiB more")


def test_each_host_is_compared_with_what_was_before_it(
    leftover: Leftover, boards: Any, told: list[str]
) -> None:
    """What one left is there before the next, which is not to blame for it."""
    for more_bytes in (1 << 30, 0):
        leftover.note(["GPU-a"])
        boards.used_bytes["GPU-a"] += more_bytes
        leftover.check(ENDED)
    leftover.check(ENDED)
    assert len(told) == 1


@pytest.mark.parametrize("lose", [lambda b: b.used_bytes.clear(), lambda _: None])
def test_a_board_that_cannot_be_asked_is_not_blamed(
    leftover: Leftover, boards: Any, told: list[str], lose: Callable[[Any], None]
) -> None:
    """One that the driver does not know, or no longer knows, has nothing to say."""
    leftover.note(["GPU-a", "GPU-b"])
    lose(boards)
    leftover.check(ENDED)
    assert told == []


def test_without_gpus_the_driver_is_left_alone(clock: Any, told: list[str]) -> None:
    """Nothing is loaded, and nothing waits."""
    leftover = Leftover(clock, told.append, nvml=object())
    leftover.note([])
    leftover.check(ENDED)
    leftover.close()
    assert (clock.time_s, told, leftover.take()) == (0.0, [], [])
