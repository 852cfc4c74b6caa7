"""Every option of vLLM, tried with each of its examples through the plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lem import read_run
from pytest_lem.backends.vllm import VllmBackend
from pytest_lem.config.trial import trials_of

ROOT = Path(__file__).resolve().parents[3]


def test_every_example_is_in_force(pytester: pytest.Pytester, tiny_model: Path) -> None:
    """What needs no GPU runs, what needs one is skipped by name, and few loads do for all."""
    pytester.makeini("[pytest]")
    trials = trials_of(VllmBackend.Options, VllmBackend.precisions, refuses=VllmBackend.refuses)

    done = pytester.runpytest_subprocess(
        ROOT / "benchmarks" / "smoke",
        "--lem-backend=vllm",
        f"--lem-model={tiny_model}",
        "--lem-json=run.json",
        "--rootdir=.",
        "-rs",
    )

    on_gpu = [trial for trial in trials if trial.needs_gpu]
    done.assert_outcomes(passed=len(trials) - len(on_gpu), skipped=len(on_gpu))
    done.stdout.fnmatch_lines(["*`vllm` needs 1 GPU for quantization:fp8, and 0 are visible*"])
    loads = {r.rounds[0].load_id for r in read_run(pytester.path / "run.json").records}
    assert len(loads) == 6
