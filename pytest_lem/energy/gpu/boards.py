"""What a board is and how it is set, as the driver says."""

from __future__ import annotations

import re
from typing import Any

from pytest_lem.energy.gpu.driver import Driver, DriverFault
from pytest_lem.flags import Reason

#: NVML's numbers, as words.
_VIRTUALIZATION = {0: "none", 1: "passthrough", 2: "vgpu", 3: "vgpu_host", 4: "vsga_host"}
_COMPUTE_MODES = {0: "default", 1: "exclusive_thread", 2: "prohibited", 3: "exclusive_process"}
_SM_CLOCK, _MEMORY_CLOCK = 1, 2
#: The name of a MIG slice before driver 470, which CUDA still takes: board/instance/instance.
_OLD_SLICE = re.compile(r"MIG-(GPU-[^/]+)/")


def describe(driver: Driver, uuid: str) -> dict[str, Any]:
    """Describe a board, or the board of a MIG slice; a fact that the driver hides is None.

    Clocks set by `nvidia-smi --lock-gpu-clocks` cannot be read; the application clocks can, from
    drivers that still have them. Raises DriverFault for an unknown UUID.
    """
    handle = driver.handle(parent_of(driver, uuid))
    memory = driver.fact("nvmlDeviceGetMemoryInfo", handle)
    limit_mw = driver.fact("nvmlDeviceGetEnforcedPowerLimit", handle)
    return {
        "name": driver.fact("nvmlDeviceGetName", handle),
        "driver": driver.fact("nvmlSystemGetDriverVersion"),
        "cuda": driver.fact("nvmlSystemGetCudaDriverVersion_v2"),
        "vbios": driver.fact("nvmlDeviceGetVbiosVersion", handle),
        "memory_bytes": memory.total if memory else None,
        "power_limit_w": limit_mw / 1000 if limit_mw else None,
        "max_sm_clock_mhz": driver.fact("nvmlDeviceGetMaxClockInfo", handle, _SM_CLOCK),
        "application_sm_clock_mhz": driver.fact(
            "nvmlDeviceGetApplicationsClock", handle, _SM_CLOCK
        ),
        "application_memory_clock_mhz": driver.fact(
            "nvmlDeviceGetApplicationsClock", handle, _MEMORY_CLOCK
        ),
        "persistence_mode": driver.fact("nvmlDeviceGetPersistenceMode", handle),
        "compute_mode": _COMPUTE_MODES.get(driver.fact("nvmlDeviceGetComputeMode", handle)),
        "ecc": _present(driver.fact("nvmlDeviceGetEccMode", handle)),
        "mig": _present(driver.fact("nvmlDeviceGetMigMode", handle)),
        "virtualization": _virtualization(driver, handle),
        "confidential_computing": _is_confidential(driver),
    }


def is_mig(uuid: str) -> bool:
    """Tell whether a UUID names a MIG slice rather than a board."""
    return uuid.startswith("MIG-")


def parent_of(driver: Driver, uuid: str) -> str:
    """Return the UUID of the board that a MIG slice is part of; a board's own UUID.

    Raises DriverFault for a slice that the driver does not know.
    """
    if not is_mig(uuid):
        return uuid
    if old := _OLD_SLICE.match(uuid):
        return old[1]
    slice_handle = driver.handle(uuid)
    parent = driver.ask("nvmlDeviceGetDeviceHandleFromMigDeviceHandle", slice_handle)
    return str(driver.ask("nvmlDeviceGetUUID", parent))


def known_as(driver: Driver, uuid: str) -> str:
    """Return the name under which the driver knows a GPU.

    CUDA gives a MIG slice its UUID without saying that it is a slice, and libraries put `GPU-`
    before it. A name that fits neither is returned as it is.
    """
    other = uuid.replace("GPU-", "MIG-", 1)
    if driver.fact("nvmlDeviceGetHandleByUUID", uuid) is None and other != uuid:
        return other if driver.fact("nvmlDeviceGetHandleByUUID", other) is not None else uuid
    return uuid


def is_split(driver: Driver, uuid: str) -> bool:
    """Tell whether a GPU is a MIG slice, or a board in MIG mode, of which CUDA uses one slice.

    Raises DriverFault for an unknown UUID.
    """
    handle = driver.handle(parent_of(driver, uuid))
    return is_mig(uuid) or _present(driver.fact("nvmlDeviceGetMigMode", handle)) == 1


def counter_fault(driver: Driver, uuid: str) -> DriverFault | None:
    """Read the energy counter once and return why it cannot be read, None when it can."""
    try:
        handle = driver.handle(parent_of(driver, uuid))
    except DriverFault as fault:
        return fault
    try:
        driver.ask("nvmlDeviceGetTotalEnergyConsumption", handle)
    except DriverFault as fault:
        is_guest = _virtualization(driver, handle) == "vgpu"
        has_none = fault.reason is Reason.NO_COUNTER
        return DriverFault(Reason.VGPU) if is_guest and has_none else fault
    return None


def _virtualization(driver: Driver, handle: Any) -> str | None:
    return _VIRTUALIZATION.get(driver.fact("nvmlDeviceGetVirtualizationMode", handle))


def _is_confidential(driver: Driver) -> bool | None:
    state = driver.fact("nvmlSystemGetConfComputeState")
    return None if state is None else bool(state.ccFeature)


def _present(modes: Any) -> int | None:
    """Return the present one of a pair of modes, present and pending."""
    return modes[0] if modes else None
