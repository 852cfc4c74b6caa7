"""Two sides by turns with the real demo model: one that is the same, one slower by a known part."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pytest_lem import RunFile, read_run

RIVALS = Path(__file__).resolve().parents[2] / "rivals"
GATES = ("output_throughput_tok_s:20", "energy_per_output_token_j:20")


@pytest.fixture
def compared(demo: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Compare `transformers` with a rival and return the outcomes and the run file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(demo.parents[2]))
    monkeypatch.setenv("PYTHONPATH", str(RIVALS), prepend=os.pathsep)
    pytester.makeini("[pytest]")
    pytester.makepyfile("def test_it(inference):\n    assert inference().output_tokens % 16 == 0\n")

    def run(rival: str) -> tuple[dict[str, int], RunFile]:
        done = pytester.runpytest_subprocess(
            "--lem-smoke",
            f"--lem-ab=backend:transformers,{rival}",
            "--lem-precision=float32",
            "--lem-set=workload.output_tokens=16",
            # Threads that wait for each other make a busy machine many times slower.
            *(f"--lem-set=backends.{name}.num_threads=1" for name in ("transformers", rival)),
            "--lem-set=gate.estimates=true",
            "--lem-set=pair.pairs=7",
            "--lem-set=quality.agreement=1",
            "--lem-promise=400",
            *(f"--lem-fail-on={gate}" for gate in GATES),
            "--lem-json=run.json",
        )
        return done.parseoutcomes(), read_run(pytester.path / "run.json")

    return run


def test_the_same_under_another_name_passes(compared: Any) -> None:
    """It says the same, token by token, and costs the same as far as anybody can tell."""
    outcomes, run = compared("twin")
    assert outcomes == {"passed": 1}
    assert [c.verdict for c in run.comparisons] == ["pass", "pass"]
    assert {c.agreement for c in run.comparisons} == {1.0}
    assert [r.case.settings.backend for r in run.records] == ["transformers", "twin"]


def test_a_side_that_is_twice_as_slow_fails(compared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both stages see it, and that it is the speed and not the power."""
    monkeypatch.setenv("RIVALS_SLOWDOWN", "1.0")
    outcomes, run = compared("slowed")
    assert outcomes == {"failed": 1}
    speed, energy = run.comparisons
    assert (speed.verdict, energy.baseline) == ("regressed", "backend:transformers")
    assert speed.ratio == pytest.approx(0.5, abs=0.15)
    assert energy.attribution["speed_pct"] == pytest.approx(-50, abs=15)
    assert energy.attribution["power_pct"] < 20
    loads = {r.load_id for record in run.records for r in record.rounds}
    assert len(loads) == 8
