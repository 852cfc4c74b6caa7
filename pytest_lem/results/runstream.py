"""The records of a run one after the other, for who needs no two of them at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pytest_lem.results.definitions import DEFINITIONS_VERSION
from pytest_lem.results.jsonstream import parts
from pytest_lem.results.migration import needs_migration
from pytest_lem.results.record import Record
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import check_version, invalid, read_run, unreadable

_RECORDS = "records"
#: What is known of a run before its records; a run file has it in front of them.
_HEAD = frozenset({"schema_version", "definitions_version", "run"})
#: How the line of a record begins in a journal as it is written: it need not be read for the head.
_RECORD_LINE = '{"type": "record"'


class RunStream:
    """A run whose records are read from its file each time they are asked for.

    Raises LemError (`data`) for what is missing, damaged or of another major version; damage among
    the records shows when they are read. What follows the records is not looked at.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_journal = path.suffix == ".jsonl"
        head = self._head()
        version = check_version(path, head)
        self.definitions_version = str(head.get("definitions_version", DEFINITIONS_VERSION))
        self._is_old = needs_migration(version)
        try:
            self.run = Run.model_validate(head.get("run"))
        except ValidationError as error:
            raise invalid(path, error, "run") from error

    @property
    def records(self) -> Iterator[Record]:
        """Yield the records in their order."""
        if self._is_old:  # facts of old records follow from what stands elsewhere in the file
            yield from read_run(self._path).records
            return
        for number, plain in enumerate(value for name, value in self._parts() if name == _RECORDS):
            try:
                yield Record.model_validate(plain)
            except ValidationError as error:
                raise invalid(self._path, error, _RECORDS, str(number)) from error

    def _head(self) -> dict[str, Any]:
        """Return what is said of the whole run."""
        head = {}
        for name, value in self._parts(is_head=True):
            if name in _HEAD:
                head[name] = value
            if not self._is_journal and head.keys() >= _HEAD:
                break
        return head

    def _parts(self, *, is_head: bool = False) -> Iterator[tuple[str, Any]]:
        try:
            yield from _of_journal(self._path, is_head) if self._is_journal else parts(self._path)
        except OSError as error:
            raise unreadable(self._path, error.strerror or "unreadable") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise unreadable(self._path, "it is damaged or no run file") from error


def _of_journal(path: Path, is_head: bool) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a journal up to a line that a kill cut short."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            if is_head and line.startswith(_RECORD_LINE):
                continue
            try:
                content = json.loads(line)
            except ValueError:
                return
            kind = content["type"]
            if kind == "format":
                yield from content[kind].items()
            elif kind == "record":
                yield _RECORDS, content[kind]
            else:
                yield kind, content[kind]
