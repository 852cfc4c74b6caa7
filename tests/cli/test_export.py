"""`lem report`: rows of cases, rounds and samples for other programs, and files."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from pyarrow import parquet as pq

REPORT = ("report", "latest")


@pytest.fixture
def run(keep, measured):
    """Keep a run of two cases, the first of them measured in two cycles."""
    records = [measured("t::a", cycle=1), measured("t::a", cycle=2, joules=6.0), measured("t::b")]
    return keep(1, *records)


def test_rounds_are_rows(run, said):
    """CSV is what they are shown as unless another format is asked for."""
    status, out, err = said(*REPORT, "--rows", "rounds")
    assert (status, err) == (0, [])
    rows = list(csv.DictReader(out))
    assert [(row["key"], row["cycle"], row["energy_package_j"]) for row in rows] == [
        ("t::a", "1", "8.0"),
        ("t::a", "2", "6.0"),
        ("t::b", "", "8.0"),
    ]
    assert {row["output_tokens"] for row in rows} == {""}


@pytest.mark.parametrize("name", ["run.json", "session.jsonl", ""])
def test_rounds_are_found_by_every_name_of_a_run(run, said, name):
    """The session stands beside the run file."""
    _, out, _ = said("report", str(run / name), "--rows=rounds", "--columns=key,round")
    assert out == ["key,round", "t::a,0", "t::a,0", "t::b,0"]


def test_a_run_without_its_run_file_has_no_rounds(run, said):
    """It is said, and nothing is made up."""
    (run / "run.json").unlink()
    status, out, (problem,) = said(*REPORT, "--rows=rounds")
    assert (status, out) == (2, [])
    assert "has neither run file nor journal, and a session alone has no rounds" in problem


def test_a_run_that_was_not_sampled_has_no_samples(run, said):
    """The heads alone."""
    _, out, _ = said(*REPORT, "--rows=samples")
    assert out == ["run,key,digest,nodeid,attempt,repetition,cycle,device,time_s"]


@pytest.mark.parametrize("rows", ["cases", "rounds", "samples"])
def test_each_of_them_can_be_parquet(run, said, rows):
    """In a file, with nothing printed."""
    options = ("--rows", rows, "--format=parquet", "--output", f"out/{rows}.parquet")
    assert said(*REPORT, *options) == (0, [], [])
    table = pq.read_table(f"out/{rows}.parquet")
    assert table.num_rows == {"cases": 2, "rounds": 3, "samples": 0}[rows]
    assert table.schema.metadata[b"pytest_lem.run"] == run.name.encode()


@pytest.mark.parametrize("form", ["table", "json", "md", "csv"])
def test_what_is_printed_can_be_a_file(run, said, form):
    """To the letter."""
    _, printed, _ = said(*REPORT, "--format", form)
    assert said(*REPORT, "--format", form, "--output", "report.txt") == (0, [], [])
    assert Path("report.txt").read_text().splitlines() == printed


def test_a_file_that_cannot_be_written_is_one_sentence(run, said):
    """The path leads through a file."""
    Path("taken").write_text("")
    status, _, (problem,) = said(*REPORT, "--output=taken/report.md", "--format=md")
    assert status == 2
    assert problem.startswith("--output: cannot write taken/report.md")


def test_rows_and_columns_can_be_chosen(run, said):
    """The same names for tables and for CSV."""
    options = ("--sort=energy_per_call_j:desc", "--columns=key,energy_per_call_j")
    _, out, _ = said(*REPORT, "--format=csv", *options)
    assert out == ["key,energy_per_call_j", "t::b,2.0", "t::a,1.75"]
    _, out, _ = said(*REPORT, *options)
    assert out[1].split() == ["case", "key", "J/call"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--format=parquet"], "--format parquet is not for a terminal; say with --output"),
        (["--format=html"], "--format html is not for a terminal; say with --output"),
        (["--rows=rounds", "--format=md"], "--format md shows cases, and not --rows rounds; csv"),
        (["--rows=samples", "--baseline=x"], "shows no figures of cases, and has no use for --b"),
        (["--rows=rounds", "--sort=mfu"], "shows no figures of cases, and has no use for --sort"),
        (["--rows=rounds", "--set=cost.pue=2"], "and has no use for --set"),
        (["--format=json", "--columns=mfu"], "--format json has no use for --columns"),
        (["--columns=,"], "names no column"),
    ],
)
def test_what_does_not_go_together_is_refused(run, said, capsys, options, problem):
    """Instead of being ignored."""
    with pytest.raises(SystemExit) as ended:
        said(*REPORT, *options)
    assert ended.value.code == 2
    assert problem in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("options", "near"),
    [
        (["--rows=rounds", "--columns=energy_gpu"], "did you mean `energy_gpu_j`?"),
        (["--columns=energy_per_cal_j"], "did you mean `energy_per_call_j`?"),
        (["--sort=energy_per_cal_j"], "did you mean `energy_per_call_j`?"),
    ],
)
def test_an_unknown_name_is_one_sentence(run, said, options, near):
    """With the one that is near."""
    status, out, (problem,) = said(*REPORT, *options)
    assert (status, out) == (2, [])
    assert problem.endswith(near)
