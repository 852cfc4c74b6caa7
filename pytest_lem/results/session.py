"""The file of a session: the entries of a run, compact, and sealed against damage and edits.

JSON lines. The first says what the file is and the SHA-256 of all that follows; the second is the
run with the facts that its entries share; the third has the entries, by columns.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from pytest_lem.errors import FailureKind, LemError
from pytest_lem.replace import replace
from pytest_lem.results.attempts import last_attempts
from pytest_lem.results.columns import columns_json, entries_from
from pytest_lem.results.definitions import DEFINITIONS_VERSION
from pytest_lem.results.derived import shared_cost
from pytest_lem.results.entry import Entry, entry_of, facts_name
from pytest_lem.results.record import Comparability, Record, Stored
from pytest_lem.results.run import Run

FORMAT = "pytest-lem session"
SESSION_VERSION = "2.0"
#: Verdicts that keep nothing out of a history.
_UNREMARKABLE = (None, "pass", "provisional")


class Session(Stored):
    """A session: the run, the facts that must agree, and an entry for each case."""

    run: str
    started: str
    definitions_version: str = DEFINITIONS_VERSION
    git: dict[str, Any] | None = None
    preset: str | None = None
    cost: dict[str, Any] | None = Field(
        None, description="The settings `cost` of all its cases, if they derive anything."
    )
    exit_status: int | None = None
    facts: dict[str, Comparability] = Field(
        {}, description="Facts that must agree, and those that warn, by the name in entries."
    )
    entries: list[Entry] = Field([], exclude=True)

    def as_history(self) -> Session:
        """Return itself, as a session that was named by its path: whatever is sound counts."""
        for entry in self.entries:
            if entry.verdict in _UNREMARKABLE and entry.status == "ok" and entry.is_sound:
                entry.state, entry.unjudged = "joined", entry.doubtful
        return self


def entries_of(records: Iterable[Record]) -> list[Entry]:
    """Make an entry for each case: of a test that was run again only the last attempt counts."""
    cases: dict[str, list[Record]] = {}
    for record in last_attempts(r for r in records if r.origin != "imported"):
        cases.setdefault(record.case.digest, []).append(record)
    return [entry_of(found) for found in cases.values()]


def session_of(
    run: Run, records: Sequence[Record], environments: Mapping[str, Mapping[str, Any]]
) -> Session:
    """Make the session of a run. Nothing in it has joined a history yet."""
    named = (environments.get(r.environment or "") for r in records)
    git = next((e.get("git") for e in named if e), None)
    return Session(
        run=run.id,
        started=run.started,
        git=git,
        preset=run.preset,
        cost=shared_cost(record.requested for record in records),
        exit_status=run.exit_status,
        facts=facts_of(records),
        entries=entries_of(records),
    )


def facts_of(records: Iterable[Record]) -> dict[str, Comparability]:
    """Return the facts of records by the name that their entries have for them."""
    found = (r.comparability for r in records if r.comparability)
    return {facts_name(facts): facts for facts in found}


def write_session(session: Session, path: Path) -> None:
    """Write atomically. Raises OSError."""
    lines = (session.model_dump_json().encode(), columns_json(session.entries))
    body = b"".join(line + b"\n" for line in lines)
    seal = hashlib.sha256(body).hexdigest()
    head = {"format": FORMAT, "schema_version": SESSION_VERSION, "sha256": seal}
    replace(path, json.dumps(head).encode() + b"\n" + body)


def read_session(path: Path) -> Session:
    """Read and validate; raises LemError (`data`) for what is missing, damaged or edited."""
    run, _, columns = _sealed_body(path).partition(b"\n")
    if not run:
        raise _unreadable(path, "it is empty")
    try:
        session = Session.model_validate_json(run)
        session.entries = entries_from(columns)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _unreadable(path, f"`{place}`: {first['msg']}") from error
    except ValueError as error:  # columns that do not fit together
        raise _unreadable(path, str(error)) from error
    if session.definitions_version.partition(".")[0] != DEFINITIONS_VERSION.partition(".")[0]:
        raise _unreadable(
            path,
            f"its figures are defined as in version {session.definitions_version}, those of this "
            f"release as in {DEFINITIONS_VERSION}",
        )
    try:
        for facts in session.facts.values():
            facts_name(facts)
    except ValueError as error:  # infinite, or no number
        raise _unreadable(path, f"`facts`: {error}") from error
    named = {entry.comparability for entry in session.entries}
    if missing := named - set(session.facts) - {""}:
        raise _unreadable(path, f"the facts {min(missing)[:12]} are not in it")
    return session


def _sealed_body(path: Path) -> bytes:
    """Return what follows the first line, once the seal is found whole."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise _unreadable(path, error.strerror or "unreadable") from error
    try:
        found = json.loads(head)
        form, version, seal = found["format"], str(found["schema_version"]), found["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError):
        form = None
    if form != FORMAT:
        raise _unreadable(path, "it is damaged or no session of pytest-lem")
    if version.partition(".")[0] != SESSION_VERSION.partition(".")[0]:
        raise _unreadable(path, f"its format is {version}, this release reads {SESSION_VERSION}")
    if hashlib.sha256(body).hexdigest() != seal:
        raise _unreadable(
            path,
            "it was cut short, damaged or edited since it was written; delete it, or save anew",
        )
    return body


def _unreadable(path: Path, why: str) -> LemError:
    return LemError(f"cannot read the session {path}: {why}", kind=FailureKind.DATA)
