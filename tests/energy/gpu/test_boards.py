"""What is stored about a board, whose slice it is, and why its counter cannot be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_lem.energy.gpu.boards import (
    counter_fault,
    describe,
    is_mig,
    is_split,
    known_as,
    parent_of,
)
from pytest_lem.energy.gpu.driver import DriverFault
from pytest_lem.flags import Reason

Make = Callable[..., Any]
CLOCKS = {1: 1980, 2: 2619}
FULL = {
    "Name": "NVIDIA H100 80GB HBM3",
    "VbiosVersion": "96.00.89.00.01",
    "MemoryInfo": SimpleNamespace(total=80 * 2**30),
    "EnforcedPowerLimit": 700_000,
    "MaxClockInfo": CLOCKS.get,
    "ApplicationsClock": {1: 1500, 2: 2000}.get,
    "PersistenceMode": 1,
    "ComputeMode": 3,
    "EccMode": [1, 0],
    "MigMode": [0, 1],
    "VirtualizationMode": 1,
    "PciInfo": SimpleNamespace(busId="00000000:1B:00.0"),
    "Serial": "1234567890",
}
SYSTEM = {"DriverVersion": "580.82.07", "CudaDriverVersion_v2": 13000}
SYSTEM["ConfComputeState"] = SimpleNamespace(ccFeature=1)


def test_a_board_is_described_in_plain_units_and_words(driver: Make) -> None:
    """Watts, megahertz, bytes; the present of two modes; NVML's numbers as words."""
    found = describe(driver({"GPU-a": FULL}, system=SYSTEM), "GPU-a")
    assert found == {
        "name": "NVIDIA H100 80GB HBM3",
        "driver": "580.82.07",
        "cuda": 13000,
        "vbios": "96.00.89.00.01",
        "memory_bytes": 80 * 2**30,
        "power_limit_w": 700.0,
        "max_sm_clock_mhz": 1980,
        "application_sm_clock_mhz": 1500,
        "application_memory_clock_mhz": 2000,
        "persistence_mode": 1,
        "compute_mode": "exclusive_process",
        "ecc": 1,
        "mig": 0,
        "virtualization": "passthrough",
        "confidential_computing": True,
    }
    assert json.loads(json.dumps(found)) == found


def test_a_fact_that_the_driver_hides_is_unknown(driver: Make) -> None:
    """Nothing is 0, or false, for want of an answer."""
    found = describe(driver({"GPU-a": {"Name": "Board"}}), "GPU-a")
    assert {name for name, fact in found.items() if fact is not None} == {"name"}


def test_an_unknown_board_is_a_fault_and_no_empty_description(driver: Make) -> None:
    """A board that is not there has no facts."""
    with pytest.raises(DriverFault, match="nvmlDeviceGetHandleByUUID"):
        describe(driver({"GPU-a": FULL}), "GPU-b")


@pytest.mark.parametrize(
    ("uuid", "parent"),
    [
        ("GPU-a", "GPU-a"),
        ("MIG-1", "GPU-b"),
        ("MIG-GPU-b/3/0", "GPU-b"),
    ],
)
def test_a_slice_belongs_to_its_board(driver: Make, uuid: str, parent: str) -> None:
    """By what the driver says, or by the name itself where it has the old form."""
    split = driver({"GPU-a": FULL, "GPU-b": {"Name": "B"}}, parents={"MIG-1": "GPU-b"})
    assert parent_of(split, uuid) == parent
    assert is_mig(uuid) == (uuid != parent)
    assert describe(split, uuid)["name"] == {"GPU-a": FULL["Name"], "GPU-b": "B"}[parent]


def test_a_slice_that_is_not_there_has_no_board(driver: Make) -> None:
    """No board is guessed for it."""
    with pytest.raises(DriverFault):
        parent_of(driver({"GPU-a": FULL}), "MIG-1")


@pytest.mark.parametrize(
    ("uuid", "answer"),
    [
        ("GPU-whole", False),
        ("GPU-split", True),
        ("MIG-1", True),
        ("GPU-hidden", False),
        ("MIG-2", True),
    ],
)
def test_a_board_in_mig_mode_is_split_whatever_it_is_called(
    driver: Make, uuid: str, answer: bool
) -> None:
    """CUDA takes a slice of such a board even when the board is named, or counted."""
    boards = {"GPU-whole": FULL, "GPU-split": {"MigMode": [1, 1]}, "GPU-hidden": {}}
    parents = {"MIG-1": "GPU-split", "MIG-2": "GPU-hidden"}
    assert is_split(driver(boards, parents=parents), uuid) is answer


def test_a_counter_that_can_be_read_has_no_fault(driver: Make) -> None:
    """A value of 0 is one, too: it counts from the loading of the driver."""
    assert counter_fault(driver({"GPU-a": {"TotalEnergyConsumption": 0}}), "GPU-a") is None


@pytest.mark.parametrize(
    ("code", "virtualization", "reason"),
    [
        (3, None, Reason.NO_COUNTER),
        (3, 0, Reason.NO_COUNTER),
        (3, 1, Reason.NO_COUNTER),
        (3, 2, Reason.VGPU),
        (3, 3, Reason.NO_COUNTER),
        (4, 0, Reason.NO_PERMISSION),
        (4, 2, Reason.NO_PERMISSION),
        (15, 0, Reason.GPU_LOST),
        (15, 2, Reason.GPU_LOST),
    ],
)
def test_why_a_counter_cannot_be_read(
    driver: Make, refusal: Make, code: int, virtualization: int | None, reason: Reason
) -> None:
    """Only a guest's board that lacks it is lacking for being a vGPU."""
    answers = {"TotalEnergyConsumption": refusal(code), "VirtualizationMode": virtualization}
    assert counter_fault(driver({"GPU-a": answers}), "GPU-a").reason is reason


def test_a_slice_is_asked_for_the_counter_of_its_board(driver: Make) -> None:
    """There is one counter for all slices, and none where the board is not known."""
    split = driver({"GPU-a": {"TotalEnergyConsumption": 5}}, parents={"MIG-1": "GPU-a"})
    assert counter_fault(split, "MIG-1") is None
    assert "nvmlDeviceGetHandleByUUID" in str(counter_fault(split, "MIG-2"))


@pytest.mark.parametrize(
    ("uuid", "name"),
    [("GPU-1", "MIG-1"), ("GPU-a", "GPU-a"), ("MIG-1", "MIG-1"), ("GPU-x", "GPU-x")],
)
def test_a_slice_that_is_called_a_gpu_is_found(driver: Make, uuid: str, name: str) -> None:
    """Libraries put the wrong word before the UUID that CUDA gives; boards keep their name."""
    assert known_as(driver({"GPU-a": {}}, parents={"MIG-1": "GPU-a"}), uuid) == name
