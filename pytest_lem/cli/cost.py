"""Settings of cost for a report: those of the run, under a file, under what was typed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytest_lem.config.assignment import assign
from pytest_lem.config.cost import CostSettings
from pytest_lem.config.layers import Layers
from pytest_lem.config.resolve import resolve
from pytest_lem.config.source import read_file
from pytest_lem.errors import config_error, did_you_mean
from pytest_lem.registry import BACKENDS, load
from pytest_lem.results.derived import cost_in
from pytest_lem.results.session import Session

_SECTION = "cost"


def cost_of(session: Session, file: Path | None, assignments: Sequence[str]) -> CostSettings:
    """Return the settings with which a run is reported.

    Raises LemError (`config`) for what is no setting, is not valid, or is not of cost: all else was
    fixed when the run was measured.
    """
    layers = Layers()
    layers.put((_SECTION,), cost_in(session.cost or {}).model_dump(mode="json"), "the run")
    if file is not None:
        layers.update(_in_file(file))
    typed = Layers()
    for assignment in assignments:
        assign(typed, assignment, "--set")
    _check(typed)
    layers.update(typed)
    settings = resolve(layers, default_preset="standard", options_of=_options_of).settings
    return settings.cost


def _in_file(file: Path) -> Layers:
    """Return the layers of a configuration, all of which has to be valid."""
    found = read_file(file)
    if not any(path[0] == _SECTION for path in found.leaves):
        raise config_error(
            f"--config: {file} has no section `{_SECTION}`, and a report takes no other from it"
        )
    return found


def _check(typed: Layers) -> None:
    """Refuse what a report cannot change any more."""
    for path, sourced in typed.leaves.items():
        name = ".".join(path)
        if path[0] != _SECTION or len(path) == 1:
            known = [f"{_SECTION}.{field}" for field in CostSettings.model_fields]
            raise config_error(
                f"{sourced.origin}: a report sets `{_SECTION}.*` only, since all else was fixed "
                f"when it was measured; {did_you_mean(name, known)}"
            )


def _options_of(backend: str) -> type:
    options: type = load(BACKENDS, backend).Options
    return options
