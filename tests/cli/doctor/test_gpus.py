"""The section about devices, on the library that stands in for the NVIDIA driver's."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from standin import Board

SLICE = "MIG-11111111-2222-3333-4444-555555555555"
SCRIPT = """
import json
import sys

from pytest_lem.cli.doctor import gpus
from pytest_lem.energy.gpu.driver import Driver

section, boards = gpus.look(Driver(), json.loads(sys.argv[1]))
print(json.dumps({
    "facts": section.facts,
    "texts": {row.label: row.text for row in section.rows},
    "problems": list(section.problems),
    "hints": list(section.hints),
    "testable": [board.uuid for board in boards if board.is_testable],
}))
"""


@dataclass
class Seen:
    """What the section says, and which boards may be tried."""

    facts: dict[str, Any]
    texts: dict[str, str]
    problems: list[str]
    hints: list[str]
    testable: list[str]


def look(**variables: str) -> Seen:
    command = [sys.executable, "-c", SCRIPT, json.dumps(variables)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Seen(**json.loads(done.stdout))


def test_a_board_is_described(standin):
    """What it is, how it is set, and that nobody is on it."""
    standin(Board(uuid="GPU-a", name="Board A", power_limit_w=450))
    seen = look()
    assert seen.texts["GPU 0"].splitlines() == [
        "Board A, GPU-a",
        "driver 580.82.07, 80 GiB, power limit 450 W",
        "persistence mode on, ECC on, MIG off",
        "nobody is on it",
    ]
    assert seen.texts["CUDA"] == "shows all GPUs, as CUDA_VISIBLE_DEVICES is not set"
    (fact,) = seen.facts["gpus"]
    assert (fact["uuid"], fact["name"], fact["visible"]) == ("GPU-a", "Board A", True)
    assert fact["power_limit_w"] == 450
    assert fact["counter_fault"] is None
    assert fact["processes"] == []
    assert seen.problems == seen.hints == []
    assert seen.testable == ["GPU-a"]


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (3, "no_counter", "has no energy counter"),
        (4, "no_permission", "let an administrator give it access to /dev/nvidiactl"),
        (15, "gpu_lost", "fell off the bus"),
    ],
)
def test_a_counter_that_cannot_be_read_is_a_problem(standin, code, reason, words):
    """It says which board, why, and what to do; that board is not tried."""
    standin(Board(uuid="GPU-a")).fail(0, "nvmlDeviceGetTotalEnergyConsumption", code)
    seen = look()
    (problem,) = seen.problems
    assert problem.startswith("GPU 0 (NVIDIA H100 80GB HBM3): ")
    assert words in problem
    assert seen.facts["gpus"][0]["counter_fault"] == reason
    assert seen.testable == []


def test_a_foreign_process_is_a_problem(standin):
    """Its energy would be in every figure, and a test would find the board at work."""
    standin(Board(uuid="GPU-a")).add_process(0, 4242)
    seen = look()
    (problem,) = seen.problems
    assert "another process was on the GPU" in problem
    assert "(process 4242)" in problem
    assert seen.facts["gpus"][0]["processes"] == [{"pid": 4242, "kind": "compute"}]
    assert "processes on it: 4242 (compute)" in seen.texts["GPU 0"]
    assert seen.testable == []


def test_a_desktop_is_a_hint(standin):
    """It was there before and is idle."""
    standin(Board(uuid="GPU-a")).add_process(0, 4242, kind="graphics")
    seen = look()
    assert seen.problems == []
    assert any("headless" in hint for hint in seen.hints)
    assert seen.testable == ["GPU-a"]


def test_a_board_at_work_is_not_tried(standin):
    """In a container its process may not be seen, but its utilisation is."""
    standin(Board(uuid="GPU-a", busy_percent=50))
    assert look().testable == []


def test_a_split_board_shows_its_slices(standin):
    """The counter is that of the whole board, which one has to assert to be one's own."""
    standin(Board(uuid="GPU-a", mig_mode=1, slices=(SLICE,)))
    seen = look(CUDA_VISIBLE_DEVICES=SLICE)
    assert seen.facts["gpus"][0]["slices"] == [SLICE]
    assert f"slice {SLICE}" in seen.texts["GPU 0"]
    assert any("energy.own_board" in hint for hint in seen.hints)
    assert seen.facts["gpus"][0]["visible"] is True
    assert seen.facts["cuda_visible_devices"]["uuids"] == [SLICE]
    assert seen.problems == []


def test_persistence_mode_off_is_a_hint(standin):
    """It says who can switch it on, and how."""
    standin(Board(persistence_mode=0))
    (hint,) = look().hints
    assert hint.startswith("GPU 0: persistence mode is off")
    assert "nvidia-smi -pm 1" in hint


def test_boards_that_cuda_does_not_show_are_left_alone(standin):
    """They are described, but what is wrong with them concerns others."""
    boards = standin(Board(uuid="GPU-a"), Board(uuid="GPU-b", persistence_mode=0))
    boards.add_process(1, 4242)
    seen = look(CUDA_VISIBLE_DEVICES="0")
    assert seen.texts["CUDA"] == "shows GPU-a (CUDA_VISIBLE_DEVICES=0)"
    assert seen.texts["GPU 1"].endswith("not shown to CUDA here")
    assert [fact["visible"] for fact in seen.facts["gpus"]] == [True, False]
    assert seen.problems == seen.hints == []
    assert seen.testable == ["GPU-a"]


def test_a_variable_that_shows_nothing_is_told(standin):
    """Work then runs on the CPU, which surprises people."""
    standin(Board(uuid="GPU-a"))
    seen = look(CUDA_VISIBLE_DEVICES="7")
    assert seen.texts["CUDA"] == (
        "shows no GPU, so that work runs on the CPU (CUDA_VISIBLE_DEVICES=7)"
    )
    assert seen.testable == []


def test_an_index_that_cannot_be_told_is_a_problem(standin):
    """CUDA may count different boards otherwise than the driver does."""
    standin(Board(uuid="GPU-a", name="Fast"), Board(uuid="GPU-b", name="Slow"))
    seen = look(CUDA_VISIBLE_DEVICES="0")
    (problem,) = seen.problems
    assert "CUDA_DEVICE_ORDER=PCI_BUS_ID" in problem
    assert seen.facts["cuda_visible_devices"]["uuids"] is None
    assert [fact["visible"] for fact in seen.facts["gpus"]] == [None, None]
    assert seen.testable == []
    assert look(CUDA_VISIBLE_DEVICES="0", CUDA_DEVICE_ORDER="PCI_BUS_ID").problems == []


def test_what_a_board_hides_is_unknown(standin):
    """Null for programs, words for people, and no figure made up."""
    boards = standin(Board(uuid="GPU-a"))
    for name in (
        "nvmlDeviceGetMemoryInfo",
        "nvmlDeviceGetEnforcedPowerLimit",
        "nvmlDeviceGetEccMode",
        "nvmlDeviceGetComputeRunningProcesses",
        "nvmlDeviceGetGraphicsRunningProcesses",
        "nvmlDeviceGetMPSComputeRunningProcesses",
    ):
        boards.fail(0, name, 3)
    seen = look()
    text = seen.texts["GPU 0"]
    for words in ("memory unknown", "power limit unknown", "ECC unknown", "cannot be told"):
        assert words in text
    (fact,) = seen.facts["gpus"]
    assert fact["memory_bytes"] is fact["power_limit_w"] is fact["processes"] is None


def test_a_library_without_a_driver_is_no_problem(standin):
    """An image may bring the library to a machine without a GPU."""
    standin().fail(None, "nvmlInitWithFlags", 9)
    seen = look()
    assert seen.problems == []
    assert "there is no NVIDIA driver" in seen.texts["GPUs"]
    assert seen.facts["gpus"] == []


def test_a_driver_that_does_not_work_is_a_problem(standin):
    """Library and driver are of different versions, for instance."""
    standin().fail(None, "nvmlInitWithFlags", 18)
    (problem,) = look().problems
    assert problem.startswith("the NVIDIA driver: ")
