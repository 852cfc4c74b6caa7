"""The settings a person can make."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from pytest_lem.config.cost import CostSettings
from pytest_lem.config.models import (
    EnergySettings,
    MeasureSettings,
    Settings,
)
from pytest_lem.config.workload import WorkloadSettings
from pytest_lem.workloads.workload import Workload

MODELS = (Settings, WorkloadSettings, MeasureSettings, EnergySettings, CostSettings)
FIELDS = [
    pytest.param(model, name, id=f"{model.__name__}.{name}")
    for model in MODELS
    for name in model.model_fields
]


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("fp32", "float32"),
        ("f32", "float32"),
        ("float", "float32"),
        ("fp16", "float16"),
        ("f16", "float16"),
        ("half", "float16"),
        ("bf16", "bfloat16"),
        ("bfloat16", "bfloat16"),
        ("int8", "int8"),
    ],
)
def test_a_precision_has_one_name_whatever_people_call_it(alias: str, name: str) -> None:
    """Cases that mean the same precision are the same; unknown names are the backend's affair."""
    assert Settings(precision=alias).precision == name


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"min_output_tokens": 4},
            "min_output_tokens needs ignore_eos: false, which leaves it a meaning",
        ),
        (
            {"min_output_tokens": 9, "output_tokens": 8, "ignore_eos": False},
            "min_output_tokens 9 is above output_tokens 8",
        ),
        ({"top_p": 0.9}, "top_p below 1 needs a temperature above 0, since 0 is greedy"),
        ({"prompts": []}, "List should have at least 1 item"),
        ({"name": "two words"}, "String should match pattern"),
    ],
)
def test_a_workload_that_contradicts_itself_is_refused(
    given: dict[str, Any], sentence: str
) -> None:
    """A setting without effect would be a silent lie about what was measured."""
    with pytest.raises(ValidationError, match=sentence):
        WorkloadSettings(**given)


@pytest.mark.parametrize(
    "given",
    [
        {"min_output_tokens": 8, "output_tokens": 8, "ignore_eos": False},
        {"top_p": 0.9, "temperature": 0.1},
        {"top_p": 1.0},
    ],
)
def test_a_workload_at_its_limits_is_accepted(given: dict[str, Any]) -> None:
    """The limits themselves are allowed."""
    assert WorkloadSettings(**given).model_dump(include=set(given)) == given


def test_auto_stands_alone_among_the_meters() -> None:
    """`auto` chooses by itself, so a second name would be ambiguous."""
    with pytest.raises(ValidationError, match="it cannot stand beside other meters"):
        EnergySettings(meters=["auto", "rapl"])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_setting_is_a_finite_number(value: float) -> None:
    """NaN and infinity are refused, since JSON knows neither."""
    with pytest.raises(ValidationError, match="finite number"):
        MeasureSettings(min_window_s=value)


@pytest.mark.parametrize(
    ("model", "name", "below", "above"),
    [
        (Settings, "batch_size", 0, 65537),
        (WorkloadSettings, "output_tokens", 0, None),
        (WorkloadSettings, "input_tokens", 0, None),
        (WorkloadSettings, "requests", 0, None),
        (WorkloadSettings, "temperature", -0.1, 10.1),
        (WorkloadSettings, "top_p", 0, 1.1),
        (WorkloadSettings, "seed", -1, None),
        (MeasureSettings, "rounds", 0, 1001),
        (MeasureSettings, "min_window_s", -0.1, 3601),
        (MeasureSettings, "warmup_cv", 0, 1.1),
        (MeasureSettings, "warmup_max_s", -0.1, 3601),
        (MeasureSettings, "timeout_s", 0, 86401),
        (EnergySettings, "watts_per_cpu", 0, 1001),
        (CostSettings, "grid_gco2e_per_kwh", -0.1, 10_001),
        (CostSettings, "price_per_kwh", -0.1, 1_000_001),
        (CostSettings, "pue", 0.9, 10.1),
    ],
)
def test_numbers_have_limits(
    model: type[BaseModel], name: str, below: float, above: float | None
) -> None:
    """A value just outside the limits is refused, and the error stands at its field."""
    for value in (below, above):
        if value is not None:
            with pytest.raises(ValidationError) as caught:
                model(**{name: value})
            assert caught.value.errors()[0]["loc"] == (name,)


@pytest.mark.parametrize(("model", "name"), FIELDS)
def test_every_field_is_described_and_has_a_default(model: type[BaseModel], name: str) -> None:
    """The reference is made from the descriptions, and an empty file is a configuration."""
    field = model.model_fields[name]
    assert not field.is_required()
    is_section = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    assert is_section or (field.description and field.description.endswith("."))


@pytest.mark.parametrize(("model", "name"), FIELDS)
def test_every_example_is_valid(model: type[BaseModel], name: str) -> None:
    """What the reference shows can be copied, beside the settings that it needs."""
    needed = {"min_output_tokens": {"ignore_eos": False}, "top_p": {"temperature": 1.0}}
    for example in model.model_fields[name].examples or []:
        accepted = model(**{name: example, **needed.get(name, {})})
        assert getattr(accepted, name) == example


def test_settings_and_workload_agree_on_fields_and_defaults() -> None:
    """What can be configured is what a workload has, with the same defaults."""
    of_datasets = {"prompt_tokens"}
    names = [field.name for field in fields(Workload) if field.name not in of_datasets]
    assert list(WorkloadSettings.model_fields) == names
    assert Workload.from_plain(WorkloadSettings().model_dump()) == Workload()
