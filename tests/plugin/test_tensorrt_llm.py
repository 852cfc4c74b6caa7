"""The stand-in for TensorRT-LLM through the plugin: figures, failures, another interpreter."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pydantic_core
import pytest

ROOT = Path(__file__).parents[2]
STANDIN = ROOT / "tests" / "trtllm"
MODEL = STANDIN / "model"


@pytest.fixture(autouse=True)
def _suite(suite, configure):
    """Let the suite measure the stand-in's model."""
    configure(
        "lem_preset = smoke\nlem_meter = estimated\nlem_set = energy.sample_s=0\n"
        f"lem_backend = tensorrt_llm\nlem_model = {MODEL}\n"
    )


@pytest.fixture(autouse=True)
def _no_process_stays(survivors):
    """No worker outlives a run, however that ended."""
    yield
    assert survivors() == []


@pytest.fixture
def library(monkeypatch):
    """Put the stand-in on the path of hosts, and of this process, which looks for it there."""
    monkeypatch.syspath_prepend(STANDIN)


def changed(folder, **entries):
    """Copy the model with other entries in its configuration."""
    shutil.copytree(MODEL, folder)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))
    return folder


@pytest.mark.usefixtures("library")
def test_a_suite_is_measured(lem, stored):
    """A load serves two tests; figures, facts and a table are there."""
    done = lem(
        """
        import pytest

        @pytest.mark.parametrize("batch_size", [1, 4])
        def test_it(inference, batch_size):
            result = inference(workload={"output_tokens": 8})
            assert result.output_tokens == 2 * 8 * batch_size  # in two windows
            assert result.ttft_s > 0
            assert result.text
        """
    )

    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines(["*backend tensorrt_llm, model model, precision bfloat16*"])
    run = stored()
    assert {record.status for record in run.records} == {"ok"}
    assert len({r.rounds[0].load_id for r in run.records}) == 1
    assert [r.applied["batch_size"] for r in run.records] == [1, 4]
    assert all("not_as_asked" not in record.flags for record in run.records)
    assert all(record.metrics["queue_time_s"].value is not None for record in run.records)
    assert all(r.metrics["peak_device_memory_bytes"].value is None for r in run.records)
    assert run.records[0].applied["options"]["max_batch_size"] == 4
    (environment,) = run.environments.values()
    assert environment["packages"]["tensorrt-llm"] == "1.2.1"


@pytest.mark.usefixtures("library")
def test_the_smoke_suite_skips_by_name_what_needs_a_gpu(lem):
    """That is every option of the library itself; the rest is tried all the same."""
    smoke = (ROOT / "benchmarks" / "smoke" / "test_options.py").read_text()
    done = lem(smoke, "--lem-examples=one", "-k", "attn_backend or min_output_tokens", "-rs")

    done.assert_outcomes(passed=1, skipped=1)
    done.stdout.fnmatch_lines(["*`tensorrt_llm` needs 1 GPU for attn_backend:TRTLLM, and 0 are*"])


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("is_strict", [False, True])
def test_a_precision_that_is_not_there_is_flagged_or_refused(lem, stored, is_strict):
    """The checkpoint is bfloat16, whatever was asked for; strict mode does not measure it."""
    done = lem(
        "def test_it(inference): inference(precision='fp8')", f"--lem-set=strict={is_strict}"
    )

    done.assert_outcomes(passed=not is_strict, failed=is_strict)
    (record,) = stored().records
    sentence = "`precision`: asked for fp8, in force is bfloat16"
    said = [record.message] if is_strict else [warning.message for warning in record.warnings]
    assert any(sentence in (text or "") for text in said)
    assert record.failure_kind == ("config" if is_strict else None)


@pytest.mark.usefixtures("library")
def test_a_failure_is_one_case_and_the_next_one_starts_anew(lem, stored, tmp_path):
    """Each is told in a sentence of its kind, and the case after it is measured.

    The worker that hangs has left our session and hears no signal; it ends with the host's keeper.
    """
    stubborn = changed(tmp_path / "stubborn", fault="stubborn")
    hang = f"model={str(stubborn)!r}, workload={{'prompts': ['HANG']}}, measure={{'timeout_s': 3}}"
    failures = {
        "options={'max_batch_sice': 1}": ("config", "did you mean `max_batch_size`"),
        "workload={'prompts': ['DIE']}": ("engine", "a worker of TensorRT-LLM (process "),
        "workload={'prompts': ['OOM']}": ("oom", "the backend ran out of memory (RequestError: "),
        hang: ("timeout", "the backend did not answer in time and was killed"),
    }
    done = lem(
        "\n".join(
            f"def test_{n}(inference): inference({call})\n"
            f"def test_{n}_after(inference): inference(workload={{'name': 'after-{n}'}})\n"
            for n, call in enumerate(failures)
        )
    )

    done.assert_outcomes(passed=len(failures), failed=len(failures))
    records = {record.nodeid.rpartition("::")[2]: record for record in stored().records}
    for n, (kind, sentence) in enumerate(failures.values()):
        record = records[f"test_{n}"]
        assert (record.failure_kind, records[f"test_{n}_after"].status) == (kind, "ok")
        assert sentence in record.message


@pytest.mark.usefixtures("library")
def test_a_library_that_cannot_be_imported_is_one_sentence(lem, stored, monkeypatch):
    """As beside a PyTorch that it was not built for."""
    monkeypatch.setenv("TRTLLM_IMPORT_FAULT", "libth.so: undefined symbol: _ZN3c10")
    lem("def test_it(inference): inference()").assert_outcomes(failed=1)

    (record,) = stored().records
    assert record.failure_kind == "config"
    assert record.message.startswith(
        f"the backend `tensorrt_llm` cannot import tensorrt_llm under {sys.executable} (libth.so: "
        "undefined symbol: _ZN3c10): it does not fit what is installed beside it; run: "
    )


def test_the_interpreter_may_be_another_one(lem, stored, tmp_path):
    """It has the library, and nothing of pytest-lem; without the library that is said."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    packages = tmp_path / "env" / "lib" / version / "site-packages"
    packages.mkdir(parents=True)
    base = Path(os.path.realpath(sys.executable))
    (tmp_path / "env" / "pyvenv.cfg").write_text(
        f"home = {base.parent}\ninclude-system-site-packages = false\n"
    )
    python = tmp_path / "env" / "bin" / "python"
    python.parent.mkdir()
    python.symlink_to(base)
    source = "def test_it(inference): inference(workload={'output_tokens': 8})"
    option = f"--lem-set=backends.tensorrt_llm.python={python}"

    lem(source, option).assert_outcomes(failed=1)
    (record,) = stored().records
    assert f"needs tensorrt_llm, which {python} does not have; run: " in record.message

    ours = Path(pydantic_core.__file__).parents[1]
    theirs = ("pydantic", "pydantic_core", "annotated_types", "typing_inspection")
    for name in (*theirs, "typing_extensions.py"):
        (packages / name).symlink_to(ours / name)
    for name in ("tensorrt_llm", "mpi4py", "torch", "tensorrt_llm-1.2.1.dist-info"):
        (packages / name).symlink_to(STANDIN / name)
    lem(source, option).assert_outcomes(passed=1)
    run = stored()
    (environment,) = run.environments.values()
    assert environment["packages"] == {"tensorrt-llm": "1.2.1"}


def test_without_the_library_tests_say_how_to_get_it(lem):
    """One line, with an environment of its own in it."""
    done = lem("def test_it(inference): inference()")

    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines(
        ["*`tensorrt_llm` needs tensorrt_llm; run: * 'pytest-lem?tensorrt-llm?' (in an environ*"]
    )
