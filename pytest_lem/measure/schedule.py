"""The order of windows in a paired comparison: who is loaded when, and whose turn it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

A, B = "A", "B"


class Turn(NamedTuple):
    """A window: whose it is, and of which pair."""

    side: str
    pair: int


@dataclass(frozen=True, slots=True)
class Segment:
    """Windows between two loadings.

    Attributes:
        loads: the sides that are loaded anew for it.
        turns: their windows, in order.

    """

    loads: tuple[str, ...]
    turns: tuple[Turn, ...]


def schedule(pairs: int, loads: int, *, is_together: bool) -> list[Segment]:
    """Spread pairs evenly over so many loadings of each side.

    Together, both sides stay loaded and windows go A B, B A, A B: what drifts evenly cancels. Else
    one side at a time is loaded, A A A B B B, then B B B A A A.
    """
    groups = [range(pairs * n // loads, pairs * (n + 1) // loads) for n in range(loads)]
    found = []
    for number, group in enumerate(groups):
        if is_together:
            turns = (Turn(side, pair) for pair in group for side in _order(pair))
            found.append(Segment((A, B), tuple(turns)))
        else:
            found += [
                Segment((side,), tuple(Turn(side, pair) for pair in group))
                for side in _order(number)
            ]
    return found


def group_of(pair: int, pairs: int, loads: int) -> int:
    """Return the loading, counted from 0, on which a pair was measured."""
    return next(n for n in range(loads) if pair < pairs * (n + 1) // loads)


def _order(number: int) -> tuple[str, str]:
    return (A, B) if number % 2 == 0 else (B, A)
