"""`lem report --html`: a page in a file, or one sentence."""

from pathlib import Path

import pytest

from pytest_lem.cli.main import main
from pytest_lem.reports import faces
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.runfile import read_run, write_run


def page():
    """Return the page that a command wrote here."""
    return Path("out.html").read_text(encoding="utf-8")


def test_a_page_is_written_and_named(keep, measured, capsys):
    """The command says where it is and how large, and prints nothing else."""
    keep(1, measured("t::sort"), measured("t::search"))
    assert main(["report", "latest", "--html", "out.html"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("out.html: 2 records, ")
    assert said.endswith(" MB\n")
    assert "t::sort" in page()
    assert "plotly.js v" in page()


def test_a_baseline_brings_verdicts_and_the_history(keep, measured):
    """What is compared is what the table would compare, and the exit status is the same."""
    for number in range(1, 10):
        keep(number, measured("t::sort"), save="main")
    keep(10, measured("t::sort", joules=80.0))
    assert main(["report", "latest", "--baseline", "main", "--html", "out.html"]) == 1
    assert "regressed" in page()
    assert "9 sessions from 2.00 J to 2.00 J; now 20.0 J (diamond)." in page()


def test_without_a_baseline_the_history_is_of_the_store(keep, measured):
    """Earlier runs that are sound and comparable; a damaged one spoils no report."""
    for number in (1, 2):
        keep(number, measured("t::sort", joules=16.0))
    (keep(3, measured("t::sort")) / "session.jsonl").write_text("no session")
    keep(4, measured("t::other"))
    run = keep(5, measured("t::sort"))
    keep(6, measured("t::sort", joules=99.0))
    assert main(["report", run.name, "--html", "out.html"]) == 0
    assert "over earlier runs in the store" in page()
    assert "2 sessions from 4.00 J to 4.00 J; now 2.00 J (diamond)." in page()


def test_what_was_compared_while_it_was_measured_is_shown(keep, measured):
    """Without --baseline the verdicts of the run itself stand there."""
    record = measured("t::sort")
    folder = keep(1, record)
    path = folder / "run.json"
    run_file = read_run(path)
    run_file.comparisons = [
        Comparison(
            case=record.case.key,
            digest=record.case.digest,
            metric="energy_per_call_j",
            baseline="nightly",
            candidate="x",
            verdict="improved",
        )
    ]
    write_run(run_file, path)
    assert main(["report", "latest", "--html", "out.html"]) == 0
    assert "compared while it was measured, with nightly: 1 improved." in page()


def test_without_the_library_one_sentence_says_what_to_install(keep, measured, monkeypatch, capsys):
    """No half page is left behind."""
    keep(1, measured())
    monkeypatch.setattr(faces, "find_spec", lambda _: None)
    assert main(["report", "latest", "--html", "out.html"]) == 2
    assert capsys.readouterr().err == (
        "the report `html` needs plotly, which is not installed; run: "
        "pip install 'pytest-lem[html]'\n"
    )
    assert not Path("out.html").exists()


def test_a_place_that_cannot_be_written_is_named(keep, measured, capsys):
    """A folder is no file."""
    keep(1, measured())
    Path("out.html").mkdir()
    assert main(["report", "latest", "--html", "out.html"]) == 2
    said = capsys.readouterr().err
    assert said == "--html: cannot write out.html (Is a directory); name another file\n"


def test_a_session_alone_is_not_enough(keep, measured, capsys):
    """A page shows rounds, which only the run file has."""
    folder = keep(1, measured())
    (folder / "run.json").unlink()
    assert main(["report", "latest", "--html", "out.html"]) == 2
    assert "has neither run file nor journal" in capsys.readouterr().err


@pytest.mark.parametrize(
    "other", [["--format", "csv"], ["--group-by", "kind"], ["--columns", "key"], ["--sort", "key"]]
)
def test_a_page_shows_all_and_takes_no_choice(keep, measured, capsys, other):
    """What chooses among columns and rows has no effect on a page, so that it is a mistake."""
    keep(1, measured())
    with pytest.raises(SystemExit) as exit_:
        main(["report", "latest", "--html", "out.html", *other])
    assert exit_.value.code == 2
    assert f"has no use for {other[0]}" in capsys.readouterr().err


def test_it_is_short_for_a_format_and_a_file(keep, measured, capsys):
    """The same page by either name, and the same line about it."""
    keep(1, measured())
    assert main(["report", "latest", "--html", "out.html"]) == 0
    first, said = page(), capsys.readouterr().out
    assert main(["report", "latest", "--format", "html", "--output", "out.html"]) == 0
    assert (page(), capsys.readouterr().out) == (first, said)


def test_several_runs_make_one_page(keep, measured, capsys):
    """With the facts of each, and the energy of a case over them."""
    names = [keep(number, measured(joules=8.0 / number)).name for number in (1, 2)]
    assert main(["report", *names, "--html", "out.html"]) == 0
    assert capsys.readouterr().out.startswith("out.html: 2 records, ")
    assert "Over the runs" in page()
    assert "2.00 J in the first of 2 runs, 1.00 J in the last" in page()
