"""What can be set: every setting, and every option of a backend, as their classes declare them.

The reference in the documentation, `lem ls params` and the paths of a grid follow from this alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import Field, dataclass, fields
from typing import Any, get_type_hints

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pytest_lem.config.models import Settings

#: Limits by their names in JSON Schema, as people write them.
_LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "multipleOf": "in steps of {}",
    "minLength": "with ≥ {} characters",
    "maxLength": "with ≤ {} characters",
    "minItems": "with ≥ {} items",
    "maxItems": "with ≤ {} items",
    "pattern": "matching `{}`",
}
_Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One thing that can be set.

    Attributes:
        path: its name, with those of the sections around it: `measure.rounds`.
        type: what it takes, with its limits and choices, as text.
        kinds: the types of JSON that it takes, `null` among them; empty if any.
        default: its value if nobody sets it; None also where it has no default.
        examples: values that work on any machine.
        gpu_examples: further values, which need a GPU.
        companions: values of others beside it that an example needs, by their own names.
        is_alone: whether no other option is to be tried together with it.
        is_read_back: whether its backend says that the live engine tells what is in force.
        is_tried: whether its examples mean something on any machine.
        description: one or two sentences; empty where nobody wrote them.

    """

    path: str
    type: str
    kinds: tuple[str, ...]
    default: Any
    examples: tuple[Any, ...]
    gpu_examples: tuple[Any, ...]
    companions: Mapping[str, Any]
    is_alone: bool
    is_read_back: bool
    is_tried: bool
    description: str


def settings_parameters(model: type[BaseModel] = Settings, prefix: str = "") -> list[Parameter]:
    """Return all settings, in the order in which they are declared."""
    found = []
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found += settings_parameters(inner, f"{prefix}{name}.")
        else:
            found.append(_parameter(f"{prefix}{name}", field))
    return found


def option_parameters(options: type[Any], prefix: str = "") -> list[Parameter]:
    """Return the options of a backend, given its dataclass, in the order of their declaration.

    A stranger's class may describe nothing: what it does not say is left empty.
    """
    hints = _hints(options)
    return [
        _parameter(prefix + field.name, _info(hints.get(field.name, field.type), field))
        for field in fields(options)
    ]


def _hints(options: type[Any]) -> dict[str, Any]:
    try:
        return get_type_hints(options, include_extras=True)
    except Exception:  # noqa: BLE001 - a stranger's annotation may name what is not there
        return {}


def _info(annotation: Any, field: Field[Any]) -> FieldInfo:
    """Return a field of a dataclass as pydantic understands it."""
    try:
        return FieldInfo.from_annotated_attribute(annotation, field)
    except Exception:  # noqa: BLE001 - a stranger's metadata, whatever stands in it
        return FieldInfo(annotation=annotation)


def _parameter(path: str, field: FieldInfo) -> Parameter:
    parts = _parts(field)
    extra = field.json_schema_extra
    traits: _Schema = extra if isinstance(extra, dict) else {}
    default = field.get_default(call_default_factory=True)
    return Parameter(
        path=path,
        type=" or ".join(map(_text, parts)) or _name(field.annotation),
        kinds=tuple(str(part["type"]) for part in parts if "type" in part),
        default=None if default is PydanticUndefined else _plain(default),
        examples=_values(field.examples),
        gpu_examples=_values(traits.get("on_gpu")),
        companions=_plain(traits.get("companions", {})),
        is_alone=traits.get("is_alone") is True,
        is_read_back=traits.get("is_read_back") is True,
        is_tried=traits.get("is_tried") is not False,
        description=str(field.description or ""),
    )


def _parts(field: FieldInfo) -> list[_Schema]:
    """Return the alternatives of a type, each as JSON Schema has it; none if it has no schema."""
    try:
        schema = TypeAdapter(field.rebuild_annotation()).json_schema()
    except Exception:  # noqa: BLE001 - a stranger's type, for which pydantic knows no schema
        return []
    definitions = schema.get("$defs", {})
    parts = [_resolved(part, definitions) for part in schema.get("anyOf", [schema])]
    return [part for part in parts if "type" in part]


def _resolved(part: _Schema, definitions: _Schema) -> _Schema:
    name = str(part.get("$ref", "")).rpartition("/")[2]
    return definitions.get(name, part)  # type: ignore[no-any-return]


def _text(part: _Schema) -> str:
    """Return one alternative: type, choices, limits."""
    words = [str(part["type"])]
    if inner := part.get("items", {}).get("type"):
        words.append(f"of {inner}")
    choices = part.get("enum", [part["const"]] if "const" in part else [])
    words += [f"({', '.join(map(str, choices))})"] if choices else []
    words += [text.format(part[name]) for name, text in _LIMITS.items() if name in part]
    return " ".join(words)


def _name(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _values(given: Any) -> tuple[Any, ...]:
    return tuple(map(_plain, given)) if isinstance(given, list | tuple) else ()


def _plain(value: Any) -> Any:
    """Return a value as JSON has it; what JSON has no word for becomes text."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        return str(value)
