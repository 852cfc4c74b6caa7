"""A required tier fails closed."""

from __future__ import annotations

import pytest

from pytest_lem.case import call_case
from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.gate.tier import tier_breach
from pytest_lem.measure.round import Measurement, Round, Work
from pytest_lem.results.build import Context, build_record
from pytest_lem.results.record import Record


def _record(tier: Tier, value_j: float | None = 12.0) -> Record:
    domain = Domain.ESTIMATE if tier is Tier.ESTIMATED else Domain.PACKAGE
    energy = Energy(domain=domain, device="d", tier=tier, value_j=value_j, reason="it slept")
    found = Round(seq=0, start_s=0, end_s=2, energies=[energy], work=Work(calls=1))
    return build_record(call_case("f"), Measurement(rounds=[found]), Context(nodeid="t"))


@pytest.mark.parametrize(
    ("tier", "required", "is_enough"),
    [
        (Tier.COUNTER, None, True),
        (Tier.COUNTER, "counter", True),
        (Tier.POWER, "counter", False),
        (Tier.POWER, "power", True),
        (Tier.ESTIMATED, "power", False),
        (Tier.ESTIMATED, "estimated", True),
        (Tier.COUNTER, "estimated", True),
    ],
)
def test_a_worse_tier_is_a_breach(tier: Tier, required: str | None, is_enough: bool) -> None:
    """Tiers have an order, and the sentence names both."""
    breach = tier_breach(_record(tier), required)
    assert (breach is None) is is_enough
    if not is_enough:
        assert f"`{tier}`" in breach
        assert f"`{required}`" in breach


@pytest.mark.parametrize("required", ["counter", "estimated"])
def test_unknown_energy_is_a_breach(required: str) -> None:
    """A dead sensor never satisfies a requirement; without one it is no matter."""
    assert "unknown: it slept" in tier_breach(_record(Tier.COUNTER, None), required)
    assert tier_breach(_record(Tier.COUNTER, None), None) is None
