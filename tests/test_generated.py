"""The files that follow from the code are current, and the example configurations are valid."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from pytest_lem.backends.transformers.options import TransformersOptions
from pytest_lem.config.gridfile import read_grid
from pytest_lem.config.parameter import option_parameters
from pytest_lem.config.resolve import resolve
from pytest_lem.config.source import read_file
from pytest_lem.plugin.settings import options_of
from pytest_lem.registry import BACKENDS, entries, load

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "configs").glob("*.yaml"))
SWEEPS = [path for path in FILES if "grid" in yaml.safe_load(path.read_text())]
CONFIGS = [path for path in FILES if path not in SWEEPS]


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _generator()


@pytest.mark.parametrize("path", GENERATOR.generated(), ids=lambda p: str(p.relative_to(ROOT)))
def test_a_generated_file_is_current(path: Path) -> None:
    """What stands in the repository is what `python docs/generate.py` would write."""
    assert path.read_text() == GENERATOR.generated()[path]


def test_a_new_version_reaches_every_configuration() -> None:
    """The script that bumps the format leaves no old version behind."""
    assert GENERATOR.stamped('schema_version: "0.9"\npreset: smoke\n').startswith(
        f'schema_version: "{GENERATOR.CONFIG_VERSION}"\n'
    )


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.name)
def test_an_example_configuration_is_valid(path: Path) -> None:
    """Each resolves without a note, and each of its own values is in force."""
    resolved = resolve(read_file(path), default_preset="standard", options_of=options_of)

    assert resolved.notes == ()
    own = yaml.safe_load(path.read_text())
    assert resolved.settings.preset == own.get("preset", "standard")
    for name in ("backend", "precision"):
        assert own.get(name) in {None, getattr(resolved.settings, name)}


@pytest.mark.parametrize("path", SWEEPS, ids=lambda p: p.name)
def test_every_combination_of_an_example_sweep_is_valid(path: Path) -> None:
    """None of them would be dropped where all backends are installed."""
    grid = read_grid(path, options_of)
    combinations = list(grid.combinations("transformers"))

    assert len(combinations) > len(grid.axes)
    for combination in combinations:
        layers = grid.base.copy()
        combination.lay_over(layers)
        settings = resolve(layers, default_preset="standard", options_of=options_of).settings
        assert settings.precision in load(BACKENDS, settings.backend).precisions


def test_the_settings_page_has_our_own_backends_alone(ngram: Path) -> None:
    """Whoever generates it may have installed others; limits and needs of a GPU are shown."""
    page = GENERATOR.settings_page()

    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert "ngram" in entries(BACKENDS)
    assert "## `backends.transformers`" in headings
    assert "## `backends.ngram`" not in headings
    for parameter in option_parameters(TransformersOptions):
        assert f"| `{parameter.path}` | {parameter.type.replace('|', chr(92) + '|')} |" in page
    assert '`"cpu"`; on a GPU `"cuda"`, `"cuda:0"`' in page


def test_the_schema_names_the_contract() -> None:
    """The fields on which other tools rely are in the JSON Schema of the run file."""
    schema = json.loads((ROOT / "pytest_lem/results/run.schema.json").read_text())

    kinds = schema["$defs"]
    assert {"key", "digest", "kind", "settings"} <= set(kinds["CaseRecord"]["properties"])
    assert {"backend", "model", "precision", "batch_size"} <= set(
        kinds["CaseSettings"]["properties"]
    )
    assert {"value", "u", "unit", "tier"} <= set(kinds["Metric"]["properties"])
    assert set(kinds["EnergyRecord"]["properties"]) >= {
        "domain", "device", "value", "u_random", "u_systematic", "tier",
    }  # fmt: skip
    assert kinds["Domain"]["enum"] == ["gpu", "package", "dram", "estimate"]
