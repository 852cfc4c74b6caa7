"""Whether the hardware can do what is asked, and nobody else is on it."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_lem.errors import config_error
from pytest_lem.measure.preflight.job import Job

#: Compute capabilities from which on a backend, or the arithmetic of a precision, is there.
_LEAST_FOR_BACKEND = {"tensorrt_llm": (8, 0)}
_LEAST_FOR_PRECISION = {"bfloat16": (8, 0)}
_LEAST_FOR_FP8 = (8, 9)
#: Its precisions are types of files; it computes in others.
_FREE = "llama_cpp"
#: Processes of vLLM hand each other data in shared memory.
_LEAST_SHM_BYTES = 4 << 30


def check_cuda(job: Job) -> None:
    """Refuse a CUDA device where no GPU is visible."""
    device = str(job.option("device") or "")
    if device.startswith("cuda") and not job.machine.devices:
        raise config_error(
            f"{job.path('device')} is {device}, but no GPU is visible: there is no NVIDIA driver, "
            "or CUDA_VISIBLE_DEVICES shows none; `lem doctor` says which"
        )


def check_capability(job: Job) -> None:
    """Refuse GPUs that lack what a backend or a precision needs."""
    backend, precision = job.spec.backend, job.spec.precision
    for what, least in (
        (f"the backend `{backend}`", _LEAST_FOR_BACKEND.get(backend)),
        (f"the precision {precision}", _LEAST_FOR_PRECISION.get(precision)),
    ):
        if backend != _FREE and least and not _is_able(job, least):
            raise config_error(
                f"{what} needs compute capability {_dotted(least)}, and {_capabilities(job)}; take "
                "another one, or run it on another GPU"
            )


def check_fp8(job: Job) -> Iterator[str]:
    """Doubt GPUs that cannot compute in FP8."""
    if job.spec.precision.startswith("fp8") and not _is_able(job, _LEAST_FOR_FP8):
        yield (
            f"FP8 arithmetic needs compute capability {_dotted(_LEAST_FOR_FP8)}, and "
            f"{_capabilities(job)}, so a library can at best store FP8 and compute in 16 bits"
        )


def check_shm(job: Job) -> Iterator[str]:
    """Doubt a small /dev/shm where vLLM runs in several processes, as in containers."""
    size_bytes = job.machine.shm_bytes
    is_apart = job.option("enable_v1_multiprocessing") or job.option("engine") == "AsyncLLM"
    has_several = job.spec.backend == "vllm" and (job.ranks > 1 or is_apart)
    if has_several and size_bytes is not None and size_bytes < _LEAST_SHM_BYTES:
        yield (
            f"shared memory (/dev/shm) has {size_bytes / 2**30:.1f} GiB, and the processes of vLLM "
            "may need 4 GiB; start the container with --shm-size=8g or --ipc=host"
        )


def check_strangers(job: Job) -> Iterator[str]:
    """Doubt GPUs on which others are already."""
    for device in job.machine.devices:
        if device.strangers:
            yield (
                f"{_processes(device.strangers)} on {device.uuid} before the model is loaded, and "
                "what they do there will be in its energy; run when the GPU is free"
            )


def _is_able(job: Job, least: tuple[int, int]) -> bool:
    """Tell whether enough GPUs have a capability; one that is not known may have it."""
    devices = job.machine.devices
    able = [d for d in devices if d.capability is None or d.capability >= least]
    return not devices or len(able) >= job.ranks


def _capabilities(job: Job) -> str:
    """Say what the visible GPUs have."""
    known = {d.capability for d in job.machine.devices if d.capability is not None}
    return f"the GPUs here have {', '.join(map(_dotted, sorted(known)))}"


def _dotted(capability: tuple[int, int]) -> str:
    return ".".join(map(str, capability))


def _processes(pids: tuple[int, ...]) -> str:
    word = "the process {} is" if len(pids) == 1 else "the processes {} are"
    return word.format(", ".join(map(str, pids)))
