"""What TensorRT-LLM is told, and what it says that it was told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends.option import HubOptions
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.backends.tensorrt_llm import TensorRtLlmBackend
from pytest_lem.backends.tensorrt_llm.options import TensorRtLlmOptions
from pytest_lem.config.trial import Trial, trials_of
from pytest_lem.measure.applied import load_differences

Load = Callable[..., tuple[TensorRtLlmBackend, dict[str, Any]]]

#: Where in the arguments of a running engine an option of another name is.
PLACES: dict[str, Callable[[Any], Any]] = {
    "capacity_scheduler_policy": lambda args: args.scheduler_config.capacity_scheduler_policy,
    "enable_block_reuse": lambda args: args.kv_cache_config.enable_block_reuse,
    "free_gpu_memory_fraction": lambda args: args.kv_cache_config.free_gpu_memory_fraction,
    "tokens_per_block": lambda args: args.kv_cache_config.tokens_per_block,
    "kv_cache_dtype": lambda args: args.kv_cache_config.dtype,
    "kv_cache_config": lambda args: {"max_tokens": args.kv_cache_config.max_tokens},
    "cuda_graph_config": lambda args: (
        args.cuda_graph_config is not None
        and {"enable_padding": args.cuda_graph_config.enable_padding}
    ),
    "load_format": lambda args: args.load_format.name.lower(),
    "llm_args": lambda args: {"enable_autotuner": args.enable_autotuner},
}
TRIALS = [
    trial
    for trial in trials_of(TensorRtLlmOptions, TensorRtLlmBackend.precisions)
    if trial.name not in {"precision", "revision"} and not trial.name.startswith("workload.")
]


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.id)
def test_every_example_reaches_the_engine(load: Load, model: Path, trial: Trial) -> None:
    """It is found where it belongs, and read back under its own name."""
    backend, applied = load(**trial.options)

    args = backend._engine.args
    place = PLACES.get(trial.name, lambda args: getattr(args, trial.name))
    assert place(args) == trial.value
    options = {name: trial.options.get(name) for name in applied["options"]}
    spec = LoadSpec(backend="tensorrt_llm", model=str(model), precision="auto", options=options)
    assert load_differences(spec, applied) == []
    if trial.is_read_back:
        assert applied["options"][trial.name] == trial.value


def test_every_option_has_examples_for_a_gpu() -> None:
    """The engine has no other device; what the models of the hub need is no matter of one."""
    hub = {field.name for field in fields(HubOptions)}
    tried = {trial.name for trial in TRIALS if trial.needs_gpu}

    assert tried == {field.name for field in fields(TensorRtLlmOptions)} - hub


def test_what_is_not_in_force_is_told(load: Load, model: Path) -> None:
    """Settings that the engine did not take over are differences from what was asked for."""
    backend, applied = load()
    asked = {"enable_block_reuse": True, "attn_backend": "VANILLA", "kv_cache_dtype": "fp8"}
    spec = LoadSpec(backend="tensorrt_llm", model=str(model), precision="fp8", options=asked)

    assert backend.name == "tensorrt_llm"
    assert [(d.name, d.in_force) for d in load_differences(spec, applied)] == [
        ("precision", "bfloat16"),
        ("backends.tensorrt_llm.enable_block_reuse", False),
        ("backends.tensorrt_llm.attn_backend", "TRTLLM"),
        ("backends.tensorrt_llm.kv_cache_dtype", "auto"),
    ]


def test_without_options_reuse_is_off_and_metrics_are_on(load: Load) -> None:
    """What a benchmark needs is asked for; all else is the library's own choice."""
    args = load()[0]._engine.args

    assert args.model_fields_set >= {"kv_cache_config", "return_perf_metrics", "max_batch_size"}
    assert args.kv_cache_config.model_fields_set == {"enable_block_reuse"}
    assert (args.kv_cache_config.enable_block_reuse, args.return_perf_metrics) == (False, True)
    assert "dtype" not in args.model_fields_set or args.dtype == "auto"


def test_the_largest_batch_is_what_a_step_takes(load: Load) -> None:
    """Without `max_batch_size` the engine is started for the largest batch that shares the load."""
    assert load()[0]._engine.args.max_batch_size == 4
    assert load(max_batch_size=2)[0]._engine.args.max_batch_size == 2
