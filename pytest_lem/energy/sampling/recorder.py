"""The sampling process of a session, started anew when other devices are to be sampled."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_lem.energy.sampling.sampler import Sampler
from pytest_lem.energy.sampling.series import Series


class Recorder:
    """Has the machine and some boards sampled; with `interval_s` 0, nothing.

    A process that failed is not started again: the series says where it ends.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._sampler: Sampler | None = None
        self._uuids: frozenset[str] = frozenset()

    def follow(self, uuids: Sequence[str]) -> None:
        """Have these boards sampled, by the present process if it does so already."""
        if self._interval_s <= 0 or (self._sampler and self._uuids >= set(uuids)):
            return
        self.close()
        self._uuids = frozenset(uuids)
        self._sampler = Sampler(uuids, self._interval_s)

    def taken(self) -> Series | None:
        """Return all samples so far; None where none are taken."""
        if self._sampler is None:
            return None
        self._sampler.take()
        return self._sampler.series

    @property
    def failure(self) -> str | None:
        """Return why there are no more samples; None while there are, or where none are taken."""
        return self._sampler.failure if self._sampler else None

    def close(self) -> None:
        """End the process."""
        if self._sampler is not None:
            self._sampler.close()
            self._sampler = None
