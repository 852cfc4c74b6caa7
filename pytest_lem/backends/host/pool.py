"""Which host is resident: at most one, kept for the cases that share its load."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_lem.backends.host.process import Host
from pytest_lem.backends.protocol import LoadSpec

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Loaded:
    """A host with its model: what it holds, and what the engine says is in force.

    `idle` is what the case before has found about the power at rest, for the next one to use, and
    `case_key` is that of the last case on it.
    """

    spec: LoadSpec
    host: Host
    load_id: str
    applied: dict[str, object] = field(default_factory=dict)
    environment: dict[str, object] = field(default_factory=dict)
    is_warm: bool = False
    idle: object = None
    case_key: str = ""


class HostPool:
    """Keeps the resident host. Asking for another load ends the one that is there first.

    `on_end` is called after the end of each.
    """

    def __init__(
        self, log_dir: Path, prefix: str, on_end: Callable[[Loaded], None] = lambda _: None
    ) -> None:
        self._log_dir = log_dir
        self._prefix = prefix
        self._on_end = on_end
        self._count = 0
        self._resident: Loaded | None = None

    def resident(self, spec: LoadSpec) -> Loaded | None:
        """Return the resident host if it is alive and holds just this load."""
        loaded = self._resident
        if loaded and loaded.spec == spec and loaded.applied and loaded.host.is_alive:
            return loaded
        return None

    def start(
        self,
        spec: LoadSpec,
        *,
        python: str | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Loaded:
        """End what is resident and start a process for `spec`; the model is not loaded yet.

        `variables` are added to its environment.
        """
        self.close()
        self._count += 1
        load_id = f"{self._prefix}load-{self._count}"
        count = spec.options.get("processes")
        is_one_of_several = isinstance(count, int) and count > 1
        name = f"rank 0 of {count} processes" if is_one_of_several else ""
        host = Host(self.log_path(load_id), python=python, variables=variables, name=name)
        self._resident = Loaded(spec, host, load_id)
        _log.debug("host of %s: process %d, %s", load_id, host.pid, spec.backend)
        return self._resident

    def log_path(self, load_id: str) -> Path:
        """Return the file to which the host of a load prints."""
        return self._log_dir / f"{load_id}.log"

    def close(self) -> None:
        """End the resident host, if there is one."""
        if (ended := self._resident) is not None:
            ended.host.close()
            _log.debug("host of %s has ended", ended.load_id)
            self._resident = None
            self._on_end(ended)
