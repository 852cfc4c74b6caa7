"""From layers to settings: presets, errors with their place, origins of values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import pytest

from pytest_lem.config.layers import Layers
from pytest_lem.config.models import EnergySettings, Preset, Settings
from pytest_lem.config.resolve import PRESETS, Resolved, resolve
from pytest_lem.config.source import read_file
from pytest_lem.errors import config_error

Write = Callable[..., Path]
Sentence = Callable[..., str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Options of a backend that exists for these tests."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic on the class

    threads: int | None = field(default=None, metadata={"ge": 1})
    attention: str = "auto"


def options_of(backend: str) -> type:
    """Know one backend, as the registry knows those that are installed."""
    if backend != "engine":
        raise config_error(f"there is no backend `{backend}`: did you mean `engine`?")
    return EngineOptions


def _resolve(layers: Layers, default_preset: str = "standard") -> Resolved:
    return resolve(layers, default_preset=default_preset, options_of=options_of)


def _layers(**values: Any) -> Layers:
    layers = Layers()
    for name, value in values.items():
        layers.put((name,), value, "test")
    return layers


def test_every_preset_has_a_file_and_the_other_way_round() -> None:
    """A preset that can be asked for is one that exists."""
    assert {path.stem for path in PRESETS.glob("*.yaml")} == set(get_args(Preset))


@pytest.mark.parametrize("preset", get_args(Preset))
def test_every_preset_resolves(preset: str) -> None:
    """Each packaged preset is valid and is the origin of what it sets."""
    resolved = _resolve(_layers(preset=preset))
    assert resolved.settings.preset == preset
    assert f"preset {preset}" in resolved.origins.values()


def test_presets_shorten_and_lengthen_the_method_as_documented() -> None:
    """`standard` is the method; smoke and quick are shorter, rigorous is twice as long."""
    sizes = {
        preset: (measure.rounds, measure.min_window_s)
        for preset in get_args(Preset)
        for measure in [_resolve(_layers(preset=preset)).settings.measure]
    }
    assert sizes == {
        "smoke": (2, 0),
        "quick": (3, 1),
        "standard": (10, 5),
        "rigorous": (20, 10),
        "latency": (10, 5),
        "throughput": (10, 5),
    }


def test_without_a_choice_the_default_preset_holds() -> None:
    """The caller's default is taken, and the preset is known to be a default."""
    resolved = _resolve(Layers(), default_preset="quick")
    assert resolved.settings.preset == "quick"
    assert resolved.settings.measure.rounds == 3
    assert resolved.origins["preset"] == "default"


def test_own_values_lie_over_the_preset(write: Write) -> None:
    """A preset fills in what nobody set, wherever in a file it is named."""
    path = write("measure: {rounds: 4}\npreset: smoke\n")
    resolved = _resolve(read_file(path))
    assert resolved.settings.measure.rounds == 4
    assert resolved.settings.workload.output_tokens == 8
    assert resolved.origins["measure.rounds"] == f"{path}:1"
    assert resolved.origins["measure.min_window_s"] == "preset smoke"


def test_an_empty_section_takes_nothing_from_the_preset(write: Write) -> None:
    """An empty mapping merges like any other."""
    settings = _resolve(read_file(write("preset: smoke\nworkload: {}\n"))).settings
    assert settings.workload.output_tokens == 8


def test_every_value_has_an_origin(write: Write) -> None:
    """Every leaf of the settings can be traced, to the default if to nothing else."""
    layers = read_file(write("backends: {engine: {threads: 2}}\n"))
    resolved = _resolve(layers)
    assert set(resolved.origins) == set(_paths(resolved.settings.model_dump()))
    assert resolved.origins["model"] == "default"
    assert resolved.origins["backends.engine.threads"].endswith("lem.yaml:1")


def _paths(tree: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key, value in tree.items():
        found += _paths(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\nmeasur: {rounds: 3}", "lem.yaml:2: unknown key `measur`: did you mean `measure`?"),
        (
            "measure:\n  rounds: 2\n  round: 3",
            "lem.yaml:3: unknown key `measure.round`: did you mean `rounds`?",
        ),
        (
            "energy:\n  zzz: 3",
            "lem.yaml:2: unknown key `energy.zzz`: known: "
            + ", ".join(sorted(EnergySettings.model_fields)),
        ),
        (
            "\n\nbatch_size: 0",
            "lem.yaml:3: `batch_size`: input should be greater than or equal to 1, not 0",
        ),
        (
            "batch_size: two",
            "lem.yaml:1: `batch_size`: input should be a valid integer, not 'two'",
        ),
        (
            "batch_size: true",
            "lem.yaml:1: `batch_size`: input should be a valid integer, not True",
        ),
        (
            "measure:\n  min_window_s: 9999",
            (
                "lem.yaml:2: `measure.min_window_s`: input should be less than or equal to 3600, "
                "not 9999"
            ),
        ),
        (
            "workload:\n  prompts: [a,\n    3]",
            "lem.yaml:2: `workload.prompts.1`: input should be a valid string, not 3",
        ),
        (
            "preset: smoke\nworkload:\n  top_p: 0.5",
            "lem.yaml:3: `workload`: top_p below 1 needs a temperature above 0, since 0 is greedy",
        ),
        ("preset: smok", "lem.yaml:1: there is no preset `smok`: did you mean `smoke`?"),
        (
            "preset: fast",
            (
                "lem.yaml:1: there is no preset `fast`: known: latency, quick, rigorous, smoke, "
                "standard, throughput"
            ),
        ),
        (
            "backends:\n  engin: {threads: 1}",
            "lem.yaml:2: there is no backend `engin`: did you mean `engine`?",
        ),
        (
            "backends:\n  engine:\n    attention: sdpa\n    thread: 1",
            "lem.yaml:4: unknown key `backends.engine.thread`: did you mean `threads`?",
        ),
        (
            "backends:\n  engine:\n    threads: 0",
            (
                "lem.yaml:3: `backends.engine.threads`: input should be greater than or equal to "
                "1, not 0"
            ),
        ),
        (
            "backends:\n  engine: 5",
            "lem.yaml:2: `backends.engine`: input should be a valid dictionary, not 5",
        ),
        (
            "schema_version: '2.0'",
            (
                "lem.yaml:1: `schema_version`: this release reads version 1.8, so the file needs "
                "porting, not '2.0'"
            ),
        ),
        (
            "schema_version: 1.0",
            'lem.yaml:1: `schema_version`: a version is text, so put it in quotes: "1.8", not 1.0',
        ),
    ],
)
def test_a_wrong_setting_is_one_sentence_with_its_place_and_value(
    write: Write, sentence: Sentence, text: str, expected: str
) -> None:
    """The sentence begins with file and line and says what would do."""
    assert sentence(_resolve, read_file(write(text))) == expected


def test_a_wrong_setting_from_elsewhere_names_its_origin(sentence: Sentence) -> None:
    """Options, variables and markers are named as files are."""
    layers = Layers()
    layers.put(("measure", "rounds"), 0, "marker")
    assert sentence(_resolve, layers) == (
        "marker: `measure.rounds`: input should be greater than or equal to 1, not 0"
    )


def test_an_unknown_default_preset_is_an_error_without_a_place(sentence: Sentence) -> None:
    """Nobody wrote it anywhere, so the sentence names no place."""
    assert sentence(_resolve, Layers(), default_preset="smok") == (
        "there is no preset `smok`: did you mean `smoke`?"
    )


def test_options_come_as_the_backends_own_class() -> None:
    """A configured backend gets its section, another its defaults."""
    resolved = _resolve(_layers(backends={"engine": {"threads": 2}}))
    assert resolved.options_of("engine", options_of) == EngineOptions(threads=2)
    assert _resolve(Layers()).options_of("engine", options_of) == EngineOptions()


def test_a_newer_minor_version_is_read_with_a_note(write: Write) -> None:
    """A minor only adds, so the file is read, and the person is told."""
    path = write("\nschema_version: '1.9'\n")
    assert _resolve(read_file(path)).notes == (
        f"{path}:2: written for version 1.9, read as version 1.8",
    )


@pytest.mark.parametrize(
    "text", ["", "schema_version: '1.0'\n", "schema_version: '1.1'\n", "schema_version:\n"]
)
def test_the_present_and_older_versions_need_no_note(write: Write, text: str) -> None:
    """A file of this version, or of none, is read in silence."""
    assert _resolve(read_file(write(text))).notes == ()


def test_defaults_alone_are_valid() -> None:
    """Without any setting, the defaults over the preset are in force."""
    changed = {"preset": "standard"}
    assert _resolve(Layers()).settings == Settings(**changed)
