"""Pushing to MLflow when a session ends, where that is not possible."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.plugin.pushing import Pusher

GOOD = "from burn import burn\ndef test_one(energy): energy(burn)\n"
BAD = GOOD.replace("energy(burn)", "energy(burn); assert False")
PUSH = "--lem-set=mlflow.push=true"
REQUIRED = "--lem-set=mlflow.required=true"
FATAL = "; `mlflow.required` makes that fail the session"


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that gives the source of a program that runs in the place of `lem push`."""

    def replace(source: str) -> None:
        monkeypatch.setattr(Pusher, "_command", lambda _: [sys.executable, "-c", source])

    return replace


@pytest.fixture
def job_page(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file for the summary of a job of GitHub Actions."""
    page = suite.path / "page.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    return page


@pytest.mark.parametrize(("arguments", "status", "end"), [((), 0, ""), ((REQUIRED,), 1, FATAL)])
def test_a_server_that_is_gone_costs_a_note(
    suite: Any, stored: Callable[[], Any], arguments: tuple[str, ...], status: int, end: str
) -> None:
    """The run passes unless pushing was required, and its file is there whatever was."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}"
    suite.makepyfile(test_it=GOOD)
    result = suite.runpytest_subprocess(
        PUSH, f"--lem-set=mlflow.uri={uri}", "--lem-json=run.json", *arguments
    )

    result.assert_outcomes(passed=1)
    assert result.ret == status
    note = "lem: mlflow: the MLflow server http://127.0.0.1 does not answer; nothing is lost, and "
    assert f"{note}`lem push` sends it later{end}" in result.stdout.lines
    assert len(stored().records) == 1


@pytest.mark.parametrize("arguments", [(), ("--lem-set=mlflow.experiment=x",), (PUSH, "--lem=off")])
def test_nothing_is_pushed_unless_it_is_asked_for(suite: Any, arguments: tuple[str, ...]) -> None:
    """It is off by default, and there is nothing to push where nothing is measured."""
    suite.makepyfile(test_it=GOOD)
    result = suite.runpytest_subprocess(*arguments)
    result.assert_outcomes(passed=1)
    assert "mlflow" not in result.stdout.str()


@pytest.mark.parametrize("uri", ["http://me:s3cret@host", "http://host?token=s3cret"])
def test_a_secret_is_refused_before_anything_runs(suite: Any, uri: str) -> None:
    """In one sentence that does not repeat it, and nothing is stored."""
    suite.makepyfile(test_it=GOOD)
    result = suite.runpytest_subprocess(f"--lem-set=mlflow.uri={uri}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*`mlflow.uri`: a tracking URI is stored and shown, so it has *"])
    assert "s3cret" not in result.stderr.str() + result.stdout.str()
    assert not suite.path.joinpath(".lem").exists()


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_what_was_required_and_not_done_is_said_in_any_case(
    lem: Any, pushed: Callable[[str], None], quiet: tuple[str, ...]
) -> None:
    """Also by a program that dies without a word."""
    pushed("import os; os._exit(7)")
    result = lem(GOOD, PUSH, REQUIRED, *quiet)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    note = "lem: mlflow: it ended without a word, with status 7; nothing is lost, and `lem push` "
    assert f"{note}sends the rest later{FATAL}" in result.stdout.lines


@pytest.mark.parametrize(("arguments", "is_told"), [((), False), ((REQUIRED,), True)])
def test_the_page_of_a_job_says_what_made_it_fail(
    lem: Any,
    job_page: Path,
    pushed: Callable[[str], None],
    arguments: tuple[str, ...],
    is_told: bool,
) -> None:
    """A push that was not required fails nothing, and is left to the log."""
    pushed("import os; os._exit(7)")
    lem(GOOD, PUSH, *arguments)
    text = job_page.read_text()
    assert ("mlflow.required" in text and "with status 7" in text) is is_told


def test_words_that_are_no_text_are_no_accident(lem: Any, pushed: Callable[[str], None]) -> None:
    """They are shown as far as they can be."""
    pushed("import os; os.write(2, b'no \\xff'); os._exit(1)")
    result = lem(GOOD, PUSH)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.fnmatch_lines(["lem: mlflow: no *"])


def test_too_long_a_push_fails_what_requires_it(lem: Any, pushed: Callable[[str], None]) -> None:
    """The limit holds as it does elsewhere."""
    pushed("import threading; threading.Event().wait()")
    result = lem(GOOD, PUSH, REQUIRED, "--lem-set=mlflow.timeout_s=0.01")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    note = "lem: mlflow: not done within 0.01 s; nothing is lost, and `lem push` sends the rest "
    assert f"{note}later{FATAL}" in result.stdout.lines


def test_a_push_that_is_done_fails_nothing(lem: Any, pushed: Callable[[str], None]) -> None:
    """Required or not."""
    pushed("print('mlflow: 1 of 1 records pushed')")
    result = lem(GOOD, PUSH, REQUIRED)
    assert result.ret == pytest.ExitCode.OK
    assert "lem: mlflow: 1 of 1 records pushed" in result.stdout.lines


@pytest.mark.parametrize(
    ("source", "arguments", "status"),
    [
        (GOOD, (REQUIRED,), 0),
        (GOOD, (PUSH, REQUIRED, "--lem=off"), 0),
        (GOOD, (PUSH, REQUIRED, "--collect-only"), 0),
        ("def test_one(): pass\n", (PUSH, REQUIRED, "--lem-json=run.json"), 0),
        (GOOD, (PUSH, REQUIRED, "-k", "nothing"), pytest.ExitCode.NO_TESTS_COLLECTED),
        (BAD, (PUSH, REQUIRED), 1),
        (f"{GOOD}def test_two(): import pytest; pytest.exit('enough')\n", (PUSH, REQUIRED), 2),
    ],
)
def test_only_what_would_pass_without_its_push_is_failed(
    lem: Any,
    pushed: Callable[[str], None],
    source: str,
    arguments: tuple[str, ...],
    status: int,
) -> None:
    """Not what asks for none, what has nothing to push, or what has another status already."""
    pushed("raise SystemExit('no')")
    assert lem(source, *arguments).ret == status


def test_with_workers_the_controlling_process_fails(
    suite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the only one that pushes, once."""
    suite.makepyfile(test_it=GOOD)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "no token")
    result = suite.runpytest_subprocess(PUSH, REQUIRED, "-n1")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=1)
    notes = [line for line in result.stdout.lines if line.startswith("lem: mlflow: ")]
    assert len(notes) == 1
    assert notes[0].startswith("lem: mlflow: MLFLOW_TRACKING_TOKEN holds no token: one line of ")
    assert notes[0].endswith(FATAL)
