"""What `lem` does with its arguments."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from pytest_lem.cli.doctor import command
from pytest_lem.cli.main import main


def test_the_command_is_installed_as_lem():
    """`lem` on the command line is this function."""
    (script,) = entry_points(group="console_scripts", name="lem")
    assert script.load() is main


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["docter"], "invalid choice: 'docter'"),
        (["doctor", "--require-tier=best"], "invalid choice: 'best'"),
        (["doctor", "--init", "x", "--json"], "--init writes files and takes no other option"),
        (["doctor", "--init", "--quick"], "--init writes files and takes no other option"),
    ],
)
def test_a_mistake_in_the_usage_is_a_sentence_and_status_2(arguments, sentence, capsys):
    """Nothing is looked at, nothing is written, and there is no traceback."""
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert sentence in err.splitlines()[-1]


def test_an_interrupted_command_leaves_without_a_traceback(monkeypatch, capsys):
    """Ctrl-C is a sentence, and the status that shells know."""

    def interrupt(**_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run", interrupt)
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_nobody_has_to_read_to_the_end():
    """`lem doctor | head` leaves with the status of a closed pipe, and without a traceback."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "pytest_lem.cli.main", "doctor", "--quick"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_the_help_says_what_a_status_means_and_what_to_run_after_init(capsys):
    """Both are what a user of a CI looks for."""
    with pytest.raises(SystemExit):
        main(["doctor", "--help"])
    text = capsys.readouterr().out
    assert "pytest benchmarks --lem-config=energy.yaml" in text
    assert "  2  a wrong option" in text
    assert max(map(len, text.splitlines())) <= 80
