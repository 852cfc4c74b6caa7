"""What a JUnit file says of a measured test: single values, as such files have them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_lem.gate.tier import energy_of
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.definitions import GATEABLE
from pytest_lem.results.record import Record


def properties(
    records: Sequence[Record], comparisons: Iterable[Comparison]
) -> list[tuple[str, object]]:
    """Return name and value of each known figure, of what to think of them, and of each verdict.

    Where a test has several records, the key of the case stands in the name.
    """
    found: list[tuple[str, object]] = []
    is_single = len({record.case.key for record in records}) == 1
    for record in records:
        place = "lem" if is_single else f"lem.{record.case.key}"
        values: dict[str, object] = {name: record.metrics[name].value for name in GATEABLE}
        values |= _circumstances(record)
        found += [(f"{place}.{name}", v) for name, v in values.items() if v is not None]
    for c in comparisons:
        place = "lem" if is_single else f"lem.{c.case}"
        found.append((f"{place}.{c.metric}.verdict", c.verdict))
    return found


def _circumstances(record: Record) -> dict[str, object]:
    """Return what no figure may be read without: how it came about, and whether it is sound."""
    found = {
        "origin": record.origin,
        "validity": record.validity,
        "energy_tier": energy_of(record).tier,
        "flags": ", ".join(record.flags),
        "failure_kind": record.failure_kind,
    }
    # As plain text: that is what a worker of pytest-xdist can send.
    return {name: str(value) for name, value in found.items() if value}
