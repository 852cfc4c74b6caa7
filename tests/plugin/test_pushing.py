"""Pushing to MLflow when a session ends, where that is not possible."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

GOOD = "from burn import burn\ndef test_one(energy): energy(burn)\n"
PUSH = "--lem-set=mlflow.push=true"


def test_a_server_that_is_gone_costs_a_note(suite: Any, stored: Callable[[], Any]) -> None:
    """The run passes, and its file is there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}"
    suite.makepyfile(test_it=GOOD)
    result = suite.runpytest_subprocess(PUSH, f"--lem-set=mlflow.uri={uri}", "--lem-json=run.json")

    result.assert_outcomes(passed=1)
    assert result.ret == 0
    note = "lem: mlflow: the MLflow server http://127.0.0.1 does not answer; nothing is lost, *"
    result.stdout.fnmatch_lines([note])
    assert len(stored().records) == 1


@pytest.mark.parametrize("arguments", [(), ("--lem-set=mlflow.experiment=x",), (PUSH, "--lem=off")])
def test_nothing_is_pushed_unless_it_is_asked_for(suite: Any, arguments: tuple[str, ...]) -> None:
    """It is off by default, and there is nothing to push where nothing is measured."""
    suite.makepyfile(test_it=GOOD)
    result = suite.runpytest_subprocess(*arguments)
    result.assert_outcomes(passed=1)
    assert "mlflow" not in result.stdout.str()


def test_a_password_is_refused_before_anything_runs(suite: Any) -> None:
    """In one sentence."""
    suite.makepyfile(test_it=GOOD)
    result = suite.runpytest_subprocess("--lem-set=mlflow.uri=http://me:pass@host")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*`mlflow.uri`: settings are stored, so a password*"])
