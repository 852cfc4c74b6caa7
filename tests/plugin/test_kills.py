"""SIGKILL at random moments: nothing finished is lost, nothing half-written is believed."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
from typing import Any

import pytest

from pytest_lem import read_run
from pytest_lem.results.session import read_session
from pytest_lem.results.store import Store

SUITE = """
    import pytest
    from burn import burn

    @pytest.mark.parametrize("n", range(12))
    def test_it(energy, n):
        energy(lambda: burn(0.02))
"""
#: Saves one session after the other, and says so after each.
SAVER = """
import sys
from pathlib import Path
from pytest_lem.results.session import read_session
from pytest_lem.results.store import Store

session = read_session(Path(sys.argv[1]))
session.entries = list(session.entries) * 400
store = Store(Path(sys.argv[2]))
for number in range(10_000):
    store.save("main", session.model_copy(update={"run": f"run-{number:05}"}))
    print(number, flush=True)
"""


def killed_after(seconds: float, *command: str) -> str:
    """Start a command, kill its process group, and return what it had printed by then."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()[0]


@pytest.mark.parametrize("seed", range(5))
def test_a_killed_run_keeps_what_it_had_finished(suite: Any, seed: int) -> None:
    """Each case that was told as done is in the journal, whole; the rest can be resumed."""
    suite.makepyfile(test_it=SUITE)
    seconds = random.Random(seed).uniform(1.0, 5.0)

    printed = killed_after(seconds, sys.executable, "-m", "pytest", "--lem-save=main")

    told = re.findall(r"^  test_it::test_it\[(\d+)\]: ~?[\d.]+ ", printed, re.MULTILINE)
    journals = list(suite.path.glob(".lem/runs/*/journal.jsonl"))
    assert journals or not told
    for journal in journals:
        kept = [record.case.key for record in read_run(journal).records]
        assert [f"test_it::test_it[{n}]" for n in told] == kept[: len(told)]
        assert all(r.rounds and r.status == "ok" for r in read_run(journal).records)
    for saved in suite.path.glob(".lem/baselines/main/*.jsonl"):
        assert len(read_session(saved).entries) == 12
    result = suite.runpytest_inprocess("--lem-resume", "--lem-json=run.json")
    result.assert_outcomes(passed=12)
    origins = [record.origin for record in read_run("run.json").records]
    assert origins.count("resumed") >= len(told)


@pytest.mark.parametrize("seed", range(5))
def test_a_killed_save_leaves_whole_sessions(suite: Any, seed: int) -> None:
    """What was told as saved is there, and whatever is there can be read."""
    suite.makepyfile(test_it=SUITE)
    suite.runpytest_inprocess("--lem-save=first", "-k", "1").assert_outcomes(passed=3, deselected=9)
    [session] = Store(suite.path / ".lem").history("first")
    store = Store(suite.path / "store")

    printed = killed_after(
        random.Random(seed).uniform(1.0, 3.0), sys.executable, "-c", SAVER, str(session), store.root
    )

    told = printed.split()
    saved = store.history("main")
    assert len(saved) >= len(told)
    assert [path.stem for path in saved[: len(told)]] == [f"run-{int(n):05}" for n in told]
    # The last ones are those at which the kill came.
    assert {len(read_session(path).entries) for path in saved[-5:]} <= {1200}
