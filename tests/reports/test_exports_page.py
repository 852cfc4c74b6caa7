"""The page exports.md says what every column is, and its report works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pytest_lem.registry import REPORTS
from pytest_lem.reports.cases import case_sheet
from pytest_lem.reports.faces import rendered, report_named
from pytest_lem.reports.rounds import round_sheet
from pytest_lem.results.entry import FIGURES
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "exports.md").read_text()
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


@pytest.fixture
def documented(tmp_path, monkeypatch):
    """Install the report of the page, as `pip install .` would."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (project,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    ((name, place),) = tomllib.loads(project)["project"]["entry-points"][REPORTS].items()
    site = tmp_path / "site"
    about = site / "lem_prometheus-1.0.dist-info"
    about.mkdir(parents=True)
    about.joinpath("METADATA").write_text(
        "Metadata-Version: 2.1\nName: lem-prometheus\nVersion: 1.0\n"
    )
    about.joinpath("entry_points.txt").write_text(f"[{REPORTS}]\n{name} = {place}\n")
    site.joinpath(f"{place.partition(':')[0]}.py").write_text(code)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", str(site), prepend=os.pathsep)
    return name


def test_the_report_of_the_page_shows_what_is_known(documented, material, call):
    """Of each case of each run; what is unknown is left out."""
    runs = material([call('t::"a"', joules=8.0), call("t::b", joules=None)], [call('t::"a"')])
    lines = rendered(documented, report_named(documented), runs).decode().splitlines()
    assert lines == [
        'lem_joules_per_call{case="t::\\"a\\"",run="run-1",tier="counter"} 2.0',
        'lem_joules_per_call{case="t::\\"a\\"",run="run-2",tier="counter"} 2.0',
    ]


def test_the_report_of_the_page_passes_the_suite_of_reports(documented):
    """That which every report passes, as the page says how to run it."""
    suite = ROOT / "tests/contract/test_reports.py"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", suite]
    done = subprocess.run(
        [*command, "-k", documented], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 20
