"""Sheets as Parquet files, read back by pyarrow."""

from __future__ import annotations

import io
import sys

import pytest
from pyarrow import parquet as pq

from pytest_lem.errors import LemError
from pytest_lem.reports import parquet as parquet_module
from pytest_lem.reports.cases import case_sheet
from pytest_lem.reports.parquet import parquet
from pytest_lem.reports.sheet import Column, Sheet


def read(sheet):
    """Return the table of a sheet."""
    return pq.read_table(io.BytesIO(parquet(sheet)))


def test_a_column_has_its_type_whatever_is_in_it(summarise, model, call, gate_of):
    """Files of many runs have one schema, also where nothing is known."""
    record = call(joules=None)
    unknown, known = summarise(record), summarise(model(), call())
    for summary in (unknown, known):
        summary.compare(gate_of((record, "invalid")))
    table = read(case_sheet(known))
    assert table.schema.equals(read(case_sheet(unknown)).schema)
    types = {field.name: str(field.type) for field in table.schema}
    names = ("key", "batch_size", "energy_per_call_j", "energy_per_call_j_sufficiency", "verdict")
    assert [types[name] for name in names] == ["string", "int64", "double", "string", "string"]


def test_figures_come_back_and_what_is_unknown_is_null(summarise, model, call):
    """Never 0, and not a number that is none."""
    table = read(case_sheet(summarise(model(), call()))).to_pylist()
    assert [row["batch_size"] for row in table] == [2, None]
    assert [row["energy_per_call_j"] for row in table] == [None, 2.0]


def test_a_text_is_kept_to_the_letter(summarise, call):
    """No program takes it for a formula."""
    assert read(case_sheet(summarise(call("=1+1")))).column("key").to_pylist() == ["=1+1"]


def test_the_file_says_what_it_is_of(summarise, call):
    """The run, and how figures are defined."""
    metadata = read(case_sheet(summarise(call()))).schema.metadata
    assert metadata[b"pytest_lem.run"] == b"20260102T030405-abcdef"
    assert b"pytest_lem.definitions_version" in metadata


def test_rows_are_written_in_parts(monkeypatch):
    """All of them, whatever the number; a file without rows has its columns all the same."""
    monkeypatch.setattr(parquet_module, "_CHUNK", 2)
    columns = [Column("x", int, lambda x: x)]
    assert read(Sheet(columns=columns, rows=range(5))).column("x").to_pylist() == [0, 1, 2, 3, 4]
    assert read(Sheet(columns=columns, rows=[])).column_names == ["x"]


def test_a_missing_package_is_named(monkeypatch):
    """With the extra that brings it."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(LemError, match=r"pip install 'pytest-lem\[parquet\]'"):
        parquet(Sheet(columns=[], rows=[]))
