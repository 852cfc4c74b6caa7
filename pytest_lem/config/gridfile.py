"""A grid as it stands in a configuration file, below the key `grid`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_lem.config.grid import Axis, Grid
from pytest_lem.config.layers import Layers, Sourced
from pytest_lem.config.layers import Path as Keys
from pytest_lem.config.parameter import Parameter, option_parameters, settings_parameters
from pytest_lem.config.resolve import OptionsOf
from pytest_lem.config.series import PARTS, series
from pytest_lem.config.source import read_file
from pytest_lem.errors import LemError, config_error, did_you_mean

KEY = "grid"
#: Most combinations of a grid: one that makes more was hardly meant.
MOST = 10_000

#: What is read once, for all tests of a session, and so is the same for all combinations.
_OF_SESSION = (
    ("schema_version",),
    ("order",),
    ("energy",),
    ("measure", "gap_s"),
    ("measure", "cooldown_c"),
    ("measure", "cooldown_max_s"),
)
#: The parts of a range by their names, or a list under None.
_Given = dict[str | None, Sourced]
_Known = Mapping[Keys, Parameter]


def read_grid(path: Path, options_of: OptionsOf) -> Grid:
    """Read a file and what it extends; what stands beside `grid` holds for all combinations.

    Raises LemError with file and line for a path that is no setting, that is set twice or that
    cannot vary within a session, and for what is neither a list of values nor a range that ends.
    """
    layers, varied = Layers(), Layers()
    for keys, sourced in read_file(path).leaves.items():
        (varied if keys[0] == KEY else layers).leaves[keys] = sourced
    if not varied.leaves:
        raise config_error(
            f"{path} has no `{KEY}`, so nothing varies; name there what does, or give the file to "
            "--lem-config"
        )
    grid = Grid(path=path, axes=tuple(_axes(varied)), base=layers)
    for axis in grid.axes:
        _check(axis, _known(axis, options_of))
    _refuse_repeated(grid)
    _refuse_idle_options(grid, options_of)
    _refuse_too_many(grid)
    return grid


def _axes(varied: Layers) -> Iterator[Axis]:
    for path, given in _gathered(varied).items():
        origin = next(iter(given.values())).origin
        values = given[None].value if None in given else _series(path, given)
        if not values:
            raise config_error(f"{origin}: `{'.'.join(path)}` has no value; give one or several")
        yield Axis(path=path, values=tuple(values), origin=origin)


def _gathered(varied: Layers) -> dict[Keys, _Given]:
    """Gather by setting the lists, and the parts of ranges, which are read one by one."""
    found: dict[Keys, _Given] = {}
    for keys, sourced in varied.leaves.items():
        path = tuple(part for key in keys[1:] for part in key.split("."))
        if not path:
            raise config_error(f"{sourced.origin}: `{KEY}` takes settings, and a list for each")
        is_list = isinstance(sourced.value, list)
        given = found.setdefault(path if is_list else path[:-1], {})
        part = None if is_list else path[-1]
        if part in given or None in given or (given and is_list):
            raise _twice(sourced.origin, ".".join(path), next(iter(given.values())).origin)
        given[part] = sourced
    return found


def _series(path: Keys, given: _Given) -> list[int | float]:
    """Return the values of a range, if these are the parts of one."""
    name = ".".join(path)
    parts = {str(part): sourced for part, sourced in given.items()}
    unknown = [part for part in parts if part not in PARTS]
    if not path or len(unknown) == len(parts):
        part = unknown[0] if unknown else next(iter(parts))
        raise config_error(
            f"{parts[part].origin}: `{'.'.join((*path, part))}` takes a list of values, or a range "
            f"such as {{start: 1, stop: 64, factor: 2}}, not {parts[part].value!r}"
        )
    if unknown:
        raise config_error(
            f"{parts[unknown[0]].origin}: unknown key `{unknown[0]}` of the range `{name}`: "
            f"{did_you_mean(unknown[0], list(PARTS))}"
        )
    try:
        return series({part: sourced.value for part, sourced in parts.items()}, MOST)
    except ValueError as error:
        origin = next(iter(parts.values())).origin
        raise config_error(f"{origin}: `{name}`: {error}") from None


def _known(axis: Axis, options_of: OptionsOf) -> _Known:
    """Return all settings, or all options of the backend whose options vary."""
    if axis.path == ("backends",):
        raise config_error(
            f"{axis.origin}: `backends` has a section for each backend; name the one that varies, "
            "such as `backends.transformers`"
        )
    if axis.backend is None:
        found = settings_parameters()
    else:
        options = _options(axis.backend, axis.origin, options_of)
        found = option_parameters(options, f"backends.{axis.backend}.")
    return {tuple(parameter.path.split(".")): parameter for parameter in found}


def _options(backend: str, origin: str, options_of: OptionsOf) -> type:
    try:
        return options_of(backend)
    except LemError as error:
        raise config_error(f"{origin}: {error}") from None


def _check(axis: Axis, known: _Known) -> None:
    """Refuse what is no setting or cannot vary, and values of the wrong shape."""
    is_section = axis.path not in known and any(
        path[: len(axis.path)] == axis.path for path in known
    )
    for value in axis.values:
        if is_section and not isinstance(value, Mapping):
            raise config_error(
                f"{axis.origin}: `{axis.name}` is a section, so each of its values is a mapping, "
                f"not {value!r}"
            )
    for leaf in sorted(axis.leaves()):
        _check_leaf(axis, leaf, known)
    if path := next((path for path in _OF_SESSION if axis.touches(path)), None):
        name = ".".join(path if len(path) > len(axis.path) else axis.path)
        raise config_error(
            f"{axis.origin}: `{name}` holds for all tests of a session, so it cannot vary in one; "
            "run pytest once for each value"
        )
    if axis.path in known:
        _check_list(axis, known[axis.path].kinds)


def _check_leaf(axis: Axis, leaf: Keys, known: _Known) -> None:
    """Refuse a path that leads to no setting. What is below a mapping is the engine's matter."""
    for depth, word in enumerate(leaf):
        parameter = known.get(leaf[:depth])
        if parameter:
            if "object" in parameter.kinds or not parameter.kinds:
                return
            raise config_error(f"{axis.origin}: `{parameter.path}` has no part `{word}`")
        beside = {path[depth] for path in known if path[:depth] == leaf[:depth]}
        if word not in beside:
            raise config_error(
                f"{axis.origin}: unknown key `{'.'.join(leaf)}`: {did_you_mean(word, list(beside))}"
            )


def _check_list(axis: Axis, kinds: tuple[str, ...]) -> None:
    """Refuse single values for a setting that is a list itself."""
    is_list = "array" in kinds and set(kinds) <= {"array", "null"}
    for value in axis.values:
        if is_list and not isinstance(value, list) and value is not None:
            raise config_error(
                f"{axis.origin}: `{axis.name}` is a list itself, so it varies over a list of "
                f"lists, not over {value!r}"
            )


def _refuse_repeated(grid: Grid) -> None:
    """Refuse a setting that two axes set, or one file in its grid and beside it."""
    for number, axis in enumerate(grid.axes):
        for other in grid.axes[:number]:
            if any(other.touches(leaf) for leaf in axis.leaves()):
                raise _twice(axis.origin, axis.name, other.origin)
        for path, sourced in grid.base.leaves.items():
            is_same_file = _file(axis.origin) == _file(sourced.origin)
            if is_same_file and axis.touches(path):
                raise _twice(axis.origin, axis.name, sourced.origin)


def _refuse_idle_options(grid: Grid, options_of: OptionsOf) -> None:
    """Refuse backends that nobody knows, and options of a backend that no combination has."""
    named = next((axis for axis in grid.axes if axis.path == ("backend",)), None)
    if named is None:
        return
    for value in named.values:
        if isinstance(value, str):  # any other is not valid, and dropped
            _options(value, named.origin, options_of)
    for axis in grid.axes:
        if axis.backend is not None and axis.backend not in named.values:
            raise config_error(
                f"{axis.origin}: `{axis.name}` varies nothing, since no combination has the "
                f"backend `{axis.backend}`; add it to `{KEY}.backend`, or take this out"
            )


def _refuse_too_many(grid: Grid) -> None:
    own: Counter[Any] = Counter()
    for axis in grid.axes:
        own[axis.backend] = max(own[axis.backend], 1) * len(axis.values)
    common = own.pop(None, 1)
    count = common * max(own.values(), default=1)
    if count > MOST:
        raise config_error(
            f"{grid.path}: this grid makes {count} combinations, and {MOST} are the most; take "
            "values out"
        )


def _file(origin: str) -> str:
    return origin.rpartition(":")[0]


def _twice(origin: str, name: str, first: str) -> LemError:
    return config_error(f"{origin}: `{name}` is set already at {first}; keep one of the two")
