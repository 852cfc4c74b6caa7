"""The GPUs: what they are, how they are set, who is on them, which of them CUDA shows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pytest_lem.cli.doctor.findings import Row, Section
from pytest_lem.energy.gpu.boards import counter_fault, describe, parent_of
from pytest_lem.energy.gpu.driver import Driver, DriverFault
from pytest_lem.energy.gpu.processes import Tenancy, on_board, tenancy
from pytest_lem.energy.gpu.visible import visible_uuids
from pytest_lem.errors import LemError
from pytest_lem.flags import Flag, Reason, text_of

#: Utilisation in percent up to which a board counts as at rest.
REST_PERCENT = 2
_VARIABLE = "CUDA_VISIBLE_DEVICES"
_PERMISSION = (
    "this user may not read the counter; let an administrator give it access to /dev/nvidiactl and "
    "/dev/nvidia*"
)
_SWITCH = {0: "off", 1: "on"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One board.

    Attributes:
        label: `GPU 0` and so on, in the order of NVML.
        facts: its entry in the JSON document.
        fault: why its counter cannot be read.
        tenancy: who is on it; None when the driver does not say.

    """

    label: str
    uuid: str
    facts: dict[str, Any]
    fault: DriverFault | None
    tenancy: Tenancy | None

    @property
    def is_visible(self) -> bool:
        """Tell whether CUDA shows it to this process, or that cannot be told."""
        return self.facts["visible"] is not False

    @property
    def is_testable(self) -> bool:
        """Tell whether its counter may be tested: it is ours to use, readable and at rest."""
        is_free = not self.tenancy or not self.tenancy.foreign
        percent = self.facts["busy_percent"]
        is_at_rest = percent is None or percent <= REST_PERCENT
        is_mine = self.facts["visible"] is True
        return is_mine and self.fault is None and is_free and is_at_rest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What CUDA_VISIBLE_DEVICES stands for: names, their boards, or why that cannot be told."""

    variable: str | None
    uuids: list[str] | None
    boards: Collection[str]
    sentence: str


def look(driver: Driver, variables: Mapping[str, str]) -> tuple[Section, list[Board]]:
    """Describe all boards; `variables` are those of the environment."""
    try:
        driver.open()
        shown = _shown(driver, variables)
        boards = [_board(driver, n, uuid, shown) for n, uuid in enumerate(driver.uuids())]
    except DriverFault as fault:
        return _without(fault, variables.get(_VARIABLE)), []
    rows = [Row(board.label, _text(board)) for board in boards]
    rows.append(Row("CUDA", shown.sentence))
    section = Section(
        name="devices",
        facts={
            "gpus": [board.facts for board in boards],
            "cuda_visible_devices": {
                "value": shown.variable,
                "uuids": shown.uuids,
                "sentence": shown.sentence,
            },
        },
        rows=rows,
        problems=[*_untold(shown), *(p for board in boards for p in _problems(board))],
        hints=[hint for board in boards for hint in _hints(board)],
    )
    return section, boards


def with_fix(sentence: str) -> str:
    """Return a sentence that sends people to the doctor with what the doctor has to say."""
    return sentence.replace(text_of(Reason.NO_PERMISSION), _PERMISSION)


def _without(fault: DriverFault, variable: str | None) -> Section:
    """Return the section where there is no driver, or one that does not work."""
    sentence = with_fix(str(fault))
    shown = {"value": variable, "uuids": None, "sentence": None}
    return Section(
        name="devices",
        facts={"gpus": [], "cuda_visible_devices": shown},
        rows=[Row("GPUs", sentence)],
        problems=[] if fault.reason is Reason.NO_DRIVER else [f"the NVIDIA driver: {sentence}"],
    )


def _shown(driver: Driver, variables: Mapping[str, str]) -> _Shown:
    variable = variables.get(_VARIABLE)
    try:
        uuids = visible_uuids(driver, variable, order=variables.get("CUDA_DEVICE_ORDER"))
    except LemError as error:
        return _Shown(variable=variable, uuids=None, boards=(), sentence=str(error))
    if variable is None:
        sentence = f"shows all GPUs, as {_VARIABLE} is not set"
    else:
        what = ", ".join(uuids) or "no GPU, so that work runs on the CPU"
        sentence = f"shows {what} ({_VARIABLE}={variable})"
    boards = [parent_of(driver, uuid) for uuid in uuids]
    return _Shown(variable=variable, uuids=uuids, boards=boards, sentence=sentence)


def _board(driver: Driver, number: int, uuid: str, shown: _Shown) -> Board:
    handle = driver.handle(uuid)
    fault = counter_fault(driver, uuid)
    tenants = on_board(driver, handle)
    load = driver.fact("nvmlDeviceGetUtilizationRates", handle)
    facts = {
        "uuid": uuid,
        **describe(driver, uuid),
        "slices": _slices(driver, handle),
        "busy_percent": load.gpu if load else None,
        "processes": None if tenants is None else [asdict(tenant) for tenant in tenants],
        "counter_fault": fault.reason if fault else None,
        "visible": None if shown.uuids is None else uuid in shown.boards,
    }
    return Board(
        label=f"GPU {number}",
        uuid=uuid,
        facts=facts,
        fault=fault,
        # None of them is of this program, which has no work on a GPU.
        tenancy=None if tenants is None else tenancy(tenants, tenants, (), is_used=False),
    )


def _slices(driver: Driver, handle: Any) -> list[str]:
    """Return the UUIDs of the MIG slices of a board."""
    count = driver.fact("nvmlDeviceGetMaxMigDeviceCount", handle) or 0
    handles = (driver.fact("nvmlDeviceGetMigDeviceHandleByIndex", handle, i) for i in range(count))
    uuids = (driver.fact("nvmlDeviceGetUUID", found) for found in handles if found is not None)
    return [str(uuid) for uuid in uuids if uuid is not None]


def _text(board: Board) -> str:
    facts = board.facts
    lines = [
        f"{facts['name'] or 'unknown board'}, {board.uuid}",
        f"driver {facts['driver']}, {_memory(facts)}, {_limit(facts)}",
        _switches(facts),
        *(f"slice {uuid}" for uuid in facts["slices"]),
        _people(facts["processes"]),
    ]
    return "\n".join(lines if board.is_visible else [*lines, "not shown to CUDA here"])


def _switches(facts: dict[str, Any]) -> str:
    named = (("persistence mode", "persistence_mode"), ("ECC", "ecc"), ("MIG", "mig"))
    return ", ".join(f"{name} {_SWITCH.get(facts[key], 'unknown')}" for name, key in named)


def _memory(facts: dict[str, Any]) -> str:
    size = facts["memory_bytes"]
    return "memory unknown" if size is None else f"{size / 2**30:.0f} GiB"


def _limit(facts: dict[str, Any]) -> str:
    limit_w = facts["power_limit_w"]
    return "power limit unknown" if limit_w is None else f"power limit {limit_w:g} W"


def _people(processes: Sequence[dict[str, Any]] | None) -> str:
    if processes is None:
        return "who is on it cannot be told"
    listed = ", ".join(f"{one['pid']} ({one['kind']})" for one in processes)
    return f"processes on it: {listed}" if listed else "nobody is on it"


def _untold(shown: _Shown) -> list[str]:
    return [shown.sentence] if shown.uuids is None else []


def _problems(board: Board) -> list[str]:
    """Return what is wrong with a board, unless it is one that work cannot use."""
    if not board.is_visible:
        return []
    where = f"{board.label} ({board.facts['name']})"
    found = [f"{where}: {with_fix(str(board.fault))}"] if board.fault else []
    if board.tenancy and board.tenancy.foreign:
        pids = ", ".join(map(str, board.tenancy.foreign))
        found.append(f"{where}: {text_of(Reason.FOREIGN_PROCESS)} (process {pids})")
    return found


def _hints(board: Board) -> list[str]:
    if not board.is_visible:
        return []
    facts, found = board.facts, []
    if facts["mig"] == 1:
        found.append(text_of(Reason.MIG))
    if facts["persistence_mode"] == 0:
        found.append(
            "persistence mode is off, so the driver may be loaded anew, and the counter with it; "
            "let an administrator run `nvidia-smi -pm 1`"
        )
    if board.tenancy and Flag.GRAPHICS_PROCESS in board.tenancy.flags:
        found.append(text_of(Flag.GRAPHICS_PROCESS))
    return [f"{board.label}: {hint}" for hint in found]
