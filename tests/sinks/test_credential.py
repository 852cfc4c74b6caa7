"""Where the token of a tracking server is found, and what is said where none is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_lem.errors import FailureKind, LemError
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile
from pytest_lem.sinks.credential import lent_token
from pytest_lem.sinks.tracking import Target, push

HELD, NAMED = "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_TOKEN_FILE"
FILE = f"the file that {NAMED} names"
LATER = "; nothing is lost, and `lem push` sends it later"


@pytest.fixture(autouse=True)
def _no_token(monkeypatch):
    """Begin without either variable, whatever surrounds the tests."""
    for name in (HELD, NAMED):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def named(monkeypatch, tmp_path):
    """Return a function that writes a file of a token and names it."""

    def write(content):
        path = tmp_path / "s3cret-name"
        path.write_bytes(content)
        monkeypatch.setenv(NAMED, str(path))

    return write


def lent():
    """Return what MLflow would find."""
    with lent_token():
        return os.environ.get(HELD)


def refusal():
    """Return why there is no token; the variable stays as it was."""
    before = os.environ.get(HELD)
    with pytest.raises(LemError) as caught, lent_token():
        pass
    assert caught.value.kind == FailureKind.TRACKING
    assert os.environ.get(HELD) == before
    return str(caught.value)


@pytest.mark.parametrize("content", [b"t0ken", b"t0ken\n", b"\r\n  t0ken \n"])
def test_the_token_of_a_file_is_lent_for_a_while(named, content):
    """Without what surrounds it; afterwards it is in no variable."""
    named(content)
    assert lent() == "t0ken"
    assert HELD not in os.environ


def test_it_is_taken_back_from_a_push_that_fails(named):
    """Whatever happens meanwhile."""
    named(b"t0ken")
    with pytest.raises(KeyboardInterrupt), lent_token():
        raise KeyboardInterrupt
    assert HELD not in os.environ


def test_a_variable_goes_before_a_file(named, monkeypatch):
    """Which is then not even read."""
    named(b"")
    monkeypatch.setenv(HELD, "other\n")
    assert lent() == "other"
    assert os.environ[HELD] == "other\n"


def test_a_variable_without_a_value_is_none(named, monkeypatch):
    """As CIs set those of secrets that they do not have; it is left as it was."""
    monkeypatch.setenv(HELD, "")
    assert lent() == ""
    named(b"t0ken")
    assert lent() == "t0ken"
    assert os.environ[HELD] == ""


@pytest.mark.parametrize("value", [None, ""])
def test_without_a_file_nothing_is_lent(monkeypatch, value):
    """Nor is anything wrong with that."""
    if value is not None:
        monkeypatch.setenv(NAMED, value)
    assert lent() is None


def test_a_file_that_is_not_there_is_one_sentence(monkeypatch, tmp_path):
    """It does not name the file: somebody may have put the token there."""
    monkeypatch.setenv(NAMED, str(tmp_path / "s3cret"))
    assert refusal() == (
        f"{FILE} cannot be read (No such file or directory); name one that holds the token{LATER}"
    )


def test_a_file_that_cannot_be_read_is_one_sentence(monkeypatch, tmp_path):
    """A folder is one that nobody can."""
    monkeypatch.setenv(NAMED, str(tmp_path))
    assert refusal().startswith(f"{FILE} cannot be read (Is a directory); ")


@pytest.mark.parametrize("content", [b"", b" \n\n"])
def test_an_empty_file_is_one_sentence(named, content):
    """White space is no token."""
    named(content)
    assert refusal() == f"{FILE} is empty; write the token into it{LATER}"


@pytest.mark.parametrize(
    "content",
    [b"s3cret\nother", b"s3 cret", "s3cret\u20ac".encode(), b"\xff\xfes3cret", b"s" * 65537],
)
def test_what_fits_no_header_is_refused_before_a_header_is_made(named, content):
    """The error about that would quote it."""
    named(content)
    assert refusal() == (
        f"{FILE} holds no token: one line of letters, digits and signs, without spaces{LATER}"
    )


def test_a_file_without_an_end_is_read_in_part(monkeypatch):
    """It is no token."""
    monkeypatch.setenv(NAMED, "/dev/zero")
    assert refusal().startswith(f"{FILE} holds no token: ")


def test_a_variable_is_held_to_the_same(monkeypatch):
    """And not quoted either."""
    monkeypatch.setenv(HELD, "s3cret\nother")
    assert refusal().startswith(f"{HELD} holds no token: ")
    assert "s3cret" not in refusal()


def test_a_push_asks_for_the_token_first(monkeypatch, tmp_path):
    """Before it looks for a server, or for MLflow."""
    monkeypatch.setenv(NAMED, str(tmp_path / "none"))
    run = Run(id="run", started="2026-01-02T03:04:05+00:00", started_monotonic=0.0)
    with pytest.raises(LemError, match="MLFLOW_TRACKING_TOKEN_FILE names cannot be read"):
        push(RunFile(run=run), Path(), Target(uri="http://127.0.0.1:1", experiment="x"))
