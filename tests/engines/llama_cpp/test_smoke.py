"""Every option of llama.cpp, tried with each of its examples through the plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lem.backends.llama_cpp import LlamaCppBackend
from pytest_lem.config.trial import trials_of

ROOT = Path(__file__).resolve().parents[3]


def test_every_example_is_in_force(pytester: pytest.Pytester) -> None:
    """What needs no GPU runs, and what needs one is skipped by name."""
    pytester.makeini("[pytest]")
    trials = trials_of(
        LlamaCppBackend.Options, LlamaCppBackend.precisions, refuses=LlamaCppBackend.refuses
    )

    done = pytester.runpytest_subprocess(
        ROOT / "benchmarks" / "smoke",
        "--lem-backend=llama_cpp",
        "--rootdir=.",
        "-rs",
    )

    on_gpu = [trial for trial in trials if trial.needs_gpu]
    done.assert_outcomes(passed=len(trials) - len(on_gpu), skipped=len(on_gpu))
    done.stdout.fnmatch_lines(["*`llama_cpp` needs 1 GPU for n_gpu_layers:all, and 0 are visible*"])
