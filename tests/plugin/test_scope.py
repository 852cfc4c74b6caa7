"""Which process and which GPUs a measurement in the test's own process is about."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_lem.plugin.scope import cuda_devices, own_scope

UUIDS = ("aaaa", "bbbb", "cccc")


class GivenWatch:
    """Knows on which GPUs a process computes, as a driver does; notes who was asked for."""

    def __init__(self, uuids: Sequence[str]) -> None:
        self.uuids = list(uuids)
        self.asked: list[list[int]] = []

    def used_by(self, pids: Sequence[int]) -> list[str]:
        """Return what it was given."""
        self.asked.append(list(pids))
        return self.uuids


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that puts a PyTorch with three GPUs into `sys.modules`."""

    def load(reserved: Sequence[int], *, current: int = 0, is_initialized: bool = True) -> None:
        answers = {
            "device_count": lambda: len(UUIDS),
            "current_device": lambda: current,
            "memory_reserved": lambda index: reserved[index],
            "get_device_properties": lambda index: SimpleNamespace(uuid=UUIDS[index]),
        }
        # One that has not begun must not be asked anything else.
        known = answers if is_initialized else {}
        cuda = SimpleNamespace(is_initialized=lambda: is_initialized, **known)
        monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))

    return load


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take PyTorch out of `sys.modules`."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)


def test_devices_with_memory_and_the_present_one_are_in_use(torch: Any) -> None:
    """Work may go to the present device before it has any memory there."""
    torch([0, 0, 512], current=0)
    assert cuda_devices() == [(0, "GPU-aaaa"), (2, "GPU-cccc")]
    torch([0, 256, 0], current=1)
    assert cuda_devices() == [(1, "GPU-bbbb")]


def test_cuda_is_not_started_for_this(torch: Any) -> None:
    """Asking a device of a PyTorch that has not begun would take memory on it."""
    torch([1, 1, 1], is_initialized=False)
    assert cuda_devices() == []


@pytest.mark.usefixtures("no_torch")
def test_pytorch_is_not_imported_for_this() -> None:
    """A test without it pays nothing for the question."""
    assert cuda_devices() == []
    assert "torch" not in sys.modules


def test_what_pytorch_says_comes_before_the_driver(torch: Any) -> None:
    """The driver may not see the numbers of this process from inside a container."""
    torch([0, 256, 0], current=1)
    watch = GivenWatch(["GPU-zzzz"])
    found = own_scope(watch)
    assert (found.pids, found.gpu_uuids) == ((os.getpid(),), ("GPU-bbbb",))
    assert watch.asked == []


@pytest.mark.usefixtures("no_torch")
@pytest.mark.parametrize("uuids", [[], ["GPU-a", "GPU-b"]])
def test_without_pytorch_the_driver_is_asked(uuids: list[str]) -> None:
    """Other libraries work on GPUs too; where it knows of none, the work is the CPU's."""
    watch = GivenWatch(uuids)
    found = own_scope(watch)
    assert (found.pids, found.gpu_uuids, found.is_steady) == ((os.getpid(),), tuple(uuids), False)
    assert watch.asked == [[os.getpid()]]


@pytest.mark.usefixtures("no_torch")
def test_a_session_that_watches_nothing_asks_nobody() -> None:
    """With `--lem=off` there is no driver."""
    assert own_scope(None).gpu_uuids == ()
