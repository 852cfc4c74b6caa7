"""The change that a gate undertakes to find."""

from __future__ import annotations

from math import inf, nan

import pytest

from pytest_lem.errors import FailureKind, LemError
from pytest_lem.gate.promise import promise_of
from pytest_lem.gate.rule import rules_of

RULES = rules_of(["ttft_s:2", "tpot_s:5+0.01"], "--fail-on")
_LARGEST = "what it allows, and tpot_s:5+0.01 allows 5 %"


def test_without_a_word_it_is_ten_per_cent() -> None:
    """Whatever the rules allow: what each of them needs is seen to by the judge."""
    assert promise_of(None, RULES, "--promise") == 0.10


@pytest.mark.parametrize("percent", [10.0, 12.5])
def test_it_is_a_share_of_what_was_typed(percent: float) -> None:
    """From twice what is allowed upwards."""
    assert promise_of(percent, RULES, "--promise") == percent / 100


@pytest.mark.parametrize(
    ("percent", "sentence"),
    [
        (9.9, f"--promise 9.9: no gate can undertake to find less than twice {_LARGEST}"),
        (0.0, "--promise 0: a promise is a change in per cent, above 0"),
        (-3.0, "--promise -3: a promise is a change in per cent, above 0"),
        (nan, "--promise nan: a promise is a change in per cent, above 0"),
        (inf, "--promise inf: a promise is a change in per cent, above 0"),
    ],
)
def test_one_that_cannot_be_kept_is_a_mistake(percent: float, sentence: str) -> None:
    """The sentence names the rule that is in its way."""
    with pytest.raises(LemError) as caught:
        promise_of(percent, RULES, "--promise")
    assert str(caught.value) == sentence
    assert caught.value.kind is FailureKind.CONFIG
