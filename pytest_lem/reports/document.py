"""The summary of a run for a program: one JSON document."""

from __future__ import annotations

from typing import Any

from pydantic_core import to_json

from pytest_lem.reports.bootstrap import CONFIDENCE
from pytest_lem.reports.rows import Estimate, Row
from pytest_lem.reports.summary import Summary
from pytest_lem.results.entry import FIGURES


def document(summary: Summary) -> str:
    """Return the document: `run`, `group_by`, `cost`, `rows`, `gate`, `comparisons`, `notes`.

    Figures are in the unit that stands beside them; what is not known is null, with the reason.
    """
    session, gate = summary.session, summary.gate
    content = {
        "run": {
            "id": session.run,
            "started": session.started,
            "preset": session.preset,
            "exit_status": session.exit_status,
            "git": session.git,
            "definitions_version": session.definitions_version,
        },
        "group_by": list(summary.fields),
        "group_mean": "geometric" if summary.fields else None,
        "confidence": CONFIDENCE,
        "cost": summary.cost.model_dump() if summary.derived else None,
        "rows": [_row(row, summary) for row in summary.rows],
        "gate": gate
        and {
            "baseline": gate.baseline,
            "sessions": gate.sessions,
            "rules": list(gate.rules),
            "has_failed": gate.has_failed,
            "unmeasured": list(gate.unmeasured),
        },
        "comparisons": gate.comparisons if gate else [],
        "notes": summary.notes(FIGURES),
    }
    return to_json(content, inf_nan_mode="null").decode() + "\n"


def _row(row: Row, summary: Summary) -> dict[str, Any]:
    figures = {
        "figures": {name: _figure(row.figures[name]) for name in FIGURES},
        "derived": {name: _figure(row.figures[name]) for name in summary.derived},
    }
    if summary.fields:
        cases = [entry.key for entry in row.entries]
        return {"group": row.labels, "cases": cases, "energy_tier": row.tier, **figures}
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
    return {
        "value": estimate.value,
        "unit": estimate.unit,
        "interval": estimate.interval and list(estimate.interval),
        "cases": estimate.cases,
        "cycles": estimate.cycles,
        "sufficiency": estimate.sufficiency,
        "reason": estimate.reason,
    }
