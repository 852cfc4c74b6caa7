"""Two sides by turns on a board whose truth is known, from end to end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from standin import Board

from pytest_lem import RunFile, read_run

#: Windows too short for a gate on energy, which says so, and long enough for the figures.
SETTINGS = (
    "energy.tick_search_s=0.6",
    "energy.sample_s=0.05",
    "measure.warmup_max_s=0.3",
    "measure.min_window_s=1.2",
    "measure.idle_s=0.3",
    "measure.max_delay_s=0.02",
    "pair.pairs=7",
    "backends.ngram.board_s=0.1",
    "backends.ngram.board=0",
)
SUITE = "def test_it(inference):\n    assert inference().output_tokens > 0\n"


@pytest.fixture
def compared(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    observed: Any,
    standin: Any,
    ngram: Path,
) -> Callable[..., RunFile]:
    """Compare two sides on one board in a process of its own, and return the run file."""
    monkeypatch.setenv("LEM_LOCK_DIR", str(pytester.path / "locks"))
    pytester.makeini("[pytest]\naddopts = -p no:hypothesispytest -p no:asyncio\n")
    pytester.makepyfile(test_it=SUITE)
    pytester.path.joinpath("lem.yaml").write_text(
        f"backend: ngram\nmodel: {ngram}\nprecision: float64\n"
    )

    def run(*arguments: str) -> RunFile:
        standin(Board(tick_s=0.02))
        chosen = [f"--lem-set={setting}" for setting in SETTINGS]
        common = ("--lem-preset=standard", "--lem-config=lem.yaml", "--lem-json=run.json")
        pytester.runpytest_subprocess(*common, *chosen, *arguments)
        return read_run(Path(pytester.path, "run.json"))

    return run


def test_more_watts_on_one_side_are_power_and_not_speed(compared: Callable[..., RunFile]) -> None:
    """On a GPU one side is loaded at a time, and neither is a stranger to the other."""
    run = compared("--lem-ab=ngram.watts:500,600")

    energy, speed = run.comparisons
    # How long the work takes depends on what else this machine does; what it draws does not.
    assert energy.attribution["power_pct"] == pytest.approx(20, abs=8)
    assert energy.attribution["speed_pct"] == pytest.approx(100 * (speed.ratio - 1))
    assert energy.reasons[0] == "brief_window"
    assert (energy.verdict, speed.agreement) == ("inconclusive", 1.0)
    for record in run.records:
        assert (record.validity, record.reasons) == ("valid", [])
        assert record.metrics["energy_per_output_token_j"].tier == "counter"
    rounds = sorted((r for record in run.records for r in record.rounds if r.stage == 1),
                    key=lambda r: r.t0)  # fmt: skip
    assert "".join(r.side for r in rounds) == "AAABBBBBBBAAAA"
    assert len({r.load_id for r in rounds}) == 4
