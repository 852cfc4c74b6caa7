"""A meter whose energies are set by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from pytest_lem.energy.meter import Availability, Scope
from pytest_lem.energy.panel import Panel
from pytest_lem.energy.reading import Domain, Energy, Tier


@dataclass
class GivenMeter:
    """Returns 3 W over each window, or what it was told to; notes what happens to it."""

    tier: Tier
    values_j: list[float | None] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    name: str = "given"
    method: str = "given-1"

    def open(self, scope: Scope) -> None:
        self.events.append(f"open {scope.pids[0]}")

    def begin(self) -> int:
        self.events.append("begin")
        return len(self.events)

    def end(self, edge: int, start_s: float, end_s: float) -> list[Energy]:
        self.events.append("end")
        value_j = self.values_j.pop(0) if self.values_j else 3 * (end_s - start_s)
        domain = Domain.ESTIMATE if self.tier is Tier.ESTIMATED else Domain.PACKAGE
        return [Energy(domain=domain, device="given", tier=self.tier, value_j=value_j)]

    def close(self) -> None:
        self.events.append("close")


@pytest.fixture
def metered() -> Callable[..., tuple[Panel, GivenMeter]]:
    """Make a panel of one meter with the given tier and values."""

    def make(
        tier: Tier = Tier.COUNTER, values_j: list[float | None] | None = None
    ) -> tuple[Panel, GivenMeter]:
        meter = GivenMeter(tier, list(values_j or []))
        return Panel([meter], {"given": Availability(tier=tier, sentence="given")}), meter

    return make
