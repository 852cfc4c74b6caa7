"""Which process and which GPUs a measurement in the test's own process is about."""

from __future__ import annotations

import os
import sys

from pytest_lem.energy.meter import Scope
from pytest_lem.energy.watch import Watch


def own_scope(watch: Watch | None) -> Scope:
    """Return this process and the GPUs on which it works: as PyTorch says, else the driver."""
    uuids = [uuid for _, uuid in cuda_devices()]
    if not uuids and watch is not None:
        uuids = watch.used_by([os.getpid()])
    return Scope(pids=(os.getpid(),), gpu_uuids=tuple(uuids))


def cuda_devices() -> list[tuple[int, str]]:
    """Return index and UUID of the devices in use; PyTorch is never imported for this."""
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return []
    return [
        (index, f"GPU-{cuda.get_device_properties(index).uuid}")
        for index in range(cuda.device_count())
        if cuda.memory_reserved(index) > 0 or index == cuda.current_device()
    ]
