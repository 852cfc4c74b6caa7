"""Every option of vLLM reaches the live engine, and what is said to be in force is its own word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
import torch

from pytest_lem.backends.vllm import VllmBackend
from pytest_lem.backends.vllm.options import VllmOptions

#: The largest batch for which the fixture `load` starts the engine.
BATCH = 4

Load = Callable[..., tuple[VllmBackend, dict[str, Any]]]


def _scheduler(backend: VllmBackend) -> Any:
    return backend._engine._engine.engine_core.engine_core.scheduler


def _worker(backend: VllmBackend) -> Any:
    return backend._engine._engine.model_executor.driver_worker.worker


def _rounded_to_blocks(backend: VllmBackend) -> int:
    """Return the asked size of the cache if its tensors fill it up to less than a block."""
    caches = _worker(backend).model_runner.kv_caches
    taken_bytes = sum(cache.nbytes for cache in caches)
    asked_bytes = _config(backend).cache_config.kv_cache_memory_bytes
    block_bytes = taken_bytes // caches[0].shape[0]
    return asked_bytes if asked_bytes - block_bytes < taken_bytes <= asked_bytes else taken_bytes


def _config(backend: VllmBackend) -> Any:
    return backend._engine.config


#: Where the live engine shows each option, apart from the way by which the backend reads it.
LIVE: dict[str, Callable[[VllmBackend], Any]] = {
    "tensor_parallel_size": lambda b: len(b._engine._engine.collective_rpc("lem_state")),
    "pipeline_parallel_size": lambda b: _worker(b).parallel_config.pipeline_parallel_size,
    "distributed_executor_backend": lambda b: {"UniProcExecutor": "uni"}[
        type(b._engine._engine.model_executor).__name__
    ],
    "gpu_memory_utilization": lambda b: _worker(b).cache_config.gpu_memory_utilization,
    "kv_cache_memory_bytes": _rounded_to_blocks,
    "kv_cache_dtype": lambda b: {4: "float32"}[_worker(b).model_runner.kv_caches[0].itemsize],
    "block_size": lambda b: _scheduler(b).block_size,
    "max_model_len": lambda b: _scheduler(b).max_model_len,
    "max_num_seqs": lambda b: _scheduler(b).max_num_running_reqs,
    "max_num_batched_tokens": lambda b: _scheduler(b).max_num_scheduled_tokens,
    "enable_prefix_caching": lambda b: _scheduler(b).kv_cache_manager.enable_caching,
    "enable_chunked_prefill": lambda b: _scheduler(b).scheduler_config.enable_chunked_prefill,
    "enforce_eager": lambda b: _worker(b).model_config.enforce_eager,
    "compilation_config": lambda b: {"mode": int(_worker(b).compilation_config.mode)},
    "load_format": lambda b: _worker(b).load_config.load_format,
    "async_scheduling": lambda b: "Async" in type(_scheduler(b)).__name__,
    "cpu_offload_gb": lambda b: _config(b).offload_config.uva.cpu_offload_gb,
    "omp_num_threads": lambda _: torch.get_num_threads(),
    "engine_args": lambda b: {"scheduling_policy": _scheduler(b).policy.value},
    "engine": lambda b: type(b._engine._engine).__name__,
    "enable_v1_multiprocessing": lambda b: {"InprocClient": False}[
        type(b._engine._engine.engine_core).__name__
    ],
}
#: Shown elsewhere: in processes of their own (test_processes.py), or by what they do
#: (test_backend.py).
ELSEWHERE = (
    "engine=AsyncLLM",
    "enable_v1_multiprocessing=True",
    "cpu_omp_threads_bind=0",
    "python=/opt/venvs/other/bin/python",
    "revision=main",
    "trust_remote_code=False",
)
EXAMPLES = [
    pytest.param(field.name, value, id=f"{field.name}={value}")
    for field in fields(VllmOptions)
    for value in field.metadata["examples"]
    if f"{field.name}={value}" not in ELSEWHERE
]
#: What `auto` comes to here.
AUTOMATIC = {"kv_cache_dtype": "float32", "load_format": "auto"}


@pytest.mark.parametrize(("name", "value"), EXAMPLES)
def test_an_option_is_in_force(load: Load, name: str, value: Any) -> None:
    """The live engine has each example of each option, and that is what is told."""
    around = {"enforce_eager": None} if name == "compilation_config" else {}

    backend, applied = load(**{**around, name: value})

    expected = AUTOMATIC[name] if value == "auto" else value
    assert applied["options"][name] == expected
    assert LIVE[name](backend) == expected


def test_every_option_has_a_way_to_be_looked_for() -> None:
    """An option without an example for a CPU is one that only a GPU has."""
    tried = {parameter.values[0] for parameter in EXAMPLES}
    elsewhere = {word.partition("=")[0] for word in ELSEWHERE}

    untried = {field.name for field in fields(VllmOptions)} - tried - elsewhere

    assert untried == {"attention_backend", "quantization"}


@pytest.mark.parametrize(
    ("name", "asked", "in_force"),
    [("attention_backend", "FLASH_ATTN", "CPU_ATTN"), ("async_scheduling", True, False)],
)
def test_a_silent_fall_back_is_seen(load: Load, name: str, asked: Any, in_force: Any) -> None:
    """On a CPU vLLM takes another attention, and no asynchronous scheduling, without a word."""
    _, applied = load(**{name: asked})

    assert applied["options"][name] == in_force


def test_settings_of_the_compilation_are_told_as_they_were_asked(load: Load) -> None:
    """Only what was asked for is compared, so only that is told."""
    _, applied = load(enforce_eager=None, compilation_config={"mode": "NONE"})

    assert applied["options"]["compilation_config"] == {"mode": 0}


@pytest.mark.parametrize("precision", VllmBackend.precisions)
def test_precision_is_that_of_the_live_weights(load: Load, precision: str) -> None:
    """Weights, activations and KV cache have the asked type, and no module is quantised."""
    backend, applied = load(precision=precision)

    runner = _worker(backend).model_runner
    types = {weight.dtype for weight in runner.model.parameters()}
    assert types == {getattr(torch, precision)} == {runner.kv_caches[0].dtype}
    assert applied["precision"] == precision
    assert applied["precisions"]["kv_cache"] == applied["precisions"]["compute"] == precision
    assert applied["precisions"]["quantised_modules"] == 0


def test_the_largest_batch_is_what_a_step_takes(load: Load) -> None:
    """Without `max_num_seqs` the engine is started for the largest batch that shares the load."""
    backend, applied = load()

    assert _scheduler(backend).max_num_running_reqs == applied["options"]["max_num_seqs"] == BATCH
