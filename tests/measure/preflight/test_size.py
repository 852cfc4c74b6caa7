"""Models and memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_lem.backends.shape import Weights
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.measure.preflight.memory import Memory
from pytest_lem.measure.preflight.size import check_size, need_of

GIB = 1 << 30
#: Eight billion weights (2^33), in 16 bits.
WEIGHTS = Weights(floats=8 * GIB, floats_bytes=16 * GIB)


def _doubts(asked: Any) -> list[str]:
    return list(check_size(asked))


def test_weights_that_no_device_can_hold_are_refused(job: Any, gpu: Any) -> None:
    """Their number times the bytes of the precision, against all the memory there is."""
    small = gpu(total=24, free=20)
    assert _doubts(job(small, weights=WEIGHTS)) == []
    with pytest.raises(LemError) as caught:
        _doubts(job(small, weights=WEIGHTS, precision="float32"))
    assert caught.value.kind is FailureKind.OOM
    assert str(caught.value) == (
        "the weights of m in float32 take 32.0 GiB, but there are 24.0 GiB on the GPUs in use; "
        "take a smaller precision, a smaller model or more devices"
    )


def test_what_does_not_fit_just_now_is_doubted(job: Any, gpu: Any) -> None:
    """Weights and the cache of the largest batch, against what is free."""
    asked = {"weights": WEIGHTS, "batch": 16, "tokens": (960, 64), "kv_numbers": 1 << 16}
    assert _doubts(job(gpu(free=18.1), **asked)) == []
    (sentence,) = _doubts(job(gpu(free=17.9), **asked))
    assert sentence == (
        "memory may not suffice: the weights take 16.0 GiB, the KV cache of 16384 tokens 2.0 GiB, "
        "and 17.9 GiB are free on the GPUs in use; take a smaller batch or precision, or end what "
        "else is there"
    )


@pytest.mark.parametrize(("size", "free"), [(1, "9.0 GiB"), (2, "14.0 GiB")])
def test_the_freest_of_several_devices_count(job: Any, gpu: Any, size: int, free: str) -> None:
    """As many as the model is divided among; which ones a library takes is not known."""
    boards = [gpu(f"GPU-{free}", free=free) for free in (3, 9, 5)]
    options = {"tensor_parallel_size": size}
    (sentence,) = _doubts(job(*boards, weights=WEIGHTS, options=options))
    assert f"and {free} are free" in sentence


def test_on_a_cpu_the_memory_of_the_machine_counts(job: Any) -> None:
    """As far as this process may have it."""
    memory = Memory(total_bytes=20 * GIB, free_bytes=10 * GIB)
    asked = job(weights=WEIGHTS, machine={"memory": memory})
    (sentence,) = _doubts(asked)
    assert sentence.startswith("memory may not suffice: the weights take 16.0 GiB, and 10.0 GiB")
    assert "are free in this machine" in sentence
    with pytest.raises(LemError, match=r"there are 15\.0 GiB in this machine"):
        _doubts(job(weights=WEIGHTS, machine={"memory": Memory(total_bytes=15 * GIB)}))


def test_on_a_cpu_each_process_has_the_weights(job: Any, gpu: Any) -> None:
    """Copies share the memory of the machine; on GPUs each has one to itself."""
    memory, two = Memory(total_bytes=20 * GIB), {"processes": 2}
    with pytest.raises(LemError, match=r"take in 2 processes 32\.0 GiB, but there are 20\.0 GiB"):
        _doubts(job(weights=WEIGHTS, machine={"memory": memory}, options=two))
    devices = (gpu(total=20), gpu(total=20))
    assert _doubts(job(weights=WEIGHTS, machine={"devices": devices}, options=two)) == []


def test_memory_that_is_not_known_is_not_judged(job: Any, gpu: Any) -> None:
    """A driver may hide it, of one of two devices too."""
    blind = replace(gpu("GPU-b"), memory=Memory())
    assert _doubts(job(blind, weights=WEIGHTS)) == []
    options = {"tensor_parallel_size": 2}
    assert _doubts(job(gpu(total=1, free=1), blind, weights=WEIGHTS, options=options)) == []


@pytest.mark.parametrize(
    ("options", "precision", "cache_bytes"),
    [
        ({}, "float32", 4),
        ({}, "bfloat16", 2),
        ({}, "auto", 2),
        ({"kv_cache_dtype": "auto"}, "float32", 4),
        ({"kv_cache_dtype": "fp8_e4m3"}, "float32", 1),
    ],
)
def test_numbers_in_the_cache_have_the_size_of_their_type(
    job: Any, options: dict[str, Any], precision: str, cache_bytes: int
) -> None:
    """That of the cache's own type, else of the precision."""
    asked = job(weights=WEIGHTS, kv_numbers=10, options=options, precision=precision)
    need = need_of(asked)
    assert need is not None
    assert need.cache_bytes == 64 * 10 * cache_bytes


def test_a_need_is_the_least(job: Any) -> None:
    """A prompt of unknown length, and a cache of unknown size, count as nothing."""
    need = need_of(job(weights=WEIGHTS, batch=3, tokens=(None, 10), kv_numbers=None))
    assert need is not None
    assert (need.tokens, need.cache_bytes, need.total_bytes) == (30, 0, 16 * GIB)


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": None},
        {"precision": "int4"},
        {"options": {"quantization": "fp8"}},
        {"options": {"cpu_offload_gb": 1.0}},
        {"options": {"device_map": "auto"}},
        {"options": {"n_gpu_layers": 0}},
    ],
    ids=str,
)
def test_a_need_that_the_options_leave_open_is_unknown(job: Any, changes: dict[str, Any]) -> None:
    """Weights that are quantised on the way, or put elsewhere, are not those of the files."""
    assert need_of(job(**{"weights": WEIGHTS, **changes})) is None
