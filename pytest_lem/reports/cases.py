"""The sheet of cases: a row for each case of a run, or for each group of cases."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from pytest_lem.gate.verdict import Verdict, worst
from pytest_lem.reports.rows import Row
from pytest_lem.reports.sheet import Column, Sheet
from pytest_lem.reports.summary import Summary
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.definitions import GATEABLE
from pytest_lem.results.entry import FIGURES, Entry

_SETTINGS = {"backend": str, "model": str, "precision": str, "batch_size": int}


def case_sheet(summary: Summary) -> Sheet:
    """Return a row for each row of the summary.

    Which columns there are depends on nothing but the fields by which cases are grouped, whether
    there is a baseline, and which settings of `cost` are there. Figures are in the unit at the end
    of their name.
    """
    session = summary.session
    about = {"run": session.run, "definitions_version": session.definitions_version}
    return Sheet(columns=list(_columns(summary)), rows=summary.rows, about=about)


def _columns(summary: Summary) -> Iterator[Column]:
    yield Column("run", str, lambda row: summary.part_of(row).session.run)
    yield from _of_group(summary) if summary.fields else _of_case()
    for name in FIGURES:
        yield from _of_figure(name, name)
    if summary.derived:
        yield Column("cost_currency", str, lambda row: _cost(summary, row, "currency"))
        yield Column("cost_pue", float, lambda row: _cost(summary, row, "pue"))
    for name in summary.derived:
        yield from _of_figure(f"derived_{name}", name)
    if summary.gate:
        yield from _of_gate()


def _cost(summary: Summary, row: Row, name: str) -> Any:
    """Return a setting of the run of a row; None where that run derives nothing."""
    part = summary.part_of(row)
    return getattr(part.cost, name) if part.derived else None


def _of_figure(title: str, name: str) -> Iterator[Column]:
    def end(which: int) -> Callable[[Row], float | None]:
        return lambda row: (row.figures[name].interval or (None, None))[which]

    yield Column(title, float, lambda row: row.figures[name].value)
    yield Column(f"{title}_low", float, end(0))
    yield Column(f"{title}_high", float, end(1))
    yield Column(f"{title}_sufficiency", str, lambda row: row.figures[name].sufficiency)


def _of_case() -> Iterator[Column]:
    def own(name: str, kind: type, value: Callable[[Entry], Any]) -> Column:
        return Column(name, kind, lambda row: value(row.entries[0]))

    def setting(name: str, kind: type) -> Column:
        return own(name, kind, lambda entry: entry.settings.get(name))

    yield own("key", str, lambda e: e.key)
    yield own("digest", str, lambda e: e.digest)
    yield own("nodeid", str, lambda e: e.nodeid)
    yield own("kind", str, lambda e: e.kind)
    yield from (setting(name, kind) for name, kind in _SETTINGS.items())
    yield own("settings", str, lambda e: json.dumps(e.settings, sort_keys=True))
    yield own("status", str, lambda e: e.status)
    yield own("validity", str, lambda e: e.validity)
    yield own("origin", str, lambda e: e.origin)
    yield own("energy_tier", str, lambda e: e.tier)
    yield own("flags", str, lambda e: " ".join([*e.reasons, *e.flags]))
    yield Column("cycles", int, lambda row: max(e.cycles for e in row.figures.values()))
    yield own("output_tokens_mean", float, lambda e: e.output_tokens)


def _of_group(summary: Summary) -> Iterator[Column]:
    yield from (_of_field(field) for field in summary.fields)
    yield Column("energy_tier", str, lambda row: row.tier)
    yield Column("cases", int, lambda row: len(row.entries))
    yield Column(
        "cases_invalid", int, lambda row: sum(e.validity == "invalid" for e in row.entries)
    )
    yield Column("cases_failed", int, lambda row: sum(e.status == "failed" for e in row.entries))


def _of_field(field: str) -> Column:
    def value(row: Row) -> str | None:
        found = row.labels[field]
        if isinstance(found, dict):
            return json.dumps(found, sort_keys=True)
        return None if found is None else str(found)

    return Column(field, str, value)


def _of_gate() -> Iterator[Column]:
    """Yield the worst verdict on a row and on each figure; a change where there is only one."""
    yield Column("verdict", str, lambda row: _worst(row.comparisons))
    for metric in GATEABLE:
        yield from _of_verdict(metric)


def _of_verdict(metric: str) -> Iterator[Column]:
    def found(row: Row) -> list[Comparison]:
        return [c for c in row.comparisons if c.metric == metric]

    def ratio(row: Row) -> float | None:
        comparisons = found(row)
        return comparisons[0].ratio if len(comparisons) == 1 else None

    def end(which: int) -> Callable[[Row], float | None]:
        def of(row: Row) -> float | None:
            comparisons = found(row)
            interval = comparisons[0].interval if len(comparisons) == 1 else None
            return interval[which] if interval else None

        return of

    yield Column(f"{metric}_verdict", str, lambda row: _worst(found(row)))
    yield Column(f"{metric}_ratio", float, ratio)
    yield Column(f"{metric}_ratio_low", float, end(0))
    yield Column(f"{metric}_ratio_high", float, end(1))


def _worst(comparisons: list[Comparison]) -> str | None:
    return str(worst([Verdict(c.verdict) for c in comparisons])) if comparisons else None
