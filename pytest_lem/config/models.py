"""The settings a person can make, with their limits, meaning and examples.

These models are the only source: validation, the reference in the documentation and the JSON
Schema for editors are made from them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

#: Version of the configuration format: a new major breaks old files, a new minor only adds.
CONFIG_VERSION = "1.0"

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
Name = Annotated[str, Field(min_length=1, pattern=r"^\S+$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class WorkloadSettings(_Model):
    """What one repetition asks of the model."""

    name: Name = Field("default", description="Name in keys and tables.", examples=["chat"])
    prompts: list[str] | None = Field(
        None,
        min_length=1,
        description="Texts to send, repeated when they run out; null means the shipped ones.",
        examples=[["Why do we have leap years?"]],
    )
    input_tokens: int | None = Field(
        None,
        ge=1,
        description="Exact prompt length: each prompt is repeated and cut to it. Null: as it is.",
        examples=[128],
    )
    output_tokens: int = Field(
        64, ge=1, description="Most tokens generated for a request.", examples=[8]
    )
    min_output_tokens: int | None = Field(
        None,
        ge=1,
        description="Fewest tokens generated for a request; only with `ignore_eos: false`.",
        examples=[4],
    )
    ignore_eos: bool = Field(
        True,
        description="Generate exactly `output_tokens`, whatever the model would rather do.",
        examples=[False],
    )
    temperature: float = Field(
        0.0, ge=0, le=10, description="0 is greedy; above, tokens are sampled.", examples=[0.7]
    )
    top_p: float = Field(
        1.0, gt=0, le=1, description="Nucleus of the sampling; needs temperature.", examples=[0.9]
    )
    seed: int = Field(42, ge=0, description="Seed of the sampling.", examples=[7])
    chat: bool | None = Field(
        None,
        description="Wrap prompts in the chat template; null: if the tokenizer has one.",
        examples=[False],
    )
    streaming: bool = Field(
        True,
        description="Take a time stamp for every token; without it TTFT, TPOT and ITL are null.",
        examples=[False],
    )
    requests: int | None = Field(
        None,
        ge=1,
        description="Requests in one repetition, sent in batches; null: one batch.",
        examples=[4],
    )

    @model_validator(mode="after")
    def _lengths_and_sampling_agree(self) -> WorkloadSettings:
        least = self.min_output_tokens
        if least is not None and self.ignore_eos:
            raise ValueError("min_output_tokens needs ignore_eos: false, which leaves it a meaning")
        if least is not None and least > self.output_tokens:
            raise ValueError(
                f"min_output_tokens {least} is above output_tokens {self.output_tokens}"
            )
        if self.top_p < 1 and self.temperature == 0:
            raise ValueError("top_p below 1 needs a temperature above 0, since 0 is greedy")
        return self


class MeasureSettings(_Model):
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
        description="Warm-up ends when the last five repetitions vary by less (CV of their time).",
        examples=[0.05],
    )
    warmup_max_s: float = Field(
        120.0,
        ge=0,
        le=3600,
        description="Warm-up ends here at the latest, flagged `unsteady`.",
        examples=[1.0],
    )
    timeout_s: float = Field(
        900.0,
        gt=0,
        le=86400,
        description="Longest wait for one answer of the host process; then it is killed.",
        examples=[60.0],
    )


class EnergySettings(_Model):
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

    @field_validator("meters")
    @classmethod
    def _auto_stands_alone(cls, meters: list[str]) -> list[str]:
        if "auto" in meters and len(meters) > 1:
            raise ValueError("`auto` chooses by itself, so it cannot stand beside other meters")
        return meters


class Settings(_Model):
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
    precision: Name = Field(
        "float32", description="Type of the weights and of the arithmetic.", examples=["bfloat16"]
    )
    batch_size: int = Field(
        1, ge=1, le=65536, description="Requests that run together.", examples=[2]
    )
    workload: WorkloadSettings = Field(default_factory=WorkloadSettings)
    measure: MeasureSettings = Field(default_factory=MeasureSettings)
    energy: EnergySettings = Field(default_factory=EnergySettings)
    backends: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="One section for each backend, in that library's own names.",
        examples=[{"transformers": {"attn_implementation": "eager"}}],
    )

    @field_validator("precision")
    @classmethod
    def _one_name_for_each_precision(cls, precision: str) -> str:
        return _PRECISION_ALIASES.get(precision, precision)

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
