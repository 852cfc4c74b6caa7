"""`lem report RUN RUN`: several runs beside each other."""

from __future__ import annotations

import csv
import json

import pytest


@pytest.fixture
def runs(keep, measured):
    """Keep three runs of a case, the last of them with another case, and return their names."""
    records = [[measured("t::a", joules=8.0 / number)] for number in (1, 2, 4)]
    records[-1].append(measured("t::b"))
    return [keep(number, *found).name for number, found in enumerate(records, 1)]


def test_each_row_names_its_run(runs, said):
    """The runs of a case follow each other, the oldest first, however they were named."""
    columns = ("--format=csv", "--columns=run,key,energy_per_call_j")
    status, out, err = said("report", *reversed(runs), *columns)
    assert (status, err) == (0, [])
    first, second, third = runs
    assert out[1:] == [
        f"{first},t::a,2.0",
        f"{second},t::a,1.0",
        f"{third},t::a,0.5",
        f"{third},t::b,2.0",
    ]
    _, out, _ = said("report", *runs)
    assert out[1].split()[:2] == ["case", "run"]
    assert [line.split()[:2] for line in out[2:6]] == [
        ["t::a", first], ["t::a", second], ["t::a", third], ["t::b", third],
    ]  # fmt: skip
    _, out, _ = said("report", *runs, "--format=json")
    found = json.loads("\n".join(out))
    assert [part["run"]["id"] for part in found["runs"]] == runs
    assert [len(part["rows"]) for part in found["runs"]] == [1, 1, 2]


def test_rows_are_sorted_over_all_of_them(runs, said):
    """One order, and not one for each run."""
    options = ("--format=csv", "--columns=run,key", "--sort=energy_per_call_j")
    _, out, _ = said("report", *runs, *options)
    first, second, third = runs
    assert out[1:] == [
        f"{third},t::a", f"{second},t::a", f"{first},t::a", f"{third},t::b",
    ]  # fmt: skip


@pytest.mark.parametrize("rows", ["rounds", "samples"])
def test_windows_of_several_runs_stand_below_each_other(runs, said, rows):
    """With the same columns as those of one run."""
    status, out, _ = said("report", *runs, f"--rows={rows}")
    assert status == 0
    found = list(csv.DictReader(out))
    assert [row["run"] for row in found] == ([*runs, runs[-1]] if rows == "rounds" else [])
    _, alone, _ = said("report", runs[0], f"--rows={rows}")
    assert out[0] == alone[0]


def test_a_baseline_judges_one_run(runs, said, capsys):
    """It says which to name."""
    with pytest.raises(SystemExit) as ended:
        said("report", *runs, "--baseline=main")
    assert ended.value.code == 2
    said_ = capsys.readouterr().err
    assert said_.endswith("--baseline judges one run, whose tests it knows; name one RUN\n")


def test_the_same_run_twice_is_a_mistake(runs, said):
    """By whichever of its names."""
    status, out, (problem,) = said("report", runs[-1], "latest")
    assert (status, out) == (2, [])
    assert problem == f"latest: the run {runs[-1]} is named twice; name each run once"


def test_a_mistake_about_one_of_them_names_it(runs, said, keep, measured):
    """Whether it is not there, or lacks what was asked for."""
    status, _, (problem,) = said("report", runs[0], "zzz")
    assert (status, problem.partition(":")[0]) == (2, "zzz")
    other = keep(4, measured("t::c", settings={"options": {"threads": 2}})).name
    status, _, (problem,) = said("report", other, runs[0], "--group-by=options.threads")
    assert (status, problem.partition(":")[0]) == (2, runs[0])
    assert "no case of the run has a field 'options.threads'" in problem
