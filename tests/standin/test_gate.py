"""The gate on energy from a counter, from end to end, on a board whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from standin import Board

from pytest_lem import RunFile, read_run
from pytest_lem.results.session import read_session, write_session

#: Windows long enough to be gated: 5 s, and many ticks of 20 ms.
SETTINGS = (
    "energy.tick_search_s=0.6",
    "energy.sample_s=0.05",
    "measure.rounds=1",
    "measure.min_window_s=5",
    "measure.idle_s=0.3",
    "measure.max_delay_s=0.05",
)
#: Work of a tenth of a second, in which the board draws as many watts as the environment says.
SUITE = """
import os, time
from standin import StandIn

BOARDS = StandIn.attach()
BOARDS.add_process(0, os.getpid())

def work():
    BOARDS.set_power(0, int(os.environ["WATTS"]))
    end_s = time.monotonic() + 0.1
    while time.monotonic() < end_s:
        pass
    BOARDS.set_power(0, 70)

def test_work(energy):
    energy(work)
"""


@pytest.fixture
def night(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, observed: Any, standin: Any
) -> Callable[..., RunFile]:
    """Run the suite once with so many watts, and return its run file."""
    monkeypatch.setenv("LEM_LOCK_DIR", str(pytester.path / "locks"))
    pytester.makeini("[pytest]\naddopts = -p no:hypothesispytest -p no:asyncio\n")
    pytester.makepyfile(test_it=SUITE)

    def run(watts: int, *arguments: str) -> RunFile:
        standin(Board(tick_s=0.02))
        monkeypatch.setenv("WATTS", str(watts))
        chosen = [f"--lem-set={setting}" for setting in SETTINGS]
        pytester.runpytest_subprocess(
            "--lem-preset=standard", "--lem-json=run.json", *chosen, *arguments
        )
        return read_run(Path(pytester.path, "run.json"))

    return run


def _repeat(path: Path, count: int) -> None:
    """Put so many sessions like the one at `path` beside it."""
    session = read_session(path)
    for number in range(1, count):
        other = session.model_copy(update={"run": f"{session.run}-{number}"})
        write_session(other, path.with_name(f"{other.run}.jsonl"))


def test_more_watts_fail_the_build(
    pytester: pytest.Pytester, night: Callable[..., RunFile]
) -> None:
    """A fifth more is found twice, told as power and not as speed, and the same again passes."""
    assert night(500, "--lem-save=main").records[0].status == "ok"
    [saved] = pytester.path.glob(".lem/baselines/main/*.jsonl")
    _repeat(saved, 8)

    run = night(600, "--lem-baseline=main")

    energy, duration = run.comparisons
    assert (energy.metric, energy.verdict) == ("energy_per_call_j", "regressed")
    assert energy.ratio == pytest.approx(1.2, rel=0.02)
    assert energy.sessions == 8
    assert energy.p_repeated < 0.01
    assert energy.attribution["power_pct"] == pytest.approx(20, abs=3)
    assert energy.attribution["speed_pct"] == pytest.approx(0, abs=3)
    assert duration.verdict == "pass"
    assert [(r.status, r.failure_kind, r.repetition) for r in run.records] == [
        ("failed", "gate", 1), ("failed", "gate", 2),
    ]  # fmt: skip
    assert run.run.exit_status == 1

    again = night(500, "--lem-baseline=main")

    assert [c.verdict for c in again.comparisons] == ["pass", "pass"]
    assert again.run.exit_status == 0
