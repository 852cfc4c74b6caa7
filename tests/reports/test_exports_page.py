"""The page about exports says what every column is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_lem.reports.cases import case_sheet
from pytest_lem.reports.rounds import round_sheet
from pytest_lem.results.entry import FIGURES
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile

PAGE = (Path(__file__).parents[2] / "docs" / "exports.md").read_text()
DOMAIN = re.compile(r"(?<=^energy_)(gpu|package|dram|estimate)(?=_)")


def names(sheet):
    """Return the columns of a sheet as the page has them: one name for all domains."""
    return {DOMAIN.sub("DOMAIN", column.name) for column in sheet.columns}


def test_every_column_of_rounds_is_on_the_page():
    """By its name."""
    run = Run(id="run", started="2026-01-02", started_monotonic=0.0)
    assert [n for n in names(round_sheet(RunFile(run=run))) if f"`{n}`" not in PAGE] == []


@pytest.mark.parametrize("fields", [(), ("kind",)], ids=["cases", "groups"])
def test_every_column_of_cases_is_on_the_page(summarise, call, fields):
    """By its name, but for the figures, which have a page of their own."""
    found = names(case_sheet(summarise(call(), fields=fields)))
    own = [name for name in found if not name.startswith(FIGURES)]
    assert [name for name in own if f"`{name}`" not in PAGE] == []
