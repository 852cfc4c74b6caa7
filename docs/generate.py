"""Makes the files that follow from the code: `python docs/generate.py` after changing a model.

A test compares them with what this script would write, so none of them can be stale.
"""

from __future__ import annotations

import dataclasses
import json
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from pytest_lem.config.models import CONFIG_VERSION, Settings
from pytest_lem.plugin.options import OPTIONS
from pytest_lem.registry import BACKENDS, entries, load
from pytest_lem.results.definitions import DEFINITIONS_VERSION, METRICS
from pytest_lem.results.runfile import RunFile

ROOT = Path(__file__).resolve().parents[1]


def generated() -> dict[Path, str]:
    """Return the text of every generated file, by its path."""
    files = {
        ROOT / "pytest_lem/results/run.schema.json": _json(RunFile.model_json_schema()),
        ROOT / "pytest_lem/config/config.schema.json": _json(Settings.model_json_schema()),
        ROOT / "docs/settings.md": settings_page(),
        ROOT / "docs/metrics.md": metrics_page(),
        ROOT / "docs/options.md": options_page(),
    }
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        files[path] = stamped(path.read_text())
    return files


def stamped(text: str) -> str:
    """Return a configuration with the present version of the format."""
    return re.sub(
        r"^schema_version: .*$", f'schema_version: "{CONFIG_VERSION}"', text, flags=re.MULTILINE
    )


def settings_page() -> str:
    """Return the reference of all settings and of each backend's options."""
    lines = [
        "# Settings",
        "",
        "Made from the models in `pytest_lem/config/models.py` and the backends' `Options`.",
        f"Format version {CONFIG_VERSION}. Presets change some of the defaults.",
        "",
        *_table(("setting", "type", "default", "example", "meaning")),
        *(_row(*cells) for cells in _settings(Settings, "")),
    ]
    for name in sorted(entries(BACKENDS)):
        lines += ["", f"## `backends.{name}`", ""]
        lines += _table(("option", "type", "default", "example", "meaning"))
        lines += [_row(*cells) for cells in _options(load(BACKENDS, name).Options)]
    return "\n".join(lines) + "\n"


def metrics_page() -> str:
    """Return the reference of all metrics."""
    lines = [
        "# Metrics",
        "",
        f"Definitions version {DEFINITIONS_VERSION}. Every record has every metric; one without a",
        "value carries the reason. Latencies also carry `p50`, `p90`, `p95` and `p99`.",
        "",
        *_table(("metric", "unit", "better", "definition")),
        *(_row(f"`{n}`", d.unit, d.direction or "", d.text) for n, d in METRICS.items()),
    ]
    return "\n".join(lines) + "\n"


def options_page() -> str:
    """Return the reference of the command line, the variables and the ini entries."""
    lines = [
        "# Command line",
        "",
        "The command line comes before the environment, and that before the ini file.",
        "",
        *_table(("option", "variable", "ini", "meaning")),
        *(_row(f"`{o.flag}`", f"`{o.variable}`", f"`{o.ini}`", o.help) for o in OPTIONS),
    ]
    return "\n".join(lines) + "\n"


def _settings(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _settings(inner, f"{prefix}{name}.")
            continue
        default = field.get_default(call_default_factory=True)
        example = (field.examples or [""])[0]
        yield (
            f"`{prefix}{name}`",
            _type(field.rebuild_annotation()),
            f"`{json.dumps(default)}`",
            f"`{json.dumps(example)}`",
            field.description or "",
        )


def _options(options: type[Any]) -> Iterator[tuple[str, ...]]:
    hints = typing.get_type_hints(options)
    for field in dataclasses.fields(options):
        yield (
            f"`{field.name}`",
            _type(hints[field.name]),
            f"`{json.dumps(field.default)}`",
            f"`{json.dumps(field.metadata['examples'][0])}`",
            field.metadata["description"],
        )


def _type(annotation: Any) -> str:
    """Return a type with its limits, as JSON Schema knows them."""
    schema = TypeAdapter(annotation).json_schema()
    parts = [part for part in schema.get("anyOf", [schema]) if part.get("type") != "null"]
    words = [str(part.get("type", "")) for part in parts]
    limits = {**schema, **parts[0]}
    words += [f"≥ {limits['minimum']}"] if "minimum" in limits else []
    words += [f"> {limits['exclusiveMinimum']}"] if "exclusiveMinimum" in limits else []
    words += [f"≤ {limits['maximum']}"] if "maximum" in limits else []
    words += [", ".join(limits["enum"])] if "enum" in limits else []
    nullable = "anyOf" in schema or isinstance(annotation, types.UnionType)
    return " ".join(words) + (" or null" if nullable else "")


def _table(names: tuple[str, ...]) -> list[str]:
    return [_row(*names), _row(*("---" for _ in names))]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _json(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    for target, content in generated().items():
        target.write_text(content)
