"""Makes the files that follow from the code: `python docs/generate.py` after changing a model.

A test compares them with what this script would write, so none of them can be stale.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from pytest_lem.config.models import CONFIG_VERSION, Settings
from pytest_lem.config.parameter import Parameter, option_parameters, settings_parameters
from pytest_lem.plugin.options import OPTIONS
from pytest_lem.registry import BACKENDS
from pytest_lem.results.definitions import DEFINITIONS_VERSION, METRICS
from pytest_lem.results.derived import DERIVED
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
    """Return the reference of all settings, and of the options of our own backends."""
    lines = [
        "# Settings",
        "",
        "Made from the models in `pytest_lem/config/models.py` and the backends' `Options`.",
        "`lem ls params` prints it too, with the options of backends from other packages.",
        f"Format version {CONFIG_VERSION}. Presets change some of the defaults.",
        "",
        *_sections(settings_parameters()),
    ]
    ours = distribution("pytest-lem").entry_points.select(group=BACKENDS)
    for entry in sorted(ours, key=lambda entry: entry.name):
        lines += ["", f"## `backends.{entry.name}`", ""]
        lines += _parameters(option_parameters(entry.load().Options))
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
        "",
        "## Derived figures",
        "",
        "Not measured but worked out with the settings `cost` ([derived.md](derived.md)), kept in",
        "`derived` and not in `metrics`, and never gated.",
        "",
        *_table(("figure", "unit", "better", "definition")),
        *(_row(f"`{n}`", d.unit, d.direction or "", d.text) for n, d in DERIVED.items()),
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


def _sections(parameters: Sequence[Parameter]) -> list[str]:
    """Return a table of what stands at the top of a file, and one for each section."""
    sections: dict[str, list[Parameter]] = {}
    for parameter in parameters:
        section, dot, _ = parameter.path.partition(".")
        sections.setdefault(section if dot else "", []).append(parameter)
    lines = _parameters(sections.pop(""))
    for section, members in sections.items():
        lines += ["", f"## `{section}`", "", *_parameters(members)]
    return lines


def _parameters(parameters: Sequence[Parameter]) -> list[str]:
    return [
        *_table(("name", "type", "default", "examples", "meaning")),
        *(
            _row(f"`{p.path}`", p.type, f"`{json.dumps(p.default)}`", _examples(p), p.description)
            for p in parameters
        ),
    ]


def _examples(parameter: Parameter) -> str:
    """Return the examples; those after the words need a GPU."""
    found = ", ".join(f"`{json.dumps(value)}`" for value in parameter.examples)
    needing = ", ".join(f"`{json.dumps(value)}`" for value in parameter.gpu_examples)
    return "; ".join(part for part in (found, needing and f"on a GPU {needing}") if part)


def _table(names: tuple[str, ...]) -> list[str]:
    return [_row(*names), _row(*("---" for _ in names))]


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _json(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    for target, content in generated().items():
        target.write_text(content)
