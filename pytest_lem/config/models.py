"""The settings a person can make, with their limits, meaning and examples.

These models are the only source: validation, the reference in the documentation and the JSON
Schema for editors are made from them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from pytest_lem.config.cost import CostSettings
from pytest_lem.config.dataset import SYNTHETIC, DatasetSettings
from pytest_lem.config.gate import GateSettings
from pytest_lem.config.mlflow import MlflowSettings
from pytest_lem.config.pair import PairSettings
from pytest_lem.config.quality import QualitySettings
from pytest_lem.config.section import Name, Section
from pytest_lem.config.traffic import SloSettings, TrafficSettings
from pytest_lem.config.webhook import WebhookSettings
from pytest_lem.config.workload import WorkloadSettings

#: Version of the configuration format: a new major breaks old files, a new minor only adds.
CONFIG_VERSION = "1.8"

#: Other names under which people know a precision.
_PRECISION_ALIASES = {
    "fp32": "float32",
    "f32": "float32",
    "float": "float32",
    "fp16": "float16",
    "f16": "float16",
    "half": "float16",
    "bf16": "bfloat16",
}

Preset = Literal["smoke", "quick", "standard", "rigorous", "latency", "throughput"]


class MeasureSettings(Section):
    """How a case is measured."""

    rounds: int = Field(10, ge=1, le=1000, description="Windows measured.", examples=[2])
    min_window_s: float = Field(
        5.0,
        ge=0,
        le=3600,
        description="Shortest window; shorter work is repeated inside it.",
        examples=[0.5],
    )
    warmup_cv: float = Field(
        0.01,
        gt=0,
        le=1,
        description="Warm-up ends when the last five repetitions vary by less: CV of their energy "
        "where there is a sensor, else of their time.",
        examples=[0.05],
    )
    warmup_max_s: float = Field(
        120.0,
        ge=0,
        le=3600,
        description="Warm-up ends here at the latest, flagged `unsteady`; without a sensor after "
        "5 s.",
        examples=[1.0],
    )
    warmup_calm_s: float = Field(
        30.0,
        ge=0,
        le=3600,
        description="A device that tells its temperature has to keep it within 1 °C for so long "
        "before the warm-up ends; 0: temperature is not waited for.",
        examples=[10.0],
    )
    idle_s: float = Field(
        10.0,
        ge=0,
        le=600,
        description="Idle power is measured for so long before and after the rounds; 0: not at "
        "all. Only where there is a sensor.",
        examples=[2.0],
    )
    max_delay_s: float = Field(
        1.0,
        ge=0,
        le=60,
        description="Rounds begin after a random rest of up to this, or up to a tick of the "
        "counter if that is longer; 0: at once. Only where there is a sensor.",
        examples=[0.5],
    )
    split: bool = Field(
        False,
        description="Measure the prefill by itself as well, to tell its energy from that of the "
        "decoding; takes about twice as long.",
        examples=[True],
    )
    isolation: Literal["load", "case"] = Field(
        "load",
        description="`load`: cases that share a load share its host. `case`: each has a host of "
        "its own, with empty caches of the engine, and the model's files out of the page cache.",
        examples=["case"],
    )
    gap_s: float = Field(
        0.0,
        ge=0,
        le=3600,
        description="Rest before each energy test, not charged to its timeout.",
        examples=[5.0],
    )
    cooldown_c: float | None = Field(
        None,
        gt=0,
        le=120,
        description="Before each energy test, wait until the devices are no hotter than this.",
        examples=[50.0],
    )
    cooldown_max_s: float = Field(
        300.0,
        gt=0,
        le=3600,
        description="Longest wait for `cooldown_c`; then the case is flagged `not_cooled`.",
        examples=[60.0],
    )
    timeout_s: float = Field(
        900.0,
        gt=0,
        le=86400,
        description="Longest wait for one answer of the host process; then it is killed.",
        examples=[60.0],
    )


class EnergySettings(Section):
    """What reads joules."""

    meters: list[Name] = Field(
        ["auto"],
        min_length=1,
        description="Meters by name; `auto` takes the best that this machine has.",
        examples=[["estimated"]],
    )
    watts_per_cpu: float = Field(
        7.0,
        gt=0,
        le=1000,
        description="Estimated tier only: watts of one busy logical CPU, stated as -70 % to +70 %.",
        examples=[4.0],
    )
    simulated_w: float = Field(
        100.0,
        gt=0,
        le=100_000,
        description="Watts that the meter `simulated` shows, whatever happens.",
        examples=[42.0],
    )
    require_tier: Literal["counter", "power", "estimated"] | None = Field(
        None,
        description="A case whose energy is of a worse tier, or unknown, fails.",
        examples=["estimated"],
    )
    sample_s: float = Field(
        0.1,
        ge=0,
        le=60,
        description="Time between two samples of power, clocks and temperature; 0: no series.",
        examples=[0.5],
    )
    observer_s: float = Field(
        5.0,
        ge=0,
        le=60,
        description="Half the length of the test whether reading a GPU's counter changes it, run "
        "once per boot; 0: no test, and counters that were not tested are not searched for ticks.",
        examples=[2.0],
    )
    tick_search_s: float = Field(
        3.0,
        ge=0,
        le=60,
        description="How long the tick of a GPU's counter is measured when a session starts; 0: "
        "0.1 s is assumed.",
        examples=[1.0],
    )
    own_board: bool = Field(
        False,
        description="You assert that nobody else uses the GPU boards whose slices (MIG) you use, "
        "so that the energy of the whole board may stand for yours.",
        examples=[True],
    )

    @field_validator("meters")
    @classmethod
    def _some_stand_alone(cls, meters: list[str]) -> list[str]:
        if "auto" in meters and len(meters) > 1:
            raise ValueError("`auto` chooses by itself, so it cannot stand beside other meters")
        if "simulated" in meters and len(meters) > 1:
            raise ValueError("`simulated` is made up, so it cannot stand beside other meters")
        return meters


class Settings(Section):
    """Everything that can be configured."""

    schema_version: str | None = Field(
        None,
        pattern=r"^\d+\.\d+$",
        description="Version of this format for which the file was written.",
        examples=[CONFIG_VERSION],
    )
    preset: Preset | None = Field(
        None,
        description="Where other values start from; null: `standard` with a sensor, else `quick`.",
        examples=["smoke"],
    )
    backend: Name = Field(
        "transformers", description="Inference library.", examples=["transformers"]
    )
    model: Annotated[str, Field(min_length=1)] = Field(
        "smollm2-135m-instruct",
        description="Hugging Face id, local directory, or `smollm2-135m-instruct`.",
        examples=["smollm2-135m-instruct"],
    )
    precision: Name | None = Field(
        None,
        description="Type of the weights and of the arithmetic; null: float32, or what the "
        "model's file has, where a backend takes files as they are.",
        examples=["bfloat16"],
    )
    batch_size: int = Field(
        1, ge=1, le=65536, description="Requests that run together.", examples=[2]
    )
    strict: bool = Field(
        False,
        description="Fail a case when the engine runs with other settings than were asked for; "
        "else it is flagged.",
        examples=[True],
    )
    order: Literal["grouped", "interleaved", "shuffled"] = Field(
        "grouped",
        description="Order of the tests that measure models: those that share a load together, one "
        "of each load in turn, or at random by `seed`.",
        examples=["shuffled"],
    )
    cycles: int = Field(
        1,
        ge=1,
        le=1000,
        description="How often each case is measured, each time with a host of its own; figures "
        "of the cycles are pooled.",
        examples=[3],
    )
    resume: bool = Field(
        False,
        description="Take what the latest run in the store has already measured, with the same "
        "settings on the same machine.",
        examples=[True],
    )
    resume_failed: bool = Field(
        True,
        description="When resuming, measure cases again that failed.",
        examples=[False],
    )
    seed: int = Field(
        42, ge=0, description="Seed of the order and of the rests before rounds.", examples=[7]
    )
    workload: WorkloadSettings = Field(default_factory=WorkloadSettings)
    dataset: DatasetSettings = Field(default_factory=DatasetSettings)
    traffic: TrafficSettings = Field(default_factory=TrafficSettings)
    slo: SloSettings = Field(default_factory=SloSettings)
    measure: MeasureSettings = Field(default_factory=MeasureSettings)
    energy: EnergySettings = Field(default_factory=EnergySettings)
    gate: GateSettings = Field(default_factory=GateSettings)
    pair: PairSettings = Field(default_factory=PairSettings)
    quality: QualitySettings = Field(default_factory=QualitySettings)
    cost: CostSettings = Field(default_factory=CostSettings)
    webhooks: WebhookSettings = Field(default_factory=WebhookSettings)
    mlflow: MlflowSettings = Field(default_factory=MlflowSettings)
    backends: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="One section for each backend, in that library's own names.",
        examples=[{"transformers": {"attn_implementation": "eager"}}],
    )

    @model_validator(mode="after")
    def _prompts_have_one_source(self) -> Settings:
        if self.dataset.source is not None and self.workload.prompts is not None:
            raise ValueError(
                "workload.prompts and dataset.source both say what to send; take one of them out"
            )
        if self.dataset.source == SYNTHETIC and self.workload.input_tokens is not None:
            raise ValueError(
                "synthetic prompts have the length of dataset.tokens; take "
                "workload.input_tokens out"
            )
        return self

    @field_validator("precision")
    @classmethod
    def _one_name_for_each_precision(cls, precision: str | None) -> str | None:
        return _PRECISION_ALIASES.get(precision, precision) if precision else precision

    @field_validator("schema_version", mode="before")
    @classmethod
    def _version_in_quotes(cls, version: Any) -> Any:
        if isinstance(version, int | float):
            raise ValueError(f'a version is text, so put it in quotes: "{CONFIG_VERSION}"')  # noqa: TRY004 - pydantic's own
        return version

    @field_validator("schema_version")
    @classmethod
    def _known_format(cls, version: str | None) -> str | None:
        if version and version.partition(".")[0] != CONFIG_VERSION.partition(".")[0]:
            raise ValueError(
                f"this release reads version {CONFIG_VERSION}, so the file needs porting"
            )
        return version
