"""What the sampling process asks of each device."""

from __future__ import annotations

from typing import Protocol

from pytest_lem.energy.sampling.track import Source


class Probe(Protocol):
    """Reads one device, quickly and without ever raising.

    Attributes:
        device: its name in the series.
        columns: what is read, with units in the names.
        source: where its power comes from; None where it has none.

    """

    device: str
    columns: tuple[str, ...]
    source: Source | None

    def read(self, now_s: float) -> list[float | None]:
        """Return the values of the columns; None for what cannot be known."""
