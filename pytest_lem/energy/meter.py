"""What a meter is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from pytest_lem.energy.reading import Energy, Tier
from pytest_lem.flags import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose energy is asked for.

    Attributes:
        pids: the processes that do the work; their children count with them.
        gpu_uuids: the GPUs they use; empty for work on the CPU.
        is_steady: the load runs on before, in and after the windows, as a server's does; a
            meter then takes both edges inside the load.

    """

    pids: tuple[int, ...]
    gpu_uuids: tuple[str, ...] = ()
    is_steady: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """What a meter can do here. An unavailable one has tier `none` and says what to do.

    `code` is the reason of an unavailable one as a word, where it has one.
    """

    tier: Tier
    sentence: str
    code: Reason | None = None
    constants: dict[str, float] = field(default_factory=dict)

    @property
    def is_available(self) -> bool:
        """Tell whether there is anything to read."""
        return self.tier is not Tier.NONE


class Meter(Protocol):
    """Reads the energy of a scope over windows. One file and one entry point make a new one.

    `method` names how it measures, with a version: results of different methods are not
    compared. `tick_s` is the longest time for which an open meter's source stands still, None
    where that is unknown or means nothing. A meter is made with the settings of
    `EnergySettings` as keywords.
    """

    name: ClassVar[str]
    method: ClassVar[str]

    @property
    def tick_s(self) -> float | None:
        """Return the length of the source's tick."""

    def availability(self) -> Availability:
        """Say what can be read on this machine, cheaply and without side effects."""

    def open(self, scope: Scope) -> None:
        """Prepare to read `scope`; raises LemError (`meter`) when that cannot be done."""

    def begin(self) -> Any:
        """Read the first edge, waiting for whatever the source needs. Work starts after it."""

    def end(self, edge: Any, start_s: float, end_s: float) -> Sequence[Energy]:
        """Read the last edge and return the energy between `start_s` and `end_s` (monotonic)."""

    def close(self) -> None:
        """Let go of everything that `open` took."""
