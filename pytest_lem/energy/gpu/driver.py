"""The NVIDIA driver, through NVML (package `nvidia-ml-py`, module `pynvml`)."""

from __future__ import annotations

import ctypes
import importlib
from typing import Any

from pytest_lem.energy.fault import Fault
from pytest_lem.flags import Reason

LIBRARY = "libnvidia-ml.so.1"
#: What NVML's error codes mean to a person who measures.
_REASONS = {
    3: Reason.NO_COUNTER,  # NVML_ERROR_NOT_SUPPORTED
    4: Reason.NO_PERMISSION,  # NVML_ERROR_NO_PERMISSION
    6: Reason.UNKNOWN_GPU,  # NVML_ERROR_NOT_FOUND
    9: Reason.NO_DRIVER,  # NVML_ERROR_DRIVER_NOT_LOADED
    12: Reason.NO_DRIVER,  # NVML_ERROR_LIBRARY_NOT_FOUND
    15: Reason.GPU_LOST,  # NVML_ERROR_GPU_IS_LOST
    16: Reason.GPU_LOST,  # NVML_ERROR_RESET_REQUIRED
    28: Reason.UNKNOWN_GPU,  # NVML_ERROR_GPU_NOT_FOUND
}


class DriverFault(Fault):
    """What the driver refused."""


class Driver:
    """One NVML session, opened once and kept: some drivers count anew when the last one ends."""

    def __init__(self, nvml: Any = None) -> None:
        self._nvml = nvml
        self._is_open = False

    def open(self) -> None:
        """Begin the session unless it has begun; raises DriverFault where there is no driver."""
        if self._is_open:
            return
        if self._nvml is None:
            if not has_driver():
                raise DriverFault(Reason.NO_DRIVER, f"{LIBRARY} not found")
            self._nvml = importlib.import_module("pynvml")
        self.ask("nvmlInit")
        self._is_open = True

    def close(self) -> None:
        """End the session; safe to call again."""
        if self._is_open:
            self._is_open = False
            self.fact("nvmlShutdown")

    def ask(self, name: str, *arguments: Any) -> Any:
        """Return what a function of NVML returns; raises DriverFault when it refuses."""
        try:
            return getattr(self._nvml, name)(*arguments)
        except (self._nvml.NVMLError, AttributeError) as error:
            code = getattr(error, "value", 0)
            raise DriverFault(
                _REASONS.get(code, Reason.METER_SILENT), f"{name}: {error}"
            ) from error

    def fact(self, name: str, *arguments: Any) -> Any:
        """Return what a function of NVML returns, or None when it refuses."""
        try:
            return self.ask(name, *arguments)
        except DriverFault:
            return None

    def handle(self, uuid: str) -> Any:
        """Return the handle of a GPU, or of a MIG slice, by its UUID."""
        return self.ask("nvmlDeviceGetHandleByUUID", uuid)

    def uuids(self) -> list[str]:
        """Return the UUIDs of all boards, in the order of NVML, which is not that of CUDA."""
        count = self.ask("nvmlDeviceGetCount")
        handles = [self.ask("nvmlDeviceGetHandleByIndex", index) for index in range(count)]
        return [self.ask("nvmlDeviceGetUUID", handle) for handle in handles]


def has_driver() -> bool:
    """Tell whether the driver's library can be loaded, without importing its bindings."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return False
    return True
