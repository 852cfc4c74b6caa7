"""Models that are divided among devices."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_lem.errors import FailureKind, LemError
from pytest_lem.measure.preflight.division import check_devices, check_heads, check_layers


def _tensor(size: int, pipeline: int = 1, **more: Any) -> dict[str, Any]:
    return {"tensor_parallel_size": size, "pipeline_parallel_size": pipeline, **more}


def _refusal(check: Any, asked: Any) -> str:
    with pytest.raises(LemError) as caught:
        check(asked)
    assert caught.value.kind is FailureKind.CONFIG
    return str(caught.value)


def test_more_ranks_than_gpus_are_refused(job: Any, gpu: Any) -> None:
    """The sentence names the setting, what it needs, and what is there."""
    two = (gpu("GPU-a"), gpu("GPU-b"))
    check_devices(job(*two, options=_tensor(2)))
    assert _refusal(check_devices, job(*two, options=_tensor(3))) == (
        "`backends.vllm.tensor_parallel_size` 3 needs 3 devices, and 2 are visible (GPU-a, GPU-b); "
        "lower it, or let CUDA_VISIBLE_DEVICES show more"
    )
    assert "and 1 is visible (GPU-a)" in _refusal(
        check_devices, job(gpu(), options=_tensor(1, pipeline=2))
    )


def test_both_ways_to_divide_are_multiplied(job: Any, gpu: Any) -> None:
    """Each stage of a pipeline has as many devices as its layers are divided among."""
    four = tuple(gpu(f"GPU-{n}") for n in range(4))
    check_devices(job(*four, options=_tensor(2, pipeline=2)))
    sentence = _refusal(check_devices, job(*four, options=_tensor(2, pipeline=3)))
    assert sentence.startswith(
        "`backends.vllm.tensor_parallel_size` 2 x `backends.vllm.pipeline_parallel_size` 3 needs 6"
    )


def test_without_gpus_each_rank_has_a_node_of_the_cpu(job: Any) -> None:
    """Unless the nodes are not known, or somebody says which CPUs a rank has."""
    sentence = _refusal(check_devices, job(options=_tensor(2), machine={"nodes": 1}))
    assert (
        "needs 2 devices, but no GPU is visible and the CPU counts as 1, one for each" in sentence
    )
    _refusal(
        check_devices,
        job(options=_tensor(2, cpu_omp_threads_bind="auto"), machine={"nodes": 1}),
    )
    check_devices(job(options=_tensor(2), machine={"nodes": 2}))
    check_devices(job(options=_tensor(2)))
    check_devices(job(options=_tensor(2, cpu_omp_threads_bind="0|1"), machine={"nodes": 1}))


def test_a_backend_that_divides_nothing_needs_one_device(job: Any) -> None:
    """It has no such options."""
    check_devices(job(backend="transformers", machine={"nodes": 1}))


@pytest.mark.parametrize(
    ("size", "heads", "kv_heads", "what"),
    [
        (2, 8, 4, None),
        (8, 8, 4, None),
        (8, 8, 1, None),
        (3, 8, 4, "8 attention heads"),
        (6, 12, 4, "4 key-value heads"),
        (4, 12, 6, "6 key-value heads"),
        (3, None, None, None),
    ],
)
def test_heads_are_divided_or_copied(
    job: Any, size: int, heads: int | None, kv_heads: int | None, what: str | None
) -> None:
    """Fewer key-value heads than devices are copied, but only as often to each."""
    asked = job(options=_tensor(size), heads=heads, kv_heads=kv_heads)
    if what is None:
        check_heads(asked)
    else:
        assert _refusal(check_heads, asked) == (
            f"`backends.vllm.tensor_parallel_size` is {size}, which does not divide the {what} of "
            "m; take a size that does"
        )


def test_a_pipeline_is_no_longer_than_the_model(job: Any) -> None:
    """Each stage has a layer at least."""
    check_layers(job(options=_tensor(1, pipeline=6)))
    assert _refusal(check_layers, job(options=_tensor(1, pipeline=7))) == (
        "`backends.vllm.pipeline_parallel_size` is 7, but m has only 6 layers; lower it"
    )


def test_of_a_model_that_is_not_here_nothing_is_said(job: Any) -> None:
    """It has yet to be downloaded."""
    asked = replace(job(options=_tensor(3, pipeline=7)), shape=None)
    check_heads(asked)
    check_layers(asked)
    assert asked.ranks == 21
