"""The summary of a run for a program: one JSON document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from pytest_lem.reports.bootstrap import CONFIDENCE
from pytest_lem.reports.material import Material
from pytest_lem.reports.rows import Estimate, Row
from pytest_lem.reports.summary import Summary
from pytest_lem.results.entry import FIGURES
from pytest_lem.results.jsonbytes import json_bytes


class JsonReport:
    """The summary for a program."""

    name: ClassVar = "json"
    requires: ClassVar[tuple[str, ...]] = ()
    install: ClassVar = "pip install pytest-lem"
    follows: ClassVar[tuple[str, ...]] = ("group-by", "sort")
    is_printable: ClassVar = True

    def render(self, material: Material) -> bytes:
        """Return the document."""
        return document(material.summary)


def document(summary: Summary) -> bytes:
    """Return the document: `run`, `group_by`, `cost`, `rows`, `gate`, `comparisons`, `notes`.

    That of several runs has one of these for each, in the list `runs`. Figures are in the unit that
    stands beside them; what is not known is null, with the reason.
    """
    return json_bytes(lambda: _content(summary))


def _content(summary: Summary) -> dict[str, Any]:
    """Return the document, to be written once: its rows are made while they are."""
    parts = [_document(part, summary) for part in summary.parts]
    if len(parts) == 1:
        return parts[0]
    for part in parts:
        part["rows"] = _naming(part["run"]["id"], part["rows"])
    return {"runs": parts, "notes": summary.notes(FIGURES)}


def _naming(run: str, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield rows that say of which run they are."""
    return ({"run": run, **row} for row in rows)


def _document(part: Summary, summary: Summary) -> dict[str, Any]:
    """Return the document of one run, with its rows in the order of the whole."""
    session, gate = part.session, part.gate
    return {
        "run": {
            "id": session.run,
            "started": session.started,
            "preset": session.preset,
            "exit_status": session.exit_status,
            "git": session.git,
            "definitions_version": session.definitions_version,
        },
        "group_by": list(part.fields),
        "group_mean": "geometric" if part.fields else None,
        "confidence": CONFIDENCE,
        "cost": part.cost.model_dump() if part.derived else None,
        "rows": (_row(row, part) for row in summary.rows if summary.part_of(row) is part),
        "gate": gate
        and {
            "baseline": gate.baseline,
            "sessions": gate.sessions,
            "rules": list(gate.rules),
            "has_failed": gate.has_failed,
            "unmeasured": list(gate.unmeasured),
        },
        "comparisons": gate.comparisons if gate else [],
        "notes": part.notes(FIGURES),
    }


def _row(row: Row, summary: Summary) -> dict[str, Any]:
    figures = {
        "figures": {name: _figure(row.figures[name]) for name in FIGURES},
        "derived": {name: _figure(row.figures[name]) for name in summary.derived},
    }
    if summary.fields:
        cases = [entry.key for entry in row.entries]
        group = {field: row.labels[field] for field in summary.fields}
        return {"group": group, "cases": cases, "energy_tier": row.tier, **figures}
    (entry,) = row.entries
    return {
        "key": entry.key,
        "digest": entry.digest,
        "nodeid": entry.nodeid,
        "kind": entry.kind,
        "settings": entry.settings,
        "origin": entry.origin,
        "status": entry.status,
        "validity": entry.validity,
        "reasons": entry.reasons,
        "flags": entry.flags,
        "energy_tier": entry.tier,
        "output_tokens": entry.output_tokens,
        **figures,
    }


def _figure(estimate: Estimate) -> dict[str, Any]:
    sufficiency = estimate.sufficiency
    return {
        "value": estimate.value,
        "unit": estimate.unit,
        "interval": estimate.interval,
        "cases": estimate.cases,
        "cycles": estimate.cycles,
        "sufficiency": sufficiency and str(sufficiency),  # which is quicker to write than an enum
        "reason": estimate.reason,
    }
