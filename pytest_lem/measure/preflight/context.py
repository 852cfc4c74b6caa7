"""Whether the tokens of a case fit into the context of its model."""

from __future__ import annotations

from pytest_lem.errors import FailureKind, LemError, config_error
from pytest_lem.measure.preflight.job import Job


def check_context(job: Job) -> None:
    """Refuse a context beyond the model's own, and prompts with outputs beyond the context.

    Prompts of a length that only a tokenizer knows are checked when they are prepared.
    """
    own = job.shape.context_length if job.shape else None
    asked = job.option("max_model_len")
    if asked is not None and own is not None and asked > own:
        raise config_error(
            f"{job.path('max_model_len')} is {asked}, but {job.spec.model} knows no more than "
            f"{own} positions; lower it"
        )
    limit = asked or job.option("max_seq_len") or job.option("n_ctx") or own
    prompt = job.workload.input_tokens
    if limit is None or prompt is None or prompt + job.workload.output_tokens <= limit:
        return
    raise LemError(
        f"prompts of {prompt} tokens with {job.workload.output_tokens} to follow do not fit into "
        f"the context of {limit}; lower `workload.input_tokens` or `workload.output_tokens`",
        kind=FailureKind.DATA,
    )
