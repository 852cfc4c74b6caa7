"""What a host leaves behind on the GPUs: memory in use before it and after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pytest_lem.backends.host.pool import Loaded
from pytest_lem.clock import Clock
from pytest_lem.energy.gpu.driver import Driver, DriverFault

CATEGORY = "MemoryLeft"
#: The driver frees late, and keeps a little for itself.
_PATIENCE_S, _LOOK_S = 10.0, 0.1
_TOLERANCE_BYTES = 64 << 20


class Leftover:
    """Compares the memory in use on the GPUs after a host has ended with that before it began.

    What did not come back is told at once, and kept for the record of the next case, because that
    of the case that left it has already been sent. Without GPUs nothing is done.
    """

    def __init__(self, clock: Clock, tell: Callable[[str], None], nvml: Any = None) -> None:
        self._clock = clock
        self._tell = tell
        self._driver = Driver(nvml)
        self._before: dict[str, int] = {}
        self._sentences: list[str] = []

    def note(self, gpu_uuids: Sequence[str]) -> None:
        """Note what is in use on these GPUs before a host begins."""
        used = {uuid: self._used_bytes(uuid) for uuid in gpu_uuids}
        self._before = {uuid: size for uuid, size in used.items() if size is not None}

    def check(self, ended: Loaded) -> None:
        """Wait until no more is in use than was noted, or say how much is, and after which case."""
        until_s = self._clock.now() + _PATIENCE_S
        while (kept := self._kept_bytes()) and self._clock.now() < until_s:
            self._clock.sleep(_LOOK_S)
        self._before = {}
        for uuid, more_bytes in kept.items():
            sentence = (
                f"{more_bytes / 2**20:.0f} MiB more are in use on {uuid} than before the host of "
                f"{ended.case_key} ({ended.load_id}) began, which has ended; look with nvidia-smi "
                "for what holds them"
            )
            self._sentences.append(sentence)
            self._tell(sentence)

    def take(self) -> list[dict[str, str]]:
        """Return, as a record keeps warnings, what was said since this was last asked."""
        found, self._sentences = self._sentences, []
        return [{"category": CATEGORY, "message": sentence} for sentence in found]

    def close(self) -> None:
        """End the session with the driver."""
        self._driver.close()

    def _kept_bytes(self) -> dict[str, int]:
        now = {uuid: self._used_bytes(uuid) for uuid in self._before}
        more = {uuid: used - self._before[uuid] for uuid, used in now.items() if used is not None}
        return {uuid: size for uuid, size in more.items() if size > _TOLERANCE_BYTES}

    def _used_bytes(self, uuid: str) -> int | None:
        """Return what is in use on a board; None where the driver does not tell."""
        try:
            self._driver.open()
            return int(self._driver.ask("nvmlDeviceGetMemoryInfo", self._driver.handle(uuid)).used)
        except DriverFault:
            return None
