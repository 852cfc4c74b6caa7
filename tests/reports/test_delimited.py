"""The summary of a run as comma-separated values."""

from __future__ import annotations

import csv
import io
import json

import pytest

from pytest_lem.flags import Flag, Reason
from pytest_lem.reports.cases import case_sheet
from pytest_lem.reports.delimited import delimited
from pytest_lem.reports.sheet import Column, Sheet
from pytest_lem.results.definitions import GATEABLE
from pytest_lem.results.entry import FIGURES


@pytest.fixture
def rows():
    """Return a function that reads a summary back, each row by the names of its columns."""
    return lambda summary: list(
        csv.DictReader(io.StringIO(delimited(case_sheet(summary)).decode(), newline=""))
    )


@pytest.fixture
def heads():
    """Return a function that gives the names of the columns."""
    return lambda summary: next(csv.reader(io.StringIO(delimited(case_sheet(summary)).decode())))


def test_a_case_has_a_line(summarise, rows, call, cycles):
    """With what tells it apart, its circumstances, and figures in the unit of their name."""
    records = cycles(call, 8.0, 8.8, 9.6, flags=(Flag.SINGLE_ROUND,))
    (row,) = rows(summarise(*records))
    assert row["run"] == "20260102T030405-abcdef"
    assert (row["key"], row["kind"], row["status"]) == ("test_it.py::test_sort", "call", "ok")
    assert (row["validity"], row["origin"], row["energy_tier"]) == ("valid", "measured", "counter")
    assert (row["cycles"], row["flags"]) == ("3", "single_round")
    assert float(row["energy_per_call_j"]) == pytest.approx(2.2)
    assert float(row["energy_per_call_j_low"]) == pytest.approx(2.0)
    assert float(row["energy_per_call_j_high"]) == pytest.approx(2.4)
    assert row["energy_per_call_j_sufficiency"] == "wide"
    assert row["output_throughput_tok_s"] == row["output_throughput_tok_s_sufficiency"] == ""


def test_a_model_has_its_settings(summarise, rows, model):
    """The four of every case by name, all of them as one JSON object."""
    (row,) = rows(summarise(model(options={"x": 1})))
    assert [row[name] for name in ("backend", "model", "precision", "batch_size")] == [
        "transformers",
        "org/small",
        "float32",
        "2",
    ]
    settings = json.loads(row["settings"])
    assert (settings["options.x"], settings["workload.name"]) == (1, "default")
    assert float(row["output_tokens_mean"]) == 4.0


def test_the_columns_do_not_depend_on_what_was_measured(summarise, heads, model, call, gate_of):
    """Files of many runs can be put below each other."""
    record = call(joules=None)
    assert heads(summarise(model(), call())) == heads(summarise(record))
    names = heads(summarise(record))
    assert len(set(names)) == len(names)
    assert set(FIGURES) <= set(names)
    summary = summarise(record)
    summary.compare(gate_of((record, "invalid")))
    added = heads(summary)[len(names) :]
    assert added[0] == "verdict"
    assert {f"{name}_verdict" for name in GATEABLE} <= set(added)


def test_a_group_has_a_line(summarise, rows, model, call):
    """Its fields come first; a field with several values below it is JSON."""
    records = [
        model(options={"x": 1}),
        model(options={"x": 1}, batch_size=4, reasons=(Reason.COUNTER_STILL,)),
    ]
    (row,) = rows(summarise(*records, fields=("backend", "options")))
    assert list(row)[:3] == ["run", "backend", "options"]
    assert (row["backend"], json.loads(row["options"])) == ("transformers", {"x": 1})
    assert (row["cases"], row["cases_invalid"], row["cases_failed"]) == ("2", "1", "0")
    assert float(row["energy_per_output_token_j"]) == 1.0


def test_an_id_is_kept_to_the_letter(summarise, rows, call):
    """Commas, quotes and newlines are quoted, markup is none of our business."""
    key = 't::f[[red],"a"\nb|c]'
    assert [row["key"] for row in rows(summarise(call(key)))] == [key]


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_text_is_never_a_formula(summarise, rows, call, first):
    """A spreadsheet would run it; a figure below 0 stays a number."""
    (row,) = rows(summarise(call(f"{first}cmd|' /C calc'!A0")))
    assert row["key"] == f"'{first}cmd|' /C calc'!A0"
    sheet = Sheet(columns=[Column("x", float, lambda x: x), Column("=y", str, str)], rows=[-1.5])
    assert delimited(sheet) == b"x,'=y\n-1.5,'-1.5\n"


def test_verdicts_stand_beside_the_figures(summarise, rows, call, gate_of):
    """The worst of a row, and of each figure with its change."""
    a, b = call("a"), call("b")
    gate = gate_of((a, "pass"), (b, "regressed"))
    summary = summarise(a, b)
    summary.compare(gate)
    found = rows(summary)
    assert [row["verdict"] for row in found] == ["pass", "regressed"]
    assert found[1]["energy_per_call_j_verdict"] == "regressed"
    assert [float(found[1][f"energy_per_call_j_ratio{x}"]) for x in ("", "_low", "_high")] == [
        1.25,
        1.125,
        1.375,
    ]
    assert found[1]["call_duration_s_verdict"] == found[1]["call_duration_s_ratio"] == ""
    grouped = summarise(a, b, fields=("kind",))
    grouped.compare(gate)
    (row,) = rows(grouped)
    assert (row["verdict"], row["energy_per_call_j_verdict"]) == ("regressed", "regressed")
    assert row["energy_per_call_j_ratio"] == ""
