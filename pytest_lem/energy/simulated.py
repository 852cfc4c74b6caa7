"""No sensor: a constant power, for people who test a suite and not a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pytest_lem.energy.meter import Availability, Scope
from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.flags import Flag


class SimulatedMeter:
    """The same watts at all times. Its uncertainties are unknown, as it stands for nothing."""

    name: ClassVar[str] = "simulated"
    method: ClassVar[str] = "simulated-1"

    def __init__(self, *, simulated_w: float = 100.0, **_: object) -> None:
        self._power_w = simulated_w

    @property
    def tick_s(self) -> None:
        """Return None: nothing ticks here."""

    def availability(self) -> Availability:
        """Return the tier and the constant; something can always be made up."""
        return Availability(
            tier=Tier.ESTIMATED,
            sentence=f"simulated, {self._power_w:g} W at all times: made up, nothing is measured",
            constants={"simulated_w": self._power_w},
        )

    def open(self, scope: Scope) -> None:
        """Do nothing, whatever the scope."""

    def begin(self) -> None:
        """Do nothing; there is no edge."""

    def end(self, edge: None, start_s: float, end_s: float) -> Sequence[Energy]:  # noqa: ARG002
        """Return the watts times the seconds."""
        return [
            Energy(
                domain=Domain.ESTIMATE,
                device="simulated",
                tier=Tier.ESTIMATED,
                value_j=self._power_w * (end_s - start_s),
                flags=(Flag.SIMULATED,),
            )
        ]

    def close(self) -> None:
        """Do nothing; nothing was taken."""
