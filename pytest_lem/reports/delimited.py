"""The summary of a run as comma-separated values: a line for each row, names that stay."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from pytest_lem.gate.verdict import Verdict, worst
from pytest_lem.reports.rows import Estimate, Row
from pytest_lem.reports.summary import Summary
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.definitions import GATEABLE
from pytest_lem.results.entry import FIGURES

_SETTINGS = ("backend", "model", "precision", "batch_size")


def delimited(summary: Summary) -> str:
    """Return the lines, the first of them with the names of the columns.

    Which columns there are depends on nothing but the fields by which cases are grouped, whether
    there is a baseline, and which settings of `cost` are there. Figures are in the unit at the end
    of their name, unrounded; what is not known is empty.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([name for name, _ in _cells(summary.rows[0], summary)])
    for row in summary.rows:
        writer.writerow([value for _, value in _cells(row, summary)])
    return buffer.getvalue()


def _cells(row: Row, summary: Summary) -> Iterator[tuple[str, Any]]:
    yield "run", summary.session.run
    yield from _of_group(row) if summary.fields else _of_case(row)
    for name in FIGURES:
        yield from _of_figure(name, row.figures[name])
    if summary.derived:
        yield "cost_currency", summary.cost.currency
        yield "cost_pue", summary.cost.pue
    for name in summary.derived:
        yield from _of_figure(f"derived_{name}", row.figures[name])
    if summary.gate:
        yield from _of_gate(row.comparisons)


def _of_figure(name: str, estimate: Estimate) -> Iterator[tuple[str, Any]]:
    low, high = estimate.interval or (None, None)
    yield name, estimate.value
    yield f"{name}_low", low
    yield f"{name}_high", high
    yield f"{name}_sufficiency", estimate.sufficiency


def _of_case(row: Row) -> Iterator[tuple[str, Any]]:
    (entry,) = row.entries
    yield "key", entry.key
    yield "digest", entry.digest
    yield "nodeid", entry.nodeid
    yield "kind", entry.kind
    for name in _SETTINGS:
        yield name, entry.settings.get(name)
    yield "settings", json.dumps(entry.settings, sort_keys=True)
    yield "status", entry.status
    yield "validity", entry.validity
    yield "origin", entry.origin
    yield "energy_tier", entry.tier
    yield "flags", " ".join([*entry.reasons, *entry.flags])
    yield "cycles", max(e.cycles for e in row.figures.values())
    yield "output_tokens_mean", entry.output_tokens


def _of_group(row: Row) -> Iterator[tuple[str, Any]]:
    for name, value in row.labels.items():
        yield name, json.dumps(value, sort_keys=True) if isinstance(value, dict) else value
    yield "energy_tier", row.tier
    yield "cases", len(row.entries)
    yield "cases_invalid", sum(entry.validity == "invalid" for entry in row.entries)
    yield "cases_failed", sum(entry.status == "failed" for entry in row.entries)


def _of_gate(comparisons: list[Comparison]) -> Iterator[tuple[str, Any]]:
    """Yield the worst verdict on a row and on each figure; a change where there is only one."""
    yield "verdict", _worst(comparisons)
    for name in GATEABLE:
        found = [c for c in comparisons if c.metric == name]
        one = found[0] if len(found) == 1 else None
        low, high = (one.interval if one else None) or (None, None)
        yield f"{name}_verdict", _worst(found)
        yield f"{name}_ratio", one.ratio if one else None
        yield f"{name}_ratio_low", low
        yield f"{name}_ratio_high", high


def _worst(comparisons: list[Comparison]) -> str | None:
    return str(worst([Verdict(c.verdict) for c in comparisons])) if comparisons else None
