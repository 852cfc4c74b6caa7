"""Reports at the end of a session: `--lem-report=NAME:PATH`."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.registry import REPORTS
from pytest_lem.reports import faces
from pytest_lem.reports.html import page as page_module

SUITE = """
    from burn import burn

    def test_one(energy):
        energy(burn)

    def test_two(energy):
        energy(burn)
"""
PLAIN = "def test_plain(): pass\n"
SPEED = "--lem-fail-on=call_duration_s:50"
#: Writes what it is told into the report, or does not.
STRANGER = """
class Stranger:
    name, requires, install, follows, is_printable = "odd", (), "", (), True

    def render(self, material):
        raise RuntimeError("out of ink")
"""


@pytest.fixture
def _plotted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page have a charting library of one line."""
    monkeypatch.setattr(page_module, "charting_script", lambda: "const Plotly = {};")


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["serial", "parallel"])
def test_reports_are_written_beside_the_run_file(
    suite: Any, stored: Callable[[], Any], workers: tuple[str, ...]
) -> None:
    """Whoever measured: each has all cases, and the summary says where they are."""
    suite.makepyfile(test_it=SUITE)
    asked = ("--lem-report=md:out/report.md", "--lem-report", "csv:cases.csv")
    result = suite.runpytest_subprocess(*asked, "--lem-json=run.json", *workers)

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["report: out/report.md", "report: cases.csv"])
    text = (suite.path / "out/report.md").read_text()
    assert text.startswith(f"**run {stored().run.id}, ")
    with (suite.path / "cases.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["key"] for row in rows) == ["test_it::test_one", "test_it::test_two"]
    metrics = {r.case.key: r.metrics["energy_per_call_j"].value for r in stored().records}
    assert {row["key"]: float(row["energy_per_call_j"]) for row in rows} == metrics


@pytest.mark.usefixtures("_plotted")
def test_what_the_gate_said_is_in_it(lem: Any, suite: Any, history: Any) -> None:
    """With the baseline of the session, and on a page with the history of each case."""
    lem(SUITE, "--lem-save=main").assert_outcomes(passed=2)
    history(0.01)
    names = {"json": "report.json", "md": "report.md", "html": "report.html", "csv": "cases.csv"}
    asked = [f"--lem-report={name}:{path}" for name, path in names.items()]
    only = ["--deselect=test_it.py::test_two", "--lem-baseline=main", SPEED]
    result = lem(None, *asked, *only)

    assert result.ret == 1
    found = json.loads((suite.path / "report.json").read_text())
    assert [c["verdict"] for c in found["comparisons"]] == ["regressed"]
    assert (found["gate"]["baseline"], found["gate"]["has_failed"]) == ("main", True)
    text = (suite.path / "report.md").read_text()
    assert "**gate: baseline main (8 sessions), call_duration_s:50**" in text
    assert "| REGRESSED | test_it::test_one |" in text
    page = (suite.path / "report.html").read_text()
    assert "Against the baseline" in page
    assert "over the sessions of the baseline" in page
    lem(None, "--lem-report=html:later.html", *only[:1]).assert_outcomes(passed=1)
    assert "over earlier runs in the store" in (suite.path / "later.html").read_text()
    (row,) = csv.DictReader((suite.path / "cases.csv").read_text().splitlines())
    assert row["call_duration_s_verdict"] == "regressed"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (["mdd:out.md"], "--lem-report: there is no report `mdd`: did you mean `md`?"),
        (["report.md"], "--lem-report: 'report.md' is no NAME:PATH; write such as md:report.md*"),
        (["md:"], "--lem-report: 'md:' is no NAME:PATH*"),
        (["md:out", "csv:./out"], "--lem-report: *out is written twice; give each output a*"),
        (["md:run.json"], "--lem-report: *run.json is written twice*"),
        (["md:."], "--lem-report: * is a folder; name a file*"),
        (["parquet:x"], "--lem-report: the report `parquet` needs pyarrow, which is not inst*"),
    ],
)
def test_what_could_never_be_written_ends_the_session_at_its_start(
    lem: Any, suite: Any, monkeypatch: pytest.MonkeyPatch, asked: list[str], sentence: str
) -> None:
    """In one sentence, before anything is collected or measured."""
    if asked == ["parquet:x"]:
        monkeypatch.setattr(faces, "find_spec", lambda _: None)
    result = lem(SUITE, *(f"--lem-report={text}" for text in asked))

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {sentence}"])
    assert "Traceback" not in result.stderr.str()
    assert not (suite.path / ".lem").exists()


def test_what_cannot_be_written_at_the_end_costs_a_warning(
    lem: Any, suite: Any, stored: Callable[[], Any], register: Any
) -> None:
    """Neither the run, nor its file, nor the other reports."""
    register(REPORTS, "odd", STRANGER)
    suite.path.joinpath("taken").write_text("")
    asked = ["--lem-report=md:taken/report.md", "--lem-report=odd:odd.txt"]
    result = lem(SUITE, *asked, "--lem-report=json:report.json")

    result.assert_outcomes(passed=2, warnings=2)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "*--lem-report: cannot write the report md to *taken/report.md (*); the run is stored*",
            "*the report `odd` could not be made (RuntimeError: out of ink); the run is stored*",
            "report: report.json",
        ]
    )
    assert len(stored().records) == 2
    assert not (suite.path / "odd.txt").exists()
    assert len(json.loads((suite.path / "report.json").read_text())["rows"]) == 2


@pytest.mark.usefixtures("_plotted")
@pytest.mark.parametrize(
    ("source", "arguments"),
    [(PLAIN, ()), (SUITE, ("--lem=off",)), (SUITE, ("-k", "nothing"))],
    ids=["plain", "off", "deselected"],
)
def test_a_session_that_measured_nothing_says_so(
    lem: Any, suite: Any, source: str, arguments: tuple[str, ...]
) -> None:
    """In the report, without a traceback, and without failing for it."""
    names = ("md", "html", "json", "csv", "table")
    result = lem(source, *arguments, *(f"--lem-report={name}:out.{name}" for name in names))

    assert result.ret == (5 if "-k" in arguments else 0)
    result.stdout.fnmatch_lines(["report: out.md, in which no case was measured"])
    assert "- no case was measured" in (suite.path / "out.md").read_text()
    assert "No case was measured" in (suite.path / "out.html").read_text()
    assert json.loads((suite.path / "out.json").read_text())["rows"] == []
    assert (suite.path / "out.csv").read_text().startswith("run,key,")
    assert "no case was measured" in (suite.path / "out.table").read_text()


def test_listing_tests_writes_nothing(lem: Any, suite: Any) -> None:
    """Nothing has run that could be reported."""
    result = lem(SUITE, "--lem-report=md:out.md", "--collect-only")
    assert result.ret == 0
    assert not (suite.path / "out.md").exists()


def test_an_ini_file_and_a_variable_name_reports_too(
    suite: Any, configure: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of an ini file are for sessions that measure; others leave the last report alone."""
    lines = "lem_preset = smoke\nlem_meter = estimated\nlem_set = energy.sample_s=0\n"
    configure(f"{lines}lem_report =\n    md:out.md\n    csv:out.csv\n")
    suite.makepyfile(test_it=SUITE, test_plain=PLAIN)
    suite.runpytest_inprocess("test_plain.py").assert_outcomes(passed=1)
    assert not (suite.path / "out.md").exists()
    suite.runpytest_inprocess("-k", "one").assert_outcomes(passed=1)
    assert "test_it::test_one" in (suite.path / "out.md").read_text()
    assert "test_it::test_one" in (suite.path / "out.csv").read_text()
    monkeypatch.setenv("LEM_REPORT", "json:a.json md:b.md")
    suite.runpytest_inprocess("-k", "two").assert_outcomes(passed=1)
    assert "test_it::test_two" in (suite.path / "b.md").read_text()
    assert "test_it::test_one" in (suite.path / "out.md").read_text()


def test_a_quiet_session_does_not_say_where(lem: Any, suite: Any) -> None:
    """It writes all the same."""
    result = lem(SUITE, "-q", "--lem-report=md:out.md")
    assert "report: " not in result.stdout.str()
    assert (suite.path / "out.md").exists()
