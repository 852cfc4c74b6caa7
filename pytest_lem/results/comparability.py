"""What must agree before two results may be compared, and what only asks for care."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_lem.case import digest
from pytest_lem.results.record import Comparability

#: Facts of a board that must agree, by their names here and in the description of the board.
#: Clocks that are locked by command are in no driver's answer; those the driver tells are here.
_BOARD = {
    "gpu.name": "name",
    "gpu.memory_bytes": "memory_bytes",
    "gpu.ecc": "ecc",
    "gpu.mig": "mig",
    "gpu.virtualization": "virtualization",
    "gpu.compute_mode": "compute_mode",
    "gpu.confidential_computing": "confidential_computing",
    "gpu.power_limit_w": "power_limit_w",
    "gpu.application_sm_clock_mhz": "application_sm_clock_mhz",
    "gpu.application_memory_clock_mhz": "application_memory_clock_mhz",
}
#: Facts of a measurement that has none, so that nothing agrees with it by accident.
NOTHING_KNOWN = Comparability(refuse={}, warn={}, hash="")
#: Settings of `measure` that move a figure; the others only change how well it is known.
_METHOD = ("min_window_s", "warmup_cv", "warmup_max_s", "warmup_calm_s", "isolation")
#: All names of facts that must agree; meters have theirs below `meter`.
FACTS = (
    "backend.version",
    "model.sha256",
    "model.revision",
    "model.adapter_sha256",
    "meter",
    *(f"method.{name}" for name in _METHOD),
    "gpu.count",
    *_BOARD,
    "gpu.mps",
    "driver.branch",
    "cuda.major",
    "workers",
    "cpu.model",
    "cpu.count_usable",
    "cpu.threads",
    "cpu.counted",
)


def comparability(
    *,
    meters: Mapping[str, str],
    environment: Mapping[str, Any],
    applied: Mapping[str, Any],
    devices: Mapping[str, Mapping[str, Any]],
    measure: Mapping[str, Any] | None = None,
    counted: Sequence[str] = (),
    workers: int = 1,
) -> Comparability:
    """Sort the facts about a measurement into those that forbid and those that warn.

    `meters` maps the chosen meters to their method versions, `measure` are the settings of that
    name, `counted` the devices whose energy makes the main figure. `workers` measured side by side,
    each on GPUs of its own; they share the host, so their number counts. What defines the case
    itself is in its digest and not repeated here; the model's hash is known only after loading
    and is.
    """
    uuids = list(applied.get("device_uuids") or [])
    boards = [devices.get(uuid, {}) for uuid in uuids]
    refuse: dict[str, Any] = {
        "backend.version": applied.get("backend_version"),
        "model.sha256": applied.get("model_sha256"),
        "model.revision": applied.get("model_revision"),
        **{f"meter.{name}": method for name, method in meters.items()},
        **{f"method.{name}": (measure or {}).get(name) for name in _METHOD},
        "gpu.count": len(boards),
    }
    if adapter := applied.get("adapter"):
        refuse["model.adapter_sha256"] = adapter.get("sha256")
    if boards:
        refuse |= {**_board_facts(boards), "gpu.mps": environment.get("mps"), "workers": workers}
    else:
        refuse |= _cpu_facts(environment, applied, counted)
    warn = {
        "board": uuids or [environment.get("host_hash")],
        "driver": [board.get("driver") for board in boards],
        "vbios": [board.get("vbios") for board in boards],
        "kernel": environment.get("kernel"),
        "python": environment.get("python"),
    }
    return Comparability(refuse=refuse, warn=warn, hash=digest(refuse))


def _board_facts(boards: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        **{name: [board.get(fact) for board in boards] for name, fact in _BOARD.items()},
        "driver.branch": [_branch(board.get("driver")) for board in boards],
        "cuda.major": [_major(board.get("cuda")) for board in boards],
    }


def _cpu_facts(
    environment: Mapping[str, Any], applied: Mapping[str, Any], counted: Sequence[str]
) -> dict[str, Any]:
    return {
        "cpu.model": environment.get("cpu"),
        "cpu.count_usable": environment.get("cpu_count_usable"),
        "cpu.threads": applied.get("num_threads"),
        "cpu.counted": sorted(counted),
    }


def _branch(driver: str | None) -> str | None:
    return None if driver is None else driver.partition(".")[0]


def _major(cuda: int | None) -> int | None:
    return None if cuda is None else cuda // 1000
