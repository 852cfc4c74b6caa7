"""Which tests a run was asked for: a case of the baseline outside of them is not missing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_lem.gate.past import Past

from pytest_lem.plugin.options import AXES
from pytest_lem.plugin.settings import axis_values
from pytest_lem.results.nodeid import without_cycle

_COLLECTED = pytest.StashKey[frozenset[str]]()


def note_collected(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Remember what was collected, before anything is deselected."""
    config.stash[_COLLECTED] = frozenset(without_cycle(item.nodeid) for item in items)


class Selection:
    """What a run was asked for."""

    def __init__(self, session: pytest.Session) -> None:
        self._config = session.config
        self._collected = session.config.stash.get(_COLLECTED, frozenset())
        self._selected = frozenset(without_cycle(item.nodeid) for item in session.items)
        self._arguments = [_argument(session.config, text) for text in session.config.args]
        self._axes = {n: v.value for n in AXES if (v := axis_values(session.config, n))}

    def covers(self, past: Past) -> bool:
        """Tell whether a case of the baseline should have been measured.

        Not if its test was collected and deselected, if it lies outside the paths of the run, or if
        other values were asked for than its own. With `-k`, and where only what failed last is run,
        nobody can say of a test that is gone.
        """
        entry = past.entry
        if any(entry.settings.get(name) not in values for name, values in self._axes.items()):
            return False
        if entry.nodeid in self._collected:
            return entry.nodeid in self._selected
        return not self._is_partial and self._is_in_scope(entry.nodeid)

    @property
    def _is_partial(self) -> bool:
        """Tell whether only some tests were named: one that is gone cannot be asked."""
        return any(self._config.getoption(name, default=None) for name in ("lf", "keyword"))

    def _is_in_scope(self, nodeid: str) -> bool:
        name, _, test = nodeid.partition("::")
        path = self._config.rootpath / name
        ignored = [Path(text) for text in self._config.getoption("ignore", default=None) or ()]
        if any(_lies_in(path, self._config.invocation_params.dir / folder) for folder in ignored):
            return False
        return any(
            _lies_in(path, folder) and (not chosen or _begins_with(test, chosen))
            for folder, chosen in self._arguments
        )


def _argument(config: pytest.Config, text: str) -> tuple[Path, str]:
    name, _, test = text.partition("::")
    return config.invocation_params.dir / name, test


def _lies_in(path: Path, folder: Path) -> bool:
    return path == folder or folder in path.parents


def _begins_with(test: str, chosen: str) -> bool:
    return test == chosen or test.startswith((f"{chosen}::", f"{chosen}["))
