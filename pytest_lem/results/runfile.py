"""The run file: everything about one pytest session, in one JSON document."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pytest_lem.errors import FailureKind, LemError
from pytest_lem.replace import replace
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.definitions import DEFINITIONS_VERSION
from pytest_lem.results.journal import read_journal
from pytest_lem.results.jsonbytes import json_bytes
from pytest_lem.results.migration import migrate
from pytest_lem.results.record import Record, Stored
from pytest_lem.results.run import Run

#: A new major breaks readers, a new minor only adds fields.
SCHEMA_VERSION = "1.7"


class RunFile(Stored):
    """The document. Readers ignore fields they do not know."""

    schema_version: str = SCHEMA_VERSION
    definitions_version: str = DEFINITIONS_VERSION
    run: Run
    environments: dict[str, dict[str, Any]] = {}
    devices: dict[str, dict[str, Any]] = {}
    records: list[Record] = []
    comparisons: list[Comparison] = []
    extensions: dict[str, Any] = {}


def write_run(run_file: RunFile, path: Path) -> None:
    """Write atomically: a reader sees the old file or the whole new one."""
    try:
        replace(path, json_bytes(lambda: run_file, indent=1))
    except OSError as error:
        raise LemError(
            f"cannot write the results to {path} ({_why(error)}); they are kept in the journal",
            kind=FailureKind.STORAGE,
        ) from error


def _why(error: OSError) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "a file stands where a folder has to be"
    return error.strerror or "unwritable"


def read_run(path: str | Path) -> RunFile:
    """Read and validate a run file, or the journal (`.jsonl`) of a run that was killed.

    Raises LemError (`data`) for what is missing, damaged or of another major version.
    """
    path = Path(path)
    try:
        if path.suffix == ".jsonl":
            content = _from_journal(read_journal(path))
        else:
            content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise unreadable(path, error.strerror or "unreadable") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise unreadable(path, "it is damaged or no run file") from error
    check_version(path, content)
    try:
        run_file = RunFile.model_validate(content)
    except ValidationError as error:
        raise invalid(path, error) from error
    migrate(run_file)
    return run_file


def check_version(path: Path, content: Any) -> str:
    """Return the version of the format; raises LemError (`data`) for none, or another major."""
    try:
        version = str(content["schema_version"])
    except (KeyError, TypeError) as error:
        raise unreadable(path, "it is damaged or no run file") from error
    is_known = re.fullmatch(r"\d+\.\d+", version)
    if not is_known or version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        raise unreadable(path, f"its format is {version}, and this release reads {SCHEMA_VERSION}")
    return version


def invalid(path: Path, error: ValidationError, *above: str) -> LemError:
    """Return the error for content that is not as it should be; `above` leads to what was read."""
    first = error.errors(include_url=False)[0]
    place = ".".join([*above, *(str(part) for part in first["loc"])])
    return unreadable(path, f"`{place}`: {first['msg']}")


def _from_journal(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Put together the document that a run would have written at its end."""
    content: dict[str, Any] = {"environments": {}, "devices": {}, "records": [], "comparisons": []}
    for line in lines:
        kind, entry = line["type"], line[line["type"]]
        if kind == "format":
            content |= entry
        elif kind == "run":
            content["run"] = entry
        elif kind == "environment":
            content["environments"][entry["id"]] = entry
        elif kind == "devices":
            content["devices"] |= entry
        elif kind == "extensions":
            content["extensions"] = entry
        elif kind == "record":
            content["records"].append(entry)
        elif kind == "comparison":
            content["comparisons"].append(entry)
    return content


def unreadable(path: str | Path, why: str) -> LemError:
    """Return the error for a run file that cannot be read, and why."""
    return LemError(f"cannot read the run file {path}: {why}", kind=FailureKind.DATA)
