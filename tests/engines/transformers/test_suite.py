"""The benchmark suite of this project, run for real with the demo model."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lem import read_run

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _converted_once(demo: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs inside, whose home directory is their own, use the model converted outside."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(demo.parents[2]))
    pytester.makeini("[pytest]")


def test_the_inference_suite_passes_in_the_smoke_preset(pytester: pytest.Pytester) -> None:
    """All three modules measure, each load happens once, and the text makes sense."""
    done = pytester.runpytest_subprocess(
        ROOT / "benchmarks" / "inference",
        "--lem-smoke",
        "--lem-backend=transformers",
        "--lem-json=run.json",
        "--rootdir=.",
    )

    done.assert_outcomes(passed=6)
    run = read_run(pytester.path / "run.json")
    assert {record.status for record in run.records} == {"ok"}
    loads = [p for record in run.records for p in record.phases if p.name == "load"]
    assert len(loads) == 2
    # In float32 alone: near ties in bfloat16 may turn the answer.
    exact = [r for r in run.records if r.case.settings.precision == "float32"]
    assert [r.sample.text for r in exact if r.sample] == ["The capital of France is Paris."] * 2


def test_the_command_line_reaches_the_engine(pytester: pytest.Pytester) -> None:
    """Batch size and precision given there replace the lists and are what ran."""
    done = pytester.runpytest_subprocess(
        ROOT / "benchmarks" / "inference" / "test_generate.py",
        "--lem-smoke",
        "--lem-backend=transformers",
        "--lem-batch-size=3",
        "--lem-precision=bfloat16",
        "--lem-set=backends.transformers.attn_implementation=eager",
        "--lem-set=backends.transformers.num_threads=1",
        "--lem-json=run.json",
        "--rootdir=.",
    )

    done.assert_outcomes(passed=1)
    record = read_run(pytester.path / "run.json").records[0]
    assert record.applied["batch_size"] == 3
    assert record.applied["dtype"] == {"bfloat16": record.applied["parameters"]}
    assert record.applied["options"]["attn_implementation"] == "eager"
    assert record.applied["num_threads"] == 1
    assert record.rounds[0].work.output_tokens == 3 * 8


def test_out_of_memory_is_told_apart(pytester: pytest.Pytester) -> None:
    """PyTorch's own failure to allocate gives `oom`, and the next case runs."""
    pytester.makeconftest(
        """
        import resource

        # The host process inherits the limit: enough for the model, not for a large batch.
        resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
        """
    )
    pytester.makepyfile(
        """
        def test_huge(inference):
            inference(batch_size=512, workload={"input_tokens": 2000, "output_tokens": 8})

        def test_small(inference):
            assert inference().output_tokens > 0
        """
    )

    done = pytester.runpytest_subprocess("--lem-smoke", "--lem-json=run.json")

    done.assert_outcomes(failed=1, passed=1)
    done.stdout.fnmatch_lines(["*the backend ran out of memory*: take a smaller batch*"])
    failed, passed = read_run(pytester.path / "run.json").records
    assert (failed.failure_kind, passed.status) == ("oom", "ok")
