"""Which GPUs CUDA shows to a process: what CUDA_VISIBLE_DEVICES stands for, by UUID.

The rules are those of the CUDA programming guide (environment variables). Of what it leaves out,
PyTorch's reading is followed: an index is read as far as it is a number, the list also ends where
the kind of name changes, and a list that names a device twice shows none.
"""

from __future__ import annotations

import re
from itertools import takewhile

from pytest_lem.energy.gpu.boards import is_mig, parent_of
from pytest_lem.energy.gpu.driver import Driver, DriverFault
from pytest_lem.errors import FailureKind, LemError

BY_BUS = "PCI_BUS_ID"
_INDEX = re.compile(r"[+-]?\d+")


def visible_uuids(driver: Driver, variable: str | None, *, order: str | None = None) -> list[str]:
    """Return the UUIDs of the GPUs that `variable` shows, in its order; None shows all boards.

    `order` is what CUDA_DEVICE_ORDER says, None for CUDA's default. MIG slices are returned as
    they are named. Raises LemError (`meter`) for an index whose board cannot be told, and
    DriverFault when the boards cannot be listed.
    """
    boards = driver.uuids()
    if variable is None:
        return boards
    entries = [entry.strip() for entry in variable.split(",")]
    alike = takewhile(lambda entry: _kind(entry) == _kind(entries[0]), entries)
    uuids: list[str] = []
    for entry in alike:
        uuid = _found(driver, entry, boards, order)
        if uuid is None:
            break
        uuids.append(uuid)
    return uuids if len(set(uuids)) == len(uuids) else []


def _kind(entry: str) -> str:
    return entry[:4] if entry.startswith(("GPU-", "MIG-")) else "index"


def _found(driver: Driver, entry: str, boards: list[str], order: str | None) -> str | None:
    """Return the GPU that one entry names, None for an entry that ends the list."""
    if is_mig(entry):
        return entry if _is_slice(driver, entry, boards) else None
    if entry.startswith("GPU-"):
        matches = [uuid for uuid in boards if uuid.startswith(entry)]
        return matches[0] if len(matches) == 1 else None
    number = _INDEX.match(entry)
    index = int(number[0]) if number else -1
    if not 0 <= index < len(boards):
        return None
    _check_order(driver, index, boards, order)
    return boards[index]


def _is_slice(driver: Driver, uuid: str, boards: list[str]) -> bool:
    try:
        return parent_of(driver, uuid) in boards
    except DriverFault:
        return False


def _check_order(driver: Driver, index: int, boards: list[str], order: str | None) -> None:
    """Refuse an index that CUDA may count otherwise than NVML.

    NVML counts by PCI bus. CUDA does if told to, else from the fastest board on (FASTEST_FIRST);
    boards of one name are assumed to be equally fast and to stay in the order of the bus.
    """
    names = {driver.fact("nvmlDeviceGetName", driver.handle(uuid)) for uuid in boards}
    if order == BY_BUS or len(boards) == 1 or (len(names) == 1 and None not in names):
        return
    raise LemError(
        f"which board is number {index} in CUDA_VISIBLE_DEVICES cannot be told, since CUDA counts "
        "different boards by their speed; set CUDA_DEVICE_ORDER=PCI_BUS_ID, or name GPUs by UUID",
        kind=FailureKind.METER,
    )
