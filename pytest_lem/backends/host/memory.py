"""Peak memory of the host process and of the devices it uses, in bytes."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import Any

_SELF = Path("/proc/self")


def reset_peak() -> None:
    """Forget earlier peaks. Where the system cannot, the peak is that of the process's life."""
    with contextlib.suppress(OSError):
        (_SELF / "clear_refs").write_text("5")
    if cuda := _cuda():
        for index in range(cuda.device_count()):
            cuda.reset_peak_memory_stats(index)


def peaks() -> dict[str, int | None]:
    """Return the peaks since the last reset; None where nothing tells."""
    cuda = _cuda()
    device = None
    if cuda:
        device = sum(cuda.max_memory_allocated(index) for index in range(cuda.device_count()))
        device = device or None  # an engine that took nothing here has workers that nobody asked
    return {"peak_host_memory_bytes": _peak_resident(), "peak_device_memory_bytes": device}


def _peak_resident() -> int | None:
    try:
        status = (_SELF / "status").read_text()
    except OSError:
        return None
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), None)
    return int(line.split()[1]) * 1024 if line else None


def _cuda() -> Any:
    """Return `torch.cuda` when this process really uses it; torch is never imported for this."""
    torch = sys.modules.get("torch")
    return (
        torch.cuda if torch and torch.cuda.is_available() and torch.cuda.is_initialized() else None
    )
