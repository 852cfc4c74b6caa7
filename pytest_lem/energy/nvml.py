"""NVIDIA GPUs: the energy counter that NVML keeps for each board.

The counter advances in ticks that this meter does not wait for: it reads at both edges, and its
stated uncertainty covers a tick at each. Devices are known by UUID.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Sequence
from math import sqrt
from typing import Any, ClassVar

from pytest_lem.energy.meter import Availability, Scope
from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.errors import FailureKind, LemError

#: Longest tick known for the counter, in seconds; used until a board's own tick is measured.
ASSUMED_TICK_S = 0.1
#: Gain of the boards' sensors, from comparisons with external meters (Yang et al., SC'24).
RELATIVE_GAIN = 0.05


_LIBRARY = "libnvidia-ml.so.1"


def has_driver() -> bool:
    """Tell whether the driver's library can be loaded, without importing its bindings."""
    try:
        ctypes.CDLL(_LIBRARY)
    except OSError:
        return False
    return True


class NvmlMeter:
    """Difference of the board's energy counter."""

    name: ClassVar[str] = "nvml"
    method: ClassVar[str] = "nvml-counter-edges-1"

    def __init__(self, *, nvml: Any = None, **_: object) -> None:
        self._injected = nvml
        self._handles: dict[str, Any] = {}

    def availability(self) -> Availability:
        """Say whether there is a driver and a board whose counter can be read."""
        if self._injected is None and not has_driver():
            return Availability(tier=Tier.NONE, sentence=f"no NVIDIA driver ({_LIBRARY} not found)")
        nvml = self._nvml
        try:
            nvml.nvmlInit()
        except nvml.NVMLError as error:
            return Availability(tier=Tier.NONE, sentence=f"no NVIDIA driver ({error})")
        try:
            names = [self._counted(index) for index in range(nvml.nvmlDeviceGetCount())]
        except nvml.NVMLError as error:
            return Availability(tier=Tier.NONE, sentence=f"the energy counter fails ({error})")
        finally:
            nvml.nvmlShutdown()
        if not names:
            return Availability(tier=Tier.NONE, sentence="the driver lists no GPU")
        return Availability(tier=Tier.COUNTER, sentence=f"NVML counter of {', '.join(names)}")

    def open(self, scope: Scope) -> None:
        """Find the boards by UUID; a scope without GPUs takes nothing."""
        if not scope.gpu_uuids:
            return
        nvml = self._nvml
        is_begun = False
        try:
            nvml.nvmlInit()
            is_begun = True
            self._handles = {uuid: nvml.nvmlDeviceGetHandleByUUID(uuid) for uuid in scope.gpu_uuids}
        except nvml.NVMLError as error:
            if is_begun:
                nvml.nvmlShutdown()
            raise LemError(
                f"NVML does not know the GPUs {', '.join(scope.gpu_uuids)} ({error}); MIG slices "
                "have no counter of their own",
                kind=FailureKind.METER,
            ) from error

    def begin(self) -> dict[str, int | None]:
        """Return the counters in millijoules."""
        return {uuid: self._read_mj(handle) for uuid, handle in self._handles.items()}

    def end(self, edge: dict[str, int | None], start_s: float, end_s: float) -> Sequence[Energy]:
        """Return the energy of each board."""
        window_s = end_s - start_s
        return [
            self._energy(uuid, edge[uuid], self._read_mj(handle), window_s)
            for uuid, handle in self._handles.items()
        ]

    def close(self) -> None:
        """Forget the boards and end the NVML session."""
        if self._handles:
            self._handles = {}
            self._nvml.nvmlShutdown()

    @property
    def _nvml(self) -> Any:
        """Return the injected driver, or else the bindings, imported once there is a driver."""
        return self._injected or importlib.import_module("pynvml")

    def _counted(self, index: int) -> str:
        handle = self._nvml.nvmlDeviceGetHandleByIndex(index)
        self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        return str(self._nvml.nvmlDeviceGetName(handle))

    def _read_mj(self, handle: Any) -> int | None:
        try:
            return int(self._nvml.nvmlDeviceGetTotalEnergyConsumption(handle))
        except self._nvml.NVMLError:
            return None

    def _energy(self, uuid: str, first: int | None, last: int | None, window_s: float) -> Energy:
        reason = None
        if first is None or last is None:
            reason = "the energy counter could not be read"
        elif last < first:
            reason = "the energy counter went backwards; was the driver loaded anew?"
        elif last == first:
            reason = "the energy counter stood still while work was done"
        if reason or first is None or last is None:
            return Energy(
                domain=Domain.GPU, device=uuid, tier=Tier.COUNTER, value_j=None, reason=reason
            )
        value_j = (last - first) / 1000
        edge_j = value_j / window_s * ASSUMED_TICK_S / sqrt(3)
        return Energy(
            domain=Domain.GPU,
            device=uuid,
            tier=Tier.COUNTER,
            value_j=value_j,
            u_random_j=edge_j * sqrt(2),
            u_systematic_j=value_j * RELATIVE_GAIN / sqrt(3),
        )
