"""The settings of a model's quality."""

from __future__ import annotations

from pydantic import Field

from pytest_lem.config.section import Section


class QualitySettings(Section):
    """What is found out about the quality of a model, outside of every window."""

    perplexity: bool = Field(
        False,
        description="Measure the perplexity of a fixed text under the loaded model, so that a gate "
        "on `perplexity` can go with one on energy. Backends: transformers, vllm.",
        examples=[True],
    )
    agreement: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Least share of the baseline's output, from its first token on, that has to "
        "come again under greedy decoding; less of it has regressed, whatever it costs. Of two "
        "sides, A is the baseline; of a history, its last session, for which outputs are then "
        "stored. Null: not judged.",
        examples=[0.95],
    )
