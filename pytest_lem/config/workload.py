"""The settings of a workload."""

from __future__ import annotations

from pydantic import Field, model_validator

from pytest_lem.config.section import Name, Section


class WorkloadSettings(Section):
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
        json_schema_extra={"companions": {"ignore_eos": False}},
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
        1.0,
        gt=0,
        le=1,
        description="Nucleus of the sampling; needs temperature.",
        examples=[0.9],
        json_schema_extra={"companions": {"temperature": 0.7}},
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
