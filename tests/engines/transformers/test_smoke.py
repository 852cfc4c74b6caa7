"""Every option of transformers, tried with each of its examples through the plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lem.backends.transformers import TransformersBackend
from pytest_lem.config.trial import trials_of

ROOT = Path(__file__).resolve().parents[3]


def test_every_example_is_in_force(pytester: pytest.Pytester, tiny_model: Path) -> None:
    """What needs no GPU runs, and what needs one is skipped by name."""
    pytester.makeini("[pytest]")
    trials = trials_of(
        TransformersBackend.Options,
        TransformersBackend.precisions,
        refuses=TransformersBackend.refuses,
    )

    done = pytester.runpytest_subprocess(
        ROOT / "benchmarks" / "smoke",
        "--lem-backend=transformers",
        f"--lem-model={tiny_model}",
        "--rootdir=.",
        "-rs",
    )

    on_gpu = [trial for trial in trials if trial.needs_gpu]
    done.assert_outcomes(passed=len(trials) - len(on_gpu), skipped=len(on_gpu))
    done.stdout.fnmatch_lines(["*`transformers` needs 1 GPU for device:cuda, and 0 are visible*"])
