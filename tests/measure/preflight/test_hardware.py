"""What GPUs and the system can do, and who else is there."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lem.errors import FailureKind, LemError
from pytest_lem.measure.preflight.hardware import (
    check_capability,
    check_cuda,
    check_fp8,
    check_shm,
    check_strangers,
)

GIB = 1 << 30
TWO = {"tensor_parallel_size": 2}


def _refusal(check: Any, asked: Any) -> str:
    with pytest.raises(LemError) as caught:
        check(asked)
    assert caught.value.kind is FailureKind.CONFIG
    return str(caught.value)


def test_a_cuda_device_needs_a_gpu(job: Any, gpu: Any) -> None:
    """The library would say so after it was imported; the doctor says why."""
    asked = {"backend": "transformers", "options": {"device": "cuda:0"}}
    check_cuda(job(gpu(), **asked))
    assert _refusal(check_cuda, job(**asked)) == (
        "`backends.transformers.device` is cuda:0, but no GPU is visible: there is no NVIDIA "
        "driver, or CUDA_VISIBLE_DEVICES shows none; `lem doctor` says which"
    )


@pytest.mark.parametrize("device", ["cpu", "auto", None])
def test_any_other_device_needs_none(job: Any, device: str | None) -> None:
    """A backend may also have no such option."""
    check_cuda(job(options={} if device is None else {"device": device}))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"precision": "bfloat16"}, "the precision bfloat16"),
        ({"backend": "tensorrt_llm"}, "the backend `tensorrt_llm`"),
    ],
)
def test_a_gpu_that_lacks_what_is_needed_is_refused(
    job: Any, gpu: Any, changes: dict[str, str], what: str
) -> None:
    """Compute capability 8.0 came with Ampere."""
    check_capability(job(gpu(capability=(8, 0)), **changes))
    check_capability(job(gpu(capability=None), **changes))
    check_capability(job(**changes))
    assert _refusal(check_capability, job(gpu(capability=(7, 5)), **changes)) == (
        f"{what} needs compute capability 8.0, and the GPUs here have 7.5; take another one, or "
        "run it on another GPU"
    )


def test_enough_of_the_gpus_have_to_be_able(job: Any, gpu: Any) -> None:
    """One that is not needed may be old."""
    boards = (gpu("GPU-a", capability=(7, 5)), gpu("GPU-b", capability=(8, 9)))
    check_capability(job(*boards, precision="bfloat16"))
    assert "have 7.5, 8.9;" in _refusal(
        check_capability, job(*boards, precision="bfloat16", options=TWO)
    )


def test_fp8_on_older_gpus_is_doubted(job: Any, gpu: Any) -> None:
    """Libraries can store it there, which is not what was asked."""
    assert list(check_fp8(job(gpu(capability=(8, 9)), precision="fp8"))) == []
    assert list(check_fp8(job(gpu(capability=(8, 0)), precision="bfloat16"))) == []
    (sentence,) = check_fp8(job(gpu(capability=(8, 0)), precision="fp8"))
    assert sentence == (
        "FP8 arithmetic needs compute capability 8.9, and the GPUs here have 8.0, so a library can "
        "at best store FP8 and compute in 16 bits"
    )


@pytest.mark.parametrize(
    ("options", "is_doubted"),
    [
        (TWO, True),
        ({"enable_v1_multiprocessing": True}, True),
        ({"engine": "AsyncLLM"}, True),
        ({"engine": "LLMEngine"}, False),
    ],
    ids=str,
)
def test_several_processes_of_vllm_need_shared_memory(
    job: Any, options: dict[str, Any], is_doubted: bool
) -> None:
    """A container has 64 MiB of it unless it is told otherwise."""
    found = list(check_shm(job(options=options, machine={"shm_bytes": GIB // 16})))
    assert bool(found) is is_doubted
    assert all("has 0.1 GiB, and the processes of vLLM may need 4 GiB" in text for text in found)


@pytest.mark.parametrize(
    ("backend", "shm_bytes"), [("vllm", 4 * GIB), ("vllm", None), ("transformers", 1)]
)
def test_shared_memory_is_no_matter(job: Any, backend: str, shm_bytes: int | None) -> None:
    """Where there is enough, where nobody knows, and where nobody uses it."""
    machine = {"shm_bytes": shm_bytes}
    assert list(check_shm(job(backend=backend, options=TWO, machine=machine))) == []


def test_strangers_are_named(job: Any, gpu: Any) -> None:
    """For each GPU on which there are any."""
    boards = (gpu("GPU-a"), gpu("GPU-b", strangers=(7,)), gpu("GPU-c", strangers=(8, 9)))
    first, second = check_strangers(job(*boards))
    assert first == (
        "the process 7 is on GPU-b before the model is loaded, and what they do there will be in "
        "its energy; run when the GPU is free"
    )
    assert second.startswith("the processes 8, 9 are on GPU-c before")
