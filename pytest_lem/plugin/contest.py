"""`--lem-ab` and `--lem-ab-env`: two values of one setting, compared within each test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pytest_lem.config.contest import Contest, contest, environments
from pytest_lem.config.layers import Layers
from pytest_lem.errors import LemError, config_error
from pytest_lem.plugin.availability import has_interpreter, lacking_precision, missing_backend
from pytest_lem.plugin.options import AXES, CONTESTS, given, has_contest
from pytest_lem.plugin.settings import is_gated, resolve_for, session_layers
from pytest_lem.registry import BACKENDS, entries, load

_CONTEST = pytest.StashKey["ContestAxis"]()


class ContestAxis:
    """What it makes of the tests: it gives the setting its two values at once."""

    def __init__(self, config: pytest.Config, made: Contest, origin: str) -> None:
        self.contest = made
        self._origin = origin
        self._check(config)

    def sets(self, name: str) -> bool:
        """Tell whether it gives the values of an axis, or of a whole workload."""
        return self.contest.sets(name)

    def combinations(self, lists: Mapping[str, Sequence[Any]]) -> list[Contest]:  # noqa: ARG002
        """Return the only value there is, for each test: both sides."""
        return [self.contest]

    def _check(self, config: pytest.Config) -> None:
        """Raise LemError for a side that cannot run, or for another option that rules it out."""
        if is_gated(config):
            raise config_error(
                f"{self._origin} compares two sides with each other, not with a history; leave out "
                "the options that compare or save (--lem-baseline, --lem-save, --lem-autosave)"
            )
        layers = session_layers(config)
        if rival := self._rival(config, layers):
            raise config_error(
                f"{rival} and {self._origin} both say what `{self.contest.name}` is; take one out"
            )
        for side in (self.contest, self.contest.b):
            own = layers.copy()
            side.lay_over(own)
            self._check_side(own)

    def _rival(self, config: pytest.Config, layers: Layers) -> str | None:
        """Return another option that gives the setting; a file is what options are laid over."""
        for path in self.contest.values:
            if path[0] in AXES and (found := given(config, path[0])):
                return found.origin
            sourced = layers.leaves.get(path)
            if sourced is not None and sourced.origin.startswith(("--", "LEM_", "lem_")):
                return sourced.origin
        return None

    def _check_side(self, layers: Layers) -> None:
        settings = resolve_for(layers, "standard").settings
        name = settings.backend
        if name not in entries(BACKENDS):
            load(BACKENDS, name)  # which says what there is
        missing = missing_backend(name, has_interpreter=has_interpreter(layers, name))
        if sentence := missing or lacking_precision(name, settings.precision):
            raise config_error(f"{self._origin}: {sentence}")


def contest_of(config: pytest.Config) -> ContestAxis | None:
    """Return the contest of a session, or None without one; mistakes are usage errors."""
    if not has_contest(config):
        return None
    if _CONTEST not in config.stash:
        try:
            config.stash[_CONTEST] = _made(config)
        except LemError as error:
            raise pytest.UsageError(str(error)) from None
    return config.stash[_CONTEST]


def _made(config: pytest.Config) -> ContestAxis:
    found, *rivals = filter(None, (given(config, name) for name in (*CONTESTS, "sweep")))
    if rivals:
        raise config_error(f"{found.origin} and {rivals[0].origin} both vary; take one out")
    read = contest if given(config, "ab") else environments
    return ContestAxis(
        config, read(str(found.value), found.origin, entries(BACKENDS)), found.origin
    )
