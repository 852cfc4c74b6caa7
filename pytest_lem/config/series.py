"""A range of numbers: `{start: 1, stop: 64, factor: 2}` or `{start: 0, stop: 1, step: 0.25}`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

PARTS = ("start", "stop", "step", "factor")


def series(parts: Mapping[str, Any], most: int) -> list[int | float]:
    """Return the numbers from `start` to `stop`, both included if they are hit.

    They are computed in decimal, so that ten steps of 0.1 make 1; whole numbers of a range that
    starts with one are whole. Raises ValueError, with what is wrong as its text, for a part that is
    missing or no number, and for a range that never ends or has more than `most` numbers.
    """
    _check(parts)
    start, stop = (Decimal(str(parts[name])) for name in ("start", "stop"))
    by = Decimal(str(parts.get("step", parts.get("factor"))))
    is_factor = "factor" in parts
    if not _ends(start, stop, by, is_factor=is_factor):
        word = "factor" if is_factor else "step"
        raise ValueError(f"from {start} to {stop} by the {word} {by} is a range that never ends")
    found = [start]
    while start != stop and _is_within(following := _next(found[-1], by, is_factor), start, stop):
        if len(found) == most:
            raise ValueError(f"from {start} to {stop} are more than {most} values")
        found.append(following)
    is_whole = isinstance(parts["start"], int)
    return [int(n) if is_whole and n == n.to_integral_value() else float(n) for n in found]


def _check(parts: Mapping[str, Any]) -> None:
    if not {"start", "stop"} <= set(parts) or ("step" in parts) == ("factor" in parts):
        raise ValueError("a range takes start, stop, and either step or factor")
    for name, value in parts.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number and isfinite(value)):
            raise ValueError(f"`{name}` of a range is a number, not {value!r}")


def _ends(start: Decimal, stop: Decimal, by: Decimal, *, is_factor: bool) -> bool:
    if start == stop:
        return True
    if is_factor:
        return min(start, stop, by) > 0 and by != 1 and (by > 1) == (stop > start)
    return by != 0 and (by > 0) == (stop > start)


def _next(number: Decimal, by: Decimal, is_factor: bool) -> Decimal:
    return number * by if is_factor else number + by


def _is_within(number: Decimal, start: Decimal, stop: Decimal) -> bool:
    return min(start, stop) <= number <= max(start, stop)
