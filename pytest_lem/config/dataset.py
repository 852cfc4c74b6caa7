"""The settings of a dataset: where prompts come from when they are not written down."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pytest_lem.config.section import Section

#: The source that makes its prompts itself.
SYNTHETIC = "synthetic"
_OF_SYNTHETIC = ("lengths", "tokens", "cv", "least", "most", "lengths_file")

Kind = Literal["chat", "summarise", "code", "long"]


class DatasetSettings(Section):
    """Where prompts come from, and which of them are taken."""

    source: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="A name of `lem ls datasets`, a file (.jsonl, .txt, .csv, .parquet), "
        "`synthetic`, or a Hugging Face id. Null: `workload.prompts`.",
        examples=["lem-prompts"],
    )
    column: str | None = Field(
        None,
        min_length=1,
        description="Column of the prompts; null: the first of prompt, text, instruction, "
        "question, input, content that there is.",
        examples=["question"],
    )
    subset: str | None = Field(
        None,
        min_length=1,
        description="Of a Hugging Face id: its configuration.",
        examples=["main"],
    )
    split: str = Field(
        "train", min_length=1, description="Of a Hugging Face id: its part.", examples=["test"]
    )
    revision: str | None = Field(
        None,
        min_length=1,
        description="Of a Hugging Face id: commit, tag or branch.",
        examples=["main"],
    )
    kinds: list[Kind] | None = Field(
        None,
        min_length=1,
        description="Of `lem-prompts`: only these kinds of prompts.",
        examples=[["chat"]],
    )
    samples: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="Prompts taken; a repetition then sends all of them, unless "
        "`workload.requests` says otherwise. Null: as many as are sent.",
        examples=[20],
    )
    shuffle: bool = Field(
        False, description="Take prompts in an order drawn by `seed`.", examples=[True]
    )
    seed: int = Field(
        42, ge=0, description="Seed of the order, and of what is synthetic.", examples=[7]
    )
    lengths: Literal["fixed", "uniform", "lognormal", "file"] = Field(
        "fixed",
        description="Of `synthetic`: how the lengths of prompts are distributed.",
        examples=["lognormal"],
    )
    tokens: int = Field(
        128,
        ge=1,
        le=1_000_000,
        description="Of `synthetic`: the length, or the mean of `lognormal`.",
        examples=[32],
    )
    cv: float = Field(
        0.5,
        gt=0,
        le=10,
        description="Of `lognormal`: standard deviation over mean, before limits cut it.",
        examples=[1.0],
    )
    least: int = Field(
        1, ge=1, description="Of `synthetic`: no prompt is shorter than this.", examples=[8]
    )
    most: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="Of `synthetic`: no prompt is longer than this.",
        examples=[256],
    )
    lengths_file: str | None = Field(
        None,
        min_length=1,
        description="Of `lengths: file`: a text file with one length in tokens on each line, from "
        "which lengths are drawn as often as they stand there.",
        examples=["lengths.txt"],
    )

    @model_validator(mode="after")
    def _parts_fit_the_source(self) -> DatasetSettings:
        given = self.model_fields_set - {"source"}
        if self.source is None and given:
            raise ValueError(f"{min(given)} needs dataset.source, which says what it belongs to")
        if self.source != SYNTHETIC and (own := sorted(given.intersection(_OF_SYNTHETIC))):
            raise ValueError(f"{own[0]} is of `source: synthetic` alone; other prompts have theirs")
        if (self.lengths == "file") != (self.lengths_file is not None):
            raise ValueError("`lengths: file` and lengths_file belong together")
        return self

    @model_validator(mode="after")
    def _limits_leave_room(self) -> DatasetSettings:
        if self.lengths == "uniform" and self.most is None:
            raise ValueError("`lengths: uniform` lies between least and most, so it needs most")
        if self.most is not None and self.most < self.least:
            raise ValueError(f"most {self.most} is below least {self.least}")
        return self
