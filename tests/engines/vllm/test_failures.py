"""What vLLM refuses is one sentence of a known kind, before any window."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends.vllm import VllmBackend
from pytest_lem.backends.vllm.options import VllmOptions
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.workloads.workload import Workload

Load = Callable[..., tuple[VllmBackend, dict[str, Any]]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_model_len": 100_000}, "max_model_len .100000. is greater"),
        ({"kv_cache_memory_bytes": 1000}, "No available memory for the cache blocks"),
        ({"kv_cache_memory_bytes": 100_000, "block_size": 32}, "KV cache"),
        ({"attention_backend": "FOO"}, "Unknown attention backend: 'FOO'"),
        ({"kv_cache_dtype": "nonsense"}, "cache_dtype: Input should be 'auto'"),
        ({"block_size": 33}, "No common block size for 33"),
        ({"max_num_batched_tokens": 2}, "greater than or equal to max_num_seqs"),
        ({"load_format": "foo"}, "`foo` is not supported"),
        ({"quantization": "fp8"}, "float32 is not supported for quantization method fp8"),
        ({"compilation_config": {"mod": 0}, "enforce_eager": None}, "mod: Unexpected keyword"),
        ({"engine_args": {"max_num_seq": 3}}, "did you mean `max_num_seqs`"),
        ({"engine_args": {"max_num_seqs": 3}}, "set by another setting"),
    ],
)
def test_settings_that_cannot_be_are_one_sentence(
    load: Load, options: dict[str, Any], words: str
) -> None:
    """The sentence says what is wrong, without a traceback, and the kind is `config`."""
    with pytest.raises(LemError, match=words) as caught:
        load(**options)

    assert caught.value.kind is FailureKind.CONFIG
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_what_this_processor_cannot_do_is_one_sentence(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A type of the cache that needs other instructions is a matter of the settings."""
    for name in ("_is_avx512_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(f"torch.cpu.{name}", lambda: False)

    with pytest.raises(LemError, match="FP8 KV cache on CPU requires") as caught:
        load(kv_cache_dtype="fp8")

    assert caught.value.kind is FailureKind.CONFIG


def test_a_precision_that_a_method_lacks_is_refused(load: Load) -> None:
    """A quantisation without the model's own configuration is no engine failure."""
    with pytest.raises(LemError, match="awq") as caught:
        load(quantization="awq")

    assert caught.value.kind is FailureKind.CONFIG


def test_corrupt_weights_are_refused(load: Load, tiny_model: Path, tmp_path: Path) -> None:
    """A truncated weight file gives one sentence with the model's name."""
    model = shutil.copytree(tiny_model, tmp_path / "cut")
    weights = model / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])

    with pytest.raises(LemError, match=r"cannot load the model .*cut: ") as caught:
        load(model)

    assert caught.value.kind is FailureKind.DATA


def test_a_model_that_is_not_there_is_refused(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that is not in the local cache is refused in one sentence while offline."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    with pytest.raises(LemError, match="cannot load the model nobody/nothing: ") as caught:
        load("nobody/nothing", revision="some-branch")

    assert caught.value.kind is FailureKind.DATA


def test_an_old_release_is_refused(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence has the release found and the one that is needed."""
    monkeypatch.setattr("vllm.__version__", "0.6.3")

    with pytest.raises(LemError, match=r"vllm 0\.6\.3 is too old .* needs 0\.32 or later"):
        load()


def test_a_core_killed_at_work_is_told_at_once(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for its answer, and who asks later, hears that it is dead."""
    from vllm.v1.engine.exceptions import EngineDeadError

    backend, _ = load(
        omp_num_threads=None, enable_v1_multiprocessing=True, cpu_omp_threads_bind="0"
    )
    engine = backend._engine._engine  # type: ignore[attr-defined]
    send = engine.add_request
    [core] = engine.engine_core.resources.engine_manager.processes

    def send_and_kill(*args: Any) -> None:
        send(*args)
        core.kill()
        core.join()

    monkeypatch.setattr(engine, "add_request", send_and_kill)
    prepared = backend.prepare(Workload(output_tokens=32, prompts=("Hello",)), 1)

    with pytest.raises(EngineDeadError):
        backend.run(prepared.batches[0])
    with pytest.raises(EngineDeadError):
        backend._engine.states()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"gpu_memory_utilization": 0.5, "kv_cache_memory_bytes": 1}, "exclude each other"),
        ({"enforce_eager": True, "compilation_config": {"mode": 0}}, "leaves nothing"),
        ({"engine": "AsyncLLM", "enable_v1_multiprocessing": False}, "process of its own"),
        ({"distributed_executor_backend": "uni", "tensor_parallel_size": 2}, "one worker"),
        ({"cpu_omp_threads_bind": "0"}, "no effect within one process"),
        ({"engine": "AsyncLLM", "omp_num_threads": 1}, "for one process"),
        (
            {"enable_chunked_prefill": False, "max_num_batched_tokens": 8, "max_model_len": 9},
            "needs enable_chunked_prefill",
        ),
    ],
)
def test_options_that_exclude_each_other_are_refused(options: dict[str, Any], words: str) -> None:
    """Exclusions are found before anything starts."""
    with pytest.raises(ValueError, match=words):
        VllmOptions(**options)
