"""What the terminal shows of a board that is at rest at 70 W and at work at 500 W."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from standin import StandIn

SETTINGS = (
    "energy.tick_search_s=0.6",
    "energy.sample_s=0.05",
    "measure.rounds=2",
    "measure.warmup_max_s=0.3",
    "measure.min_window_s=0.5",
    "measure.idle_s=0.3",
    "measure.max_delay_s=0.05",
)
#: A test whose work draws 500 W, on a board that it has to itself.
CALL = """
import os, time
from standin import StandIn

BOARDS = StandIn.attach()
BOARDS.add_process(0, os.getpid())

def work(seconds=0.1):
    BOARDS.set_power(0, 500)
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        sum(range(1000))
    BOARDS.set_power(0, 70)

def test_work(energy):
    energy(work)
"""


def test_the_share_of_idle_and_the_domains_are_shown(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    standin: Callable[..., StandIn],
    observed: Callable[..., None],
) -> None:
    """A bar with the share that was measured; with `-v` the board in phases, rounds and sums."""
    standin()
    observed()
    monkeypatch.setenv("LEM_LOCK_DIR", str(pytester.path / "locks"))
    monkeypatch.setenv("COLUMNS", "120")
    pytester.makeini("[pytest]\naddopts = -p no:hypothesispytest -p no:asyncio\n")
    pytester.makepyfile(test_it=CALL)
    chosen = [f"--lem-set={setting}" for setting in SETTINGS]
    lines = pytester.runpytest_subprocess("--lem-preset=standard", "-v", *chosen).stdout.lines
    header = next(n for n, line in enumerate(lines) if re.match(r"case .* power +idle", line))
    bar, percent = re.search(r"([█░]{5}) +(\d+) %$", lines[header + 1].rstrip()).groups()
    assert 10 <= int(percent) < 100
    assert abs(20 * bar.count("█") - int(percent)) <= 11  # a block is 20 %
    steps = [line.split()[0:2] for line in lines if "GPU-" in line]
    assert "idle" in {step for step, _ in steps}
    assert ["round", "1"] in steps
    assert ["all", "rounds"] in steps
