"""`lem ls baselines NAME KEY`: what the sessions of a history measured of one case."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from pytest_lem.cli.ls.listed import cell, show, table
from pytest_lem.cli.reference import one_of
from pytest_lem.reports.cells import DISPENSABLE, columns_of, figure_cell, title_of
from pytest_lem.reports.rows import Row, row_of_case
from pytest_lem.results.entry import FIGURES, Entry, figures_of
from pytest_lem.results.session import Session

#: A session with its entry of the case, and the figures of that.
_Past = tuple[Session, Entry, Row]


def show_case(name: str, key: str, sessions: Sequence[Session], form: str) -> None:
    """Print what each session measured of a case, and what became of it.

    Raises LemError for a case that is not there.
    """
    keys = {entry.key: None for session in sessions for entry in session.entries}
    found = one_of(list(keys), key, f"cases of {name}", f"lem ls baselines {name}")
    past = [(s, e, row_of_case(e)) for s in sessions for e in s.entries if e.key == found]
    kinds = {entry.kind for _, entry, _ in past}
    figures = [figure for figure in FIGURES if any(figure in figures_of(kind) for kind in kinds)]
    rows = [_plain(*one, figures) for one in past]
    show(form, list(rows[0]), rows, partial(_draw, past))


def _plain(session: Session, entry: Entry, row: Row, figures: Sequence[str]) -> dict[str, Any]:
    """Return what a program gets; figures and their intervals are in the unit of the name."""
    values: dict[str, float | None] = {}
    for name in figures:
        low, high = row.figures[name].interval or (None, None)
        values |= {name: row.figures[name].value, f"{name}_low": low, f"{name}_high": high}
    return {
        "run": session.run,
        "started": session.started,
        "status": entry.status,
        "validity": entry.validity,
        "origin": entry.origin,
        "energy_tier": entry.tier,
        "cycles": max(estimate.cycles for estimate in row.figures.values()),
        **values,
        "verdict": entry.verdict,
        "state": entry.state,
        "backend_version": _version(session, entry),
    }


def _draw(past: Sequence[_Past]) -> None:
    columns = columns_of([row for _, _, row in past])
    lines = [
        [
            session.run,
            *(figure_cell(row, column) for column in columns),
            cell(entry.verdict),
            entry.state,
            cell(_version(session, entry)),
        ]
        for session, entry, row in past
    ]
    titles = [title_of(column) for column in columns]
    table(
        ("session", *titles, "verdict", "state", "backend version"),
        lines,
        numbers=titles,
        whole=("session", "verdict", "state"),
        dispensable=[title_of(column) for column in DISPENSABLE],
    )


def _version(session: Session, entry: Entry) -> str | None:
    facts = session.facts.get(entry.comparability)
    version = facts.refuse.get("backend.version") if facts else None
    return str(version) if version else None
