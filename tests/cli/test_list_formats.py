"""`lem ls --format`: every list for people and for programs."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path

import pytest

from pytest_lem.cli.main import main
from pytest_lem.config.parameter import settings_parameters
from pytest_lem.results.entry import figures_of
from pytest_lem.results.runfile import read_run, write_run
from pytest_lem.results.session import read_session, write_session

#: Every list, on the store of `stored`.
LISTS = [
    ["runs"],
    ["baselines"],
    ["baselines", "main"],
    ["baselines", "main", "a"],
    ["backends"],
    ["datasets"],
    ["presets"],
    ["params"],
]
PAGE = (Path(__file__).parents[2] / "docs" / "exports.md").read_text()


@pytest.fixture
def stored(keep, measured):
    """Keep two runs, the first of them saved, of which one case failed."""
    keep(1, *(measured("a", cycle=n, joules=8.0 * n) for n in (1, 2, 3)), save="main")
    keep(2, measured("a", version="2.0"), measured("b"), exit_status=None)


@pytest.fixture
def printed(said):
    """Return a function that gives what a program gets of a list: objects, or rows of texts."""

    def read(form, *arguments, status=0):
        found, out, err = said("ls", *arguments, f"--format={form}")
        assert (found, len(err)) == (status, status)
        text = "\n".join(out)
        return json.loads(text) if form == "json" else list(csv.DictReader(io.StringIO(text)))

    return read


def _text(value):
    """Return a value of JSON as CSV has it."""
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool | list | dict) else str(value)


@pytest.mark.parametrize("arguments", LISTS[:-1], ids=" ".join)
def test_json_and_csv_say_the_same(stored, printed, arguments):
    """Objects with plain values, and columns of the same names in the same order."""
    rows = printed("json", *arguments)
    assert len(rows) >= 1
    lines = printed("csv", *arguments)
    assert lines == [{name: _text(value) for name, value in row.items()} for row in rows]
    assert [list(line) for line in lines] == [list(row) for row in rows]


@pytest.mark.parametrize("arguments", LISTS, ids=" ".join)
def test_a_table_is_what_is_printed_by_itself(stored, said, arguments):
    """And `--json` is short for the other."""
    assert said("ls", *arguments, "--format", "table") == said("ls", *arguments)
    assert said("ls", *arguments, "--json") == said("ls", *arguments, "--format", "json")


@pytest.mark.parametrize("arguments", LISTS, ids=" ".join)
def test_the_page_names_every_column(stored, printed, arguments):
    """In the line of its list; the figures have a page of their own."""
    command = " ".join(["lem ls", *arguments]).replace(" main", " NAME").replace(" a", " KEY")
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{command}` |")]
    names = [
        name for name in printed("csv", *arguments)[0] if not name.startswith(figures_of("call"))
    ]
    assert [name for name in names if f"`{name}`" not in line] == []


def test_a_run_has_plain_values(stored, printed):
    """What is unknown is null, and the moment is whole."""
    first, second = printed("json", "runs")
    assert first == {
        "run": "20260101T000001-000001",
        "started": read_session(Path(".lem/runs/20260101T000001-000001/session.jsonl")).started,
        "cases": 1,
        "failed": 0,
        "exit_status": 0,
        "preset": None,
        "commit": None,
        "dirty": None,
        "saved_to": ["main"],
    }
    assert (second["cases"], second["exit_status"], second["saved_to"]) == (2, None, [])


def test_a_run_has_its_whole_commit(keep, measured, printed):
    """And whether files differed from it, which git may not have been able to say."""
    directory = keep(1, measured())
    (directory / "session.jsonl").unlink()
    run_file = read_run(directory / "run.json")
    run_file.records[0].environment = "e"
    for dirty in (True, False, None):
        run_file.environments = {"e": {"git": {"commit": "0123456789abcdef", "dirty": dirty}}}
        write_run(run_file, directory / "run.json")
        (run,) = printed("json", "runs")
        assert (run["commit"], run["dirty"]) == ("0123456789abcdef", dirty)


def test_histories_and_their_cases_have_counts(keep, measured, printed):
    """As numbers, with what was last said."""
    keep(1, measured("a"), measured("b"), save="main")
    keep(2, measured("a"), save="main", states=["waiting"])
    (history,) = printed("json", "baselines")
    started = history.pop("latest")
    assert history == {"baseline": "main", "sessions": 2, "cases": 2, "waiting": 1}
    assert started.startswith("2026-01-01T00:00:")
    assert printed("json", "baselines", "main") == [
        {"key": "a", "sessions": 2, "joined": 1, "waiting": 1, "last_verdict": "regressed"},
        {"key": "b", "sessions": 1, "joined": 1, "waiting": 0, "last_verdict": "pass"},
    ]


def test_the_past_of_a_case_has_figures_with_intervals(keep, measured, printed):
    """Unrounded, in the unit of the name; with too few cycles the ends are null."""
    keep(1, *(measured("a", cycle=n, joules=8.0 * n) for n in (1, 2, 3)), save="main")
    keep(2, measured("a", version="2.0"), save="main", states=["waiting"])
    first, second = printed("json", "baselines", "main", "a")
    assert first["energy_per_call_j"] == 4.0
    assert first["energy_per_call_j_low"] == pytest.approx(2.0)
    assert first["energy_per_call_j_high"] == pytest.approx(6.0)
    assert (first["cycles"], first["backend_version"]) == (3, None)
    assert (second["call_duration_s"], second["call_duration_s_low"]) == (0.5, None)
    assert second["energy_per_unit_j"] is None
    assert [second[name] for name in ("status", "validity", "origin", "energy_tier")] == [
        "ok", "valid", "measured", "counter",
    ]  # fmt: skip
    assert [second[name] for name in ("verdict", "state", "backend_version")] == [
        "regressed", "waiting", "2.0",
    ]  # fmt: skip
    assert {name for name in first if name in figures_of("call")} == set(figures_of("call"))


def test_a_number_beyond_all_numbers_is_null(keep, measured, printed):
    """An interval that overflows is nothing that a program could read."""
    keep(1, *(measured("a", cycle=n, joules=8.0 * n) for n in (1, 2, 3)), save="main")
    path = Path(".lem/baselines/main/20260101T000001-000001.jsonl")
    session = read_session(path)
    (entry,) = session.entries
    entry.figures = {
        "energy_per_call_j": entry.figures["energy_per_call_j"]._replace(value=1.5e308)
    }
    write_session(session, path)
    (row,) = printed("json", "baselines", "main", "a")
    assert (row["energy_per_call_j"], row["energy_per_call_j_high"]) == (1.5e308, None)
    (line,) = printed("csv", "baselines", "main", "a")
    assert line["energy_per_call_j_high"] == ""


def test_parameters_have_a_line_each_in_csv(printed):
    """Settings and options of backends under each other, by the names of JSON; defaults as JSON."""
    lines = {line["path"]: line for line in printed("csv", "params")}
    found = printed("json", "params")
    plain = [*found["settings"], *(p for options in found["backends"].values() for p in options)]
    assert list(lines) == [p["path"] for p in plain]
    assert [json.loads(line["default"]) for line in lines.values()] == [p["default"] for p in plain]
    assert list(lines["backend"]) == list(asdict(settings_parameters()[0]))
    assert lines["preset"]["default"] == "null"
    assert lines["backends.transformers.device"]["default"] == '"auto"'
    assert lines["backends.transformers.device"]["gpu_examples"] == '["cuda", "cuda:0"]'


def test_formulas_are_made_inert_in_csv(keep, measured, printed):
    """Names of tests are anybody's; a program that reads JSON gets them as they are."""
    keep(1, measured("=1+1"), save="main")
    assert printed("csv", "baselines", "main")[0]["key"] == "'=1+1"
    assert printed("json", "baselines", "main")[0]["key"] == "=1+1"


def test_an_empty_store_has_no_rows(said):
    """JSON is an empty list, CSV has the names of its columns, and stderr says why."""
    Path(".lem").mkdir()
    for noun in ("runs", "baselines"):
        status, out, (line,) = said("ls", noun, "--format=json")
        assert (status, out) == (0, ["[]"])
        assert line.startswith(f"there are no {noun} in .lem")
    assert said("ls", "baselines", "--format=csv")[1] == ["baseline,sessions,cases,waiting,latest"]


def test_what_cannot_be_read_is_named_apart(stored, printed):
    """The others are listed, so that the output stays one document."""
    Path(".lem/runs/20260101T000001-000001/session.jsonl").write_text("{}")
    assert [row["run"] for row in printed("json", "runs", status=1)] == ["20260101T000002-000002"]
    Path(".lem/baselines/main/20260101T000001-000001.jsonl").write_text("")
    assert printed("json", "baselines", "main", status=1) == []
    assert printed("csv", "baselines", status=1)[0]["latest"] == ""


@pytest.mark.parametrize("noun", ["runs", "baselines", "backends", "datasets", "presets", "params"])
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--format=xml"], "argument --format: invalid choice: 'xml' (choose from "),
        (["--format=csv", "--json"], "argument --json: not allowed with argument --format"),
    ],
)
def test_a_format_that_makes_no_sense_is_a_sentence(noun, options, sentence, capsys):
    """Nothing is listed, and the status is 2."""
    with pytest.raises(SystemExit) as left:
        main(["ls", noun, *options])
    assert left.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err.splitlines()[-1]
