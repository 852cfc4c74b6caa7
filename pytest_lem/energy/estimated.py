"""The estimate: CPU time of the measured processes times the watts of a busy CPU.

It stands for work on the CPU and for nothing else: no idle power, no memory, no GPU. Published
thermal design powers of 65 to 360 W over the hardware threads or cores of server, desktop and
laptop CPUs give 2 to 12 W for one busy logical CPU; the default is the middle of that range, and
half the range is its stated uncertainty.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import sqrt
from typing import ClassVar

import psutil

from pytest_lem.energy.meter import Availability, Scope
from pytest_lem.energy.reading import Domain, Energy, Tier

#: Half the range of the constant as a part of it, taken as a rectangular distribution.
RELATIVE_HALF_RANGE = 0.7


class EstimatedMeter:
    """CPU seconds of a process tree times watts."""

    name: ClassVar[str] = "estimated"
    method: ClassVar[str] = "cpu-time-1"

    def __init__(self, *, watts_per_cpu: float, **_: object) -> None:
        self._watts = watts_per_cpu
        self._scope = Scope(pids=())

    @property
    def tick_s(self) -> None:
        """Return None: what an estimate hides is not a matter of ticks."""

    def availability(self) -> Availability:
        """Return the tier and the constant; an estimate can always be made."""
        return Availability(
            tier=Tier.ESTIMATED,
            sentence=f"CPU time x {self._watts:g} W per busy CPU",
            constants={
                "watts_per_cpu": self._watts,
                "relative_half_range": RELATIVE_HALF_RANGE,
            },
        )

    def open(self, scope: Scope) -> None:
        """Take the processes to follow."""
        self._scope = scope

    def begin(self) -> float:
        """Return the CPU seconds used so far."""
        return cpu_seconds(self._scope.pids)

    def end(self, edge: float, start_s: float, end_s: float) -> Sequence[Energy]:  # noqa: ARG002
        """Return the estimate; null for work on a GPU, which CPU time says nothing about."""
        if self._scope.gpu_uuids:
            return [self._unknown("the work ran on a GPU, and an estimate covers only CPU work")]
        used_s = cpu_seconds(self._scope.pids) - edge
        if used_s <= 0:
            return [self._unknown("the measured processes used no CPU time that the system counts")]
        value = used_s * self._watts
        # Each of the two readings is cut to the clock tick of the system.
        edge_j = self._watts * _tick_s() * sqrt(2 / 12)
        return [
            Energy(
                domain=Domain.ESTIMATE,
                device="process-tree",
                tier=Tier.ESTIMATED,
                value_j=value,
                u_random_j=edge_j,
                u_systematic_j=value * RELATIVE_HALF_RANGE / sqrt(3),
            )
        ]

    def close(self) -> None:
        """Forget the processes."""
        self._scope = Scope(pids=())

    def _unknown(self, reason: str) -> Energy:
        return Energy(
            domain=Domain.ESTIMATE,
            device="process-tree",
            tier=Tier.ESTIMATED,
            value_j=None,
            reason=reason,
        )


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return user and system seconds of the processes and of all their children.

    Children that have ended are in their parent's figures. A process that is gone counts nothing.
    """
    total = 0.0
    for process in _tree(pids):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
        total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return total


def _tree(pids: Sequence[int]) -> list[psutil.Process]:
    found: dict[int, psutil.Process] = {}
    for pid in pids:
        try:
            root = psutil.Process(pid)
            members = [root, *root.children(recursive=True)]
        except psutil.Error:
            continue
        found.update((process.pid, process) for process in members)
    return list(found.values())


def _tick_s() -> float:
    return 1 / os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0.01
