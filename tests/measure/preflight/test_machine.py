"""What there is for a model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from standin import Board, StandIn

from pytest_lem.measure.preflight.machine import Machine, read_machine

#: Reads the GPUs in a process that takes the stand-in for the driver.
SCRIPT = """
import dataclasses, json, sys
from pytest_lem.measure.preflight.machine import read_machine
found = read_machine(sys.argv[1:])
print(json.dumps([dataclasses.asdict(device) for device in found.devices]))
"""


def _devices(*uuids: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *uuids], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_gpus_are_read_from_the_driver(standin: Callable[..., StandIn]) -> None:
    """Memory, capability, and who of those on them is a stranger; a desktop at rest is none."""
    gib = 2**30
    first = Board(
        uuid="GPU-a", memory_total_bytes=24 * gib, memory_used_bytes=gib,
        capability_major=8, capability_minor=6,
    )  # fmt: skip
    boards = standin(first, Board(uuid="GPU-b"), Board(uuid="GPU-c"))
    boards.add_process(0, 4242)
    boards.add_process(0, 4243, "graphics")
    assert _devices("GPU-a", "GPU-b") == [
        {
            "uuid": "GPU-a",
            "memory": {"total_bytes": 24 * gib, "free_bytes": 23 * gib},
            "capability": [8, 6],
            "strangers": [4242],
        },
        {
            "uuid": "GPU-b",
            "memory": {"total_bytes": 80 * gib, "free_bytes": 80 * gib - gib // 2},
            "capability": [9, 0],
            "strangers": [],
        },
    ]


def test_what_the_driver_hides_is_unknown(standin: Callable[..., StandIn]) -> None:
    """The GPU is there all the same, also one that is lost meanwhile."""
    boards = standin(Board(uuid="GPU-a"))
    boards.fail(0, "nvmlDeviceGetMemoryInfo", 3)
    boards.fail(0, "nvmlDeviceGetCudaComputeCapability", 3)
    hidden = {"memory": {"total_bytes": None, "free_bytes": None}, "capability": None}
    assert _devices("GPU-a", "GPU-lost") == [
        {"uuid": uuid, **hidden, "strangers": []} for uuid in ("GPU-a", "GPU-lost")
    ]


def _system(root: Path, nodes: str | None, allowed: str) -> Path:
    files = {"proc/self/status": f"Name: x\nMems_allowed_list:\t{allowed}\nThreads: 1\n"}
    if nodes is not None:
        files["sys/devices/system/node/has_memory"] = f"{nodes}\n"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("nodes", "allowed", "count"),
    [("0", "0", 1), ("0-3", "0-7", 4), ("0-2,5", "1,5-6", 2), (None, "0", None), ("0", "", None)],
)
def test_nodes_with_memory_that_are_allowed_are_counted(
    tmp_path: Path, nodes: str | None, allowed: str, count: int | None
) -> None:
    """A container may be kept to some of them."""
    root = _system(tmp_path, nodes, allowed)
    assert read_machine((), root=root, variables={}).nodes == count


@pytest.mark.parametrize(("binding", "count"), [("auto", 2), ("0-3|4-7", None), ("nobind", None)])
def test_nodes_are_no_matter_where_somebody_binds_by_hand(
    tmp_path: Path, binding: str, count: int | None
) -> None:
    """The variable of vLLM is inherited by the host."""
    variables = {"VLLM_CPU_OMP_THREADS_BIND": binding}
    found = read_machine((), root=_system(tmp_path, "0-1", "0-1"), variables=variables)
    assert found.nodes == count


def test_without_gpus_the_driver_is_left_alone(tmp_path: Path) -> None:
    """An empty system has nothing, and nothing of it is known to be 0."""
    assert read_machine((), nvml=object(), root=tmp_path) == Machine()


def test_this_machine_is_read() -> None:
    """Its shared memory is the size of that file system."""
    found = os.statvfs(Path("/dev", "shm"))
    assert read_machine(()).shm_bytes == found.f_blocks * found.f_frsize
