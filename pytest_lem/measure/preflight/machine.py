"""The machine before a load: its GPUs, or its CPU, as far as the system tells."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_lem.energy.gpu.driver import Driver, DriverFault
from pytest_lem.energy.gpu.processes import on_board, session_pids, tenancy
from pytest_lem.measure.preflight.memory import Memory, host_memory

#: With any other value vLLM does not bind the ranks on a CPU to its nodes.
_BINDING, _BY_NODE = "VLLM_CPU_OMP_THREADS_BIND", "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A GPU.

    Attributes:
        capability: its compute capability, None where the driver does not tell.
        strangers: processes on it that are not of this session.

    """

    uuid: str
    memory: Memory = field(default_factory=Memory)
    capability: tuple[int, int] | None = None
    strangers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What there is for a model.

    Attributes:
        devices: the GPUs that it may use; none: it runs on the CPU.
        memory: of the machine, as far as this process may have it.
        nodes: NUMA nodes with memory that this process may use; None where they do not matter.
        shm_bytes: size of /dev/shm.

    """

    devices: tuple[Device, ...] = ()
    memory: Memory = field(default_factory=Memory)
    nodes: int | None = None
    shm_bytes: int | None = None


def read_machine(
    gpu_uuids: Sequence[str],
    *,
    nvml: Any = None,
    root: Path = Path("/"),
    variables: Mapping[str, str] = os.environ,
) -> Machine:
    """Look at these GPUs and at the system; without GPUs the driver is left alone."""
    driver = Driver(nvml)
    is_bound_by_hand = variables.get(_BINDING, _BY_NODE) != _BY_NODE
    try:
        return Machine(
            devices=tuple(_device(driver, uuid) for uuid in gpu_uuids),
            memory=host_memory(root),
            nodes=None if is_bound_by_hand else _nodes(root),
            shm_bytes=_size_bytes(root / "dev/shm"),
        )
    finally:
        driver.close()


def _device(driver: Driver, uuid: str) -> Device:
    try:
        driver.open()
        handle = driver.handle(uuid)
    except DriverFault:
        return Device(uuid=uuid)
    memory = driver.fact("nvmlDeviceGetMemoryInfo", handle)
    capability = driver.fact("nvmlDeviceGetCudaComputeCapability", handle)
    tenants = on_board(driver, handle)
    return Device(
        uuid=uuid,
        memory=Memory(total_bytes=memory.total, free_bytes=memory.free) if memory else Memory(),
        capability=(capability[0], capability[1]) if capability else None,
        strangers=tenancy(tenants, tenants, session_pids(), is_used=False).foreign,
    )


def _nodes(root: Path) -> int | None:
    """Count the NUMA nodes with memory that this process may use."""
    there = _numbers(root / "sys/devices/system/node/has_memory", "")
    allowed = _numbers(root / "proc/self/status", "Mems_allowed_list:")
    return len(there & allowed) or None


def _numbers(path: Path, prefix: str) -> set[int]:
    """Return the numbers in the line of a file that begins so, written as `0-2,4`."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    line = next((line for line in lines if line.startswith(prefix)), "")
    parts = [part.partition("-") for part in line.removeprefix(prefix).strip().split(",") if part]
    return {n for a, _, b in parts for n in range(int(a), int(b or a) + 1)}


def _size_bytes(folder: Path) -> int | None:
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_frsize * found.f_blocks
