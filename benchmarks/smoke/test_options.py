"""A minimal run for every example of what a backend can be told, on this machine.

`pytest benchmarks/smoke --lem-backend=vllm`; with `--lem-examples=one` each option is tried once.
The tests follow from the backends' own declarations, so a new option needs no new test. Options
that may stand together share a load.
"""

import pytest

from pytest_lem import Inference, Trial, backend_trials

SHORT = {
    "rounds": 1,
    "min_window_s": 0,
    "warmup_cv": 1,
    "warmup_max_s": 0,
    "warmup_calm_s": 0,
    "idle_s": 0,
    "max_delay_s": 0,
    "timeout_s": 300,
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of every trial."""
    metafunc.parametrize(("backend", "trial"), backend_trials(metafunc.config))


def test_option(inference: Inference, backend: str, trial: Trial) -> None:
    """Generate a few tokens, and find in force what was asked for."""
    name = "-".join(f"smoke-{trial.id}".split())
    workload = {"name": name, "output_tokens": 4, **trial.workload}

    result = inference(
        precision=trial.precision, options=trial.options, workload=workload, measure=SHORT
    )

    assert result.output_tokens > 0
    assert result.output_throughput_tok_s > 0
    assert [w.message for w in result.record.warnings if w.category == "NotApplied"] == []
    if trial.is_read_back and trial.name != "precision":
        assert trial.name in result.record.applied["options"]
