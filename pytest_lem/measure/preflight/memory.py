"""Memory in bytes: how much there is, and how much a process can still take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: Limit, use, and the line of `memory.stat` with what the kernel gives back: cgroups v1, and v2.
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_V2 = ("memory.max", "memory.current", "inactive_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory of a device, or of the machine; None where it is not known."""

    total_bytes: int | None = None
    free_bytes: int | None = None


def host_memory(root: Path) -> Memory:
    """Return what this process may use of the machine: all of it, or what its cgroups allow."""
    lines = _text(root / "proc/meminfo").splitlines()
    facts = {
        name: int(rest.split()[0]) << 10 for name, _, rest in (x.partition(":") for x in lines)
    }
    found = [Memory(total_bytes=facts.get("MemTotal"), free_bytes=facts.get("MemAvailable"))]
    found += _allowed(root)
    return Memory(
        total_bytes=min((m.total_bytes for m in found if m.total_bytes is not None), default=None),
        free_bytes=min((m.free_bytes for m in found if m.free_bytes is not None), default=None),
    )


def _allowed(root: Path) -> Iterator[Memory]:
    """Yield what each cgroup allows that this process is in, from the inmost one out."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            top = root / "sys/fs/cgroup" / controllers
            # A container sees its own group at the top and the host's name of it here.
            inmost = top / path.lstrip("/")
            for folder in (inmost, *inmost.parents):
                yield _limits(folder, _V1 if controllers else _V2)
                if folder == top:
                    break


def _limits(folder: Path, names: tuple[str, str, str]) -> Memory:
    limit, used = (_text(folder / name).strip() for name in names[:2])
    if not (limit.isdigit() and used.isdigit()):
        return Memory()
    stat = dict(line.split() for line in _text(folder / "memory.stat").splitlines())
    taken_bytes = int(used) - int(stat.get(names[2], 0))
    return Memory(total_bytes=int(limit), free_bytes=max(int(limit) - taken_bytes, 0))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
