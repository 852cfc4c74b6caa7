"""The journal, the run file and the store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_lem import read_run
from pytest_lem.results.journal import read_journal

SOURCE = "def test_x(energy):\n    energy(list)\n"


def _run_directory(suite) -> Path:
    (directory,) = suite.path.glob(".lem/runs/*")
    return directory


def test_a_run_is_stored_with_journal_and_run_file(lem, suite, stored):
    """The store has a folder for the run; `--lem-json` is a copy; git is told to look away."""
    result = lem(SOURCE)
    directory = _run_directory(suite)
    assert read_run(directory / "run.json") == stored()
    assert stored().run.id == directory.name
    assert (suite.path / ".lem" / ".gitignore").read_text().splitlines()[-1] == "/runs/"
    result.stdout.fnmatch_lines([f"run file: .lem/runs/{directory.name}/run.json"])
    lines = read_journal(directory / "journal.jsonl")
    assert [line["type"] for line in lines] == ["format", "run", "environment", "record"]
    assert lines[-1]["record"] == stored().records[0].plain()


def test_each_record_is_in_the_journal_before_the_next_test(lem):
    """A run that is killed loses at most the case it was in."""
    lem(
        """
        import json
        from pathlib import Path

        def test_first(energy):
            energy(list)

        def test_second():
            (journal,) = Path().glob(".lem/runs/*/journal.jsonl")
            last = json.loads(journal.read_text().splitlines()[-1])
            assert last["record"]["case"]["key"] == "test_it::test_first"
        """
    ).assert_outcomes(passed=2)


def test_a_killed_run_leaves_its_finished_records(suite):
    """`os._exit` in the second test: the first is in the journal, whole."""
    suite.makepyfile(test_it=SOURCE + "def test_y(energy):\n    import os; os._exit(9)\n")
    result = suite.runpytest_subprocess()
    assert result.ret == 9
    run = read_run(_run_directory(suite) / "journal.jsonl")
    assert [(r.case.key, r.status) for r in run.records] == [("test_it::test_x", "ok")]
    assert run.records[0].environment in run.environments


def test_the_run_file_describes_the_session(lem, stored):
    """Our own arguments, preset, meters with constants, versions and environment are there."""
    lem(SOURCE, "--basetemp=secret")
    file = stored()
    assert file.run.arguments == ["--lem-json=run.json"]
    assert (file.run.preset, file.run.exit_status) == ("smoke", 0)
    assert file.run.meters == {"estimated": "CPU time x 7 W per busy CPU"}
    assert file.run.meter_constants["watts_per_cpu"] == 7
    assert file.run.versions["pytest"] == pytest.__version__
    environment = file.environments[file.records[0].environment]
    assert environment["packages"]["pytest"] == pytest.__version__
    assert file.run.started <= file.run.finished


def test_a_second_run_gets_a_folder_of_its_own(lem, suite):
    """Results are never overwritten in the store."""
    for _ in range(2):
        lem(SOURCE)
    assert len(list(suite.path.glob(".lem/runs/*/run.json"))) == 2


def test_a_run_without_energy_tests_writes_nothing(suite):
    """No directory is created for a plugin that is not used."""
    suite.makepyfile(test_it="def test_plain():\n    pass\n")
    suite.runpytest_inprocess().assert_outcomes(passed=1)
    assert not (suite.path / ".lem").exists()


def test_a_run_file_that_was_asked_for_is_written_even_if_empty(lem, suite, stored):
    """Who reads the file after every run finds a valid one, and no store beside it."""
    lem("def test_plain():\n    assert False\n").assert_outcomes(failed=1)
    assert (stored().records, stored().run.exit_status) == ([], 1)
    assert not (suite.path / ".lem").exists()


def test_paths_of_options_are_relative_to_the_working_directory(lem, suite, monkeypatch):
    """As with other tools, whatever pytest takes as its root; missing folders are made."""
    suite.makepyfile(test_it=SOURCE)
    monkeypatch.chdir(suite.mkdir("sub"))
    arguments = ("--lem-json=out/a.json", "--lem-store=kept", "-c", "../tox.ini", "..")
    suite.runpytest_inprocess(*arguments).assert_outcomes(passed=1)
    assert read_run(suite.path / "sub" / "out" / "a.json").records
    assert len(list(suite.path.glob("sub/kept/runs/*/run.json"))) == 1
    assert (suite.path / "sub" / "kept" / ".gitignore").exists()
    assert not (suite.path / ".lem").exists()


def test_a_path_that_cannot_be_written_is_said_and_the_store_keeps_the_run(lem, suite):
    """The measurements are never lost for a wrong path."""
    (suite.path / "file").write_text("")
    suite.makepyfile(test_it=SOURCE)
    result = suite.runpytest_inprocess("--lem-json=file/a.json")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [f"lem: cannot write the results to {suite.path}/file/a.json (*); they are kept in the *"]
    )
    assert read_run(_run_directory(suite) / "run.json").records


def test_records_are_plain_json(lem, suite):
    """Nothing but JSON crosses processes: numbers, texts, lists, and null for the unknown."""
    lem(SOURCE)
    text = (_run_directory(suite) / "run.json").read_text()
    record = json.loads(text, parse_constant=pytest.fail)["records"][0]
    assert record["metrics"]["energy_per_output_token_j"]["value"] is None
    assert record["metrics"]["energy_per_output_token_j"]["reason"]
