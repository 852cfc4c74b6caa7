"""Backends to compare with `transformers`: one that is the same, one slower by a known part."""

from __future__ import annotations

import os
import time
from typing import Any, ClassVar

from pytest_lem.backends.transformers import TransformersBackend


class TwinBackend(TransformersBackend):
    """The same under another name."""

    name: ClassVar[str] = "twin"


class SlowedBackend(TransformersBackend):
    """Busy for a part of the time of each batch once that is done: a tenth, or RIVALS_SLOWDOWN."""

    name: ClassVar[str] = "slowed"

    def run(self, batch: Any) -> Any:
        """Generate for one batch, and keep one CPU busy on top."""
        start_s = time.monotonic()
        outcome = super().run(batch)
        part = float(os.environ.get("RIVALS_SLOWDOWN", "0.1"))
        until_s = start_s + (time.monotonic() - start_s) * (1 + part)
        while time.monotonic() < until_s:
            pass
        return outcome
