"""From layers to validated settings, with the origin of every value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError

from pytest_lem.config.layers import Layers
from pytest_lem.config.layers import Path as Keys
from pytest_lem.config.models import CONFIG_VERSION, Settings
from pytest_lem.config.section import WITHHELD
from pytest_lem.config.source import read_file
from pytest_lem.errors import LemError, config_error, did_you_mean

PRESETS = Path(__file__).parent / "presets"

#: Gives the class (a plain dataclass) that holds the options of a backend.
OptionsOf = Callable[[str], type]


@dataclass(frozen=True, slots=True)
class Resolved:
    """Settings in force, the options of each configured backend, and where values come from.

    `origins` has a path such as `measure.rounds` for every value; `notes` are warnings about
    the sources themselves.
    """

    settings: Settings
    options: dict[str, Any]
    origins: dict[str, str]
    notes: tuple[str, ...] = ()

    def options_of(self, backend: str, options_of: OptionsOf) -> Any:
        """Return the options of `backend`, its defaults if nothing was configured."""
        return self.options[backend] if backend in self.options else options_of(backend)()


@cache  # a grid resolves thousands of times; the files do not change
def _preset_layers(name: str) -> Layers:
    """Return the values of a packaged preset, whose origin is its name."""
    layers = Layers()
    for path, sourced in read_file(PRESETS / f"{name}.yaml").leaves.items():
        layers.put(path, sourced.value, f"preset {name}")
    return layers


def resolve(layers: Layers, *, default_preset: str, options_of: OptionsOf) -> Resolved:
    """Validate `layers` over their preset (their own choice, else `default_preset`).

    Raises LemError that names the origin (file and line, option, marker) of what is wrong.
    """
    chosen = layers.leaves.get(("preset",))
    name = chosen.value if chosen and chosen.value is not None else default_preset
    if not (isinstance(name, str) and (PRESETS / f"{name}.yaml").is_file()):
        where = f"{chosen.origin}: " if chosen else ""
        known = sorted(path.stem for path in PRESETS.glob("*.yaml"))
        raise config_error(f"{where}there is no preset `{name}`: {did_you_mean(str(name), known)}")
    merged = _preset_layers(name).copy()
    merged.update(layers)
    merged.put(("preset",), name, chosen.origin if chosen else "default")
    settings = _validated(merged)
    options = {
        backend: _validated_options(backend, fields, merged, options_of)
        for backend, fields in settings.backends.items()
    }
    return Resolved(settings, options, _origins(settings, merged), _notes(settings, merged))


def _validated(layers: Layers) -> Settings:
    try:
        return Settings.model_validate(layers.nested())
    except ValidationError as error:
        raise config_error(_sentence(error, (), Settings, layers)) from None


def _validated_options(
    backend: str, fields: dict[str, Any], layers: Layers, options_of: OptionsOf
) -> Any:
    prefix = ("backends", backend)
    try:
        model = options_of(backend)
    except LemError as error:
        raise config_error(f"{layers.origin(prefix)}: {error}") from None
    try:
        return TypeAdapter(model).validate_python(fields)
    except ValidationError as error:
        raise config_error(_sentence(error, prefix, model, layers)) from None


def _sentence(error: ValidationError, prefix: Keys, model: type, layers: Layers) -> str:
    """Say the first thing that is wrong: where it stands, what it is, what would do."""
    first = error.errors(include_url=False)[0]
    path = prefix + tuple(str(part) for part in first["loc"])
    name = ".".join(path)
    where = layers.origin(path) or "settings"
    if first["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        known = _known_keys(model, first["loc"][:-1])
        return f"{where}: unknown key `{name}`: {did_you_mean(path[-1], known)}"
    reason = first["msg"].removeprefix("Value error, ")
    is_quoted = first["type"] != WITHHELD and not isinstance(first["input"], dict | BaseModel)
    given = f", not {first['input']!r}" if is_quoted else ""
    return f"{where}: `{name}`: {reason[:1].lower()}{reason[1:]}{given}"


def _known_keys(model: Any, path: tuple[int | str, ...]) -> list[str]:
    for part in path:
        model = model.model_fields[str(part)].annotation
    fields = getattr(model, "model_fields", None) or getattr(model, "__dataclass_fields__", {})
    return list(fields)


def _origins(settings: Settings, layers: Layers) -> dict[str, str]:
    paths = _paths(settings.model_dump())
    return {".".join(path): layers.origin(path) or "default" for path in paths}


def _paths(tree: dict[str, Any], prefix: Keys = ()) -> Iterator[Keys]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _paths(value, (*prefix, key))
        else:
            yield (*prefix, key)


def _notes(settings: Settings, layers: Layers) -> tuple[str, ...]:
    version = settings.schema_version
    if version is None or _minor(version) <= _minor(CONFIG_VERSION):
        return ()
    where = layers.origin(("schema_version",))
    return (f"{where}: written for version {version}, read as version {CONFIG_VERSION}",)


def _minor(version: str) -> int:
    return int(version.partition(".")[2])
