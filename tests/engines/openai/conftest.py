"""Whole runs against real servers, which the harness starts."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psutil
import pytest

pytest_plugins = ["pytester"]

_SUITE = """
import pytest

SHORT = {"rounds": 2, "min_window_s": 3, "warmup_max_s": 1, "idle_s": 0}
LIMITS = {"ttft_s": 60, "e2e_s": 120}

def test_batch(inference):
    inference(batch_size=2, measure={**SHORT, "min_window_s": 0})

@pytest.mark.parametrize("concurrency", [2])
def test_users(inference, concurrency):
    inference(traffic={"arrivals": "closed", "ramp_s": 0.5}, measure=SHORT, slo=LIMITS)

@pytest.mark.parametrize("rate", [1.0])
def test_arrivals(inference, rate):
    inference(traffic={"arrivals": "poisson", "ramp_s": 0.5}, measure=SHORT, slo=LIMITS)
"""


@pytest.fixture
def run_on(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, dict[str, Any]]]:
    """Return a function that measures batches, users and arrivals on a server, by test."""
    monkeypatch.setenv("LEM_LOCK_DIR", str(pytester.path / "locks"))
    (pytester.path / "locks").mkdir()

    def run(command: str, **settings: Any) -> dict[str, dict[str, Any]]:
        pytester.makepyfile(test_server=_SUITE)
        asked = {"backends.openai.command": command, "workload.output_tokens": 8, **settings}
        flags = [f"--lem-set={name}={value}" for name, value in asked.items()]
        before = {child.pid for child in psutil.Process().children(recursive=True)}
        result = pytester.runpytest_subprocess(
            "-p", "no:cacheprovider", "--lem-backend=openai", "--lem-json=run.json", *flags
        )
        result.assert_outcomes(passed=3)
        after = {child.pid for child in psutil.Process().children(recursive=True)}
        assert after <= before
        records = json.loads((pytester.path / "run.json").read_text())["records"]
        return {record["nodeid"].partition("::")[2].partition("[")[0]: record for record in records}

    return run
