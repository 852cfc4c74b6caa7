"""Copies of the Markov chain side by side, which meet at a socket of the loopback."""

from __future__ import annotations

import json
import math
import os
import re
import socket
import time
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ngram_backend import NgramBackend, NgramOptions

from pytest_lem.backends.host.copies import LostCopies
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.workloads.prompt import Prompt
from pytest_lem.workloads.workload import Workload

_VARIABLE = "NGRAM_PLACE"


@dataclass(frozen=True, slots=True, kw_only=True)
class CopiesOptions(NgramOptions):
    """Settings of the copies; `faults` happen in one of them."""

    processes: int = field(default=2, metadata={"description": "Copies.", "ge": 1})
    broken: int = field(default=1, metadata={"description": "The rank of the faults."})


class CopiesBackend(NgramBackend):
    """Generates each batch in parts."""

    Options: ClassVar[type[NgramOptions]] = CopiesOptions
    deadline_s: float = math.inf
    _place: tuple[int, ...] = (0, 1, 0)
    _links: list[socket.socket] = []  # noqa: RUF012 - replaced as a whole

    def copies(self, spec: LoadSpec) -> list[dict[str, str]]:
        """Listen, and let the others come."""
        count = spec.options.processes
        if _VARIABLE in os.environ or count == 1:
            return []
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self._place = (0, count, port)
        return [{_VARIABLE: f"{rank} {count} {port}"} for rank in range(1, count)]

    def load(self, spec: LoadSpec) -> dict[str, Any]:
        """Train a copy."""
        if words := re.findall(r"\d+", os.environ.get(_VARIABLE, "")):
            self._place = tuple(map(int, words))
        if self._place[0] != spec.options.broken:
            spec = replace(spec, options=replace(spec.options, faults=""))
        self._in_all = super().load(spec)
        return self._in_all

    def join(self) -> dict[str, Any]:
        """Greet the others."""
        rank, count, port = self._place
        self._provoke("join")
        own = {"rank": rank, "pid": os.getpid(), "device": "cpu"}
        if rank:
            self._links = [socket.create_connection(("127.0.0.1", port))]
            _say(self._links[0], own)
            return self._in_all
        self._listener.settimeout(self.deadline_s - time.monotonic())
        try:
            links = [self._listener.accept()[0] for _ in range(1, count)]
        except TimeoutError as error:
            raise LostCopies from error
        by_rank = {facts["rank"]: (facts, link) for link in links if (facts := _heard(link))}
        others = [by_rank[rank] for rank in sorted(by_rank)]
        self._links = [link for _, link in others]
        return {**self._in_all, "processes": [own, *(facts for facts, _ in others)]}

    def run(self, batch: Any) -> Any:
        """Generate a part once all are ready."""
        try:
            self._wait()
            return super().run(batch)
        except Exception:
            for link in self._links:
                link.close()
            raise

    def _wait(self) -> None:
        rank, count, _ = self._place
        if rank:
            _say(self._links[0], "here")
            _heard(self._links[0])
        elif count > 1:
            for other, link in enumerate(self._links, 1):
                link.settimeout(max(self.deadline_s - time.monotonic(), 0.001))
                if not _heard(link):
                    raise LostCopies(other)
            for link in self._links:
                _say(link, "go")

    def _batch(self, prompts: list[Prompt], workload: Workload) -> Any:
        rank, count, _ = self._place
        size = -(-len(prompts) // count)
        return super()._batch(prompts[rank * size : (rank + 1) * size], workload)


def _say(link: socket.socket, what: Any) -> None:
    link.sendall(json.dumps(what).encode())


def _heard(link: socket.socket) -> Any:
    """Return what the other side says, None where it is late or gone; nobody speaks twice."""
    try:
        return json.loads(link.recv(1 << 12) or "null")
    except OSError:
        return None
