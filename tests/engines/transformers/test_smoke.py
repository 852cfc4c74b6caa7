"""Every option of transformers, tried with each of its examples through the plugin."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from standin import StandIn

from pytest_lem import read_run
from pytest_lem.backends.transformers import TransformersBackend
from pytest_lem.config.trial import trials_of

ROOT = Path(__file__).resolve().parents[3]
CPU_INT4 = {"quant_method": "torchao", "quant_type": "PrototypeInt4WeightOnlyConfig"}


def _smoke(pytester: pytest.Pytester, model: Path, *arguments: str) -> pytest.RunResult:
    """Run the suite of smoke tests as its user does, in a folder of its own."""
    pytester.makeini("[pytest]")
    return pytester.runpytest_subprocess(
        ROOT / "benchmarks" / "smoke",
        "--lem-backend=transformers",
        f"--lem-model={model}",
        "--rootdir=.",
        "-rs",
        *arguments,
    )


@pytest.mark.parametrize("is_merged", [False, True])
def test_an_adapter_is_in_force_in_a_run(
    pytester: pytest.Pytester, tiny_model: Path, tiny_adapter: Path, is_merged: bool
) -> None:
    """Where it is depends on the machine, so that it has no example; it is run all the same."""
    done = _smoke(
        pytester,
        tiny_model,
        f"--lem-set=backends.transformers.adapter={tiny_adapter}",
        f"--lem-set=backends.transformers.merge_adapter={str(is_merged).lower()}",
        "--lem-json=run.json",
        "-k=precision:float32",
    )

    done.assert_outcomes(passed=1)
    record = read_run(pytester.path / "run.json").records[0]
    assert record.applied["adapter"]["is_merged"] is is_merged
    assert "not_as_asked" not in record.flags
    told = record.comparability.refuse["model.adapter_sha256"]
    assert told == record.applied["adapter"]["sha256"]


def test_what_cannot_be_loaded_costs_only_its_own_case(
    pytester: pytest.Pytester, tiny_model: Path, tmp_path: Path
) -> None:
    """A sentence for each, the next case measures, and no process stays behind."""
    pytester.makeini("[pytest]")
    pytester.makepyfile(
        f"""
        import pytest

        INT4 = {{"quant_method": "torchao", "quant_type": "Int4WeightOnlyConfig"}}

        @pytest.mark.parametrize(
            "options",
            [{{"adapter": {str(tmp_path / "nothing")!r}}}, {{"quantization_config": INT4}}, {{}}],
        )
        def test_it(inference, options):
            assert inference(options={{"device": "cpu", **options}}).output_tokens > 0
        """
    )

    done = pytester.runpytest_subprocess(
        "--lem-smoke", f"--lem-model={tiny_model}", "--lem-json=run.json"
    )

    done.assert_outcomes(passed=1, failed=2)
    done.stdout.fnmatch_lines(["*nothing` cannot be read: there is no such folder; name a folder*"])
    done.stdout.fnmatch_lines(["*asks for Int4WeightOnlyConfig, which needs a GPU of compute*"])
    run = read_run(pytester.path / "run.json")
    assert sorted(r.failure_kind or "" for r in run.records) == ["", "config", "data"]
    assert _processes_in(pytester.path) == []


def _processes_in(folder: Path) -> list[int]:
    """Return the processes that work in a folder; those of others cannot be asked."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if Path(process.cwd()) == folder:
                found.append(process.pid)
    return [pid for pid in found if pid != os.getpid()]


def test_what_a_machine_with_a_gpu_lacks_is_skipped_by_name(
    pytester: pytest.Pytester, tiny_model: Path, standin: Callable[..., StandIn]
) -> None:
    """Each with its package and the command; one for CPUs alone is left out beside a GPU."""
    standin()

    done = _smoke(pytester, tiny_model, "-k=Int4WeightOnlyConfig or flash_attention_2 or fp8")

    done.assert_outcomes(skipped=4)
    lacking = {
        "flash_attention_2": ("flash-attn", "flash-attn --no-build-isolation"),
        "Int4WeightOnlyConfig": ("mslk", "mslk"),
        "fp8": ("kernels", "kernels"),
    }
    for asked, (package, install) in lacking.items():
        sentence = f"asks for {asked}, which needs the package {package}, and that is not installed"
        done.stdout.fnmatch_lines([f"*{sentence}; run: python -m pip install {install}"])
    done.stdout.fnmatch_lines(
        ["*asks for PrototypeInt4WeightOnlyConfig, which runs on a CPU only*"]
    )


@pytest.mark.parametrize(
    ("options", "gpus", "has_interpreter", "is_lacking"),
    [
        ({"quantization_config": {"quant_method": "fp8"}}, 1, False, True),
        ({"quantization_config": {"quant_method": "fp8"}}, 1, True, False),
        ({"attn_implementation": "flash_attention_2"}, 1, True, False),
        ({"attn_implementation": "sdpa"}, 1, False, False),
        ({"quantization_config": CPU_INT4}, 0, False, False),
        ({"quantization_config": CPU_INT4}, 1, True, True),
        ({"quantization_config": CPU_INT4, "device": "cpu"}, 1, False, False),
        ({"quantization_config": {"quant_method": "gptq"}}, 1, False, False),
    ],
)
def test_what_can_be_tried(
    options: dict[str, Any], gpus: int, has_interpreter: bool, is_lacking: bool
) -> None:
    """Packages are looked for where the host would find them, devices whatever the host is."""
    found = TransformersBackend.untried(options, gpus=gpus, has_interpreter=has_interpreter)

    assert bool(found) is is_lacking


def test_every_example_is_in_force(pytester: pytest.Pytester, tiny_model: Path) -> None:
    """What needs no GPU runs, and what needs one is skipped by name."""
    trials = trials_of(
        TransformersBackend.Options,
        TransformersBackend.precisions,
        refuses=TransformersBackend.refuses,
    )

    done = _smoke(pytester, tiny_model)

    on_gpu = [trial for trial in trials if trial.needs_gpu]
    done.assert_outcomes(passed=len(trials) - len(on_gpu), skipped=len(on_gpu))
    done.stdout.fnmatch_lines(["*`transformers` needs 1 GPU for device:cuda, and 0 are visible*"])
