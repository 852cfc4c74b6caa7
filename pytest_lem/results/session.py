"""The file of a session: the entries of a run, compact, and sealed against damage and edits.

JSON lines. The first says what the file is and the SHA-256 of all that follows; the second is the
run with the facts that its entries share; the third names the columns of the entries, and each of
the others is one of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from pytest_lem.errors import FailureKind
from pytest_lem.replace import replace
from pytest_lem.results.attempts import last_attempts
from pytest_lem.results.columns import OtherFormatError, lines_of, named_lines, unreadable
from pytest_lem.results.definitions import DEFINITIONS_VERSION
from pytest_lem.results.derived import shared_cost
from pytest_lem.results.entry import Entry, entry_of, facts_name
from pytest_lem.results.record import Comparability, Record, Stored
from pytest_lem.results.run import Run
from pytest_lem.results.table import MadeTable, StoredTable, Table

FORMAT = "pytest-lem session"
SESSION_VERSION = "3.0"
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
    entries: Sequence[Entry] = Field([], exclude=True)

    @property
    def table(self) -> Table:
        """Return the entries by columns."""
        return self.entries if isinstance(self.entries, StoredTable) else MadeTable(self.entries)

    def as_history(self) -> Session:
        """Return itself, as a session that was named by its path: whatever is sound counts."""
        self.entries = list(self.entries)  # what is changed is no longer what the columns say
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
    lines = (session.model_dump_json().encode(), *lines_of(session.entries))
    body = b"".join(line + b"\n" for line in lines)
    seal = hashlib.sha256(body).hexdigest()
    head = {"format": FORMAT, "schema_version": SESSION_VERSION, "sha256": seal}
    replace(path, json.dumps(head).encode() + b"\n" + body)


def read_session(path: Path, *, is_lazy: bool = False) -> Session:
    """Read and validate; raises LemError (`data`) for what is missing, damaged or edited.

    One in the format of another release is an OtherFormatError.

    The seal is always checked. A lazy reader has each column validated when it first asks for it,
    and has to expect the error then.
    """
    run, *lines = _sealed_body(path).removesuffix(b"\n").split(b"\n")
    if not run:
        raise unreadable(path, "it is empty")
    try:
        session = Session.model_validate_json(run)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise unreadable(path, f"`{place}`: {first['msg']}") from error
    table = StoredTable(path, *named_lines(lines, path))
    if not is_lazy:
        table.check()
    session.entries = table
    _check(session, table, path)
    return session


def _check(session: Session, table: Table, path: Path) -> None:
    """Refuse figures of another definition, and facts that are no data or not there."""
    if session.definitions_version.partition(".")[0] != DEFINITIONS_VERSION.partition(".")[0]:
        raise unreadable(
            path,
            f"its figures are defined as in version {session.definitions_version}, those of this "
            f"release as in {DEFINITIONS_VERSION}",
        )
    try:
        for facts in session.facts.values():
            facts_name(facts)
    except ValueError as error:  # infinite, or no number
        raise unreadable(path, f"`facts`: {error}") from error
    named = set(table.column("comparability"))
    if missing := named - set(session.facts) - {""}:
        raise unreadable(path, f"the facts {min(missing)[:12]} are not in it")


def _sealed_body(path: Path) -> bytes:
    """Return what follows the first line, once the seal is found whole."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
    except OSError as error:
        raise unreadable(path, error.strerror or "unreadable") from error
    try:
        found = json.loads(head)
        form, version, seal = found["format"], str(found["schema_version"]), found["sha256"]
    except (ValueError, KeyError, TypeError, RecursionError):
        form = None
    if form != FORMAT:
        raise unreadable(path, "it is damaged or no session of pytest-lem")
    if version.partition(".")[0] != SESSION_VERSION.partition(".")[0]:
        raise OtherFormatError(
            f"cannot read the session {path}: its format is {version}, this release reads "
            f"{SESSION_VERSION}; delete it, and save anew",
            kind=FailureKind.DATA,
        )
    if hashlib.sha256(body).hexdigest() != seal:
        raise unreadable(
            path,
            "it was cut short, damaged or edited since it was written; delete it, or save anew",
        )
    return body
