"""`lem clean`: old runs go, everything else stays."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from pytest_lem.cli.main import main
from pytest_lem.results.runfile import read_run, write_run
from pytest_lem.results.store import Store

DAY_S = 86_400


@pytest.fixture
def runs():
    """Return a function that gives the numbers of the runs that are there."""
    return lambda: [int(path.name[-6:], 16) for path in Store(Path(".lem")).run_directories()]


@pytest.fixture
def twelve(keep, measured):
    """Write twelve runs, all of them saved."""
    for number in range(12):
        keep(number, measured(), save="main")


def test_the_newest_stay(twelve, said, runs):
    """As many as is said; ten where nothing is."""
    status, _, err = said("clean")
    assert (status, err) == (0, [])
    assert runs() == list(range(2, 12))
    assert said("clean", "--keep", "3")[0] == 0
    assert runs() == [9, 10, 11]


def test_it_says_what_it_deletes_and_how_much(keep, measured, said, runs):
    """Every file of a folder counts."""
    directory = keep(1, measured())
    (directory / "series").mkdir()
    (directory / "series" / "a.npz").write_bytes(b"x" * 100_000)
    size = sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    keep(2, measured())
    status, out, err = said("clean", "--keep", "1")
    assert (status, err) == (0, [])
    assert size > 100_000
    assert out == [
        f"deleted .lem/runs/{directory.name} ({size:,} bytes)",
        f"1 of 2 runs deleted, {size:,} bytes",
    ]
    assert runs() == [2]


def test_a_dry_run_deletes_nothing(twelve, said, runs):
    """It says the same in another mood."""
    status, out, _ = said("clean", "--keep", "1", "--dry-run")
    assert status == 0
    assert len(runs()) == 12
    assert [line.startswith("would delete .lem/runs/") for line in out] == [True] * 11 + [False]
    assert out[-1].startswith("11 of 12 runs would be deleted, ")


def test_baselines_stay(twelve, said):
    """Those of deleted runs too."""
    said("clean", "--keep", "1")
    assert len(Store(Path(".lem")).history("main")) == 12


def test_only_what_is_old_goes(keep, measured, said, runs):
    """Its age is in its name; the newest run stays, however old."""
    keep(1, measured())
    keep(2, measured())
    moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime(time.time() - 5 * DAY_S))
    shutil.copytree(keep(3, measured()), Path(".lem/runs", f"{moment}-000004"))
    shutil.rmtree(".lem/runs/20260101T000003-000003")
    later = time.strftime("%Y%m%dT%H%M%S", time.gmtime(time.time() - 4 * DAY_S))
    shutil.copytree(keep(3, measured()), Path(".lem/runs", f"{later}-000005"))
    said("clean", "--older-than", "6")
    assert runs() == [4, 5]
    said("clean", "--older-than", "4.5")
    assert runs() == [5]
    said("clean", "--older-than", "0")
    assert runs() == [5]


def test_both_conditions_must_hold(twelve, said, runs):
    """What is old and among the newest stays, and so does what is young and too much."""
    said("clean", "--older-than", "0", "--keep", "11")
    assert runs() == list(range(1, 12))
    said("clean", "--older-than", "100000", "--keep", "1")
    assert runs() == list(range(1, 12))


def test_a_name_without_a_time_is_as_old_as_its_files(keep, measured, said):
    """So that a folder that somebody renamed is not the newest for ever."""
    old = keep(1, measured()).rename(".lem/runs/zzz")
    for path in old.iterdir():
        os.utime(path, (0, 0))
    keep(2, measured())
    _, out, _ = said("clean", "--keep", "1")
    assert out[0].startswith("deleted .lem/runs/zzz (")


def test_a_folder_that_is_no_run_is_left_alone(twelve, said):
    """And named: it is somebody's, or of a run that has just begun. A link is no run either."""
    stranger = Path(".lem/runs/19990101T000000-notes")
    stranger.mkdir()
    (stranger / "thesis.txt").write_text("years of work")
    elsewhere = Path("elsewhere")
    shutil.copytree(".lem/runs/20260101T000000-000000", elsewhere)
    link = Path(".lem/runs/19990101T000001-link")
    link.symlink_to(elsewhere.resolve())
    status, _, err = said("clean", "--keep", "1")
    assert status == 0
    assert err == [f"{p} is left alone: it is not the folder of a run" for p in (stranger, link)]
    assert (stranger / "thesis.txt").exists()
    assert (elsewhere / "run.json").exists()
    assert link.exists()


def test_a_run_that_may_still_go_on_is_left_alone(keep, measured, said, runs):
    """It has no end and wrote something lately; one that was killed long ago goes."""
    for number in (1, 2):
        directory = keep(number, measured())
        (directory / "run.json").rename(directory / "journal.jsonl")
        (directory / "session.jsonl").unlink()
    os.utime(".lem/runs/20260101T000001-000001/journal.jsonl", (0, 0))
    keep(3, measured())
    status, _, (line,) = said("clean", "--keep", "1")
    assert status == 0
    assert line.startswith(".lem/runs/20260101T000002-000002 is left alone: it has no end")
    assert runs() == [2, 3]


def test_a_run_whose_samples_are_used_is_left_alone(keep, measured, said, runs):
    """A run that resumed it refers to them by their path, through one that goes as well."""
    for number in (1, 2, 3):
        keep(number, measured())
    path = keep(4, measured()) / "run.json"
    run_file = read_run(path)
    samples = "../20260101T000003-000003/../20260101T000001-000001/series/a.npz"
    run_file.records[0].extensions = {"path": samples}
    write_run(run_file, path)
    status, out, err = said("clean", "--keep", "1")
    assert status == 0
    assert runs() == [1, 3, 4]
    assert [line.partition(" is left alone")[0][-1] for line in err] == ["1", "3"]
    assert out[-1].startswith("1 of 4 runs deleted, ")


def test_what_cannot_be_deleted_is_named(twelve, said, monkeypatch):
    """The others are deleted, and the status tells."""

    def refuse(directory):
        if directory.name.endswith("3"):
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", refuse)  # root may delete anything, so this is made up
    status, out, err = said("clean", "--keep", "8")
    assert status == 1
    assert err == ["cannot delete .lem/runs/20260101T000003-000003 (Permission denied)"]
    assert out[-1].startswith("3 of 12 runs deleted, ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--keep", "0"], "argument --keep: '0' is no whole number from 1 up"),
        (["--keep", "-1"], "argument --keep: '-1' is no whole number from 1 up"),
        (["--older-than", "-1"], "argument --older-than: '-1' is no number of days"),
        (["--older-than", "nan"], "argument --older-than: 'nan' is no number of days"),
        (["--older-than", "week"], "argument --older-than: 'week' is no number of days"),
    ],
)
def test_a_mistake_in_the_usage_is_status_2(twelve, runs, arguments, sentence, capsys):
    """And deletes nothing."""
    with pytest.raises(SystemExit) as left:
        main(["clean", *arguments])
    assert left.value.code == 2
    assert sentence in capsys.readouterr().err.splitlines()[-1]
    assert len(runs()) == 12


def test_without_a_store_there_is_nothing_to_clean(said):
    """It says so, and makes none."""
    sentence = "there is no store at .lem; name the folder with --store"
    assert said("clean") == (2, [], [sentence])
    assert not Path(".lem").exists()


def test_the_help_says_what_stays(capsys):
    """And it fits a terminal."""
    with pytest.raises(SystemExit):
        main(["clean", "--help"])
    text = capsys.readouterr().out
    assert "Baselines stay, and so do the newest run" in text
    assert "leave the newest N (default: 10, with --older-than 1)" in text
    assert max(map(len, text.splitlines())) <= 80
