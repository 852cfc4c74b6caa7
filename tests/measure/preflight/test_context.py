"""Tokens and contexts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_lem.errors import FailureKind, LemError
from pytest_lem.measure.preflight.context import check_context


def _refusal(asked: Any) -> tuple[FailureKind, str]:
    with pytest.raises(LemError) as caught:
        check_context(asked)
    return caught.value.kind, str(caught.value)


def test_prompts_that_do_not_fit_are_refused(job: Any) -> None:
    """Prompt and output together fill the context, and no more."""
    check_context(job(tokens=(960, 64)))
    kind, sentence = _refusal(job(tokens=(961, 64)))
    assert kind is FailureKind.DATA
    assert sentence == (
        "prompts of 961 tokens with 64 to follow do not fit into the context of 1024; lower "
        "`workload.input_tokens` or `workload.output_tokens`"
    )


@pytest.mark.parametrize("name", ["max_model_len", "max_seq_len", "n_ctx"])
def test_a_context_that_was_asked_for_counts(job: Any, name: str) -> None:
    """It is the limit, whatever the model could do, and is known without its files."""
    options = {name: 100}
    check_context(job(tokens=(90, 10), options=options))
    kind, sentence = _refusal(replace(job(tokens=(90, 11), options=options), shape=None))
    assert (kind, "the context of 100" in sentence) == (FailureKind.DATA, True)


def test_a_context_beyond_that_of_the_model_is_refused(job: Any) -> None:
    """An engine would refuse it, too, after it was started."""
    assert _refusal(job(options={"max_model_len": 1025})) == (
        FailureKind.CONFIG,
        "`backends.vllm.max_model_len` is 1025, but m knows no more than 1024 positions; lower it",
    )


def test_what_is_not_known_is_left_to_the_backend(job: Any) -> None:
    """A prompt as it is, a context that no file tells, and one that llama.cpp may stretch."""
    check_context(job(tokens=(None, 9999)))
    check_context(job(tokens=(9999, 64), context_length=None))
    check_context(job(options={"max_model_len": 9999}, context_length=None))
    check_context(job(options={"n_ctx": 9999}))
