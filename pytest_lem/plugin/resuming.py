"""Resuming: what an earlier run in the same store has measured is not measured again."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lem.backends.host.packages import versions
from pytest_lem.case import Case, digest
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.plugin.cycles import cycle_of
from pytest_lem.plugin.items import source_sha256
from pytest_lem.plugin.rundir import run_directory, store_directory
from pytest_lem.results.definitions import DEFINITIONS_VERSION
from pytest_lem.results.record import RESUMED_FROM, Record
from pytest_lem.results.runfile import RunFile, read_run
from pytest_lem.results.store import Store

if TYPE_CHECKING:
    from pytest_lem.config.resolve import Resolved
    from pytest_lem.plugin.session import LemSession


class Earlier:
    """The records of the run that is resumed."""

    def __init__(self, directory: Path, run_file: RunFile, *, is_failed_again: bool) -> None:
        self.directory = directory
        self.environments = run_file.environments
        self._records = {
            record.resume_key: record
            for record in run_file.records
            if record.resume_key and (record.status == "ok" or not is_failed_again)
        }

    @property
    def title(self) -> str:
        """Return what is resumed, for the header."""
        return f"resuming {self.directory.name}, which has {len(self._records)} cases"

    def take(self, key: str, item: pytest.Item) -> Record | None:
        """Return what was measured under a key, as a record of this run; None if nothing was."""
        found = self._records.pop(key, None)
        if found is None:
            return None
        record = found.model_copy(deep=True)
        record.origin = "resumed" if record.origin == "measured" else record.origin
        record.nodeid = item.nodeid
        record.attempt = getattr(item, "execution_count", 1)
        if record.series:
            record.series.path = f"../{self.directory.name}/{record.series.path}"
        record.extensions = {RESUMED_FROM: self.directory.name, **record.extensions}
        return record


def earlier_run(config: pytest.Config, *, is_failed_again: bool) -> Earlier | None:
    """Return the latest run of the store that measured anything; None where there is none.

    Raises LemError for a run that cannot be read.
    """
    for directory in reversed(Store(store_directory(config)).run_directories()):
        if directory == run_directory(config):
            continue
        files = (directory / "run.json", directory / "journal.jsonl")
        path = next((path for path in files if path.exists()), None)
        if path and (run_file := read_run(path)).records:
            return Earlier(directory, run_file, is_failed_again=is_failed_again)
    return None


def resume_key(
    session: LemSession,
    item: pytest.Item,
    case: Case,
    resolved: Resolved,
    boards: tuple[str, ...],
) -> str:
    """Return what makes two measurements the same, as far as it is known before a model is loaded.

    The case, the test's source, how it is measured, the meters, the machine or its boards with
    their driver, and the packages. Those of another interpreter are known by its path alone.
    """
    settings = resolved.settings
    facts: dict[str, Any] = {
        "case": case.digest,
        "cycle": cycle_of(item),
        "source": source_sha256(item),
        "measure": settings.measure.model_dump(mode="json"),
        "meters": session.panel.methods,
        "constants": session.panel.constants,
        "boards": {uuid: session.devices.get(uuid) for uuid in boards},
        "machine": session.machine_facts.get("host_hash"),
        "definitions": DEFINITIONS_VERSION,
        "plugin": version("pytest-lem"),
        "python": sys.version,
        "packages": versions(),
        "model": _stamp(str(case.settings.get("model"))),
    }
    return digest(facts)


def failure_in(record: Record) -> LemError | None:
    """Return the failure of a resumed record, which fails its test again."""
    if record.status == "ok":
        return None
    kind = FailureKind(record.failure_kind or FailureKind.TEST)
    return LemError(f"{record.message} (resumed; it was not run again)", kind=kind)


def _stamp(model: str) -> Mapping[str, Any] | None:
    """Return size and time of each file of a local model: they change when the model does."""
    path = Path(model).expanduser()
    if not path.exists():
        return None
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    stats = ((file.name, file.stat()) for file in files if file.is_file())
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats}
