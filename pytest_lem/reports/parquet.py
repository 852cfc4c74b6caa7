"""A sheet as a Parquet file."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import islice
from typing import Any, ClassVar

from pytest_lem.errors import config_error
from pytest_lem.reports.faces import encoded
from pytest_lem.reports.material import Material
from pytest_lem.reports.sheet import Sheet
from pytest_lem.reports.sheets import sheet_of

#: Rows that are held as objects of Python at a time: samples come by the million.
_CHUNK = 50_000


class ParquetReport:
    """Rows with types, for programs that read many of them."""

    name: ClassVar = "parquet"
    requires: ClassVar[tuple[str, ...]] = ("pyarrow",)
    install: ClassVar = "pip install 'pytest-lem[parquet]'"
    follows: ClassVar[tuple[str, ...]] = ("group-by", "sort", "columns", "rows")
    is_printable: ClassVar = False

    def render(self, material: Material) -> bytes:
        """Return the content of the file."""
        return parquet(sheet_of(material))


def parquet(sheet: Sheet) -> bytes:
    """Return the content of the file. What is not known is null; `about` is in its metadata.

    Raises LemError (`config`) where pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet as pq
    except ImportError:
        raise config_error(
            "a Parquet file needs pyarrow, which is not installed; install it with "
            "pip install 'pytest-lem[parquet]'"
        ) from None
    types = {str: pa.string(), float: pa.float64(), int: pa.int64()}
    fields = [pa.field(column.name, types[column.kind]) for column in sheet.columns]
    schema = pa.schema(fields, metadata={f"pytest_lem.{k}": v for k, v in sheet.about.items()})
    buffer = io.BytesIO()
    with pq.ParquetWriter(buffer, schema, compression="zstd") as writer:
        for rows in _chunks(sheet):
            columns = zip(*rows, strict=True)
            arrays = [
                pa.array(_converted(values, column.kind), type=types[column.kind])
                for values, column in zip(columns, sheet.columns, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return buffer.getvalue()


def _converted(values: tuple[Any, ...], kind: type) -> list[Any]:
    """Return values as objects of their type alone: an enumeration of texts is none to Arrow."""
    make = _text if kind is str else kind
    return [None if value is None else make(value) for value in values]


def _text(value: Any) -> str:
    text = str(value)
    return text if text.isascii() else encoded(text).decode()


def _chunks(sheet: Sheet) -> Iterator[list[list[Any]]]:
    rows = iter(sheet.rows)
    while chunk := [sheet.cells(row) for row in islice(rows, _CHUNK)]:
        yield chunk
