"""Which GPUs each worker of pytest-xdist gets, so that several measure at once."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from itertools import takewhile

import pytest

from pytest_lem.energy.gpu.driver import Driver, DriverFault

_VARIABLE = "CUDA_VISIBLE_DEVICES"
#: A single device cannot be shared out.
_FEWEST = 2


def assign_devices(config: pytest.Config) -> None:
    """Leave to a worker, and to the processes it starts, its share of the caller's GPUs.

    To be called before anything looks at the GPUs. A worker that has done so already keeps them
    all, with a warning, since CUDA would not notice.
    """
    workerinput = getattr(config, "workerinput", None)
    if workerinput is None or workerinput["workercount"] == 1:
        return
    name, count = workerinput["workerid"], workerinput["workercount"]
    number = re.search(r"\d+$", name)  # a name given with --tx may have none
    devices = _caller_devices()
    if number is None or len(devices) < _FEWEST:
        return
    if _is_cuda_initialised():
        config.issue_config_time_warning(pytest.PytestWarning(_too_late(name)), stacklevel=2)
    else:
        os.environ[_VARIABLE] = ",".join(share(devices, int(number[0]), count))


def share(devices: Sequence[str], index: int, count: int) -> Sequence[str]:
    """Return the devices of the worker `index` of `count`; more workers than devices share them.

    A worker that replaces a crashed one has an index above all others.
    """
    size = max(1, len(devices) // count)
    start = index % (len(devices) // size) * size
    return devices[start : start + size]


def _caller_devices() -> list[str]:
    """Return the caller's own list, as it is written, else the UUIDs of all boards.

    An index counts the devices that the caller sees, so the list is cut and never counted anew.
    """
    listed = os.environ.get(_VARIABLE)
    if listed is not None:
        entries = [entry.strip() for entry in listed.split(",")]
        # CUDA, too, stops at an entry that names nothing.
        return list(takewhile(lambda entry: entry and not entry.startswith("-"), entries))
    driver = Driver()
    try:
        driver.open()
        return driver.uuids()
    except DriverFault:
        return []
    finally:
        driver.close()


def _is_cuda_initialised() -> bool:
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    return cuda is not None and bool(cuda.is_initialized())


def _too_late(worker: str) -> str:
    return (
        f"the worker {worker} used CUDA before its tests were collected, too late to give it GPUs "
        "of its own; it keeps all of them, and tests wait for each other. Use CUDA in fixtures or "
        "tests, not while modules are imported"
    )
