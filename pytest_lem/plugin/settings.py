"""From options, variables and ini entries to layers of settings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lem.config.assignment import assign
from pytest_lem.config.layers import Layers
from pytest_lem.errors import LemError, config_error
from pytest_lem.plugin.options import AXES, MODES, OPTIONS, Given, Option, given, words
from pytest_lem.plugin.rundir import path_of
from pytest_lem.registry import BACKENDS, entries, load

if TYPE_CHECKING:  # pydantic and YAML wait until there is something to validate or to read
    from pytest_lem.config.grid import Grid
    from pytest_lem.config.resolve import Resolved

_LAYERS = pytest.StashKey[Layers]()
_GRID = pytest.StashKey["Grid"]()


def options_of(backend: str) -> type:
    """Return the class that holds the options of a backend."""
    options: type = load(BACKENDS, backend).Options
    return options


def session_layers(config: pytest.Config) -> Layers:
    """Return what was configured for the whole session: file, then ini, environment, options.

    A single value of an axis (`--lem-batch-size=8`) is a setting; several are not, since they
    make several cases.
    """
    if _LAYERS not in config.stash:
        config.stash[_LAYERS] = _read(config)
    return config.stash[_LAYERS]


def grid_of(config: pytest.Config) -> Grid | None:
    """Return what varies by the option `--lem-sweep`, or None without it."""
    session_layers(config)
    return config.stash.get(_GRID, None)


def check_settings(config: pytest.Config) -> None:
    """Turn mistakes in what was given into one sentence before anything is collected."""
    try:
        resolve_for(session_layers(config), "standard")
        for name in AXES:
            axis_values(config, name)
        _check_mode(config)
        _check_benchmark(config)
    except LemError as error:
        raise pytest.UsageError(str(error)) from None


def resolve_for(layers: Layers, default_preset: str) -> Resolved:
    """Validate layers with the options of the registered backends."""
    from pytest_lem.config.resolve import resolve

    return resolve(layers, default_preset=default_preset, options_of=options_of)


def resolved_gate(config: pytest.Config) -> Resolved:
    """Return the settings of a session, of which the gate's are the same for any preset."""
    return resolve_for(session_layers(config), "standard")


def is_gated(config: pytest.Config) -> bool:
    """Tell whether results are compared with a baseline, or saved to a history."""
    if not any(path[0] == "gate" for path in session_layers(config).leaves):
        return False
    gate = resolved_gate(config).settings.gate
    return bool(gate.baseline or gate.save or gate.autosave)


def is_told(config: pytest.Config) -> bool:
    """Tell whether anybody is told of the run by a webhook."""
    is_idle = config.option.collectonly or mode(config) == "off"
    return not is_idle and any(path[0] == "webhooks" for path in session_layers(config).leaves)


def axis_values(config: pytest.Config, name: str) -> Given | None:
    """Return the values given for an axis, converted and checked, or None."""
    found = given(config, name)
    if found is None:
        return None
    values = words(str(found.value))
    if not values:
        raise config_error(f"{found.origin} has no value; give one or several, comma-separated")
    return Given([_axis_value(name, value, found.origin) for value in values], found.origin)


def default_of(config: pytest.Config, name: str) -> Any:
    """Return the value of a setting that no test gives."""
    layers = session_layers(config)
    if found := layers.leaves.get((name,)):
        return found.value
    from pytest_lem.config.models import Settings

    return Settings.model_fields[name].default


def mode(config: pytest.Config) -> str:
    """Return `on`, `off` or `only`."""
    found = given(config, "mode")
    return str(found.value) if found else "on"


def _axis_value(name: str, text: str, origin: str) -> Any:
    if name == "batch_size":
        if not text.isdigit() or int(text) < 1:
            raise config_error(f"{origin}: a batch size is a whole number from 1 up, not {text!r}")
        return int(text)
    if name == "backend" and text not in entries(BACKENDS):
        load(BACKENDS, text)
    return text


def _check_mode(config: pytest.Config) -> None:
    if mode(config) not in MODES:
        found = given(config, "mode")
        where = found.origin if found else "--lem"
        raise config_error(f"{where}: the mode is one of {', '.join(MODES)}, not {mode(config)!r}")


def _check_benchmark(config: pytest.Config) -> None:
    """Refuse `--lem-benchmark` where pytest-benchmark does not run."""
    found = given(config, "benchmark")
    plugins = config.pluginmanager.get_plugins()
    names = (getattr(plugin, "__name__", None) for plugin in plugins)
    if found and found.value and "pytest_benchmark.plugin" not in names:
        raise config_error(
            f"{found.origin} needs pytest-benchmark, which is not installed, or switched off; "
            "install it with pip install 'pytest-lem[benchmark]'"
        )


def _read(config: pytest.Config) -> Layers:
    layers, over = Layers(), Layers()
    if file := given(config, "config"):
        layers.update(_read_config(path_of(config, file)))
    for source in ("ini", "variable", "flag"):
        for option in OPTIONS:
            found = given(config, option.name)
            if found and found.origin == getattr(option, source):
                _put(over, option, found)
    if sweep := given(config, "sweep"):
        from pytest_lem.config.gridfile import read_grid

        grid = read_grid(path_of(config, sweep), options_of)
        _refuse_rivals(config, grid, over)
        layers.update(grid.base)
        config.stash[_GRID] = grid
    layers.update(over)
    return layers


def _read_config(path: Path) -> Layers:
    from pytest_lem.config.source import read_file

    layers = read_file(path)
    if origin := layers.origin(("grid",)):
        raise config_error(f"{origin}: a `grid` makes a sweep; give this file to --lem-sweep")
    return layers


def _refuse_rivals(config: pytest.Config, grid: Grid, over: Layers) -> None:
    """Refuse a value for what varies: it would win over the file, and leave nothing to vary."""
    for axis in grid.axes:
        rivals = [sourced.origin for path, sourced in over.leaves.items() if axis.touches(path)]
        if axis.name in AXES and (found := given(config, axis.name)):
            rivals.append(found.origin)
        if rivals:
            raise config_error(
                f"{rivals[0]} and {axis.origin} both say what `{axis.name}` is; take one out"
            )


def _put(layers: Layers, option: Option, found: Given) -> None:
    name = option.name
    if option.is_switch and not isinstance(found.value, bool):
        raise config_error(f"{found.origin}: say true or false, not {found.value!r}")
    if name == "smoke":
        if found.value:
            layers.put(("preset",), "smoke", found.origin)
    elif name == "set":
        for assignment in found.value:
            assign(layers, assignment, found.origin)
    elif name in AXES:
        values = words(str(found.value))
        if len(values) == 1:
            layers.put(option.path, _axis_value(name, values[0], found.origin), found.origin)
    elif option.path:
        layers.put(option.path, _converted(name, found), found.origin)


def _converted(name: str, found: Given) -> Any:
    """Return the value of an option as its setting wants it."""
    if name in {"meter", "under_test"}:
        return words(str(found.value))
    if name in _NUMBERS:
        kind, unit = _NUMBERS[name]
        return _number(found, kind, unit)
    return found.value


#: Options whose setting is a number, and what it counts.
_NUMBERS: dict[str, tuple[type, str]] = {
    "gap": (float, "seconds"),
    "promise": (float, "per cent"),
    "cycles": (int, "a whole number"),
}


def _number(found: Given, kind: type, unit: str) -> Any:
    try:
        return kind(str(found.value).removesuffix("%"))
    except ValueError:
        raise config_error(f"{found.origin}: say {unit}, not {found.value!r}") from None
