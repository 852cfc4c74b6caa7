"""Who is on a board, and who of them is a stranger."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable
from dataclasses import dataclass
from typing import Any

from pytest_lem.energy.gpu.driver import Driver
from pytest_lem.flags import Flag

_LISTS = {
    "compute": "nvmlDeviceGetComputeRunningProcesses",
    "graphics": "nvmlDeviceGetGraphicsRunningProcesses",
    "mps": "nvmlDeviceGetMPSComputeRunningProcesses",
}


@dataclass(frozen=True, slots=True)
class Tenant:
    """A process on a board, once for each kind of its work: compute, graphics or mps."""

    pid: int
    kind: str


@dataclass(frozen=True, slots=True)
class Tenancy:
    """Who was on a board beside this session.

    Attributes:
        foreign: strangers whose work is in the board's energy.
        flags: what limits the figure without spoiling it.

    """

    foreign: tuple[int, ...]
    flags: frozenset[Flag]


def on_board(driver: Driver, handle: Any) -> list[Tenant] | None:
    """Return the processes on a board; None when the driver gives none of its lists."""
    lists = {kind: driver.fact(name, handle) for kind, name in _LISTS.items()}
    if all(found is None for found in lists.values()):
        return None
    return [Tenant(int(p.pid), kind) for kind, found in lists.items() for p in found or ()]


def tenancy(
    before: Iterable[Tenant] | None,
    now: Iterable[Tenant] | None,
    own_pids: Container[int],
    *,
    is_used: bool,
) -> Tenancy:
    """Tell strangers from this session's own processes.

    `before` were on the board before the host process began, `now` are or were since; None for
    what could not be read. `is_used` says that the host uses the board according to CUDA: where
    none of its own processes is seen there, process numbers are those outside the container, and
    those who came with the host count as its own. A desktop that was there before is a flag.
    """
    old = None if before is None else {tenant.pid for tenant in before}
    tenants = list(now or ())
    others = {tenant.pid for tenant in tenants if tenant.pid not in own_pids}
    is_container = is_used and all(tenant.pid in others for tenant in tenants)
    if is_container and old is not None:
        others &= old
    workers = {tenant.pid for tenant in tenants if tenant.kind != "graphics"}
    desktop = (others - workers) & (old or set())
    flags = {Flag.GRAPHICS_PROCESS} if desktop else set()
    return Tenancy(tuple(sorted(others - desktop)), frozenset(flags))


def uuids_used_by(driver: Driver, pids: Container[int]) -> list[str]:
    """Return the boards on which any of these processes computes.

    Raises DriverFault when the boards cannot be listed.
    """
    return [
        uuid
        for uuid in driver.uuids()
        for tenants in [on_board(driver, driver.handle(uuid)) or ()]
        if any(t.pid in pids and t.kind != "graphics" for t in tenants)
    ]


def session_pids() -> frozenset[int]:
    """Return the processes of this pytest run, those of its other workers included."""
    root_pid = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    return tree_of(root_pid) | {os.getpid()}


def tree_of(root_pid: int) -> frozenset[int]:
    """Return a process with all its descendants; empty when it is gone."""
    import psutil

    try:
        root = psutil.Process(root_pid)
        return frozenset({root_pid, *(p.pid for p in root.children(recursive=True))})
    except psutil.NoSuchProcess:
        return frozenset()
