"""What backends printed while a test ran."""

from __future__ import annotations

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


#: The logs of the present attempt at a test.
LOGS = pytest.StashKey[list[Log]]()
