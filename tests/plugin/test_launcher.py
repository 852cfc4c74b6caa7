"""Launchers that would start every test several times."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def launched(suite: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have a test that measures, and say as torchrun does that there are several processes."""
    suite.makepyfile("def test_it(energy):\n    assert energy(lambda: 1) == 1\n")
    for name, value in (("RANK", "1"), ("WORLD_SIZE", "4")):
        monkeypatch.setenv(name, value)
    return suite


def test_one_of_several_is_refused(launched: Any) -> None:
    """The sentence says which it is, why not, and what to do instead."""
    done = launched.runpytest()
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    assert done.stderr.lines[0] == (
        "ERROR: pytest was started as rank 1 of 4 processes (by torchrun, for instance), each of "
        "which would run every test and be in the figures of the others; start pytest by itself "
        "with --lem-set=backends.transformers.processes=4, which starts the processes of the "
        "model, or take RANK and WORLD_SIZE out of the environment"
    )


def test_one_alone_is_let(launched: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A launcher that starts a single process changes nothing."""
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    launched.runpytest().assert_outcomes(passed=1)


def test_a_run_that_measures_nothing_is_let(launched: Any) -> None:
    """Several may check that the tests are right, and other tests are nobody's matter."""
    launched.runpytest("--lem=off").assert_outcomes(passed=1)
    launched.makepyfile("def test_it():\n    pass\n")
    launched.runpytest().assert_outcomes(passed=1)
