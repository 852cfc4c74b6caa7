"""What backends printed while a test ran."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class Log:
    """What a backend printed during one measurement: a stretch of its log file."""

    path: Path
    start: int

    def text(self) -> str:
        """Return the stretch, whatever bytes are in it; empty if the file is gone."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.start)
                return file.read().decode(errors="replace").replace("\r", "\n")
        except OSError:
            return ""

    def keep(self, path: Path) -> dict[str, str]:
        """Write the stretch to a file of its own; return its hash by its name, if there is any."""
        content = self.text().encode()
        if not content.strip():
            return {}
        path.write_bytes(content)
        return {f"{path.parent.name}/{path.name}": hashlib.sha256(content).hexdigest()}


#: Title under which a report carries what the backend printed.
LOG_SECTION = "Captured backend log"
#: Title under which the report of a worker carries the steps of measuring (`-vv`).
STEPS_SECTION = "Captured steps"

#: The logs of the present attempt at a test.
LOGS = pytest.StashKey[list[Log]]()
