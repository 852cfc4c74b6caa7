"""vLLM through the plugin: the benchmark suite, engines in processes of their own, their death."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lem import read_run

ROOT = Path(__file__).resolve().parents[3]
#: Small and quick: nothing is compiled, the cache is a quarter of a GiB.
QUICK = (
    "--lem-backend=vllm",
    "--lem-smoke",
    "--lem-set=backends.vllm.enforce_eager=true",
    "--lem-set=backends.vllm.kv_cache_memory_bytes=268435456",
    "--lem-set=backends.vllm.max_model_len=1024",
    "--lem-json=run.json",
    "--rootdir=.",
)
ONE_THREAD = "--lem-set=backends.vllm.omp_num_threads=1"


@pytest.fixture(autouse=True)
def _converted_once(demo: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs inside, whose home directory is their own, use the model converted outside."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(demo.parents[2]))
    pytester.makeini("[pytest]")


def test_the_inference_suite_runs_on_vllm(pytester: pytest.Pytester) -> None:
    """All modules measure, each load happens once and tells its parts, the text makes sense."""
    done = pytester.runpytest_subprocess(ROOT / "benchmarks" / "inference", *QUICK, ONE_THREAD)

    done.assert_outcomes(passed=6)
    run = read_run(pytester.path / "run.json")
    assert {record.status for record in run.records} == {"ok"}
    assert all("not_as_asked" not in record.flags for record in run.records)
    names = [[phase.name for phase in record.phases] for record in run.records]
    loads = [found for found in names if "load" in found]
    assert len(loads) == 2
    assert all({"load/weights", "load/compile", "load/capture"} <= set(found) for found in loads)
    exact = [r for r in run.records if r.case.settings.precision == "float32"]
    assert [r.sample.text for r in exact if r.sample] == ["The capital of France is Paris."] * 2
    assert {r.applied["batch_size"] for r in run.records} == {1, 8}
    assert all(r.metrics["output_throughput_tok_s"].value > 0 for r in run.records)
    assert all(r.metrics["queue_time_s"].value is not None for r in run.records)


def test_the_core_of_the_engine_can_be_a_process(pytester: pytest.Pytester) -> None:
    """Both ways to have it apart generate the same text on the CPU that was asked for."""
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("engine", ["AsyncLLM", "LLMEngine"])
        def test_apart(inference, engine):
            options = {"engine": engine, "cpu_omp_threads_bind": "0"}
            if engine == "LLMEngine":
                options["enable_v1_multiprocessing"] = True
            result = inference(batch_size=2, options=options)
            assert result.text == "The capital of France is Paris."
            assert result.record.applied["options"]["engine"] == engine
            assert result.record.applied["options"]["enable_v1_multiprocessing"] is True
            assert result.record.applied["options"]["cpu_omp_threads_bind"] == "0"
            assert result.record.applied["num_threads"] == 1
            assert result.ttft_s > 0
        """
    )

    done = pytester.runpytest_subprocess(*QUICK)

    done.assert_outcomes(passed=2)


def test_an_engine_whose_core_is_killed_fails_its_case_alone(pytester: pytest.Pytester) -> None:
    """The case is told in one sentence, and the next one starts the engine anew."""
    pytester.makepyfile(
        """
        import psutil
        import pytest
        from pytest_lem import LemError

        OPTIONS = {"enable_v1_multiprocessing": True, "cpu_omp_threads_bind": "0"}

        def cores():
            inside = psutil.Process().children(recursive=True)
            return [p for p in inside if "EngineCore" in " ".join(p.cmdline() or [p.name()])]

        def test_before(inference):
            inference(options=OPTIONS)
            assert cores()

        def test_killed(inference):
            for process in cores():
                process.kill()
            inference(options=OPTIONS, workload={"name": "killed"})

        def test_after(inference):
            assert inference(options=OPTIONS, workload={"name": "after"}).output_tokens > 0
        """
    )

    done = pytester.runpytest_subprocess(*QUICK, "-p", "no:randomly")

    done.assert_outcomes(passed=2, failed=1)
    done.stdout.fnmatch_lines(
        ["*the backend failed with EngineDeadError: *its log has the traceback*"]
    )
    failed = next(r for r in read_run(pytester.path / "run.json").records if r.status == "failed")
    assert failed.failure_kind == "engine"
