"""What the observer test has found out about counters, kept until the next boot or driver."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from pytest_lem.cache import cache_folder

_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Verdicts:
    """Whether reading disturbs a counter, by device, driver and boot, in a file of the user."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or cache_folder() / "observer.json"

    def get(self, device: str, driver: str) -> bool | None:
        """Return the verdict; None when there is none for this boot and driver."""
        found = self._read().get(_key(device, driver))
        return found if isinstance(found, bool) else None

    def put(self, device: str, driver: str, *, is_disturbed: bool) -> None:
        """Keep a verdict. A cache that cannot be written costs the next session the test."""
        content = {**self._read(), _key(device, driver): is_disturbed}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".observer.")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file)
            Path(name).replace(self._path)
        except OSError:
            return

    def _read(self) -> dict[str, object]:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}


def _key(device: str, driver: str) -> str:
    try:
        boot = _BOOT.read_text(encoding="utf-8").strip()
    except OSError:
        boot = "unknown"
    return f"{device} {driver} {boot}"
