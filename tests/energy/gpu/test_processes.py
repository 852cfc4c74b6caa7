"""Who is on a board, and who of them is a stranger."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_lem.energy.gpu.processes import (
    Tenancy,
    Tenant,
    on_board,
    session_pids,
    tenancy,
    tree_of,
    uuids_used_by,
)
from pytest_lem.flags import Flag

Make = Callable[..., Any]
DESKTOP = frozenset({Flag.GRAPHICS_PROCESS})
OWN = frozenset({100, 101})
CHILD = "print(1, flush=True); input()"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {CHILD!r}])"


def _listed(*pids: int) -> list[SimpleNamespace]:
    return [SimpleNamespace(pid=pid) for pid in pids]


def _computing(*pids: int) -> list[Tenant]:
    return [Tenant(pid, "compute") for pid in pids]


def _drawing(*pids: int) -> list[Tenant]:
    return [Tenant(pid, "graphics") for pid in pids]


@pytest.fixture
def family() -> Iterator[subprocess.Popen[bytes]]:
    """Return a process that has a child; both live until the test is over."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", PARENT], **pipes) as process:  # type: ignore[call-overload]
        process.stdout.readline()
        yield process
        process.communicate(b"\n")


def test_a_process_is_listed_with_its_kind(driver: Make) -> None:
    """All three lists are read, and one process may be in several."""
    answers = {
        "ComputeRunningProcesses": _listed(1, 2),
        "GraphicsRunningProcesses": _listed(2),
        "MPSComputeRunningProcesses": _listed(3),
    }
    assert on_board(driver({"GPU-a": answers}), "GPU-a") == [
        Tenant(1, "compute"),
        Tenant(2, "compute"),
        Tenant(2, "graphics"),
        Tenant(3, "mps"),
    ]


def test_an_empty_board_is_told_from_one_that_hides_its_processes(driver: Make) -> None:
    """One list is enough to know something; without any, nothing is known."""
    made = driver({"GPU-a": {"ComputeRunningProcesses": []}, "GPU-b": {}})
    assert on_board(made, "GPU-a") == []
    assert on_board(made, "GPU-b") is None


@pytest.mark.parametrize(
    ("before", "now", "foreign"),
    [
        ([], [], ()),
        ([], _computing(100, 101), ()),
        (_computing(101), _computing(100, 101), ()),
        ([], _computing(7, 100), (7,)),
        (_computing(9, 7), _computing(100, 9, 7), (7, 9)),
        (_computing(7), _computing(100), ()),
        ([], [Tenant(100, "compute"), Tenant(7, "mps")], (7,)),
        ([], [*_computing(100), *_drawing(7)], (7,)),
        (None, _computing(7, 100), (7,)),
        ([], None, ()),
    ],
)
@pytest.mark.parametrize("is_used", [True, False])
def test_whoever_is_not_of_this_session_is_a_stranger(
    before: list[Tenant] | None, now: list[Tenant] | None, foreign: tuple[int, ...], is_used: bool
) -> None:
    """From before or new, by whatever kind of work; who has left is none."""
    assert tenancy(before, now, OWN, is_used=is_used) == Tenancy(foreign, frozenset())


def test_a_desktop_from_before_is_a_flag() -> None:
    """It was idle there before; one that begins in the middle is a stranger."""
    both = [*_computing(100), *_drawing(7)]
    assert tenancy(_drawing(7), both, OWN, is_used=True) == Tenancy((), DESKTOP)
    assert tenancy([], both, OWN, is_used=True) == Tenancy((7,), frozenset())
    assert tenancy(None, both, OWN, is_used=True) == Tenancy((7,), frozenset())


def test_a_desktop_that_computes_is_a_stranger() -> None:
    """Graphics alone are excused."""
    both = [*_drawing(7), *_computing(7)]
    assert tenancy(both, [*both, *_computing(100)], OWN, is_used=True) == Tenancy((7,), frozenset())


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        ([], _computing(9001, 9002), Tenancy((), frozenset())),
        (_computing(7), _computing(7, 9001), Tenancy((7,), frozenset())),
        (_drawing(7), [*_drawing(7), *_computing(9001)], Tenancy((), DESKTOP)),
        ([], [], Tenancy((), frozenset())),
        (None, _computing(9001), Tenancy((9001,), frozenset())),
    ],
)
def test_in_a_container_those_who_came_with_the_host_are_ours(
    before: list[Tenant] | None, now: list[Tenant], found: Tenancy
) -> None:
    """The numbers are those outside; who was there before, or may have been, is a stranger."""
    assert tenancy(before, now, OWN, is_used=True) == found


def test_newcomers_are_strangers_on_a_board_that_the_host_does_not_use() -> None:
    """Nothing of ours is expected there."""
    assert tenancy([], _computing(9001), OWN, is_used=False).foreign == (9001,)


def test_newcomers_are_strangers_where_our_own_are_seen() -> None:
    """Process numbers mean what they say there."""
    assert tenancy([], _computing(100, 9001), OWN, is_used=True).foreign == (9001,)


def test_nobody_is_both_ours_and_a_stranger() -> None:
    """Whoever is on the board; strangers are on it, and none of them is of our tree."""
    chance = random.Random(11)
    kinds = ("compute", "graphics", "mps")
    for _ in range(500):
        before, now = (
            [Tenant(chance.randrange(98, 106), chance.choice(kinds)) for _ in range(4)]
            for _ in range(2)
        )
        is_used = chance.random() < 0.5
        found = tenancy(before, now, OWN, is_used=is_used)
        old, present = ({t.pid for t in tenants} for tenants in (before, now))
        assert set(found.foreign) <= present - OWN
        workers = {t.pid for t in now if t.kind != "graphics"}
        assert set(found.foreign) >= (present & old & workers) - OWN
        if not is_used or present & OWN:
            assert set(found.foreign) >= present - OWN - old


def test_the_boards_in_use_are_those_where_a_process_computes(driver: Make) -> None:
    """Drawing is no use of a board, computing by way of MPS is."""
    made = driver(
        {
            "GPU-a": {"ComputeRunningProcesses": _listed(1, 100)},
            "GPU-b": {"ComputeRunningProcesses": _listed(1)},
            "GPU-c": {"GraphicsRunningProcesses": _listed(100)},
            "GPU-d": {"MPSComputeRunningProcesses": _listed(101)},
            "GPU-e": {},
        }
    )
    assert uuids_used_by(made, OWN) == ["GPU-a", "GPU-d"]
    assert uuids_used_by(made, ()) == []


def test_a_tree_holds_children_of_children(family: subprocess.Popen[bytes]) -> None:
    """The host of a model may have workers of its own."""
    assert family.pid in tree_of(family.pid)
    assert len(tree_of(family.pid)) == 2
    assert tree_of(family.pid) < tree_of(os.getpid())


def test_a_tree_that_is_gone_is_empty() -> None:
    """A root that has ended raises nothing."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert tree_of(process.pid) == frozenset()


def test_the_session_is_this_process_and_what_it_started(
    monkeypatch: pytest.MonkeyPatch, family: subprocess.Popen[bytes]
) -> None:
    """Without workers, nobody else belongs to it."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    assert session_pids() == tree_of(os.getpid())
    assert session_pids() >= tree_of(family.pid)
    assert os.getppid() not in session_pids()


def test_a_workers_session_is_that_of_its_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hosts of the other workers measure for the same run."""
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw1")
    assert session_pids() >= {os.getppid(), os.getpid()}
