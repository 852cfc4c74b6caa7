"""A grid: settings that vary, and the combinations that follow.

Options of a backend multiply only the combinations that have this backend.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from pytest_lem.config.layers import Layers, Sourced
from pytest_lem.config.layers import Path as Keys

#: Axes whose values stand in an id without a name. Others have one, and a colon: `-k` of pytest
#: takes no equals sign.
_BARE = frozenset({"backend", "model", "precision", "batch_size", "workload"})
_LONGEST_TEXT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A setting that varies: its values, and the file and line where they begin."""

    path: Keys
    values: tuple[Any, ...]
    origin: str

    @property
    def name(self) -> str:
        """Return the path as people write it."""
        return ".".join(self.path)

    @property
    def backend(self) -> str | None:
        """Return the backend whose options vary, or None for what all have."""
        return self.path[1] if self.path[0] == "backends" else None

    def leaves(self) -> set[Keys]:
        """Return every path that a value sets: those inside of it where it is a mapping."""
        found: set[Keys] = set()
        for value in self.values:
            layers = Layers()
            layers.put(self.path, value, self.origin)
            found |= set() if value == {} else layers.leaves.keys()
        return found

    def touches(self, path: Keys) -> bool:
        """Tell whether a value of this axis lies at, above or below a path."""
        return any(all(a == b for a, b in zip(path, leaf, strict=False)) for leaf in self.leaves())

    def points(self) -> list[_Point]:
        """Return each value with its text."""
        texts = [label_of(value) or str(number) for number, value in enumerate(self.values)]
        often = Counter(texts)
        return [
            _Point(self, value, text if often[text] == 1 else f"{text}_{number}")
            for number, (value, text) in enumerate(zip(self.values, texts, strict=True))
        ]


class _Point(NamedTuple):
    """A value on an axis, and a short text that tells it from the others there."""

    axis: Axis
    value: Any
    text: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Combination:
    """A value for each axis that it has, by the path of the axis; `id` is short and readable."""

    id: str
    values: Mapping[Keys, Sourced]

    def value(self, name: str) -> Any:
        """Return its value of a setting outside all sections, or of a whole section; else None."""
        return self.values[(name,)].value if self.sets(name) else None

    def sets(self, name: str) -> bool:
        """Tell whether it has a value of this setting."""
        return (name,) in self.values

    def lay_over(self, layers: Layers) -> None:
        """Put all values over what is in `layers`."""
        for path, sourced in self.values.items():
            layers.put(path, sourced.value, sourced.origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What varies, and the settings that stand beside it in the file."""

    path: Path
    axes: tuple[Axis, ...]
    base: Layers

    def sets(self, name: str) -> bool:
        """Tell whether a setting outside all sections, or a whole section, varies."""
        return any(axis.path == (name,) for axis in self.axes)

    def combinations(self, backend: str) -> Iterator[Combination]:
        """Make all combinations, the last axis changing fastest, options of backends after that.

        `backend` is that of every combination if the grid does not vary it.
        """
        common = [axis.points() for axis in self.axes if axis.backend is None]
        options = [axis.points() for axis in self.axes if axis.backend is not None]
        for points in product(*common):
            named = (point.value for point in points if point.axis.path == ("backend",))
            name = next(named, backend)
            for others in product(*(own for own in options if own[0].axis.backend == name)):
                yield _combination([*points, *others])


def _combination(points: Sequence[_Point]) -> Combination:
    often = Counter(point.axis.path[-1] for point in points)
    words = []
    for axis, _, text in points:
        label = axis.path[-1] if often[axis.path[-1]] == 1 else axis.name
        words.append(text if axis.name in _BARE else f"{label}:{text}")
    values = {axis.path: Sourced(value, axis.origin) for axis, value, _ in points}
    return Combination(id="-".join(words), values=values)


def label_of(value: Any) -> str | None:
    """Return a value as it can stand in an id; None for one that is too long or no plain value."""
    if isinstance(value, Mapping):
        value = value.get("name")
        return value if isinstance(value, str) and _is_short(value) else None
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    is_plain = isinstance(value, str | int | float) and _is_short(str(value))
    return str(value) if is_plain else None


def _is_short(text: str) -> bool:
    return len(text) <= _LONGEST_TEXT and text.isprintable()
