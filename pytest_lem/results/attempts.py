"""Of a test that was run again, only the last attempt counts: in each of its cycles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar


class Attempted(Protocol):
    """What belongs to one attempt at a test."""

    @property
    def nodeid(self) -> str | None:
        """Return the test."""

    @property
    def cycle(self) -> int | None:
        """Return its cycle; None without cycles."""

    @property
    def attempt(self) -> int:
        """Return the number of the attempt, from 1 up."""


T = TypeVar("T", bound=Attempted)


def last_attempts(found: Iterable[T]) -> list[T]:
    """Leave out what came of an attempt before the last."""
    last: dict[tuple[str | None, int | None], int] = {}
    found = list(found)
    for one in found:
        place = one.nodeid, one.cycle
        last[place] = max(one.attempt, last.get(place, 0))
    return [one for one in found if one.attempt == last[one.nodeid, one.cycle]]
