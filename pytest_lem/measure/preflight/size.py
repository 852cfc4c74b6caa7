"""Whether a model fits into memory: its weights surely, its KV cache at the largest batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pytest_lem.backends.shape import BYTES
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.measure.preflight.job import Job
from pytest_lem.measure.preflight.memory import Memory

#: Options by which less is in the memory of the devices than the files of a model say.
_SMALLER = ("quantization", "quantization_config", "cpu_offload_gb", "device_map", "max_memory")
#: A backend that has this option puts on GPUs what fits, and the rest beside them.
_LAYERS = "n_gpu_layers"
_GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a load needs at least, in bytes; the KV cache is 0 where its size is not known."""

    weights_bytes: int
    cache_bytes: int
    tokens: int

    @property
    def total_bytes(self) -> int:
        """Return both together."""
        return self.weights_bytes + self.cache_bytes

    def __str__(self) -> str:
        text = f"the weights take {_gib(self.weights_bytes)}"
        if self.cache_bytes:
            text += f", the KV cache of {self.tokens} tokens {_gib(self.cache_bytes)}"
        return text


def check_size(job: Job) -> Iterator[str]:
    """Refuse weights that the devices together cannot hold; doubt what does not fit just now.

    Raises LemError (`oom`). Of several GPUs, the largest and the freest count, since which ones
    a library takes is not known.
    """
    need, there = need_of(job), _memory(job)
    if need is None:
        return
    where = "on the GPUs in use" if job.machine.devices else "in this machine"
    if there.total_bytes is not None and need.weights_bytes > there.total_bytes:
        raise LemError(
            f"the weights of {job.spec.model} in {job.spec.precision} take {_times(job)}"
            f"{_gib(need.weights_bytes)}, but there are {_gib(there.total_bytes)} {where}; take a "
            "smaller precision, a smaller model or more devices",
            kind=FailureKind.OOM,
        )
    if there.free_bytes is not None and need.total_bytes > there.free_bytes:
        yield (
            f"memory may not suffice: {need}, and {_gib(there.free_bytes)} are free {where}; take "
            "a smaller batch or precision, or end what else is there"
        )


def need_of(job: Job) -> Need | None:
    """Estimate what a load needs; None where the files or the options leave it open.

    A prompt whose length only a tokenizer knows counts as nothing, so the need is the least.
    """
    weights = job.shape.weights if job.shape else None
    size_bytes = weights.loaded_bytes(job.spec.precision) if weights else None
    is_open = _LAYERS in job.spec.options or any(map(job.option, _SMALLER))
    if job.shape is None or size_bytes is None or is_open:
        return None
    workload = job.workload
    length = (workload.input_tokens or 0) + workload.output_tokens
    tokens = job.spec.max_batch_size * length
    number_bytes = _cache_number_bytes(job)
    cache_bytes = tokens * (job.shape.kv_numbers or 0) * number_bytes
    if not job.machine.devices:  # of which each copy has one for itself
        size_bytes *= job.copies
    return Need(weights_bytes=size_bytes, cache_bytes=cache_bytes, tokens=tokens)


def _times(job: Job) -> str:
    """Say how often the weights are there, where that is more than once."""
    return "" if job.machine.devices or job.copies == 1 else f"in {job.copies} processes "


def _cache_number_bytes(job: Job) -> int:
    """Return the bytes of a number in the KV cache: the type of its own, else the precision's."""
    own = str(job.option("kv_cache_dtype") or "auto").partition("_")[0]
    return BYTES.get(own) or BYTES.get(job.spec.precision, BYTES["float16"])


def _memory(job: Job) -> Memory:
    """Return the memory of as many devices as are needed, the largest and the freest of them."""
    devices = job.machine.devices
    if not devices:
        return job.machine.memory
    return Memory(
        total_bytes=_largest((d.memory.total_bytes for d in devices), job.ranks),
        free_bytes=_largest((d.memory.free_bytes for d in devices), job.ranks),
    )


def _largest(sizes: Iterable[int | None], count: int) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(sorted(known)[-count:]) if len(known) >= count else None


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / _GIB:.1f} GiB"
