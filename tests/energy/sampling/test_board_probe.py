"""Boards, through a driver whose answers are written by hand."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_lem.energy.gpu.driver import Driver, DriverFault
from pytest_lem.energy.sampling.board_probe import BoardProbe
from pytest_lem.energy.sampling.track import Source
from pytest_lem.flags import Reason

NOT_SUPPORTED, NO_PERMISSION, UNKNOWN, NOT_FOUND = 3, 4, 999, 6
#: A whole second of the clock.
NOW_S = 100.0


class Refusal(Exception):  # noqa: N818 - as pynvml's
    """What pynvml raises, with the number of the error."""

    def __init__(self, value: int) -> None:
        super().__init__(f"error {value}")
        self.value = value


def process(pid: int) -> SimpleNamespace:
    return SimpleNamespace(pid=pid)


class Nvml:
    """The functions of `pynvml`: each has an answer, or a number with which it refuses."""

    NVMLError = Refusal

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.refused: dict[str, int] = {}
        self.field = SimpleNamespace(nvmlReturn=0, value=SimpleNamespace(uiVal=123_456))
        self.answers: dict[str, Any] = {
            "nvmlInit": None,
            "nvmlDeviceGetHandleByUUID": "the board",
            "nvmlDeviceGetFieldValues": [self.field],
            "nvmlDeviceGetPowerUsage": 98_765,
            "nvmlDeviceGetClockInfo": {1: 1980, 2: 2619},
            "nvmlDeviceGetTemperature": {0: 61},
            "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=87, memory=12),
            "nvmlDeviceGetMemoryInfo": SimpleNamespace(used=2**33, free=1, total=2),
            "nvmlDeviceGetCurrentClocksEventReasons": 0x4,
            "nvmlDeviceGetCurrentClocksThrottleReasons": 0x20,
            "nvmlDeviceGetComputeRunningProcesses": [process(11), process(12)],
            "nvmlDeviceGetGraphicsRunningProcesses": [],
            "nvmlDeviceGetMPSComputeRunningProcesses": [process(13)],
        }

    def __getattr__(self, name: str) -> Any:
        if name not in self.answers:
            raise AttributeError(name)

        def function(*arguments: Any) -> Any:
            self.asked[name] += 1
            if name in self.refused:
                raise Refusal(self.refused[name])
            answer = self.answers[name]
            return answer[arguments[1]] if isinstance(answer, dict) else answer

        return function


@pytest.fixture
def nvml() -> Nvml:
    """Return a driver that answers everything."""
    return Nvml()


def board(nvml: Nvml) -> BoardProbe:
    """Return the probe of a board of this driver."""
    driver = Driver(nvml)
    driver.open()
    return BoardProbe(driver, "GPU-a")


def facts(probe: BoardProbe) -> dict[str, float | None]:
    """Return one sample by column."""
    return dict(zip(probe.columns, probe.read(NOW_S), strict=True))


def test_a_sample_has_every_fact_in_its_unit(nvml: Nvml) -> None:
    """Power is the field with the mean of a second, not what it is at the moment."""
    probe = board(nvml)
    assert facts(probe) == {
        "power_w": 123.456,
        "sm_clock_mhz": 1980,
        "memory_clock_mhz": 2619,
        "temperature_c": 61,
        "utilisation": 0.87,
        "memory_bytes": 2**33,
        "throttle_bits": 0x4,
    }
    assert probe.source == Source(name="NVML field 185", averaging_s=1.0)


@pytest.mark.parametrize("way", ["field", "function", "binding"])
def test_without_the_field_the_older_function_gives_the_power(nvml: Nvml, way: str) -> None:
    """Over which time it is a mean depends on the board, and is not known."""
    if way == "field":
        nvml.field.nvmlReturn = NOT_SUPPORTED
    elif way == "function":
        nvml.refused["nvmlDeviceGetFieldValues"] = NOT_SUPPORTED
    else:
        del nvml.answers["nvmlDeviceGetFieldValues"]
    probe = board(nvml)
    assert facts(probe)["power_w"] == 98.765
    assert probe.source == Source(name="nvmlDeviceGetPowerUsage", averaging_s=None)


def test_the_source_of_power_stays_what_it_was(nvml: Nvml) -> None:
    """A field that is lost later is unknown, not replaced by something else."""
    probe = board(nvml)
    nvml.field.nvmlReturn = UNKNOWN
    assert facts(probe)["power_w"] is None
    nvml.field.nvmlReturn = 0
    assert facts(probe)["power_w"] == 123.456


def test_a_board_without_power_has_no_source(nvml: Nvml) -> None:
    """The rest is sampled all the same."""
    nvml.refused = dict.fromkeys(
        ("nvmlDeviceGetFieldValues", "nvmlDeviceGetPowerUsage"), NOT_SUPPORTED
    )
    probe = board(nvml)
    assert probe.source is None
    assert facts(probe)["power_w"] is None
    assert facts(probe)["temperature_c"] == 61


def test_an_old_driver_knows_the_old_name_of_the_reasons(nvml: Nvml) -> None:
    """Before release 535 events were called throttling."""
    del nvml.answers["nvmlDeviceGetCurrentClocksEventReasons"]
    assert facts(board(nvml))["throttle_bits"] == 0x20
    del nvml.answers["nvmlDeviceGetCurrentClocksThrottleReasons"]
    assert facts(board(nvml))["throttle_bits"] is None


@pytest.mark.parametrize("code", [NOT_SUPPORTED, NO_PERMISSION])
def test_what_will_never_be_answered_is_asked_once(nvml: Nvml, code: int) -> None:
    """It would cost time in every sample."""
    nvml.refused["nvmlDeviceGetTemperature"] = code
    probe = board(nvml)
    assert [facts(probe)["temperature_c"] for _ in range(3)] == [None] * 3
    assert nvml.asked["nvmlDeviceGetTemperature"] == 1


def test_what_is_refused_once_is_asked_again(nvml: Nvml) -> None:
    """A driver that is busy answers later."""
    nvml.refused["nvmlDeviceGetTemperature"] = UNKNOWN
    probe = board(nvml)
    assert facts(probe)["temperature_c"] is None
    nvml.refused.clear()
    assert facts(probe)["temperature_c"] == 61


def test_the_energy_counter_is_left_alone(nvml: Nvml) -> None:
    """On some boards reading it changes it."""
    probe = board(nvml)
    probe.read(NOW_S)
    probe.processes(NOW_S)
    assert "nvmlDeviceGetTotalEnergyConsumption" not in nvml.asked
    nvml.answers["nvmlDeviceGetTotalEnergyConsumption"] = 1
    probe.read(NOW_S)
    assert "nvmlDeviceGetTotalEnergyConsumption" not in nvml.asked


def test_processes_are_listed_once_a_second(nvml: Nvml) -> None:
    """They are told by kind; that there are none is told too."""
    probe = board(nvml)
    listed = {"compute": [11, 12], "graphics": [], "mps": [13]}
    found = [probe.processes(NOW_S + k / 10) for k in range(21)]
    assert [k for k, one in enumerate(found) if one] == [0, 10, 20]
    assert found[0] == found[10] == found[20] == listed


def test_a_list_that_is_refused_is_not_there(nvml: Nvml) -> None:
    """Nobody knows whether there are processes of that kind."""
    nvml.refused["nvmlDeviceGetMPSComputeRunningProcesses"] = NOT_SUPPORTED
    assert set(board(nvml).processes(NOW_S)) == {"compute", "graphics"}


def test_a_board_that_is_not_there_is_a_fault(nvml: Nvml) -> None:
    """The driver's refusal is told to whoever asks for the board."""
    nvml.refused["nvmlDeviceGetHandleByUUID"] = NOT_FOUND
    with pytest.raises(DriverFault) as caught:
        board(nvml)
    assert caught.value.reason is Reason.UNKNOWN_GPU
