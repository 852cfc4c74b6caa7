"""Prompts in a file: JSON lines, plain lines, CSV or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from pytest_lem.errors import FailureKind, LemError, did_you_mean

#: Columns in which prompts are looked for where none is named, the first first.
COLUMNS = ("prompt", "text", "instruction", "question", "input", "content")

#: A row, and where it stands.
Row = tuple[str, Any]


def read_prompts(path: Path, column: str | None = None) -> list[str]:
    """Return the prompts of a file in their order.

    Raises LemError (`data`) for a file that is not there, is not UTF-8, is not what its name says,
    has no such column, or has a row without a prompt.
    """
    try:
        path.stat()  # what a reader's library says of a missing file has many forms
        rows = list(READERS[path.suffix](path))
    except OSError as error:
        raise data_error(f"cannot read the prompts {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise data_error(
            f"{path} is not UTF-8 text (at byte {error.start}); convert it, for instance with "
            "`iconv -f latin1 -t utf-8`"
        ) from error
    if not rows:
        raise data_error(f"{path} holds no prompts; name another dataset.source")
    return texts_of(rows, column)


def texts_of(rows: Iterable[Row], column: str | None) -> list[str]:
    """Return the prompt of each row; raises LemError (`data`) for one that has none."""
    return [_text(where, row, column) for where, row in rows]


def _text(where: str, row: Any, column: str | None) -> str:
    if isinstance(row, Mapping):
        row = row[_column(where, row, column)]
    if not isinstance(row, str) or not row.strip():
        what = "is empty" if row is None or isinstance(row, str) else f"is no text but {row!r:.40}"
        raise data_error(f"{where}: the prompt {what}; take it out of the dataset")
    return row


def _column(where: str, row: Mapping[str, Any], column: str | None) -> str:
    wanted = COLUMNS if column is None else (column,)
    found = next((name for name in wanted if name in row), None)
    if found is not None:
        return found
    names = [str(name) for name in row]
    if column is None:
        raise data_error(
            f"{where}: none of the columns {', '.join(names)} is known to hold prompts; name it "
            "with dataset.column"
        )
    raise data_error(f"{where}: there is no column `{column}`: {did_you_mean(column, names)}")


def _json_lines(path: Path) -> Iterator[Row]:
    for number, line in enumerate(_lines(path), 1):
        try:
            yield f"{path}:{number}", json.loads(line)
        except ValueError as error:
            raise data_error(
                f"{path}:{number}: not JSON ({error}); one value stands on a line"
            ) from error


def _plain_lines(path: Path) -> Iterator[Row]:
    return ((f"{path}:{number}", line) for number, line in enumerate(_lines(path), 1))


def _csv(path: Path) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(_content(path), newline=""))
    try:
        columns = next(reader, [])
        for fields in reader:
            where = f"{path}:{reader.line_num}"
            if len(fields) > len(columns):
                raise data_error(
                    f"{where}: more fields than columns; quote a prompt that has commas"
                )
            yield where, dict(zip_longest(columns, fields))  # what a row lacks is empty
    except csv.Error as error:
        raise data_error(f"{path}:{reader.line_num}: not CSV ({error})") from error


def _parquet(path: Path) -> Iterator[Row]:
    try:
        from pyarrow import ArrowException, parquet
    except ModuleNotFoundError as error:
        raise data_error(
            f"{path} is a Parquet file, which needs pyarrow; run: python -m pip install "
            "'pytest-lem[datasets]'"
        ) from error
    try:
        rows = parquet.read_table(path).to_pylist()
    except ArrowException as error:
        raise data_error(
            f"{path} cannot be read as Parquet ({str(error).splitlines()[0]})"
        ) from error
    return ((f"{path}, row {number}", row) for number, row in enumerate(rows, 1))


def _lines(path: Path) -> list[str]:
    return _content(path).removesuffix("\n").split("\n") if path.stat().st_size else []


def _content(path: Path) -> str:
    """Return the text; some editors begin it with a mark, and end lines with two characters."""
    return path.read_text(encoding="utf-8-sig")


def data_error(sentence: str) -> LemError:
    """Return the error of data that cannot be used."""
    return LemError(sentence, kind=FailureKind.DATA)


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": _json_lines,
    ".txt": _plain_lines,
    ".csv": _csv,
    ".parquet": _parquet,
}
