"""Tests that measure have their devices to themselves; all others wait for them."""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest

from pytest_lem.energy.exclusive import Claim, Isolation, Locks
from pytest_lem.energy.gpu.boards import parent_of
from pytest_lem.energy.gpu.driver import Driver, DriverFault
from pytest_lem.energy.gpu.visible import visible_uuids
from pytest_lem.errors import LemError
from pytest_lem.plugin.items import is_body_the_work, is_bridged, uses

ISOLATION = pytest.StashKey[Isolation]()


class Exclusivity:
    """Registered in sessions that measure, in each process that runs tests."""

    def __init__(self, config: pytest.Config) -> None:
        workers = getattr(config, "workerinput", {}).get("workercount", 1)
        self._reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
        self._locks = Locks(self._tell, is_alone=workers == 1)
        self._boards = visible_boards(Driver())

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # outermost: a wait is no part of any timeout
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Hold what a test needs around its fixtures and all attempts at it."""
        with self._locks.hold(claim_of(item, self._boards)) as isolation:
            item.stash[ISOLATION] = isolation
            return (yield)

    def _tell(self, sentence: str) -> None:
        if self._reporter:  # a worker of pytest-xdist has none
            self._reporter.write_line(sentence)
            self._reporter.flush()  # into a file or a pipe, it would come after the wait


def isolation_of(item: pytest.Item) -> Isolation:
    """Return what a test has for itself: nothing, in a session that keeps nothing apart."""
    return item.stash.get(ISOLATION, Isolation(scope="none"))


def claim_of(item: pytest.Item, boards: tuple[str, ...]) -> Claim:
    """Return what a test needs of a machine on which it may use these boards.

    Work in the test's own process may be on CPU and GPU, a model's is on the GPUs if there are any.
    """
    if uses(item, "energy") or is_body_the_work(item) or is_bridged(item):
        return Claim(machine="exclusive")
    if not uses(item, "inference"):
        return Claim(gpus=boards)
    return Claim(gpus=boards, gpus_mode="exclusive") if boards else Claim(machine="exclusive")


def visible_boards(driver: Driver) -> tuple[str, ...]:
    """Return the UUIDs of the boards that this process may use, none without a driver.

    A slice stands for its whole board, which has one energy counter. Where the boards cannot be
    told from CUDA_VISIBLE_DEVICES, it is all of them.
    """
    variable, order = os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("CUDA_DEVICE_ORDER")
    try:
        driver.open()
        try:
            uuids = visible_uuids(driver, variable, order=order)
        except LemError:
            uuids = driver.uuids()
        return tuple(sorted({parent_of(driver, uuid) for uuid in uuids}))
    except DriverFault:
        return ()
    finally:
        driver.close()
