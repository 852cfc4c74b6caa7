"""Whether a model can be divided among devices as it is asked."""

from __future__ import annotations

from pytest_lem.errors import LemError, config_error
from pytest_lem.measure.preflight.job import Job


def check_devices(job: Job) -> None:
    """Refuse more ranks than devices: GPUs or, without any, NUMA nodes of the CPU.

    vLLM binds a rank to a node, unless it is told the CPUs of each.
    """
    uuids = [device.uuid for device in job.machine.devices]
    if uuids and job.ranks > len(uuids):
        raise config_error(
            f"{job.division} needs {job.ranks} devices, and {_are(len(uuids))} visible "
            f"({', '.join(uuids)}); lower it, or let CUDA_VISIBLE_DEVICES show more"
        )
    nodes = job.machine.nodes
    is_bound_by_hand = job.option("cpu_omp_threads_bind") not in (None, "auto")
    if not uuids and nodes is not None and job.ranks > nodes and not is_bound_by_hand:
        raise config_error(
            f"{job.division} needs {job.ranks} devices, but no GPU is visible and the CPU counts "
            f"as {nodes}, one for each NUMA node; lower it"
        )


def check_heads(job: Job) -> None:
    """Refuse a number of devices by which the heads cannot be divided.

    Key-value heads that are fewer than the devices are copied, as often to each.
    """
    heads, kv_heads = (job.shape.heads, job.shape.kv_heads) if job.shape else (None, None)
    size = job.tensor_parallel
    if heads is not None and heads % size:
        raise _indivisible(job, f"{heads} attention heads")
    if kv_heads is not None and kv_heads % size and size % kv_heads:
        raise _indivisible(job, f"{kv_heads} key-value heads")


def check_layers(job: Job) -> None:
    """Refuse more groups of devices than layers."""
    layers = job.shape.layers if job.shape else None
    if layers is not None and job.pipeline_parallel > layers:
        raise config_error(
            f"{job.path('pipeline_parallel_size')} is {job.pipeline_parallel}, but "
            f"{job.spec.model} has only {layers} layers; lower it"
        )


def _indivisible(job: Job, what: str) -> LemError:
    return config_error(
        f"{job.path('tensor_parallel_size')} is {job.tensor_parallel}, which does not divide the "
        f"{what} of {job.spec.model}; take a size that does"
    )


def _are(count: int) -> str:
    return "1 is" if count == 1 else f"{count} are"
