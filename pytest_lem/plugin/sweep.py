"""The option `--lem-sweep`: which combinations of its grid run, and why the others do not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import pytest

from pytest_lem.case import digest
from pytest_lem.config.grid import Combination, Grid
from pytest_lem.config.layers import Layers
from pytest_lem.config.resolve import Resolved, resolve
from pytest_lem.errors import LemError, config_error
from pytest_lem.plugin.availability import has_interpreter, lacking_precision, missing_backend
from pytest_lem.plugin.settings import grid_of, options_of, session_layers

_SWEEP = pytest.StashKey["Sweep"]()


class Own(NamedTuple):
    """The backends and the precisions that a test lists itself, for want of such an axis."""

    backends: tuple[str, ...] = ()
    precisions: tuple[str, ...] = ()


@dataclass(slots=True)
class Expansion:
    """What becomes of a grid: the combinations that run, and ids with sentences of the others."""

    kept: list[Combination] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    repeated: list[tuple[str, str]] = field(default_factory=list)


class Sweep:
    """The grid of a session, with what it makes of the tests that use it."""

    def __init__(self, grid: Grid, layers: Layers) -> None:
        self._grid = grid
        self._layers = layers
        self._expansions: dict[Own, Expansion] = {}
        # Each of them asks the metadata of all packages, too slow for every combination.
        self._options_of = cache(options_of)
        self._missing = cache(missing_backend)
        self._lacking = cache(lacking_precision)

    def sets(self, name: str) -> bool:
        """Tell whether the grid gives the values of an axis, or of a whole workload."""
        return self._grid.sets(name)

    def combinations(self, lists: Mapping[str, Sequence[Any]]) -> list[Combination]:
        """Return the combinations for a test with these values of its own, by their names."""
        own = Own(*(_words(lists.get(name, ())) for name in ("backend", "precision")))
        if own not in self._expansions:
            self._expansions[own] = self._expand(own)
        return self._expansions[own].kept

    def check(self) -> None:
        """Raise LemError if nothing is left to run, or an axis of options varies nothing."""
        self._refuse_idle_options()
        made = list(self._expansions.values())
        if made and not any(one.kept for one in made):
            name, sentence = made[0].dropped[0]
            raise config_error(
                f"{self._grid.path}: no combination can run; the first, {name}: {sentence}"
            )

    def lines(self) -> list[str]:
        """Return how many combinations there are, and a line for each that does not run."""
        title = f"lem: sweep {self._grid.path.name}"
        if not self._expansions:
            return [f"{title}: no test uses the fixture `inference`, so nothing varies"]
        found = []
        for own, made in self._expansions.items():
            lists = ", ".join((*own.backends, *own.precisions))
            which = f" for tests with {lists}" if lists and len(self._expansions) > 1 else ""
            total = len(made.kept) + len(made.dropped) + len(made.repeated)
            counts = f"{total} combinations, {len(made.dropped)} dropped"
            counts += f", {len(made.repeated)} repeated" if made.repeated else ""
            found.append(f"{title}{which}: {counts}")
            found += [f"lem: dropped {name}: {sentence}" for name, sentence in made.dropped]
            found += [f"lem: {name} is the same as {first}" for name, first in made.repeated]
        return found

    def _refuse_idle_options(self) -> None:
        """Refuse options of a backend that no test has, or that stand beside a test's own list."""
        options = [axis for axis in self._grid.axes if axis.backend is not None]
        if not options or self.sets("backend"):
            return
        several = next((own.backends for own in self._expansions if len(own.backends) > 1), None)
        if several:
            raise config_error(
                f"{options[0].origin}: `{options[0].name}` varies with one backend, and a test "
                f"lists {', '.join(several)}; name the backends in `grid.backend`, which takes the "
                "place of such lists"
            )
        backends = {name for own in self._expansions for name in self._backends(own)}
        for axis in options:
            if self._expansions and axis.backend not in backends:
                raise config_error(
                    f"{axis.origin}: `{axis.name}` varies nothing, since no test has the backend "
                    f"`{axis.backend}`; name it in `grid.backend`"
                )

    def _backends(self, own: Own) -> tuple[str, ...]:
        """Return the backends that a test has, if the grid does not vary them."""
        return own.backends or (self._resolved(self._layers).settings.backend,)

    def _expand(self, own: Own) -> Expansion:
        made, seen = Expansion(), dict[str, str]()
        for combination in self._grid.combinations(self._backends(own)[0]):
            try:
                found = self._judged(combination, own)
            except LemError as error:
                made.dropped.append((combination.id, str(error)))
                continue
            if found in seen:
                made.repeated.append((combination.id, seen[found]))
            else:
                seen[found] = combination.id
                made.kept.append(combination)
        return made

    def _judged(self, combination: Combination, own: Own) -> str:
        """Return a hash of all settings of a combination; raises LemError if it cannot run."""
        layers = self._layers.copy()
        if len(own.backends) == 1:
            layers.put(("backend",), own.backends[0], "parametrize")
        combination.lay_over(layers)
        resolved = self._resolved(layers)
        settings = resolved.settings
        backends = own.backends or (settings.backend,)
        pairs = product(backends, own.precisions or (settings.precision,))
        refusals = [self._refusal(backend, precision, layers) for backend, precision in pairs]
        if all(refusals):
            raise config_error(str(refusals[0]))
        is_one = len(backends) == 1
        options = asdict(resolved.options_of(backends[0], self._options_of)) if is_one else {}
        return digest([settings.model_dump(mode="json", exclude={"backends"}), options])

    def _resolved(self, layers: Layers) -> Resolved:
        return resolve(layers, default_preset="standard", options_of=self._options_of)

    def _refusal(self, backend: str, precision: str | None, layers: Layers) -> str | None:
        """Say why a backend cannot run here, or not in this precision."""
        missing = self._missing(backend, has_interpreter=has_interpreter(layers, backend))
        return missing or self._lacking(backend, precision)


def sweep_of(config: pytest.Config) -> Sweep | None:
    """Return the sweep of a session, or None without the option."""
    grid = grid_of(config)
    if grid is not None and _SWEEP not in config.stash:
        config.stash[_SWEEP] = Sweep(grid, session_layers(config))
    return config.stash.get(_SWEEP, None)


def _words(values: Sequence[Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if isinstance(value, str)))
