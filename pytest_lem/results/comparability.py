"""What must agree before two results may be compared, and what only asks for care."""

from __future__ import annotations

from typing import Any

from pytest_lem.case import digest
from pytest_lem.results.record import Comparability

_GPU_REFUSE = ("name", "memory_bytes", "ecc", "mig", "power_limit_w")


def comparability(
    *,
    meters: dict[str, str],
    environment: dict[str, Any],
    applied: dict[str, Any],
    devices: dict[str, dict[str, Any]],
    workers: int = 1,
) -> Comparability:
    """Sort the facts about a measurement into those that forbid and those that warn.

    `meters` maps the chosen meters to their method versions. `workers` measured side by side,
    each on GPUs of its own; they share the host, so their number counts. What defines the case
    itself is in its digest and not repeated here; the model's hash is known only after loading
    and is.
    """
    uuids = applied.get("device_uuids") or []
    boards = [devices.get(uuid, {}) for uuid in uuids]
    refuse: dict[str, Any] = {
        "meters": meters,
        "model_sha256": applied.get("model_sha256"),
        "model_revision": applied.get("model_revision"),
        "backend_version": applied.get("backend_version"),
        "gpus": [{name: board.get(name) for name in _GPU_REFUSE} for board in boards],
        "driver_branch": [str(board.get("driver")).partition(".")[0] for board in boards],
        "cuda_major": [_major(board.get("cuda")) for board in boards],
    }
    if boards:
        refuse["workers"] = workers
    else:
        refuse["cpu"] = environment.get("cpu")
        refuse["cpu_count_usable"] = environment.get("cpu_count_usable")
        refuse["num_threads"] = applied.get("num_threads")
    warn = {
        "board_uuids": uuids,
        "driver": [board.get("driver") for board in boards],
        "vbios": [board.get("vbios") for board in boards],
        "kernel": environment.get("kernel"),
        "python": environment.get("python"),
    }
    return Comparability(refuse=refuse, warn=warn, hash=digest(refuse))


def _major(cuda: int | None) -> int | None:
    return None if cuda is None else cuda // 1000
