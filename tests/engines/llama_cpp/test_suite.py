"""llama.cpp through the plugin: the benchmark suite, what is not as it was asked, memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lem import read_run

ROOT = Path(__file__).resolve().parents[3]
GENERATE = ROOT / "benchmarks" / "inference" / "test_generate.py"
QUICK = (
    "--lem-backend=llama_cpp",
    "--lem-smoke",
    "--lem-set=backends.llama_cpp.n_threads=1",
    "--lem-set=backends.llama_cpp.n_ctx=256",
    "--lem-json=run.json",
    "--rootdir=.",
)


@pytest.fixture(autouse=True)
def _no_settings_of_this_checkout(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]")


def test_the_inference_suite_runs_on_llama_cpp(pytester: pytest.Pytester) -> None:
    """Two batch sizes share one load, run as they were asked to, and have all their figures."""
    done = pytester.runpytest_subprocess(
        GENERATE, *QUICK, "--lem-precision=q4_1", "--lem-batch-size=1,4"
    )

    done.assert_outcomes(passed=2)
    records = read_run(pytester.path / "run.json").records
    assert {record.status for record in records} == {"ok"}
    assert all("not_as_asked" not in record.flags for record in records)
    assert [record.applied["batch_size"] for record in records] == [1, 4]
    assert [record.rounds[0].work.output_tokens for record in records] == [8, 4 * 8]
    assert all(record.metrics["output_throughput_tok_s"].value > 0 for record in records)
    for name in ("ttft_s", "itl_s", "queue_time_s"):
        assert all(record.metrics[name].p50 > 0 for record in records)
    assert {record.metrics["prefix_cache_hit_rate"].value for record in records} == {0}
    loads = [phase for record in records for phase in record.phases if phase.name == "load"]
    assert len(loads) == 1


def test_a_precision_that_the_file_does_not_have_fails(pytester: pytest.Pytester) -> None:
    """In the strict mode of the smoke preset a file of another type is not measured."""
    done = pytester.runpytest_subprocess(
        GENERATE, *QUICK, "--lem-precision=q8_0", "--lem-batch-size=1"
    )

    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*`precision`: asked for q8_0, in force is q4_1*"])
    assert read_run(pytester.path / "run.json").records[0].failure_kind == "config"


def test_fewest_tokens_are_refused(pytester: pytest.Pytester) -> None:
    """llama.cpp cannot hold back the end of a sequence, which is said before anything is loaded."""
    pytester.makepyfile(
        """
        def test_held(inference):
            inference(workload={"ignore_eos": False, "min_output_tokens": 4})
        """
    )

    done = pytester.runpytest_subprocess(*QUICK)

    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*`llama_cpp` cannot follow `workload.min_output_tokens`; leave*"])


def test_out_of_memory_is_told_apart(pytester: pytest.Pytester) -> None:
    """A cache for which there is no memory gives `oom`, and the next case runs."""
    pytester.makeconftest(
        """
        import resource

        # The host process inherits the limit: enough for the model, not for a huge cache.
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        """
    )
    pytester.makepyfile(
        """
        def test_huge(inference):
            inference(batch_size=64, options={"n_ctx": 8192})

        def test_small(inference):
            assert inference().output_tokens > 0
        """
    )

    done = pytester.runpytest_subprocess(*QUICK)

    done.assert_outcomes(failed=1, passed=1)
    done.stdout.fnmatch_lines(["*the backend ran out of memory*insufficient memory*"])
    records = read_run(pytester.path / "run.json").records
    assert sorted((r.status, r.failure_kind) for r in records) == [("failed", "oom"), ("ok", None)]
