"""Layers of settings, the later over the earlier, each value with its origin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Path = tuple[str, ...]


class Sourced(NamedTuple):
    """A value, and where a person finds it."""

    value: Any
    origin: str


@dataclass(slots=True)
class Layers:
    """Settings by path. A later value takes the place of all that it covers."""

    leaves: dict[Path, Sourced] = field(default_factory=dict)

    def put(self, path: Path, value: Any, origin: str) -> None:
        """Set one value; a mapping is set leaf by leaf, so that it merges with what is there."""
        for leaf, inner in _leaves(value, path):
            self._lay(leaf, Sourced(inner, origin))

    def update(self, other: Layers) -> None:
        """Lay all of `other` over this."""
        for path, sourced in other.leaves.items():
            self._lay(path, sourced)

    def copy(self) -> Layers:
        """Return layers that can be added to without a trace here."""
        return Layers(dict(self.leaves))

    def nested(self) -> dict[str, Any]:
        """Return the values as nested mappings."""
        tree: dict[str, Any] = {}
        for path, sourced in self.leaves.items():
            *folders, last = path
            spot = tree
            for name in folders:
                spot = spot.setdefault(name, {})
            spot[last] = sourced.value
        return tree

    def origin(self, path: Path) -> str | None:
        """Return the origin of a value or, for a folder of values, of the one laid last in it."""
        for depth in range(len(path), 0, -1):
            if found := self.leaves.get(path[:depth]):
                return found.origin
        inside = (s.origin for p, s in reversed(self.leaves.items()) if p[: len(path)] == path)
        return next(inside, None)

    def _lay(self, path: Path, sourced: Sourced) -> None:
        """Put one leaf in the place of what it covers; an empty mapping covers no values."""
        inside = [old for old in self.leaves if old[: len(path)] == path]
        if sourced.value == {} and any(len(old) > len(path) for old in inside):
            return
        for old in inside + [old for old in self.leaves if path[: len(old)] == old != path]:
            del self.leaves[old]
        self.leaves[path] = sourced


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)))
    else:
        yield path, value
