"""A GPU as its driver sees it; its energy counter is left alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar

from pytest_lem.energy.gpu.driver import Driver, DriverFault
from pytest_lem.energy.sampling.track import Source
from pytest_lem.flags import Reason

Answer = TypeVar("Answer")
#: Asks a function of NVML, by its name, about one board; raises DriverFault.
Ask = Callable[..., Any]
#: NVML_FI_DEV_POWER_AVERAGE: the mean power of one second, in milliwatts.
_AVERAGE_POWER = 185
_AVERAGING_S = 1.0
_POWER_USAGE = "nvmlDeviceGetPowerUsage"
#: Types of clocks, and the only sensor of temperature.
_SM, _MEMORY, _SENSOR = 1, 2, 0
#: The newer name first.
_EVENT_REASONS = (
    "nvmlDeviceGetCurrentClocksEventReasons",
    "nvmlDeviceGetCurrentClocksThrottleReasons",
)
_LISTS = {
    "compute": "nvmlDeviceGetComputeRunningProcesses",
    "graphics": "nvmlDeviceGetGraphicsRunningProcesses",
    "mps": "nvmlDeviceGetMPSComputeRunningProcesses",
}
#: After these answers of the driver (not supported, not allowed) it is not asked again.
_FINAL = {Reason.NO_COUNTER, Reason.NO_PERMISSION}


class BoardProbe:
    """One board, known by its UUID; making one raises DriverFault where the driver has none."""

    columns: tuple[str, ...] = (
        "power_w",
        "sm_clock_mhz",
        "memory_clock_mhz",
        "temperature_c",
        "utilisation",
        "memory_bytes",
        "throttle_bits",
    )

    def __init__(self, driver: Driver, uuid: str) -> None:
        ask: Ask = partial(_ask, driver, driver.handle(uuid))
        self.device = uuid
        self.source, read_power_w = _power(ask)
        self._questions = [
            _Question(read_power_w),
            _Question(partial(ask, "nvmlDeviceGetClockInfo", _SM)),
            _Question(partial(ask, "nvmlDeviceGetClockInfo", _MEMORY)),
            _Question(partial(ask, "nvmlDeviceGetTemperature", _SENSOR)),
            _Question(lambda: ask("nvmlDeviceGetUtilizationRates").gpu / 100),
            _Question(lambda: ask("nvmlDeviceGetMemoryInfo").used),
            _Question(_event_reasons(ask)),
        ]
        self._lists = {kind: _Question(partial(_pids, ask, name)) for kind, name in _LISTS.items()}
        self._looked_s = -1

    def read(self, now_s: float) -> list[float | None]:  # noqa: ARG002 - no differences here
        """Return the values of the columns; None for what the driver refuses."""
        return [question.answer() for question in self._questions]

    def processes(self, now_s: float) -> dict[str, list[int]]:
        """Return the process ids by kind, once in each second of the clock; else nothing.

        A kind that the driver refuses to list is not there.
        """
        if int(now_s) == self._looked_s:
            return {}
        self._looked_s = int(now_s)
        answers = {kind: question.answer() for kind, question in self._lists.items()}
        return {kind: pids for kind, pids in answers.items() if pids is not None}


class _Question(Generic[Answer]):
    """What is asked again and again, until the driver says that it will never answer."""

    def __init__(self, ask: Callable[[], Answer] | None) -> None:
        self._ask = ask

    def answer(self) -> Answer | None:
        """Return the answer; None when it is refused."""
        if self._ask is None:
            return None
        try:
            return self._ask()
        except DriverFault as fault:
            if fault.reason in _FINAL:
                self._ask = None
            return None


def _ask(driver: Driver, handle: Any, name: str, *arguments: Any) -> Any:
    return driver.ask(name, handle, *arguments)


def _power(ask: Ask) -> tuple[Source | None, Callable[[], float] | None]:
    """Return the first source of power that answers, and how to read it in watts."""
    average = Source(name=f"NVML field {_AVERAGE_POWER}", averaging_s=_AVERAGING_S)
    usage = Source(name=_POWER_USAGE, averaging_s=None)
    ways = ((average, _average_power_w), (usage, _power_usage_w))
    for source, read in ways:
        with suppress(DriverFault):
            read(ask)
            return source, partial(read, ask)
    return None, None


def _average_power_w(ask: Ask) -> float:
    field = ask("nvmlDeviceGetFieldValues", [_AVERAGE_POWER])[0]
    if field.nvmlReturn:
        raise DriverFault(Reason.METER_SILENT, f"field {_AVERAGE_POWER}: {field.nvmlReturn}")
    return float(field.value.uiVal / 1000)


def _power_usage_w(ask: Ask) -> float:
    return float(ask(_POWER_USAGE) / 1000)


def _event_reasons(ask: Ask) -> Callable[[], int] | None:
    """Return how to read the bits, by the first name that the driver knows."""
    for name in _EVENT_REASONS:
        with suppress(DriverFault):
            ask(name)
            return partial(ask, name)
    return None


def _pids(ask: Ask, name: str) -> list[int]:
    return [process.pid for process in ask(name)]
