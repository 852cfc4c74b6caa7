"""The reports that are registered: found by name, checked, and asked for their content."""

from __future__ import annotations

import traceback
from importlib.util import find_spec

from pytest_lem.errors import FailureKind, LemError, config_error
from pytest_lem.registry import REPORTS, find
from pytest_lem.reports.material import Material
from pytest_lem.reports.protocol import Report

_ATTRIBUTES = ("requires", "install", "follows", "is_printable", "render")


def report_named(name: str) -> Report:
    """Return a report that can be made here.

    Raises LemError (`config`) for a name that nobody registers, for a class that cannot be loaded
    or is no report, and for a library that it needs and that is not installed.
    """
    entry = find(REPORTS, name)
    try:
        report: Report = entry.load()()
        lacking = [attribute for attribute in _ATTRIBUTES if not hasattr(report, attribute)]
        missing = [] if lacking else [module for module in report.requires if not _is_there(module)]
    except Exception as error:
        raise config_error(
            f"the report `{name}` cannot be loaded ({_words(error)}); install its package anew, or "
            "remove it"
        ) from error
    if lacking:
        raise config_error(
            f"the report `{name}` has no `{lacking[0]}`, so it is no report as of "
            "pytest_lem.reports.protocol; install another version of its package"
        )
    if missing:
        raise config_error(
            f"the report `{name}` needs {', '.join(missing)}, which is not installed; run: "
            f"{report.install}"
        )
    return report


def rendered(name: str, report: Report, material: Material) -> bytes:
    """Return the content of a report; raises LemError for whatever keeps it from being made."""
    try:
        content = report.render(material)
    except LemError:
        raise
    except Exception as error:
        raise LemError(
            f"the report `{name}` could not be made ({_words(error)}); the run is stored, so "
            "another format can show it",
            kind=FailureKind.DATA,
            detail=traceback.format_exc(),
        ) from error
    if not isinstance(content, bytes):
        raise LemError(
            f"the report `{name}` returned {type(content).__name__} where bytes belong; install "
            "another version of its package",
            kind=FailureKind.DATA,
        )
    return content


def encoded(text: str) -> bytes:
    """Encode a text; a name may hold what no file can, such as half of a surrogate pair."""
    return text.encode(errors="replace")


def _words(error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # a parent is missing, or the module has no specification
        return False
