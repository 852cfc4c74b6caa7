"""What leaves a command: sheets as CSV or Parquet, and any report into a file."""

from __future__ import annotations

from pathlib import Path

from pytest_lem.cli.printing import say
from pytest_lem.cli.reference import find_run
from pytest_lem.cli.shape import Shape
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.replace import replace
from pytest_lem.reports.delimited import delimited
from pytest_lem.reports.parquet import parquet
from pytest_lem.reports.sheet import Sheet
from pytest_lem.results.store import Store


def export_windows(store: Store, reference: str, shape: Shape) -> None:
    """Write the rounds or the samples of a run; raises LemError where there are none to read."""
    folder, run_file = find_run(store, reference)
    if shape.rows == "rounds":
        from pytest_lem.reports.rounds import round_sheet

        export(round_sheet(run_file), shape)
    else:
        from pytest_lem.reports.samples import sample_sheet

        export(sample_sheet(run_file, folder), shape)


def export(sheet: Sheet, shape: Shape) -> None:
    """Write a sheet in the format and with the columns that were asked for."""
    sheet = sheet.only(shape.columns, "--columns")
    put(parquet(sheet) if shape.form == "parquet" else delimited(sheet), shape.output)


def put(content: str | bytes, output: Path | None) -> None:
    """Print a text, or write it to a file; raises LemError (`storage`) where that is not possible.

    Somebody who reads the file meanwhile sees the old one or the whole new one.
    """
    if output is None:
        say(str(content))
        return
    try:
        replace(output, content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise LemError(
            f"--output: cannot write {output} ({error.strerror or 'unwritable'}); name another "
            "file",
            kind=FailureKind.STORAGE,
        ) from error
