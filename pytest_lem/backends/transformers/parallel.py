"""Copies of a model side by side, a process each (data parallel), each with its part of a batch.

The host process is rank 0 and serves PyTorch's store for the rendezvous, on a port of the loopback
that the system chooses. The other ranks are host processes as well, so torchrun is not needed to
start them: its agent would be one more process in the tree whose CPU time is measured. The group is
gloo on GPUs too. Nothing but a barrier is exchanged, and one of NCCL keeps waiting GPUs busy.
"""

from __future__ import annotations

import math
import os
import re
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Self, TypeVar

from pytest_lem.backends.host.copies import LostCopies
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.backends.transformers.backend import TransformersBackend
from pytest_lem.backends.transformers.checksum import checksum_of
from pytest_lem.backends.transformers.devices import as_asked
from pytest_lem.backends.transformers.options import TransformersOptions
from pytest_lem.errors import FailureKind, LemError, config_error
from pytest_lem.workloads.prompt import Prompt
from pytest_lem.workloads.workload import Workload

T = TypeVar("T")
#: Tells a further process which one it is.
VARIABLE = "LEM_RANK"
_HOST = "127.0.0.1"
#: All are there and have loaded when they meet, so it takes a moment.
_MEETING_S = 60.0
_DAY_S = 86400.0
#: Gloo would take the interface of the machine's name, which need not be one.
_INTERFACES = ("lo", "lo0")
_LATE = re.compile(r"Ranks? ([\d, ]+) failed to pass")


@dataclass(frozen=True, slots=True)
class Place:
    """One process of several: its number, how many there are, the port where they meet."""

    rank: int
    count: int
    port: int

    @classmethod
    def own(cls) -> Self | None:
        """Return the place of this process; None where nobody gave it one."""
        words = os.environ.get(VARIABLE, "").split()
        return cls(*map(int, words)) if words else None

    def variables(self) -> dict[str, str]:
        """Return what gives a process this place."""
        return {VARIABLE: f"{self.rank} {self.count} {self.port}"}


class ParallelBackend(TransformersBackend):
    """Runs a model in one process, or copies of it in several."""

    #: Until when the other processes are waited for; the host sets it in rank 0, which decides.
    deadline_s: float = math.inf
    _place: Place | None = None
    _store: Any = None

    def copies(self, spec: LoadSpec) -> list[dict[str, str]]:
        """Return the variables of each further process, which all meet at this one."""
        options: TransformersOptions = spec.options  # type: ignore[assignment]
        if options.processes == 1 or Place.own():
            return []
        _check_gpus(options)
        port = self._serve()
        self._place, *others = (
            Place(rank, options.processes, port) for rank in range(options.processes)
        )
        return [place.variables() for place in others]

    def load(self, spec: LoadSpec) -> dict[str, Any]:
        """Load this process's copy, on a device and on CPUs of its own."""
        self._place = self._place or Place.own()
        if self._place is None:
            applied = super().load(spec)
            applied["options"]["processes"] = 1
            return applied
        asked: TransformersOptions = spec.options  # type: ignore[assignment]
        own = replace(
            asked,
            processes=1,
            device=_device(asked, self._place),
            num_threads=asked.num_threads or _threads(self._place),
        )
        self._applied = super().load(replace(spec, options=own))  # type: ignore[arg-type]
        options = self._applied["options"]
        options["device"] = as_asked(asked.device, options["device"])
        return self._applied

    def join(self) -> dict[str, Any]:
        """Meet the other processes; return what is in force in all of them, as `load` does.

        Raises LostCopies if one does not come, LemError (`data`) if their weights differ.
        """
        import torch.distributed as dist

        place = self._place
        assert place  # noqa: S101 - only those that were given one are asked to meet
        found = self._gathered(place)
        _check_alike(found)
        return {
            **self._applied,
            "device_uuids": [uuid for facts in found for uuid in facts["device_uuids"]],
            "processes": found,
            "process_group": dist.get_backend(),
            "options": {**self._applied["options"], "processes": dist.get_world_size()},
        }

    def run(self, batch: Any) -> Any:
        """Generate for this process's part of a batch, once all are ready for theirs."""
        if self._place is None:
            return super().run(batch)
        try:
            self._wait()
            return super().run(batch)
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Close the connections, so that nobody waits for this process; safe to call again."""
        import torch.distributed as dist

        if dist.is_initialized():
            dist.destroy_process_group()

    def _batch(self, prompts: list[Prompt], workload: Workload) -> Any:
        """Return this process's part; sampled rows of different parts have seeds of their own."""
        if self._place is None:
            return super()._batch(prompts, workload)
        batch = super()._batch(part_of(prompts, self._place.rank, self._place.count), workload)
        if batch.seed is None:
            return batch
        return replace(batch, seed=batch.seed + self._place.rank)

    def _serve(self) -> int:
        """Begin the store; return its port, which nobody but processes of this machine can use."""
        from torch.distributed import TCPStore

        listener = socket.create_server((_HOST, 0))
        port = int(listener.getsockname()[1])
        self._store = TCPStore(
            _HOST,
            port,
            is_master=True,
            wait_for_workers=False,
            master_listen_fd=listener.detach(),
        )
        return port

    def _gathered(self, place: Place) -> list[dict[str, Any]]:
        """Make the group; return what each process says of itself. The store knows who has come."""
        import torch.distributed as dist

        limit_s = max(min(_MEETING_S, self.deadline_s - time.monotonic()), 0.001)
        limit = timedelta(seconds=limit_s)
        names = [f"rank {rank}" for rank in range(place.count)]
        found: list[dict[str, Any]] = [{}] * place.count
        _take_loopback()
        try:
            store = self._store or dist.TCPStore(_HOST, place.port, is_master=False, timeout=limit)
            store.set(names[place.rank], "here")
            store.wait(names, limit)
            dist.init_process_group(
                "gloo", store=store, rank=place.rank, world_size=place.count, timeout=limit
            )
            dist.all_gather_object(found, self._facts(place))
        except RuntimeError as error:
            is_told = self._store is not None
            missing = [n for n, name in enumerate(names) if is_told and not store.check([name])]
            raise LostCopies(*missing) from error
        return found

    def _wait(self) -> None:
        """Wait for all; the first process learns who is late or lost."""
        import torch.distributed as dist

        limit_s = max(min(self.deadline_s - time.monotonic(), _DAY_S), 0.001)
        try:
            dist.monitored_barrier(timeout=timedelta(seconds=limit_s), wait_all_ranks=True)
        except RuntimeError as error:
            late = _LATE.search(str(error))
            raise LostCopies(*map(int, late[1].split(",")) if late else ()) from error

    def _facts(self, place: Place) -> dict[str, Any]:
        return {
            "rank": place.rank,
            "pid": os.getpid(),
            **{name: self._applied[name] for name in ("device", "device_uuids", "num_threads")},
            "weights_checksum": checksum_of(self._torch, self._model),
        }


def part_of(items: Sequence[T], rank: int, count: int) -> list[T]:
    """Return the part of a batch that a process takes; the first ones take what is left over.

    Raises LemError (`config`) for fewer than there are processes.
    """
    if len(items) < count:
        raise config_error(
            f"a batch of {len(items)} cannot be divided among {count} processes; raise "
            "`batch_size` (or `workload.requests`, for the last batch), or lower "
            "`backends.transformers.processes`"
        )
    size, more = divmod(len(items), count)
    start = rank * size + min(rank, more)
    return list(items[start : start + size + (rank < more)])


def _check_gpus(options: TransformersOptions) -> None:
    import torch

    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    is_wanted = options.device == "cuda" or (options.device == "auto" and there)
    if is_wanted and there < options.processes:
        raise config_error(
            f"`backends.transformers.processes` is {options.processes}, each on a GPU of its own, "
            f"but PyTorch sees {there}; lower it, let CUDA_VISIBLE_DEVICES show more, or take "
            "`device: cpu`"
        )


def _device(options: TransformersOptions, place: Place) -> str:
    import torch

    is_on_gpu = options.device != "cpu" and torch.cuda.is_available()
    return f"cuda:{place.rank}" if is_on_gpu else options.device


def _threads(place: Place) -> int:
    """Return the threads of a process: its part of the CPUs, and no more than PyTorch would take.

    All processes with as many threads as there are CPUs would stand in each other's way.
    """
    import torch

    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min((there or 1) // place.count, int(torch.get_num_threads())))


def _take_loopback() -> None:
    there = [name for _, name in socket.if_nameindex()]
    for name in _INTERFACES:
        if name in there:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", name)


def _check_alike(found: Sequence[Mapping[str, Any]]) -> None:
    other = [f["rank"] for f in found if f["weights_checksum"] != found[0]["weights_checksum"]]
    if other:
        raise LemError(
            f"the weights of rank {', '.join(map(str, other))} are not those of rank 0, so they "
            "are no copies of one model; let nothing change its files while it loads",
            kind=FailureKind.DATA,
        )
